import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.side_by_side import side_by_side

ROOT = Path(__file__).parents[2]
WORKER = """
import os, sys, time
from pathlib import Path
def write(folder, name):
    import torch
    (Path(folder) / name).write_text(f"{os.getpid()} {torch.get_num_threads()}")
def fail(folder, name):
    raise ValueError(f"no {name}")
def wait(folder, name):
    (Path(folder) / name).write_text(str(os.getpid()))
    time.sleep(60)
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "side_by_side_worker.py").write_text(WORKER, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    import side_by_side_worker

    yield side_by_side_worker
    del sys.modules["side_by_side_worker"]


def test_each_task_runs_elsewhere_with_its_share_of_the_threads(worker, tmp_path: Path) -> None:
    tasks = [(tmp_path, name) for name in ("a", "b", "c")]
    side_by_side(worker.write, tasks, at_a_time=2, threads=1)
    told = [(tmp_path / name).read_text().split() for _, name in tasks]
    assert all(int(process) != os.getpid() and threads == "1" for process, threads in told)


def test_the_first_failure_is_raised(worker, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no b"):
        side_by_side(worker.fail, [(tmp_path, "b"), (tmp_path, "c")], at_a_time=1, threads=1)


def test_nobody_outlives_a_killed_parent(worker, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\nimport side_by_side_worker as w\nfrom pipelines.side_by_side import side_by_side\n"
        f"if __name__ == '__main__':\n    side_by_side(w.wait, [({str(tmp_path)!r}, 'pid')], at_a_time=1, threads=1)\n"
    )
    (tmp_path / "main.py").write_text(script, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(tmp_path / "main.py")])
    told = tmp_path / "pid"
    until = time.monotonic() + 60
    while not (told.is_file() and told.read_text()) and time.monotonic() < until:
        time.sleep(0.1)
    child = int(told.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 20
    while alive(child) and time.monotonic() < until:
        time.sleep(0.1)
    assert not alive(child)


def alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.is_file() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
