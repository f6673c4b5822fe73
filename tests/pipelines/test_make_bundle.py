import json
import os
import subprocess
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from core.artifacts import file_hash, folder_hash
from core.errors import InputError, UserError
from core.tables import read_misconceptions, read_questions
from eval.submission import check_submission, read_submission
from pipelines.make_bundle import LOCK, build_wheel, main, read_lock, write_bundle

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


class Files(Protocol):
    """What `tiny_files` is."""

    train: Path
    test: Path
    misconceptions: Path


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without downloaded wheels. Never change it."""
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    write_bundle(folder)
    return folder


def write_lock(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_bundle_lists_every_file_with_its_hash(bundle: Path) -> None:
    listed = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    there = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}
    del there["bundle.json"]
    assert listed["files"] == {name: file_hash(path) for name, path in there.items()}
    assert {"install.sh", "README.md", "wheels.txt", "code/pipelines/end_to_end.py"} <= set(there)
    assert {f"configs/{path.name}" for path in (ROOT / "pipelines" / "configs").iterdir()} <= set(there)
    assert not [name for name in there if "__pycache__" in name or "/tests/" in name]
    assert listed["python"] == read_lock(LOCK)[0]
    for name in ("install.sh", "README.md"):
        text = there[name].read_text(encoding="utf-8")
        assert "{python}" not in text and listed["python"] in text


def test_the_wheel_holds_every_module_config_and_template(bundle: Path) -> None:
    with zipfile.ZipFile(next((bundle / "wheels").glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
    rooms = [ROOT.joinpath(*name.split(".")) for name in PROJECT["tool"]["setuptools"]["packages"]]
    wanted = {path.relative_to(ROOT).as_posix() for room in rooms for path in room.glob("*.py")}
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "pipelines" / "configs").glob("*.toml")}
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "eval").glob("*.jinja")}
    assert wanted - inside == set()


def test_an_older_bundle_is_replaced_and_other_folders_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.make_bundle.build_wheel", lambda source, target: (target / "a.whl").touch())
    folder = tmp_path / "bundle"
    write_bundle(folder)
    (folder / "left over").touch()
    write_bundle(folder)
    assert not (folder / "left over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"], "temporary files are left"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").touch()
    with pytest.raises(InputError, match="other files"):
        write_bundle(mine)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_a_list_without_pins_is_refused_line_by_line(tmp_path: Path) -> None:
    path = write_lock(tmp_path / "lock.txt", "# a comment", "torch==2.11.0", "numpy>=1.26", "polars  # no version")
    with pytest.raises(InputError) as refused:
        read_lock(path)
    assert [fault.partition(":")[0] for fault in refused.value.faults] == [
        str(path), f"{path}, line 3", f"{path}, line 4",
    ]  # fmt: skip
    with pytest.raises(InputError, match="no such file"):
        read_lock(tmp_path / "gone.txt")
    with pytest.raises(InputError, match="at least one"):
        read_lock(write_lock(tmp_path / "empty.txt", "# python 3.12"))


def test_the_list_pins_all_that_the_project_needs_at_the_versions_of_a_gpu_node() -> None:
    python, pins = read_lock(LOCK)
    version = dict(pin.lower().replace("_", "-").split("==") for pin in pins)
    assert len(version) == len(pins), "a package is listed twice"
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *extras["vllm"], "peft", "bitsandbytes", "accelerate"]
    names = {"".join(c if c.isalnum() or c in "-_." else " " for c in line).split()[0] for line in wanted}
    assert {name.lower().replace("_", "-") for name in names} - set(version) == set()
    for line in (ROOT / "constraints-gpu.txt").read_text(encoding="utf-8").splitlines():
        name, same, number = line.partition("==")
        assert not same or version[name] == number, name
    assert python in {"3.11", "3.12"}, "what constraints-gpu.txt says"


def test_a_wheel_that_cannot_be_built_or_found_tells_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="setuptools") as failed:
        build_wheel(tmp_path / "empty", tmp_path)
    assert "pip said" in str(failed.value)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr("pipelines.make_bundle.build_wheel", lambda source, target: None)
    lock = write_lock(tmp_path / "lock.txt", "# python 3.12", "no-such-package-at-all==1.0")
    with pytest.raises(UserError, match="no-such-package-at-all"):
        write_bundle(tmp_path / "out", lock=lock, download=True)
    assert not (tmp_path / "out").exists(), "a bundle is whole or absent"


def test_the_command_line_tells_every_fault_at_once(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "file").touch()
    done = invoke(main, "--output", tmp_path / "file", "--lock", tmp_path / "gone.txt")
    assert done.returncode == 2
    assert "--output: " in done.stderr and "gone.txt" in done.stderr


def test_the_installer_refuses_another_python_and_missing_wheels(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.9\n", encoding="utf-8")
    other.chmod(0o755)
    done = install(bundle, other)
    assert done.returncode == 2 and "is 3.9; set PYTHON" in done.stderr
    other.write_text(f"#!/bin/sh\necho {read_lock(LOCK)[0]}\n", encoding="utf-8")
    done = install(bundle, other)
    assert done.returncode == 2 and "--download" in done.stderr


def install(bundle: Path, python: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", str(bundle / "install.sh"), *options],
        env={**without_paths(), "PYTHON": str(python), "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has this one's packages, but not this project."""
    folder = tmp_path_factory.mktemp("notebook") / "venv"
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    site = Path(query(python, "import sysconfig; print(sysconfig.get_paths()['purelib'])"))
    # Its own packages stand first, and no .pth file of the other environment (an editable install) is read.
    (site / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return python


def without_paths() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "EEDI_DIR"}}


def query(python: Path, code: str) -> str:
    """Run code in isolated mode: no PYTHONPATH, and the folder it is started in is not looked into."""
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_a_notebook_without_network_installs_it_and_runs_the_main_job(
    bundle: Path,
    notebook: Path,
    tmp_path: Path,
    tiny_files: Files,
    tiny_config: Path,
    tiny_model: Path,
    tiny_lm: Path,
) -> None:
    """Inputs, models and the bundle are read-only: none of their bytes or times change, and all output is elsewhere."""
    project = "import importlib.util as u; print(u.find_spec('pipelines'))"
    assert query(notebook, project) == "None", "the notebook does not see this project before it is installed"
    done = install(bundle, notebook, "--code-only")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.split()[-1]).is_relative_to(notebook.parents[1]), "the installed wheel is what runs"
    inputs = [bundle, tiny_files.train.parent, tiny_config.parent, tiny_model, tiny_lm]
    before = [state(folder) for folder in inputs]
    for folder in inputs:
        protect(folder, writable=False)
    output = tmp_path / "out"
    try:
        models = ["--retriever", tiny_model, "--reranker", f"listwise:{tiny_lm}", "--time-limit", "9h"]
        ran = run_job(bundle, notebook, tmp_path, output, tiny_files, tiny_config, *models)
    finally:
        for folder in inputs:
            protect(folder, writable=True)
    assert ran.returncode == 0, ran.stderr
    assert [state(folder) for folder in inputs] == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is written beside the output"
    questions = read_questions(tiny_files.test).questions
    submission = read_submission(output / "submission.csv")
    assert check_submission(submission, questions, read_misconceptions(tiny_files.misconceptions)) == []
    assert len(submission) == 3 * len(questions)
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["reranker"] == f"listwise:{tiny_lm}"


def run_job(
    bundle: Path, python: Path, cwd: Path, output: Path, files: Files, config: Path, *further: object
) -> "subprocess.CompletedProcess[str]":
    given = ["--train", files.train, "--misconceptions", files.misconceptions, "--test", files.test]
    return subprocess.run(
        [python, bundle / "code/pipelines/end_to_end.py", *given, "--config", config, "--output", output, *further],
        cwd=cwd,
        env={
            **without_paths(),
            "HF_HUB_OFFLINE": "1",
            "PIP_NO_INDEX": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def state(folder: Path) -> tuple[str, list[str]]:
    """Return a hash over every file of a folder, and their names."""
    return folder_hash(folder), sorted(path.as_posix() for path in folder.rglob("*"))


def protect(folder: Path, *, writable: bool) -> None:
    """Take the right to write away, or give it back; root may write all the same, so tests also compare bytes."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.suffix == ".sh" else 0o644 if writable else 0o444)
        if path.is_dir() and not writable:
            path.chmod(0o555)
