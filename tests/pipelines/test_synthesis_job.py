import argparse

import pytest
from fake_chat import FakeChat
from fake_vllm import serving

from core.errors import InputError
from pipelines.synthesis_job import read_synthesis_job, wanted_slots


@pytest.fixture
def options(tiny_files, tiny_config, tiny_lm, tmp_path):
    def build(*overrides, **changes):
        facts = {
            "config": tiny_config,
            "overrides": list(overrides),
            "train": tiny_files.train,
            "test": None,
            "misconceptions": tiny_files.misconceptions,
            "output": tmp_path / "out",
            "hints": [],
            "explanations": [],
            "model": str(tiny_lm),
            "engine": None,
            "retriever": None,
            "confusions": None,
            "limit": None,
            "only": None,
            "show_prompt": False,
        }
        return argparse.Namespace(**{**facts, **changes})

    return build


def test_the_command_line_goes_into_the_config(options, tiny_lm, tiny_model):
    found = []
    job = read_synthesis_job(options(), found)
    assert job.settings.synthesis.writer.model == str(tiny_lm) and found[0].folder == tiny_model
    assert job.output.name == "out" and not job.output.exists()


def test_all_faults_are_told_at_once(options, tmp_path):
    broken = options(
        "synthesis.at_most=0",
        "engines.e.kind=endpoint",
        "engines.e.base_url=http://127.0.0.1:9/v1",
        "engines.e.retries=0",
        "synthesis.judge.writer.engine=e",
        model="bundled:none",
        retriever="nowhere/at/all",
        limit=0,
        only="1,x",
        confusions=tmp_path / "no.parquet",
        train=tmp_path / "no.csv",
    )
    with pytest.raises(InputError) as caught:
        read_synthesis_job(broken, [])
    for word in (
        "at_most",
        "--limit 0",
        "--only 1,x",
        "no.parquet",
        "no.csv",
        "bundled:none",
        "nowhere",
        "Is it running",
    ):
        assert word in str(caught.value), word


def test_confusions_need_the_questions_they_are_of(options, tmp_path):
    (tmp_path / "r.parquet").write_bytes(b"x")
    with pytest.raises(InputError, match="--confusions needs --train"):
        read_synthesis_job(options(confusions=tmp_path / "r.parquet", train=None), [])


def test_a_prompt_can_be_shown_without_any_model(options):
    read_synthesis_job(options(model=None, show_prompt=True), [])
    with pytest.raises(InputError, match="expected the model"):
        read_synthesis_job(options(model=None), [])


def test_an_endpoint_is_reached_before_any_cost(options):
    with serving(FakeChat()) as fake:
        made = options(
            "engines.e.kind=endpoint", f"engines.e.base_url={fake.url}", "synthesis.writer.engine=e", model=None
        )
        assert read_synthesis_job(made, []).settings.synthesis.writer.engine == "e"
        assert not fake.asked


def slots_for(given, part=slice(None)):
    job = read_synthesis_job(given, [])
    return wanted_slots(job, given, job.train[part])


def test_a_label_that_is_held_out_counts_as_unseen(options, tiny_questions):
    given = options("synthesis.labels=unseen", "synthesis.at_most=1")
    shown = {id for question in tiny_questions[0][:30] for labels in question.labels for id in labels}
    held = {id for question in tiny_questions[0][30:] for labels in question.labels for id in labels} - shown
    assert held and held <= {slot.misconception_id for slot in slots_for(given, slice(30))}
    assert not held & {slot.misconception_id for slot in slots_for(given)}


def test_which_rows_are_wanted(options, tiny_questions, tiny_bank):
    seen = {id for question in tiny_questions[0] for labels in question.labels for id in labels}
    given = options("synthesis.at_most=2")
    slots = slots_for(given)
    assert len(slots) == 2 * len(tiny_bank)
    assert not seen & {slot.misconception_id for slot in slots[: len(tiny_bank) - len(seen)]}
    given = options("synthesis.labels=unseen", "synthesis.at_most=1", limit=5)
    assert len(slots_for(given)) == 5
    given = options(only=f"{min(seen)}")
    assert {slot.misconception_id for slot in slots_for(given)} == {min(seen)}


def test_nothing_to_write_and_unknown_ids_are_told(options, tiny_questions):
    seen = min(id for question in tiny_questions[0] for labels in question.labels for id in labels)
    given = options("synthesis.labels=unseen", only=str(seen))
    with pytest.raises(InputError, match=r"nothing to write.*synthesis\.labels=all"):
        slots_for(given)
    given = options(only="999999")
    with pytest.raises(InputError, match="not in the bank: 999999"):
        slots_for(given)
