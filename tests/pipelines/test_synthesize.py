import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fake_chat import FakeChat
from fake_vllm import serving
from real_vllm import vllm_serving
from scripted_writer import question
from teaching import marks, refuses, solved, task_of, teach, wanted

from core.records import Misconception
from core.tables import read_questions, write_misconceptions, write_questions
from core.vllm_engine import vllm_fault
from pipelines.synthesize import main
from synth import asking
from synth.reasons import ROW_REASONS, counted, row_reasons_text

REASONS = {counted(check, reason) for check, found in ROW_REASONS.items() for reason in found}
CHEAP = ("synthesis.duplicates.near=null", "synthesis.leaks.near=null", "synthesis.judge.check_rows=2")


@pytest.fixture
def arguments(tiny_files, tiny_config, tmp_path):
    def build(url, *overrides, bank=None, train=tiny_files.train, limit=3, further=()):
        given = ["--misconceptions", bank or tiny_files.misconceptions, "--output", tmp_path / "out"]
        given += ["--config", tiny_config, "--limit", limit]
        given += ["--train", train] if train else []
        told = [*CHEAP, "synthesis.at_most=1"]
        if url is not None:
            told += ["engines.mine.kind=endpoint", f"engines.mine.base_url={url}", "engines.mine.retries=0"]
            given += ["--engine", "mine"]
        given += [part for value in (*told, *overrides) for part in ("--set", value)]
        return [str(part) for part in (*given, *further)]

    return build


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def reasons(folder):
    return dict(json.loads((folder / "summary.json").read_text(encoding="utf-8"))["rejected"])


def test_rows_are_written_checked_and_told(arguments, invoke, tmp_path, tiny_files, tiny_questions, tiny_bank):
    out = tmp_path / "out"
    with serving(FakeChat(write=teach)) as fake:
        done = invoke(main, *arguments(fake.url, further=("--test", tiny_files.test)))
        assert done.returncode == 0, done.stderr
        sent = Counter(task_of(body) for body in fake.asked)
    assert sent == {"write": 3, "solve": 3, "solve-under": 3, "judge": 3 + 2 * 2}
    assert "3 attempts at rows: 3 accepted (100 %), 0 rejected" in done.stdout
    questions = read_questions(out / "questions.csv", bank_ids=[entry.id for entry in tiny_bank]).questions
    rows, ledger, requests = (read_lines(out / f"{name}.jsonl") for name in ("rows", "ledger", "requests"))
    assert [q.id for q in questions] == [row["question_id"] for row in rows] == [row["question_id"] for row in ledger]
    for made, row, line in zip(questions, rows, ledger, strict=True):
        assert made.labels_of(row["letter"]) == (row["misconception_id"],) and row["judge"] == 9.0
        assert row["parents"] == line["parents"] and row["parents"]
        assert [one["task"] for one in line["requests"]] == ["write", "solve", "solve-under", "judge"]
        assert (line["prompt_tokens"], line["output_tokens"]) == (44, 28)  # 11 and 7 a request
        assert (line["engine"], line["model"], line["temperature"]) == ("endpoint", "base", 0.8)
    # Every request that the server saw is in the ledger, and the summary adds them up.
    assert len(requests) == len(fake.asked) == len({one["key"] for one in requests})
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    for total in summary["total_costs"].values():
        assert total["requests"] == len(fake.asked) and total["output_tokens"] == 7 * len(fake.asked)
    assert "a kept row cost 28 output tokens" in done.stdout  # four requests a row; the judge's own check is none's
    real = {label for question in tiny_questions[0] for labels in question.labels for label in labels}
    assert summary["coverage"]["newly"] == sum(row["misconception_id"] not in real for row in rows) >= 2
    assert summary["judge"]["rows"] == 2 and summary["unused"] == 0
    assert "Questions made by a language model" in (out / "summary.html").read_text(encoding="utf-8")


def test_a_second_run_asks_nothing_and_more_rows_keep_the_first(arguments, invoke, tmp_path):
    out = tmp_path / "out"
    with serving(FakeChat(write=teach)) as fake:
        assert invoke(main, *arguments(fake.url)).returncode == 0
        asked = len(fake.asked)
        before = {name: (out / name).read_bytes() for name in ("questions.csv", "rows.jsonl", "ledger.jsonl")}
        again = invoke(main, *arguments(fake.url))
        assert len(fake.asked) == asked and f"0 requests sent now, {asked} found answered" in again.stdout
        assert {name: (out / name).read_bytes() for name in before} == before
        assert invoke(main, *arguments(fake.url, limit=5)).returncode == 0
        more = (out / "questions.csv").read_bytes()
        assert more.startswith(before["questions.csv"]) and len(read_lines(out / "rows.jsonl")) == 5


def test_a_row_tells_of_no_request_of_other_settings(arguments, invoke, tmp_path):
    """The rows of another temperature bear the same names, and their requests stand in the same file."""
    out = tmp_path / "out"
    with serving(FakeChat(write=teach)) as fake:
        assert invoke(main, *arguments(fake.url)).returncode == 0
        other = {one["key"] for one in read_lines(out / "requests.jsonl") if one["task"] == "write"}
        sent = len(fake.asked)
        again = invoke(main, *arguments(fake.url, "synthesis.temperature=0.3"))
        assert invoke(main, *arguments(fake.url, "synthesis.temperature=0.3")).returncode == 0
    assert "3 accepted" in again.stdout and "in the ledger are of other settings" in again.stdout
    assert "a kept row cost 28 output tokens" in again.stdout
    totals = json.loads((out / "summary.json").read_text(encoding="utf-8"))["total_costs"]
    # 12 requests serve three rows and 4 judge the judge. This teacher's questions do not hang on the temperature: of
    # the second settings the 3 that write are new, and the third run sent none.
    assert {of: total["requests"] for of, total in totals.items()} == {
        "this_run": 0, "these_settings": 16, "all_runs": sent + 3,
    }  # fmt: skip
    for line in read_lines(out / "ledger.jsonl"):
        assert [one["task"] for one in line["requests"]] == ["write", "solve", "solve-under", "judge"]
        assert not other & {one["key"] for one in line["requests"]} and line["output_tokens"] == 28


def test_a_judge_that_cannot_be_judged_costs_no_row(arguments, invoke, tmp_path, tiny_questions):
    """Answers with every label of a small bank have no misconception to be swapped with."""
    bank, train = tmp_path / "two.csv", tmp_path / "both.csv"
    write_misconceptions(bank, [Misconception(id=5, name="Adds first"), Misconception(id=6, name="Subtracts first")])
    both = tiny_questions[0][0]
    labels = tuple((5, 6) if letter == both.wrong_letters[0] else () for letter in "ABCD")
    write_questions(train, [replace(both, labels=labels)])
    with serving(FakeChat(write=teach)) as fake:
        done = invoke(main, *arguments(fake.url, "synthesis.hold_out=false", bank=bank, train=train))
    assert done.returncode == 0 and "2 accepted" in done.stdout, done.stderr
    assert json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["judge"] is None


def test_rows_are_in_their_files_before_the_judge_is_judged(arguments, invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "STOP_AFTER", 2)
    fake = FakeChat(write=teach)
    with serving(fake):
        answer = fake.answer
        fake.answer = lambda body: answer(body) if len(fake.asked) <= 12 else refuses(503)
        done = invoke(main, *arguments(fake.url))
    assert done.returncode == 2 and "requests in a row failed" in done.stderr
    assert len(read_lines(tmp_path / "out" / "rows.jsonl")) == len(read_lines(tmp_path / "out" / "ledger.jsonl")) == 3


def bad_in(task, answer):
    return lambda body: answer if task_of(body) == task else teach(body)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (bad_in("write", "no"), {"parse: not JSON": 3}),
        (bad_in("write", "I'm sorry, I cannot."), {"parse: refused": 3}),
        (bad_in("write", question(answers={"A": "1", "B": "1", "C": "2", "D": "3"})), {"rules: equal answers": 3}),
        (bad_in("write", question(rationale=...)), {"parse: missing field": 3}),
        (bad_in("write", question(question="Que vaut la somme de un et de deux?")), {"rules: wrong language": 3}),
        (bad_in("solve", solved("A")), {"solve: solved otherwise": 3}),
        (bad_in("solve", "A"), {"solve: answer not parsed": 3}),
        (bad_in("solve-under", solved("B")), {"solve-under: the misconception leads elsewhere": 3}),
        (bad_in("judge", marks(6)), {"judge: judged below the threshold": 3}),
        (bad_in("judge", "fine"), {"judge: answer not parsed": 3}),
    ],
)  # fmt: skip
def test_each_reason_is_counted(arguments, invoke, tmp_path, write, expected):
    with serving(FakeChat(write=write)) as fake:
        done = invoke(main, *arguments(fake.url, "synthesis.attempts=1"))
    assert done.returncode == 0 and reasons(tmp_path / "out") == expected
    assert set(expected) <= REASONS
    ((text, count),) = expected.items()
    assert f"{count}  {text}" in done.stdout and "warning: no row was accepted" in done.stderr
    assert read_lines(tmp_path / "out" / "rows.jsonl") == []
    assert (tmp_path / "out" / "questions.csv").read_text(encoding="utf-8").count("\n") == 1  # the header


def test_copies_and_leaks_are_left_out(arguments, invoke, tmp_path, tiny_questions, tiny_files):
    train, test = tiny_questions
    name = {}

    def copy(source, letter):
        told = dict(zip("ABCD", source.answers, strict=True))
        return question(question=source.text, answers=told, correct=source.correct, misconception_answer=letter)

    plain = [q for q in test if "diagram" not in q.text.lower() and "drawn" not in q.text]
    leaked, real = plain[0], next(q for q in train if "drawn" not in q.text)

    def write(body):
        if task_of(body) != "write":
            return teach(body) if task_of(body) == "judge" else solved("?")
        place = name.setdefault(wanted(body), len(name))
        return [copy(leaked, leaked.wrong_letters[0]), copy(real, real.wrong_letters[0]), question(7), question(7)][
            place
        ]

    off = ("synthesis.solve=false", "synthesis.attempts=1", "synthesis.hold_out=false", "engines.mine.concurrency=1")
    with serving(FakeChat(write=write)) as fake:
        done = invoke(main, *arguments(fake.url, *off, limit=4, further=("--test", tiny_files.test)))
    assert done.returncode == 0, done.stderr
    assert reasons(tmp_path / "out") == {
        "duplicate: exact": 1,
        "duplicate: exact (training)": 1,
        "leak: the text of a held-out question": 1,
    }
    lines = read_lines(tmp_path / "out" / "ledger.jsonl")
    assert [line["accepted"] for line in lines] == [False, False, True, False]
    assert f"question {leaked.id}" in lines[0]["detail"] and lines[2]["key"] in lines[3]["detail"]


def test_a_failed_request_is_asked_again_in_the_next_run(arguments, invoke, tmp_path):
    with serving(FakeChat(write=teach, script=[refuses(400)])) as fake:
        done = invoke(main, *arguments(fake.url, "synthesis.attempts=1", "engines.mine.concurrency=1"))
        assert done.returncode == 0 and reasons(tmp_path / "out") == {"parse: request failed": 1}
        before = len(fake.asked)
        again = invoke(main, *arguments(fake.url, "synthesis.attempts=1"))
        assert "3 accepted" in again.stdout and len(fake.asked) == before + 4
    requests = read_lines(tmp_path / "out" / "requests.jsonl")
    assert sum(one["error"] is not None for one in requests) == 1 and len(requests) == before + 4


def test_a_schema_that_the_engine_cannot_guide_is_counted_and_can_be_left_out(arguments, invoke, tmp_path):
    refused = (400, {}, {"error": {"message": "response_format is not supported"}})
    fake = FakeChat(write=teach)
    with serving(fake):
        answer = fake.answer
        fake.answer = lambda body: refused if "response_format" in body else answer(body)
        done = invoke(main, *arguments(fake.url, "synthesis.attempts=1", "synthesis.judge.check_rows=0"))
        assert done.returncode == 0 and reasons(tmp_path / "out") == {"parse: request failed": 3}
        lines = read_lines(tmp_path / "out" / "ledger.jsonl")
        assert all("response_format is not supported" in line["detail"] for line in lines)
        assert "response_format is not supported" in done.stderr and "synthesis.guide=false" in done.stderr
        assert "a larger model helps" not in done.stderr
        assert "3 accepted" in invoke(main, *arguments(fake.url, "synthesis.guide=false")).stdout


def test_a_server_that_dies_is_a_clear_error_and_loses_nothing(arguments, invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "STOP_AFTER", 4)
    alive = []

    def write(body):
        alive.append(1)
        return teach(body)

    fake = FakeChat(write=write)
    small = ("engines.mine.concurrency=1",)
    with serving(fake):
        answer = fake.answer
        fake.answer = lambda body: answer(body) if len(alive) < 5 else refuses(503)
        done = invoke(main, *arguments(fake.url, *small, limit=6))
        assert done.returncode == 2
        assert "requests in a row failed, the last" in done.stderr and "run the same command again" in done.stderr
        finished = [one for one in read_lines(tmp_path / "out" / "requests.jsonl") if one["error"] is None]
        assert len(finished) == 5
        fake.answer = answer
        asked = len(fake.asked)
        again = invoke(main, *arguments(fake.url, *small, limit=6))
        assert again.returncode == 0 and "6 accepted" in again.stdout
        assert len(fake.asked) - asked == 6 * 4 + 4 - 5  # what was finished is not asked again


def test_a_full_disk_is_told_and_the_next_run_goes_on(arguments, invoke, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with serving(FakeChat(write=teach)) as fake:
        with monkeypatch.context() as patched:
            patched.setattr("pipelines.synthesize.write_rows", full)
            done = invoke(main, *arguments(fake.url))
            assert (
                done.returncode == 2
                and "No space left on device" in done.stderr
                and "nothing is asked twice" in done.stderr
            )
        asked = len(fake.asked)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            done = invoke(main, *arguments(fake.url, limit=4))
            assert done.returncode == 2 and "requests.jsonl: cannot be written" in done.stderr
        assert invoke(main, *arguments(fake.url)).returncode == 0 and len(fake.asked) <= asked + 1 + 4  # the judge
        assert len(read_lines(tmp_path / "out" / "rows.jsonl")) == 3


@pytest.mark.slow
def test_killed_half_way_it_goes_on_and_asks_nothing_twice(arguments, pipeline_process, tmp_path):
    """kill -9 while the model writes: the two requests in flight are all that is lost."""
    small = ("engines.mine.concurrency=2", "synthesis.judge.check_rows=0")

    def slow(body):
        time.sleep(0.15)
        return teach(body)

    requests = tmp_path / "out" / "requests.jsonl"
    with serving(FakeChat(write=slow)) as fake:
        started = pipeline_process("synthesize", *arguments(fake.url, *small, limit=6))
        process = subprocess.Popen(
            started.command, env=started.environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        deadline = time.monotonic() + 120
        while not requests.is_file() or requests.read_bytes().count(b"\n") < 8:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = [one["key"] for one in map(json.loads, requests.read_text(encoding="utf-8").splitlines())]
        seen = len(fake.asked)
        assert seen - len(kept) <= 2 + 1  # and one whose answer was on its way to the disk
        again = subprocess.run(
            pipeline_process("synthesize", *arguments(fake.url, *small, limit=6)).command,
            env=started.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 0, again.stderr
    assert "6 accepted" in again.stdout and len(fake.asked) - seen == 24 - len(kept)
    assert len({one["key"] for one in read_lines(requests)}) == len(read_lines(requests)) == 24


def test_a_bank_with_one_entry(arguments, invoke, tmp_path):
    bank = tmp_path / "one.csv"
    write_misconceptions(bank, [Misconception(id=5, name="Adds before multiplying")])
    with serving(FakeChat(write=teach)) as fake:
        done = invoke(main, *arguments(fake.url, bank=bank, train=None))
        assert done.returncode == 0 and "1 accepted" in done.stdout, done.stderr
        prompt = fake.asked[0]["messages"][-1]["content"]
        assert prompt == "Write one question for this misconception:\nAdds before multiplying"
    assert json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["judge"] is None


def test_bad_input_is_told_before_any_cost(arguments, invoke, tmp_path):
    nameless = tmp_path / "bank.csv"
    nameless.write_text("MisconceptionId,MisconceptionName\n1,Adds\n2,\n", encoding="utf-8")
    with serving(FakeChat(write=teach)) as fake:
        done = invoke(main, *arguments(fake.url, "synthesis.attempts=0", bank=nameless, train=None, limit=0))
        assert done.returncode == 2 and not fake.asked and not (tmp_path / "out").exists()
        for word in ("line 3, column MisconceptionName", "synthesis.attempts", "--limit 0"):
            assert word in done.stderr, word
    done = invoke(main, *arguments("http://127.0.0.1:9/v1"))
    assert done.returncode == 2 and "Is it running" in done.stderr
    assert invoke(main, *arguments(None)).returncode == 2  # no model


def test_two_runs_into_one_folder_do_not_mix(arguments, invoke, tmp_path):
    code = "import sys, time; from pathlib import Path; from synth.ledger import Ledger\n"
    code += "with Ledger(Path(sys.argv[1])): print('open', flush=True), time.sleep(60)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code, str(tmp_path / "out" / "requests.jsonl")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as other, serving(FakeChat()) as fake:
        assert other.stdout.readline() == b"open\n"
        done = invoke(main, *arguments(fake.url))
        other.kill()
    assert done.returncode == 2 and "another run is writing into it" in done.stderr


def test_a_prompt_is_shown_without_a_model(arguments, invoke, tmp_path):
    done = invoke(main, *arguments(None, "synthesis.examples.many=3", further=("--show-prompt",)))
    assert done.returncode == 0 and done.stdout.startswith("--- system\nYou write multiple-choice")
    assert "--- user\nExamples of good questions" in done.stdout and "Further examples:" in done.stdout
    assert not (tmp_path / "out" / "requests.jsonl").exists()


def test_the_help_is_enough_to_begin(run_pipeline):
    done = run_pipeline("synthesize", "--help")
    for word in (
        "questions.csv",
        "ledger.jsonl",
        "engines.mine.base_url",
        "api_key_env",
        "--limit",
        "attempts",
        "Killed",
        row_reasons_text(),
    ):
        assert word in done.stdout, word


@pytest.mark.slow
def test_a_small_model_on_the_cpu_goes_through_the_whole_chain(
    invoke, tiny_files, tiny_config, tmp_path, smollm2_folder
):
    """SmolLM2 writes poor questions: what matters is that each is rejected for a stated reason and accounted for."""
    write_questions(tmp_path / "train.csv", read_questions(tiny_files.train).questions[:12])
    given = ["--misconceptions", tiny_files.misconceptions, "--train", tmp_path / "train.csv", "--config", tiny_config]
    given += ["--output", tmp_path / "out", "--model", "bundled:SmolLM2-135M-Instruct", "--limit", 4]
    told = [*CHEAP, "synthesis.max_prompt_tokens=700", "synthesis.max_tokens=48", "synthesis.attempts=2"]
    told += ["synthesis.examples.random=0", "synthesis.examples.same=1", "synthesis.similar=2", "synthesis.at_most=1"]
    told += ["synthesis.judge.max_tokens=24", "synthesis.judge.check_rows=1"]
    done = invoke(main, *given, *(part for value in told for part in ("--set", value)))
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["attempts"] == summary["accepted"] + sum(summary["rejected"].values()) == 8
    assert summary["accepted"] < 4 and all(reason for reason in summary["rejected"])
    requests = read_lines(tmp_path / "out" / "requests.jsonl")
    assert summary["total_costs"]["this_run"]["requests"] == len(requests) == summary["asked_now"]
    assert set(summary["rejected"]) <= REASONS
    rows = read_lines(tmp_path / "out" / "ledger.jsonl")
    assert {one["key"] for row in rows for one in row["requests"]} == {
        one["key"] for one in requests if one["task"] != "judge-check"
    }
    assert all(one["error"] is None and one["output_tokens"] > 0 for one in requests)


@pytest.mark.slow
@pytest.mark.vllm
def test_a_real_server_goes_through_the_whole_chain(invoke, tiny_files, tiny_config, tmp_path, smollm2_folder):
    """The same over HTTP, guided by the schema: as chats by an endpoint, as tokens by a vLLM server."""
    fault = vllm_fault()
    if fault is not None:
        pytest.skip(fault)
    given = ["--misconceptions", tiny_files.misconceptions, "--config", tiny_config, "--limit", 2, "--engine", "mine"]
    told = [*CHEAP, "synthesis.max_prompt_tokens=900", "synthesis.max_tokens=60", "synthesis.attempts=1"]
    told += ["synthesis.similar=1", "synthesis.at_most=1", "synthesis.judge.max_tokens=40"]
    with vllm_serving(smollm2_folder, tmp_path / "log.txt") as server:
        for kind, further in (("endpoint", ()), ("vllm-server", ("--model", smollm2_folder))):
            out = tmp_path / kind
            engine = [f"engines.mine.kind={kind}", f"engines.mine.base_url={server.url}"]
            engine += ["engines.mine.retries=0", "engines.mine.timeout_seconds=900"]  # a busy machine writes 1 token/s
            settings = [part for value in (*told, *engine) for part in ("--set", value)]
            done = invoke(main, *given, "--output", out, *further, *settings)
            assert done.returncode == 0, done.stderr
            summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
            assert summary["attempts"] == summary["accepted"] + sum(summary["rejected"].values()) == 2
            requests = read_lines(out / "requests.jsonl")
            total = summary["total_costs"]["all_runs"]
            assert total["requests"] == len(requests) and not total["failed"]
            written = [one for one in requests if one["task"] == "write"]
            # Guided: each text is the form that was asked for, or its beginning.
            assert all("subject" in one["text"][:20] for one in written)
            assert all(one["prompt_tokens"] > 100 and one["output_tokens"] > 0 for one in written)
