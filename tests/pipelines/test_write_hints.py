"""The pipeline that writes hints, against an endpoint that answers as it is told: counted, resumable, never a label."""

import csv
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_chat import FakeChat
from fake_vllm import serving

from core.hint_table import read_hints
from core.records import queries_of
from core.tables import read_misconceptions, read_questions
from pipelines import end_to_end, write_hints

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
HINT = "The student works from left to right and forgets the brackets."


def as_json(hint: str = HINT, reasoning: str = "First this, then that.") -> str:
    return json.dumps({"reasoning": reasoning, "hint": hint})


@pytest.fixture
def endpoint() -> Iterator[FakeChat]:
    with serving(FakeChat(write=lambda body: as_json())) as fake:
        yield fake  # type: ignore[misc]


def engine(fake: FakeChat, **more: object) -> list[str]:
    """Return the options that name the endpoint as the model that writes."""
    table = {"kind": "endpoint", "base_url": fake.url, "retries": 0, "concurrency": 4, **more}
    sets = [f"engines.e.{key}={value}" for key, value in table.items()]
    return ["--engine", "e", *(part for pair in sets for part in ("--set", pair))]


def rows_asked(output: Path) -> list[str]:
    return [json.loads(line)["row"] for line in (output / "requests.jsonl").read_text().splitlines()]


def test_every_row_has_its_source_and_no_request_a_label(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path
) -> None:
    done = invoke(write_hints.main, "--train", tiny_files.train, "--output", tmp_path / "out", *engine(endpoint))
    assert done.returncode == 0, done.stderr
    queries = queries_of(read_questions(tiny_files.train).questions, labelled_only=True)
    hints = read_hints([tmp_path / "out" / "hints.csv"])
    assert list(hints) == [query.key for query in queries]
    assert {(hint.hint, hint.reasoning) for hint in hints.values()} == {(HINT, "First this, then that.")}
    names = {entry.id: entry.name for entry in read_misconceptions(tiny_files.misconceptions)}
    told = {query.key: json.dumps(body["messages"]) for query, body in _pairs(queries, endpoint)}
    assert len(told) == len(queries) == len(endpoint.asked)
    for query in queries:
        assert not any(names[label] in told[query.key] for label in query.labels)
    assert all(body["response_format"]["type"] == "json_schema" for body in endpoint.asked)
    with (tmp_path / "out" / "hints.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    ledger = {json.loads(line)["key"]: json.loads(line) for line in _lines(tmp_path / "out")}
    for row in table:
        (request,) = [one for key, one in ledger.items() if key.startswith(row["Request"])]
        assert request["row"] == row["QuestionId_Answer"]
        assert row["Source"] == "llm base"


def _lines(output: Path) -> list[str]:
    return (output / "requests.jsonl").read_text().splitlines()


def _pairs(queries: list[Any], endpoint: FakeChat) -> list[tuple[Any, dict]]:
    """Find each query's request by question and wrong answer."""
    found = []
    for query in queries:
        shown = [f"Question: {query.question.text}\n", f"A student's answer: {query.wrong_answer}\n"]
        found += [
            (query, body) for body in endpoint.asked if all(part in body["messages"][-1]["content"] for part in shown)
        ][:1]
    return found


def test_its_own_file_is_not_overwritten_without_what_it_holds(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path
) -> None:
    given = ("--test", tiny_files.test, "--limit", 2, "--output", tmp_path, *engine(endpoint))
    assert invoke(write_hints.main, *given).returncode == 0
    before = (tmp_path / "hints.csv").read_bytes()
    done = invoke(write_hints.main, *given, "--hints", tmp_path / "hints.csv")
    assert done.returncode == 2 and "is the file that this run writes" in done.stderr
    assert (tmp_path / "hints.csv").read_bytes() == before and len(endpoint.asked) == 2


def test_what_fails_is_counted_absent_and_asked_again(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path
) -> None:
    """One answer of each kind, then sound ones; all failures but one are mended by a second run."""
    from fake_chat import completion

    refusal = "I'm sorry, but I can't help with that."
    endpoint.script = [
        (200, {}, completion(as_json())),
        (200, {}, completion("Here you are: no object")),
        (200, {}, completion(as_json(hint=refusal))),
        (200, {}, completion(as_json()[:40], reason="length")),
        (200, {}, completion(None, refusal="no")),
        (500, {}, {"error": "out of memory"}),
        (200, {}, {"unexpected": True}),
        (200, {}, completion(as_json(hint="No."))),
    ]
    given = ("--test", tiny_files.test, "--limit", 9, "--output", tmp_path / "out", *engine(endpoint, concurrency=1))
    once = ("--set", "hints.attempts=1", "--set", "hints.writer.batch=1")
    done = invoke(write_hints.main, *given, *once)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["missing"] == {
        "answer cut off": 1,
        "request failed": 2,
        "answer not parsed": 1,
        "refused": 2,
        "too short": 1,
    }
    assert (summary["wanted"], summary["written"], summary["this_run"]["requests"]) == (9, 2, 9)
    assert "request failed 2" in done.stdout
    asked = rows_asked(tmp_path / "out")
    hints = read_hints([tmp_path / "out" / "hints.csv"])
    assert list(hints) == [asked[0], asked[8]]
    again = invoke(write_hints.main, *given, *once)
    assert again.returncode == 0
    assert rows_asked(tmp_path / "out")[9:] == [*asked[4:7], *asked[1:4], asked[7]]  # one seed after the other
    assert list(read_hints([tmp_path / "out" / "hints.csv"])) == asked[:9]
    third = invoke(write_hints.main, *given, *once)
    assert "this run: 0 requests" in third.stdout


def test_a_slow_endpoint_is_a_counted_failure(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path
) -> None:
    slow = [1]

    def write(body: dict) -> str:
        if slow:
            slow.pop()
            time.sleep(1.5)
        return as_json()

    endpoint.write = write
    given = ("--test", tiny_files.test, "--limit", 3, "--output", tmp_path / "out")
    done = invoke(write_hints.main, *given, *engine(endpoint, timeout_seconds=0.5, concurrency=1))
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["missing"]["request failed"] >= 1
    assert summary["written"] + summary["missing"]["request failed"] == 3
    assert any("timed out" in (json.loads(line)["error"] or "") for line in _lines(tmp_path / "out"))


def test_no_hint_at_all_is_an_error_and_the_ledger_stays(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path
) -> None:
    endpoint.write = lambda body: "???"
    given = ("--test", tiny_files.test, "--limit", 2, "--output", tmp_path / "out", *engine(endpoint))
    done = invoke(write_hints.main, *given)
    assert done.returncode == 2
    assert "no hint was written" in done.stderr
    assert "answer not parsed 2" in done.stderr
    assert len(rows_asked(tmp_path / "out")) == 4
    assert not (tmp_path / "out" / "hints.csv").exists()


def test_known_hints_are_left_out(invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path) -> None:
    given = ("--test", tiny_files.test, *engine(endpoint))
    invoke(write_hints.main, *given, "--limit", 4, "--output", tmp_path / "first")
    known = tmp_path / "first" / "hints.csv"
    done = invoke(write_hints.main, *given, "--hints", known, "--limit", 5, "--output", tmp_path / "second")
    assert "4 of 60 wrong answers have a hint already" in done.stderr
    assert set(rows_asked(tmp_path / "second")).isdisjoint(read_hints([known]))


def test_prompts_are_shown_edited_and_used(invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path) -> None:
    shown = invoke(write_hints.main, "--show-template")
    assert (shown.returncode, shown.stderr) == (0, "")
    edited = tmp_path / "template.txt"
    edited.write_text(shown.stdout.replace("Skill: {construct}", "Year 7. Skill: {construct}"))
    asking = ("--test", tiny_files.test, "--template", edited)
    prompt = invoke(write_hints.main, *asking, "--show-prompt")
    assert "Year 7. Skill: " in prompt.stdout and prompt.stdout.startswith("--- system\n")
    invoke(write_hints.main, *asking, "--limit", 1, "--output", tmp_path / "out", *engine(endpoint))
    (body,) = endpoint.asked
    assert body["messages"][-1]["content"] in prompt.stdout


def test_every_fault_is_told_before_any_cost(invoke: Invoke, tiny_files: Any, tmp_path: Path) -> None:
    template = tmp_path / "template.txt"
    template.write_text("[user]\nWhy {incorrect}? {misconception}\n")
    file = tmp_path / "file"
    file.write_text("x")
    done = invoke(
        write_hints.main,
        "--test",
        tmp_path / "no.csv",
        "--output",
        file,
        "--template",
        template,
        "--reasoner",
        file,
        "--set",
        "hints.attempts=0",
    )
    assert done.returncode == 2
    for fault in (
        "there is no such file",
        "expected a folder to write into",
        "{misconception}: no such field",
        "expected {question} in the user's message",
        "found no model there",
        "hints.attempts",
    ):
        assert fault in done.stderr, fault
    nobody = invoke(
        write_hints.main,
        "--test",
        tiny_files.test,
        "--output",
        tmp_path / "out",
        "--engine",
        "e",
        "--set",
        "engines.e.kind=endpoint",
        "--set",
        "engines.e.base_url=http://127.0.0.1:9/v1",
        "--set",
        "engines.e.retries=0",
    )
    assert nobody.returncode == 2
    assert "Is it running" in nobody.stderr
    assert not (tmp_path / "out").exists()


def test_an_encoder_or_a_model_without_template_is_refused(
    invoke: Invoke, tiny_files: Any, tiny_model: Path, tmp_path: Path
) -> None:
    given = ("--test", tiny_files.test, "--output", tmp_path / "out")
    assert "no causal language model" in invoke(write_hints.main, *given, "--model", tiny_model).stderr
    assert "--model" in invoke(write_hints.main, *given).stderr


def test_train_and_test_that_disagree_about_a_question_are_refused(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_text(tiny_files.train.read_text().replace("What", "Which").replace("Which is", "What was"))
    given = ("--train", tiny_files.train, "--test", other, "--output", tmp_path / "out", *engine(endpoint))
    done = invoke(write_hints.main, *given)
    assert done.returncode == 2
    assert "is one question in --train and another in --test" in done.stderr


@pytest.mark.slow
def test_the_file_goes_through_the_main_job(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tiny_config: Path, tmp_path: Path
) -> None:
    given = ("--train", tiny_files.train, "--test", tiny_files.test)
    done = invoke(write_hints.main, *given, "--output", tmp_path / "hints", *engine(endpoint))
    assert done.returncode == 0, done.stderr
    hints = tmp_path / "hints" / "hints.csv"
    done = invoke(
        end_to_end.main,
        *given,
        "--misconceptions",
        tiny_files.misconceptions,
        "--output",
        tmp_path / "run",
        "--config",
        tiny_config,
        "--hints",
        hints,
        "--set",
        'text.fields=["question","correct","incorrect","hint"]',
        "--set",
        "training.epochs=1",
    )
    assert done.returncode == 0, done.stderr
    assert "not used" not in done.stderr
    assert (tmp_path / "run" / "submission.csv").is_file()


@pytest.mark.slow
def test_a_killed_run_asks_nothing_twice(
    endpoint: FakeChat, pipeline_process: Callable[..., Any], tiny_files: Any, tmp_path: Path
) -> None:
    """kill -9 in the midst: what was on the disk is not asked again; at most the batch under way is."""

    def write(body: dict) -> str:
        time.sleep(0.05)
        return as_json()

    endpoint.write = write
    process = pipeline_process(
        "write_hints",
        "--test",
        tiny_files.test,
        "--output",
        tmp_path / "out",
        *engine(endpoint, concurrency=1),
        "--set",
        "hints.writer.batch=2",
    )
    options: dict[str, Any] = {"cwd": Path(__file__).parents[2], "env": process.environment, "stdout": subprocess.PIPE}
    running = subprocess.Popen(process.command, stderr=subprocess.DEVNULL, text=True, **options)
    ledger = tmp_path / "out" / "requests.jsonl"
    deadline = time.monotonic() + 120
    while (not ledger.is_file() or len(_lines(tmp_path / "out")) < 6) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = len(endpoint.asked)
    kept = len(ledger.read_bytes().split(b"\n")) - 1
    assert 6 <= kept < 60
    again = subprocess.run(process.command, check=False, stderr=subprocess.DEVNULL, text=True, **options)
    assert again.returncode == 0
    assert len(endpoint.asked) - before == 60 - kept
    assert before - kept <= 2
    assert len(read_hints([tmp_path / "out" / "hints.csv"])) == 60
    assert sorted(rows_asked(tmp_path / "out")) == sorted(set(rows_asked(tmp_path / "out")))


@pytest.mark.slow
def test_a_real_small_model_writes(invoke: Invoke, smollm2_folder: Path, tiny_files: Any, tmp_path: Path) -> None:
    """SmolLM2 on the CPU: plain hints of which some are sound; the ledger accounts for every request."""
    done = invoke(
        write_hints.main,
        "--test",
        tiny_files.test,
        "--limit",
        3,
        "--output",
        tmp_path / "out",
        "--model",
        smollm2_folder,
        "--set",
        "hints.form=plain",
        "--set",
        "hints.max_tokens=80",
        "--set",
        "hints.attempts=1",
    )
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["this_run"]["requests"] == 3 == len(rows_asked(tmp_path / "out"))
    assert summary["written"] + sum(summary["missing"].values()) == 3
    assert done.returncode == (0 if summary["written"] else 2)


def test_what_was_written_before_a_server_died_is_worth_a_file(
    invoke: Invoke, endpoint: FakeChat, tiny_files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two answers, then none: the run stops, and its file holds the two."""
    from fake_chat import completion

    monkeypatch.setattr("synth.asking.STOP_AFTER", 3)
    dead = (500, {}, {"error": "gone"})
    endpoint.script = [*((200, {}, completion(as_json())) for _ in range(2)), *(dead for _ in range(20))]
    given = ("--test", tiny_files.test, "--limit", 9, "--output", tmp_path / "out", *engine(endpoint, concurrency=1))
    done = invoke(write_hints.main, *given, "--set", "hints.writer.batch=1")
    assert done.returncode == 2
    assert "3 requests in a row failed" in done.stderr
    assert list(read_hints([tmp_path / "out" / "hints.csv"])) == rows_asked(tmp_path / "out")[:2]
    endpoint.script = []
    assert invoke(write_hints.main, *given).returncode == 0
    assert len(read_hints([tmp_path / "out" / "hints.csv"])) == 9
