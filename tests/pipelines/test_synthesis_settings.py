import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.settings import Settings
from pipelines.synthesis_settings import SynthesisSettings


def test_the_defaults_hold_together_and_are_part_of_the_config():
    made = load_config(Settings, None).synthesis
    assert made == SynthesisSettings() and made.at_least <= made.at_most and made.judge.writer is None


def test_another_judge_is_a_table_of_its_own():
    made = load_config(
        SynthesisSettings, None, ["judge.writer.model=bundled:x", "judge.threshold=9", "leaks.near=null"]
    )
    assert made.judge.writer.model == "bundled:x" and made.leaks.near is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["at_least=5", "at_most=4"], "at_most"),
        (["language=xx"], "expected one of en, "),
        (["temperature=0", "examples.random=0"], "ask the same again"),
        (["examples.many=101"], "100"),
        (["judge.threshold=11"], "10"),
        (["instruction="], "instruction"),
        (["exampels.many=1"], "did you mean 'examples'"),
    ],
)
def test_what_cannot_be_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(SynthesisSettings, None, overrides)


def test_greedy_with_one_attempt_is_fine():
    assert load_config(SynthesisSettings, None, ["temperature=0", "attempts=1", "examples.random=0"]).temperature == 0
