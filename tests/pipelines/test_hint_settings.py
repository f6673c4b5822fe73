"""The tables of hints."""

import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.settings import Settings


@pytest.mark.parametrize(
    "override",
    [
        "hints.form=xml",
        "hints.attempts=0",
        "hints.retry_temperature=0",
        "hints.shortest=900",
        "hints.writer.batch=0",
        "reasoner_training.epochs=0",
        "reasoner_training.method=dora",
        "reasoner_training.adapter_dropout=1.0",
        "reasoner_training.epoch=3",
    ],
)
def test_what_is_out_of_range_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match=r"hints|reasoner_training"):
        load_config(Settings, None, [override])


def test_what_is_in_range_is_taken() -> None:
    settings = load_config(Settings, None, ["hints.writer.model=m", "reasoner_training.method=qlora"])
    assert (settings.hints.writer.model, settings.reasoner_training.method) == ("m", "qlora")
