import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_rows import asked

from core.errors import InputError
from synth.ledger import Ledger

ONE = asked("one")


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_what_was_appended_is_there_again_in_order(tmp_path):
    path = tmp_path / "new" / "requests.jsonl"
    with Ledger(path) as ledger:
        ledger.append(replace(ONE, key="a", text="é ∑ \ud800 \n"))
        ledger.extend([replace(ONE, key="b", error="gone"), replace(ONE, key="c")])
        ledger.append(replace(ONE, key="b", text="now"))
        ledger.extend([])
    with Ledger(path) as ledger:
        assert [one.key for one in ledger] == ["a", "b", "c", "b"] and len(ledger) == 4
        assert ledger.get("a").text == "é ∑ \ud800 \n"
        assert ledger.get("b").text == "now" and ledger.get("b").error is None  # the last line of a key counts
        assert ledger.get("z") is None
    assert len(lines(path)) == 4 and json.loads(lines(path)[0])["task"] == "solve"


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_dropped(tmp_path, cut):
    path = tmp_path / "r.jsonl"
    with Ledger(path) as ledger:
        ledger.extend([replace(ONE, key="a"), replace(ONE, key="b")])
    path.write_bytes(path.read_bytes()[:-cut])
    with Ledger(path) as ledger:
        assert [one.key for one in ledger] == ["a"]
        ledger.append(replace(ONE, key="c"))
    with Ledger(path) as ledger:
        assert [one.key for one in ledger] == ["a", "c"]


def test_a_broken_line_in_the_midst_is_told_with_its_number_and_the_lock_let_go(tmp_path):
    path = tmp_path / "r.jsonl"
    with Ledger(path) as ledger:
        ledger.extend([replace(ONE, key="a"), replace(ONE, key="b")])
    first, second = lines(path)
    for broken in ("{", "[1]", '{"key": "x"}'):
        path.write_text(f"{first}\n{broken}\n{second}\n", encoding="utf-8")
        with pytest.raises(InputError, match="line 2: expected a line of the ledger"):
            Ledger(path)
    path.write_text(f"{first}\n{second}\n", encoding="utf-8")
    Ledger(path).close()


def test_two_runs_cannot_write_into_one_ledger(tmp_path):
    path = tmp_path / "r.jsonl"
    code = "import sys; from pathlib import Path; from synth.ledger import Ledger; Ledger(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with Ledger(path):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert "another run is writing into it" in done.stderr
    assert subprocess.run(command, env=environment, check=False).returncode == 0


def test_a_full_disk_loses_nothing_that_was_finished(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    with Ledger(path) as ledger:
        ledger.append(replace(ONE, key="a"))

        def full(_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)  # the bytes are in the file by then, and must go again
            with pytest.raises(InputError, match=r"No space left.*make room"):
                ledger.append(replace(ONE, key="b", text="x" * 10_000))
        assert ledger.get("b") is None and len(lines(path)) == 1
        ledger.append(replace(ONE, key="c"))
    with Ledger(path) as ledger:
        assert [one.key for one in ledger] == ["a", "c"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full_is_told(tmp_path):
    path = tmp_path / "r.jsonl"
    path.symlink_to("/dev/full")
    ledger = Ledger.__new__(Ledger)
    ledger._path, ledger._asked, ledger._place = path, [], {}
    ledger._cut = lambda size: None  # a device cannot be cut
    with pytest.raises(InputError, match="No space left"):
        ledger.append(ONE)
