"""Queries shared out among models."""

import argparse
import errno
from pathlib import Path
from typing import Any

import pytest
from hint_toys import ScriptedWriter, failed, kind_hint, kind_questions

from core.errors import InputError
from core.fingerprint import fingerprint
from core.hint_table import read_hints
from core.records import queries_of
from core.tables import write_questions
from pipelines import hint_run
from pipelines.hint_job import read_hint_job
from pipelines.hint_run import hint_parts, write_parts
from pipelines.reasoners import Reasoner
from pipelines.settings import Settings
from pipelines.writer_settings import WriterSettings
from pipelines.writing import OpenWriter
from synth.asking import AskingError
from synth.hint_prompt import default_prompt

QUESTIONS = kind_questions(4)
QUERIES = queries_of(QUESTIONS, labelled_only=True)
PROMPT = default_prompt("json")


def reasoner(name: str, *learnt: int) -> Reasoner:
    marks = frozenset(fingerprint(QUESTIONS[number]) for number in learnt)
    return Reasoner(
        folder=Path(name),
        base="b",
        base_revision="sha256:1",
        adapter=True,
        prompt=default_prompt("plain"),
        form="plain",
        fitted_on=marks,
    )


def test_without_reasoners_the_model_of_the_config_is_asked() -> None:
    (part,) = hint_parts(Settings(), PROMPT, QUERIES, [])
    assert (part.prompt, part.form, list(part.queries)) == (PROMPT, "json", QUERIES)


def test_each_reasoner_gets_what_it_did_not_learn_from_in_its_own_form() -> None:
    parts = hint_parts(Settings(), PROMPT, QUERIES, [reasoner("a", 0, 1), reasoner("idle", 0, 1), reasoner("b", 2, 3)])
    assert [(part.writer.adapter, [query.key for query in part.queries]) for part in parts] == [
        ("a", ["2_B", "3_B"]),
        ("b", ["0_B", "1_B"]),
    ]
    assert {(part.form, part.prompt) for part in parts} == {("plain", default_prompt("plain"))}


def test_what_all_learnt_from_is_refused_or_left_out_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    reasoners = [reasoner("a", 0, 1), reasoner("b", 1, 2)]
    with pytest.raises(InputError, match=r"1 of 4 wrong answers \(for example 1_B\).*--folds, or leave"):
        hint_parts(Settings(), PROMPT, QUERIES, reasoners)
    parts = hint_parts(Settings(), PROMPT, QUERIES, reasoners, skip_learnt=True)
    assert sorted(query.key for part in parts for query in part.queries) == ["0_B", "2_B", "3_B"]
    assert "1 wrong answers are left out" in caplog.text
    with pytest.raises(InputError, match="4 of 4"):
        hint_parts(Settings(), PROMPT, QUERIES, [reasoner("a", 0, 1, 2, 3)], skip_learnt=True)


def test_a_full_disk_is_told_and_nothing_finished_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fake_chat import FakeChat
    from fake_vllm import serving

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    answer = '{"reasoning": "r", "hint": "The student doubles the number."}'
    train = tmp_path / "train.csv"
    write_questions(train, QUESTIONS)
    with serving(FakeChat(write=lambda _: answer)) as fake:
        sets = ["engines.e.kind=endpoint", f"engines.e.base_url={fake.url}", "hints.writer.engine=e"]
        given = argparse.Namespace(
            config=None, overrides=sets, train=train, test=None, hints=[], output=tmp_path / "out"
        )
        job = read_hint_job(given, needed=(), checks=())
        parts = hint_parts(job.settings, PROMPT, QUERIES, [])
        with monkeypatch.context() as patch:
            patch.setattr(hint_run, "write_hints", full)
            with pytest.raises(InputError, match=r"cannot be written \(No space left.*requests.jsonl"):
                write_parts(job, parts)
        assert not (tmp_path / "out" / "hints.csv").exists()
        told = write_parts(job, parts)
        assert len(fake.asked) == 4
    assert "hints: 4 of 4" in told and "this run: 0 requests" in told


def test_an_interrupted_rerun_keeps_the_rows_of_reasoners_that_it_did_not_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run leaves one row of the first reasoner open; the second dies at that row, before the second one."""
    train = tmp_path / "train.csv"
    write_questions(train, QUESTIONS)
    given = argparse.Namespace(config=None, overrides=[], train=train, test=None, hints=[], output=tmp_path / "out")
    job = read_hint_job(given, needed=(), checks=())
    parts = hint_parts(job.settings, PROMPT, QUERIES, [reasoner("a", 0, 1), reasoner("b", 2, 3)])
    hints = {f"Number {question.id}?": kind_hint(question) for question in QUESTIONS}
    open_row = "Number 3?"
    asked: list[str] = []

    def answer(chat: Any, _: int) -> Any:
        (number,) = [text for text in hints if text in chat[-1].text]
        asked.append(number)
        return failed() if number == open_row else hints[number]

    def opened(chosen: WriterSettings, *_: Any) -> OpenWriter:
        told = {"engine": "scripted", "model": str(chosen.adapter), "revision": "1"}
        return OpenWriter(writer=ScriptedWriter(answer), context=None, batch=1, **told)

    monkeypatch.setattr(hint_run, "open_writer", opened)
    file = tmp_path / "out" / "hints.csv"
    assert "hints: 3 of 4" in write_parts(job, parts)
    whole = file.read_bytes()
    assert asked == ["Number 2?", "Number 3?", "Number 0?", "Number 1?"]
    with monkeypatch.context() as patch:
        patch.setattr("synth.asking.STOP_AFTER", 1)
        with pytest.raises(AskingError):
            write_parts(job, parts)
    assert asked[4:] == ["Number 3?"], "the second reasoner was not come to"
    assert file.read_bytes() == whole and sorted(read_hints([file])) == ["0_B", "1_B", "2_B"]
    open_row = ""
    assert "hints: 4 of 4" in write_parts(job, parts)
    assert len(asked) == 6 and len(read_hints([file])) == 4
