import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ConfigError, InputError, ModelError
from core.models import locate_model
from pipelines.job import (
    Job,
    base_model,
    check_length,
    check_model_folder,
    fingerprints,
    read_job,
    without_hints,
)
from pipelines.settings import Settings

TinyJob = Callable[..., Job]


@pytest.fixture
def options(tiny_files: tuple[Path, ...], tiny_config: Path, tmp_path: Path) -> argparse.Namespace:
    train, test, misconceptions, _explanations = tiny_files
    return argparse.Namespace(
        config=tiny_config,
        overrides=[],
        train=train,
        test=test,
        misconceptions=misconceptions,
        output=tmp_path / "out",
        hints=[],
        explanations=[],
    )


def test_a_job_holds_what_the_files_hold(tiny_job: TinyJob, tmp_path: Path) -> None:
    job = tiny_job(explanations=True)
    assert (len(job.train), len(job.test)) == (60, 20)
    assert all(entry.explanation for entry in job.bank)
    assert job.sources == ("train.csv", "misconceptions.csv", "test.csv", "explanations.csv")
    assert not (tmp_path / "out").exists()


def test_hints_reach_the_queries_unless_they_are_off(tiny_job: TinyJob, tmp_path: Path) -> None:
    key = f"{tiny_job().train[0].id}_{tiny_job().train[0].wrong_letters[0]}"
    path = tmp_path / "hints.csv"
    path.write_text(f"QuestionId_Answer,Hint\n{key},Forgets the sign\n", encoding="utf-8")
    job = tiny_job(hints=[path])
    queries = job.queries(job.train)
    assert [query.key for query in queries if query.hint] == [key]
    assert {query.hint for query in without_hints(queries)} == {None}
    off = tiny_job("text.hint=off", hints=[path])
    assert not any(query.hint for query in off.queries(off.train))


def test_all_faults_come_in_one_error(options: argparse.Namespace, tmp_path: Path) -> None:
    options.train = tmp_path / "gone.csv"
    options.overrides = ["retriever.model=./nowhere"]

    def check(_: Settings) -> None:
        raise ModelError(["one more", "and another"])

    with pytest.raises(InputError) as caught:
        read_job(options, checks=(check,))
    told = "\n".join(caught.value.faults)
    assert all(word in told for word in ("gone.csv", "./nowhere", "one more", "and another"))


def test_missing_options_come_with_the_configs_faults(options: argparse.Namespace) -> None:
    options.train = options.output = None
    options.overrides = ["training.epochs=0"]
    with pytest.raises(InputError) as caught:
        read_job(options)
    assert [fault.partition(":")[0] for fault in caught.value.faults[:2]] == ["--train", "--output"]
    assert "training.epochs" in str(caught.value)


def test_a_broken_config_a_missing_option_a_file_and_a_model_are_told_together(
    options: argparse.Namespace, tmp_path: Path
) -> None:
    options.misconceptions = None
    options.train = tmp_path / "gone.csv"
    options.overrides = ["training.epochs=0", "trainin.epochs=3", "retriever.model=./nowhere"]
    with pytest.raises(InputError) as caught:
        read_job(options)
    told = str(caught.value)
    assert all(word in told for word in ("--misconceptions", "gone.csv", "training.epochs", "trainin", "./nowhere"))


def test_a_job_without_training_file(options: argparse.Namespace) -> None:
    options.train = None
    assert read_job(options, needs_train=False).train == ()


def test_the_configs_model_need_not_be_there_where_one_is_given(options: argparse.Namespace) -> None:
    options.overrides = ["retriever.model=./nowhere"]
    options.retriever = "anything"
    assert read_job(options).settings.retriever.model == "./nowhere"
    options.retriever = None
    with pytest.raises(InputError, match="nowhere"):
        read_job(options)


def test_an_adjusted_setting_counts(options: argparse.Namespace) -> None:
    job = read_job(options, adjust=lambda settings: settings.model_copy(update={"candidates": 77}))
    assert job.settings.candidates == 77


def test_texts_longer_than_the_model_takes_are_refused(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    settings = tiny_job("retriever.max_length=128").settings
    model = locate_model(str(tiny_model))
    check_length(model, settings)
    with pytest.raises(ConfigError, match="at most 128 tokens"):
        check_length(model, settings.model_copy(update={"retriever": replace_length(settings, 129)}))
    check_length(replace(model, folder=tmp_path), settings)  # no config.json: nothing is known
    assert base_model(settings).folder == tiny_model


def replace_length(settings: Settings, length: int) -> object:
    return settings.retriever.model_copy(update={"max_length": length})


def test_threads_are_set(tiny_job: TinyJob) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        tiny_job("threads=1")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_fingerprints_are_of_texts(tiny_job: TinyJob) -> None:
    train = tiny_job().train[:3]
    repeated = replace(train[0], id=90_000, text=f"  {train[0].text.upper()} ")
    assert fingerprints([*train, repeated]) == fingerprints(train)
    assert len(fingerprints(train)) == 3 and {len(found) for found in fingerprints(train)} == {16}
    assert fingerprints(train[:1]) != fingerprints(train[1:2])


def test_a_folder_with_other_things_in_it_is_not_replaced_by_a_model(tmp_path: Path) -> None:
    check_model_folder(None)
    check_model_folder(tmp_path / "new")
    check_model_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="came one with other files"):
        check_model_folder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    check_model_folder(tmp_path)
