import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter

import pytest
from fake_chat import FakeChat
from fake_vllm import serving

from core.tables import read_explanations, write_explanations, write_misconceptions
from pipelines.explain_misconceptions import main
from pipelines.job import ROOT

FAST = ("--set", "explaining.similar=0", "--set", "engines.fake.retries=0")


def good(body):
    name = body["messages"][-1]["content"]
    what = f"{name}: the student does it so, and not as it would be right to do it."
    return json.dumps({"what": what, "when": "Whenever numbers of this kind are there."})


@pytest.fixture
def bank(tmp_path, tiny_bank):
    path = tmp_path / "bank.csv"
    write_misconceptions(path, tiny_bank[:8])
    return path


def arguments(fake, bank, output, *more):
    engine = ("--engine", "fake", "--set", "engines.fake.kind=endpoint", "--set", f"engines.fake.base_url={fake.url}")
    return ("--misconceptions", bank, "--output", output, *engine, *FAST, *more)


def names_asked(fake):
    return Counter(body["messages"][-1]["content"].removeprefix("Misconception: ") for body in fake.asked)


def test_the_file_is_what_explanations_reads_and_names_its_source(invoke, bank, tiny_bank, tmp_path):
    out = tmp_path / "out"
    with serving(FakeChat(write=good)) as fake:
        done = invoke(main, *arguments(fake, bank, out))
    assert (done.returncode, done.stderr.count("Stopped")) == (0, 0)
    texts = read_explanations([out / "explanations.csv"])
    assert list(texts) == [entry.id for entry in tiny_bank[:8]]
    assert texts[tiny_bank[0].id].startswith(f"Misconception: {tiny_bank[0].name}")
    ledger = {line["key"][:16]: line for line in map(json.loads, (out / "ledger.jsonl").open())}
    with (out / "explanations.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            assert row["Source"].startswith("llm base ledger ")
            assert ledger[row["Source"].split()[-1]]["row"] == row["MisconceptionId"]
    facts = json.loads((out / "explaining.json").read_text())
    assert (facts["explained"], facts["requests"], facts["output_tokens"]) == (8, 8, 56)
    assert "8 of 8 entries explained" in done.stdout and str(out / "explanations.csv") in done.stdout


def test_a_second_run_asks_nothing_and_writes_the_same(invoke, bank, tmp_path):
    out = tmp_path / "out"
    with serving(FakeChat(write=good)) as fake:
        invoke(main, *arguments(fake, bank, out))
        first = (out / "explanations.csv").read_bytes()
        asked = len(fake.asked)
        done = invoke(main, *arguments(fake, bank, out))
        assert len(fake.asked) == asked == 8
    assert (out / "explanations.csv").read_bytes() == first
    assert "0 requests asked, 8 taken from the ledger" in done.stdout


def test_bad_answers_are_asked_again_with_another_seed_and_then_left(invoke, bank, tiny_bank, tmp_path):
    stubborn, slow = tiny_bank[0].name, tiny_bank[1].name

    def write(body):
        text = body["messages"][-1]["content"]
        if stubborn in text or (slow in text and body["seed"] == 0):
            return "I think it is about sums."
        return good(body)

    out = tmp_path / "out"
    with serving(FakeChat(write=write)) as fake:
        done = invoke(main, *arguments(fake, bank, out, "--set", "explaining.attempts=2"))
        assert names_asked(fake)[stubborn] == names_asked(fake)[slow] == 2
    assert done.returncode == 0
    facts = json.loads((out / "explaining.json").read_text())
    assert facts["explained"] == 7
    assert list(facts["without"]) == [str(tiny_bank[0].id)]
    assert facts["answers_not_used"] == {"answer not parsed": 3}
    assert "answer not parsed 3" in done.stdout


def test_failed_requests_are_counted_absent_and_asked_again_in_the_next_run(invoke, bank, tiny_bank, tmp_path):
    out = tmp_path / "out"
    broken = (500, {}, {"error": {"message": "out of memory"}})
    with serving(FakeChat(write=good, script=[broken, broken])) as fake:
        done = invoke(main, *arguments(fake, bank, out, "--set", "engines.fake.concurrency=1"))
        assert done.returncode == 0 and "request failed 2" in done.stdout
        assert list(read_explanations([out / "explanations.csv"])) == [entry.id for entry in tiny_bank[2:8]]
        again = invoke(main, *arguments(fake, bank, out))
        assert "2 requests asked, 6 taken from the ledger" in again.stdout
        assert max(names_asked(fake).values()) == 2
    assert len(read_explanations([out / "explanations.csv"])) == 8


def test_entries_that_are_explained_are_left_out(invoke, bank, tiny_bank, tmp_path):
    have = tmp_path / "have.csv"
    write_explanations(have, tiny_bank[:3])
    out = tmp_path / "out"
    with serving(FakeChat(write=good)) as fake:
        invoke(main, *arguments(fake, bank, out, "--explanations", have, "--limit", "2"))
        assert set(names_asked(fake)) == {entry.name for entry in tiny_bank[3:5]}
        write_explanations(have, tiny_bank)
        done = invoke(main, *arguments(fake, bank, out, "--explanations", have))
    assert done.returncode == 2 and "nothing to do" in done.stderr


def test_the_columns_of_a_bank_of_ones_own_are_kept(invoke, tiny_bank, tmp_path):
    bank, out = tmp_path / "own.csv", tmp_path / "out"
    bank.write_text("Nr,Title\n7,Adds first\n", encoding="utf-8")
    own = ("--set", "columns.misconception_id=Nr", "--set", "columns.misconception_name=Title")
    with serving(FakeChat(write=good)) as fake:
        assert invoke(main, *arguments(fake, bank, out, *own)).returncode == 0
    assert (out / "explanations.csv").read_text(encoding="utf-8").startswith("Nr,Explanation,Source\n7,")


def test_its_own_file_is_not_overwritten_without_what_it_holds(invoke, bank, tiny_bank, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    write_explanations(out / "explanations.csv", tiny_bank[:3])
    before = (out / "explanations.csv").read_bytes()
    with serving(FakeChat(write=good)) as fake:
        done = invoke(main, *arguments(fake, bank, out, "--explanations", out / "explanations.csv"))
        assert done.returncode == 2 and "is the file that this run writes" in done.stderr and not fake.asked
    assert (out / "explanations.csv").read_bytes() == before


def test_nothing_usable_is_an_error_that_says_where_to_look(invoke, bank, tmp_path):
    with serving(FakeChat(write=lambda body: "no")) as fake:
        done = invoke(main, *arguments(fake, bank, tmp_path / "out"))
    assert done.returncode == 2
    assert "not one of 8 entries could be explained (answer not parsed 24)" in done.stderr
    assert "ledger.jsonl" in done.stderr


def test_the_prompt_is_shown_without_any_model(invoke, bank, tiny_bank, tmp_path):
    template = "explaining.template=Erkläre: {name}"
    done = invoke(
        main,
        "--misconceptions",
        bank,
        "--output",
        tmp_path / "out",
        "--show-prompt",
        "--set",
        "explaining.similar=0",
        "--set",
        template,
    )
    assert done.returncode == 0
    assert f"--- user ---\nErkläre: {tiny_bank[0].name}\n" in done.stdout
    assert not (tmp_path / "out" / "ledger.jsonl").exists()


def test_all_faults_are_told_at_once_before_any_cost(invoke, tmp_path):
    (tmp_path / "bank.csv").write_text("MisconceptionId,MisconceptionName\n1,\nx,Adds\n")
    done = invoke(
        main, "--misconceptions", tmp_path / "bank.csv", "--output", tmp_path / "out", "--limit", "0", "--engine", "nix"
    )
    assert done.returncode == 2
    for told in ("[engines.nix]", "--limit", "line 2", "line 3"):
        assert told in done.stderr
    dead = ("--set", "engines.fake.kind=endpoint", "--set", "engines.fake.base_url=http://127.0.0.1:9/v1")
    (tmp_path / "bank.csv").write_text("MisconceptionId,MisconceptionName\n1,Adds\n")
    done = invoke(
        main, "--misconceptions", tmp_path / "bank.csv", "--output", tmp_path / "out", "--engine", "fake", *dead, *FAST
    )
    assert done.returncode == 2 and "Is it running" in done.stderr


def test_a_killed_run_goes_on_and_asks_no_finished_entry_twice(pipeline_process, bank, tmp_path):
    out = tmp_path / "out"

    def write(body):
        time.sleep(0.2)
        return good(body)

    with serving(FakeChat(write=write)) as fake:
        more = ("--set", "engines.fake.concurrency=1")
        start = pipeline_process("explain_misconceptions", *arguments(fake, bank, out, *more))
        running = subprocess.Popen(start.command, cwd=ROOT, env=start.environment, stderr=subprocess.DEVNULL)
        ledger = out / "ledger.jsonl"
        until = time.monotonic() + 60
        while time.monotonic() < until and not (ledger.exists() and ledger.read_bytes().count(b"\n") >= 3):
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        with ledger.open("ab") as stream:
            stream.write(b'{"key": "torn')
        whole = ledger.read_bytes().count(b"\n")
        assert 3 <= whole < 8
        assert not (out / "explanations.csv").exists()
        done = subprocess.run(
            start.command, cwd=ROOT, env=start.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert f"{8 - whole} requests asked, {whole} taken from the ledger" in done.stdout
        asked = names_asked(fake)
    assert sum(asked.values()) <= 9 and len(asked) == 8  # at most the one under way is asked twice
    assert len(read_explanations([out / "explanations.csv"])) == 8


def test_similar_entries_are_listed(invoke, bank, tiny_bank, tiny_config, tmp_path):
    with serving(FakeChat(write=good)) as fake:
        more = ("--set", "explaining.similar=2", "--limit", "1", "--config", tiny_config)
        done = invoke(main, *arguments(fake, bank, tmp_path / "out", *more))
        assert done.returncode == 0, done.stderr
        text = fake.asked[0]["messages"][-1]["content"]
    assert text.count("\n- ") == 2
    assert sum(entry.name in text for entry in tiny_bank[:8]) == 3


def test_help_is_complete(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    for option in ("--misconceptions", "--explanations", "--output", "--model", "--engine", "--show-prompt", "--limit"):
        assert option in told


class Dying(FakeChat):
    def answer(self, body):
        return super().answer(body) if len(self.asked) <= 10 else (503, {}, {"error": {"message": "gone"}})


def test_a_server_that_dies_stops_the_run_and_what_was_explained_is_kept(invoke, tiny_bank, tmp_path):
    bank, out = tmp_path / "bank.csv", tmp_path / "out"
    write_misconceptions(bank, tiny_bank[:90])
    with serving(Dying(write=good)) as fake:
        one = ("--set", "engines.fake.concurrency=1")
        done = invoke(main, *arguments(fake, bank, out, *one))
        assert done.returncode == 2
        assert "requests in a row failed" in done.stderr and "503" in done.stderr
    assert list(read_explanations([out / "explanations.csv"])) == [entry.id for entry in tiny_bank[:10]]
    with serving(FakeChat(write=good)) as fake:
        done = invoke(main, *arguments(fake, bank, out, *one))
        assert done.returncode == 0 and "80 requests asked, 10 taken from the ledger" in done.stdout
    assert len(read_explanations([out / "explanations.csv"])) == 90


def test_an_interrupted_rerun_keeps_every_finished_row(invoke, tiny_bank, tmp_path, monkeypatch):
    """The first run leaves the first entry open, whose request fails; the second run dies at that entry."""
    bank, out = tmp_path / "bank.csv", tmp_path / "out"
    write_misconceptions(bank, tiny_bank[:8])
    broken = (500, {}, {"error": {"message": "out of memory"}})
    with serving(FakeChat(write=good, script=[broken])) as fake:
        one = ("--set", "engines.fake.concurrency=1")
        assert invoke(main, *arguments(fake, bank, out, *one)).returncode == 0
        whole = (out / "explanations.csv").read_bytes()
        assert list(read_explanations([out / "explanations.csv"])) == [entry.id for entry in tiny_bank[1:8]]
        fake.script = [broken]
        monkeypatch.setattr("synth.asking.STOP_AFTER", 1)
        assert "1 requests in a row failed" in invoke(main, *arguments(fake, bank, out, *one)).stderr
    assert (out / "explanations.csv").read_bytes() == whole
