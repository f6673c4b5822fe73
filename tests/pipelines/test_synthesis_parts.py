import numpy as np
import pytest

from core.errors import InputError
from core.fingerprint import fingerprint
from core.models import locate_model
from core.records import Ranking, queries_of
from core.tables import write_rankings
from pipelines.synthesis_parts import SynthesisParts
from synth.slots import Slot


@pytest.fixture
def parts(tiny_job, tiny_model):
    def build(*overrides, confusions=None, explanations=False):
        job = tiny_job(*overrides, explanations=explanations)
        return SynthesisParts(job, locate_model(str(tiny_model)), confusions)

    return build


def test_the_validation_part_and_the_test_file_are_kept_out(parts, tiny_questions):
    train, test = tiny_questions
    made = parts()
    assert {*made.fit} | {*made.held_out} == {*train, *test} and not {*made.fit} & {*made.held_out}
    assert len(made.held_out) > len(test)
    everything = parts("synthesis.hold_out=false")
    assert everything.fit == tuple(train) and everything.held_out == tuple(test)


def test_no_prompt_shows_a_held_out_question(parts):
    made = parts("synthesis.examples.many=100", "synthesis.max_prompt_tokens=60000")
    writer = made.row_writer(lambda text: len(text) // 4, None)
    held = {fingerprint(question) for question in made.held_out}
    for id in made.bank:
        shown = writer.prompt(Slot(misconception_id=id, number=0, attempts=1), 0).examples
        assert shown and not {fingerprint(example.question) for example in shown} & held


def test_similar_ones_are_those_of_the_encoder(parts, tiny_bank):
    made = parts("synthesis.similar=3")
    vectors = made.embed([entry.name for entry in tiny_bank])
    assert vectors.dtype == np.float32 and np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert set(made.similar) == {entry.id for entry in tiny_bank} and all(
        len(own) == 3 for own in made.similar.values()
    )
    assert parts("synthesis.similar=0").similar == {}


def test_confusions_move_the_neighbours(parts, tmp_path, tiny_bank):
    plain = parts("synthesis.similar=1")
    query = queries_of(plain.fit, labelled_only=True)[0]
    label = query.labels[0]
    far = next(entry.id for entry in reversed(tiny_bank) if entry.id not in (label, *plain.similar[label]))
    path = tmp_path / "r.parquet"
    write_rankings(path, [Ranking.from_scores(query.key, [far, label], [2.0, 1.0])])
    moved = parts("synthesis.similar=1", "synthesis.confusion_weight=9.0", confusions=path)
    assert moved.similar[label] == (far,) != plain.similar[label]
    write_rankings(path, [Ranking.from_scores("999_A", [far, label], [2.0, 1.0])])
    with pytest.raises(InputError, match="ranks no labelled answer"):
        _ = parts(confusions=path).similar


def test_a_small_model_gets_shorter_prompts(parts, caplog):
    caplog.set_level("INFO")
    made = parts("synthesis.max_tokens=500")
    writer = made.row_writer(lambda text: len(text) // 4, 1500)
    assert "prompts are kept to 936 tokens" in caplog.text
    slot = Slot(misconception_id=next(iter(made.bank)), number=0, attempts=1)
    messages = writer.prompt(slot, 0).messages
    assert sum(len(message.text) // 4 for message in messages) <= 936
    with pytest.raises(InputError, match=r"reads and writes 700 tokens together.*lower max_tokens"):
        made.row_writer(lambda text: len(text) // 4, 700)
