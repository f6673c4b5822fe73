"""A script in another environment: its failure is told, and it never outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import ModelError
from rerank.environment_process import installed_version, run_in_environment

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.executable)


def script(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_job_file_is_its_argument_and_nothing_of_ours_is_on_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    text = "import os, sys\nprint(open(sys.argv[1]).read(), os.environ.get('PYTHONPATH'), os.environ['HF_HUB_OFFLINE'])"
    (tmp_path / "job.json").write_text("{}", encoding="utf-8")
    run_in_environment(PYTHON, script(tmp_path, text), tmp_path / "job.json", log=tmp_path / "logs" / "x.log")
    assert (tmp_path / "logs" / "x.log").read_text(encoding="utf-8").split() == ["{}", "None", "1"]


def test_a_failure_is_told_with_the_last_lines_and_the_log(tmp_path: Path) -> None:
    text = "import sys\nprint('loading')\nsys.exit('no memory left')"
    with pytest.raises(ModelError, match=r"script\.py ended with status 1 .*x\.log.*no memory left"):
        run_in_environment(PYTHON, script(tmp_path, text), tmp_path / "job", log=tmp_path / "x.log")


def test_an_environment_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    python = tmp_path / "llmcompressor" / "bin" / "python"
    for ask in (
        lambda: run_in_environment(python, tmp_path / "s", tmp_path / "j", log=tmp_path / "l"),
        lambda: installed_version(python, "llmcompressor"),
    ):
        with pytest.raises(ModelError, match="make quantizer-env NAME=llmcompressor"):
            ask()


def test_versions_are_those_of_the_environment() -> None:
    import torch

    assert installed_version(PYTHON, "torch") == torch.__version__
    with pytest.raises(ModelError, match="no package not-there"):
        installed_version(PYTHON, "not-there")


def test_a_script_that_watches_its_parent_ends_well(tmp_path: Path) -> None:
    text = (
        f"import sys, time\nsys.path.insert(0, {str(ROOT / 'environments')!r})\n"
        "from parent import end_with_parent\nend_with_parent()\ntime.sleep(0.5)\nprint('done')"
    )
    run_in_environment(PYTHON, script(tmp_path, text), tmp_path / "job", log=tmp_path / "x.log")
    assert (tmp_path / "x.log").read_text(encoding="utf-8") == "done\n"


def test_a_killed_pipeline_takes_its_script_with_it(tmp_path: Path) -> None:
    text = (
        f"import os, sys, time\nsys.path.insert(0, {str(ROOT / 'environments')!r})\n"
        "from parent import end_with_parent\nend_with_parent()\n"
        "print(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    job, log = tmp_path / "job", tmp_path / "x.log"
    code = (
        "from pathlib import Path\nfrom rerank.environment_process import run_in_environment\n"
        f"run_in_environment(Path({str(PYTHON)!r}), Path({str(script(tmp_path, text))!r}), Path({str(job)!r}), "
        f"log=Path({str(log)!r}))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 30
    while not (log.is_file() and log.read_text(encoding="utf-8").strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(log.read_text(encoding="utf-8"))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").is_file() and ") Z " in Path(f"/proc/{child}/stat").read_text(encoding="utf-8"):
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the script outlived the pipeline")
