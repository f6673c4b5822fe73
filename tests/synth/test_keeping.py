"""Lines handed over while the disk is busy, on a disk whose every write is let through by hand."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest
from made_rows import asked

from core.errors import InputError
from synth.keeping import Keeper
from synth.ledger import Ledger


def line(key):
    return replace(asked("one"), key=key)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "r.jsonl") as opened:
        yield opened


class Disk:
    """Every write begins at `begun` and ends when it is told to."""

    def __init__(self, ledger, monkeypatch):
        self.begun, self.go, self.writes = Queue(), Queue(), []
        self.extend = ledger.extend
        monkeypatch.setattr(ledger, "extend", self.write)

    def write(self, lines):
        self.writes.append([one.key for one in lines])
        self.begun.put(True)
        told = self.go.get(timeout=10)
        if told is not None:
            raise told
        self.extend(lines)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("keeper")]


def test_what_comes_while_the_disk_is_busy_is_written_together_in_order(ledger, monkeypatch):
    disk = Disk(ledger, monkeypatch)
    with Keeper(ledger) as keeper:
        keeper.put([line("a"), line("b")])
        disk.begun.get(timeout=10)
        for key in "cde":
            keeper.put([line(key)])
        assert keeper.kept() == 0 and len(ledger) == 0  # nothing is told before it is on the disk
        disk.go.put(None)
        disk.begun.get(timeout=10)  # the first is done: the second has begun
        assert keeper.kept() == 2 and keeper.kept() == 0
        assert [one.key for one in ledger] == ["a", "b"]
        disk.go.put(None)
    assert disk.writes == [["a", "b"], ["c", "d", "e"]]
    assert keeper.kept() == 3 and [one.key for one in ledger] == list("abcde") and threads() == []


def test_an_error_that_leaves_the_block_loses_nothing(ledger, monkeypatch):
    disk = Disk(ledger, monkeypatch)
    disk.go.put(None)
    disk.go.put(None)
    with pytest.raises(KeyboardInterrupt), Keeper(ledger) as keeper:
        keeper.put([line("a")])
        keeper.put([line("b")])
        raise KeyboardInterrupt
    assert [one.key for one in ledger] == ["a", "b"] and threads() == []


@pytest.mark.parametrize("fault", [InputError("full"), RuntimeError("not foreseen")])
def test_a_disk_that_refuses_is_told_at_the_next_line_or_at_the_end(ledger, monkeypatch, fault):
    disk = Disk(ledger, monkeypatch)
    disk.go.put(fault)
    with pytest.raises(type(fault), match=str(fault)), Keeper(ledger) as keeper:
        keeper.put([line("a")])
    disk.go.put(fault)
    with pytest.raises(type(fault), match=str(fault)), Keeper(ledger) as keeper:
        keeper.put([line("a")])
        with pytest.raises(type(fault)):  # the thread ends some moments after its error
            for _ in range(10**6):
                keeper.put([])
        keeper.put([line("b")])
    assert len(ledger) == 0 and threads() == []


def test_an_error_of_the_block_goes_before_the_disks(ledger, monkeypatch):
    Disk(ledger, monkeypatch).go.put(InputError("full"))
    with pytest.raises(ValueError, match="mine"), Keeper(ledger) as keeper:
        keeper.put([line("a")])
        raise ValueError("mine")


def test_nothing_handed_over_writes_nothing(ledger):
    with Keeper(ledger) as keeper:
        keeper.put([])
    assert not ledger.path.exists() and keeper.kept() == 0


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from made_rows import asked
from synth.keeping import Keeper
from synth.ledger import Ledger

told = 0
with Ledger(Path(sys.argv[1])) as ledger, Keeper(ledger) as keeper:
    for number in range(10**6):
        keeper.put([replace(asked("one"), key=str(number))])
        told += keeper.kept()
        if told > 50:
            os.write(1, str(told).encode())
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_nothing_that_was_told_of(tmp_path):
    path = tmp_path / "r.jsonl"
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tests.parent), str(tests / "helpers")))}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Ledger(path) as ledger:
        assert [one.key for one in ledger] == [str(number) for number in range(len(ledger))]
        assert len(ledger) >= int(done.stdout) > 50
