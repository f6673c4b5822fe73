"""Processes of benchmarks: limits, several at a time, nothing left behind, the cause out of a long log."""

import importlib
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("child_processes")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_each_is_told_as_it_ends_and_one_too_long_ends_with_all_that_it_started(
    children: ModuleType, tmp_path: Path
) -> None:
    started = tmp_path / "pid"
    hangs = (
        "import pathlib, subprocess, time; p = subprocess.Popen(['sleep', '60']); "
        f"pathlib.Path({str(started)!r}).write_text(str(p.pid)); time.sleep(60)"
    )
    codes = {"hangs": hangs, "fails": "print('told'); raise SystemExit(3)", "ends": ""}
    jobs = [
        children.Child(name=name, command=[sys.executable, "-c", code], log=tmp_path / f"{name}.log")
        for name, code in codes.items()
    ]
    began = time.monotonic()
    ended = {child.name: (why, seconds) for child, why, seconds in children.run_children(jobs, limit=4, at_a_time=2)}
    # Two run beside the one that hangs, one after the other: the dictionary's order is that of their ends.
    assert list(ended) == ["fails", "ends", "hangs"]
    assert [why for why, _ in ended.values()] == ["exit status 3", "exit status 0", "cut off after 4 seconds"]
    assert 4 <= ended["hangs"][1] < 8 and time.monotonic() - began < 10
    assert (tmp_path / "fails.log").read_text() == "told\n"
    time.sleep(0.2)
    assert gone(int(started.read_text()))


def test_one_at_a_time_is_one_after_the_other(children: ModuleType, tmp_path: Path) -> None:
    code = "import os, sys; log = open(sys.argv[1], 'a'); log.write(sys.argv[2] + ' ')"
    order = tmp_path / "order"
    jobs = [
        children.Child(name=name, command=[sys.executable, "-c", code, str(order), name], log=tmp_path / name)
        for name in "abc"
    ]
    assert [child.name for child, _, _ in children.run_children(jobs, limit=20)] == ["a", "b", "c"]
    assert order.read_text() == "a b c "


def test_what_is_left_running_ends_when_the_reader_stops(children: ModuleType, tmp_path: Path) -> None:
    started = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(started)!r}).write_text(str(os.getpid())); time.sleep(60)"
    jobs = [
        children.Child(name="long", command=[sys.executable, "-c", code], log=tmp_path / "long"),
        children.Child(name="short", command=[sys.executable, "-c", "import time; time.sleep(1)"], log=tmp_path / "s"),
    ]
    reading = children.run_children(jobs, limit=30, at_a_time=2)
    assert next(reading)[0].name == "short"
    reading.close()
    assert gone(int(started.read_text()))


def test_the_cause_comes_before_the_end_of_a_log(children: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    cause = "ValueError: No available memory for the cache blocks."
    bar = "\r".join(f"Loading: {share}%" for share in range(100))
    log.write_text(
        f'{bar}\nWARNING 11-23 16:42:39 [cuda.py:45] Failed to import: ModuleNotFoundError("x")\n'
        f"(EngineCore pid=87) ERROR 11-23 16:43:32 [core.py:1231] {cause}\n"
        f"(EngineCore pid=87)     raise ValueError(\n(EngineCore pid=87) {cause}\n"
        + "frame\n" * 1000
        + "core.errors.ModelError: vLLM could not start\n"
    )
    told = children.what_happened(log, most=60)
    assert told.startswith(f"errors:\n{cause}\ncore.errors.ModelError: vLLM could not start\n…\n")
    assert told.count(cause) == 1 and told.endswith("\ncore.errors.ModelError: vLLM could not start")
    log.write_text(bar)
    assert children.what_happened(log) == "Loading: 99%"
