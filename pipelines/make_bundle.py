"""Pack the project for a notebook without a network: code, configs, our wheel and the list of wheels it needs."""

import argparse
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from core.artifacts import atomic_path, file_hash, made_by, write_json
from core.errors import InputError, UserError
from core.inputs import output_folder_fault
from pipelines.cli import check_all, parse_arguments, parser, run_main
from pipelines.job import CONFIGS, ROOT

logger = logging.getLogger(__name__)

LOCK = ROOT / "environments" / "notebook.txt"
LIST = "bundle.json"
_PIN = re.compile(r"[A-Za-z0-9][\w.-]*==[\w.!+]+")
_PYTHON = re.compile(r"# python (\d+\.\d+)$", re.MULTILINE)
# pip matches the number exactly, so each that a wheel of the list carries is named.
_PLATFORMS = ("any", "manylinux1_x86_64", "manylinux2014_x86_64", *(f"manylinux_2_{n}_x86_64" for n in range(5, 40)))
_TEMPLATES = ROOT / "environments" / "notebook"

DESCRIPTION = """\
Pack the project into one folder for a notebook without a network (Kaggle).

  code/        the source, to read and to run: code/pipelines/end_to_end.py
  configs/     the configs, to copy and change
  wheels/      this project as a wheel; with --download all that it needs, for the list's Python
  wheels.txt   what it needs: every package with its version, pinned
  install.sh   installs from this folder alone, index switched off; the folder may be read-only
  README.md    the steps
  bundle.json  every file with its SHA-256, and what it was made from

Models and data are not in it: upload them as they are."""

EPILOG = """\
examples:
  make kaggle-bundle
  python pipelines/make_bundle.py --output runs/kaggle-bundle
  python pipelines/make_bundle.py --output runs/kaggle-bundle --download     (several GB; needs a network)"""


def main(arguments: list[str] | None = None) -> None:
    """Pack what the command line asks for."""
    made = parser(DESCRIPTION, EPILOG)
    made.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder; a bundle is replaced")
    made.add_argument(
        "--lock", type=Path, default=LOCK, metavar="FILE", help="pinned versions (default: environments/notebook.txt)"
    )
    made.add_argument("--download", action="store_true", help="download the wheels of the list into the folder")
    options = parse_arguments(made, arguments)
    check_all([lambda: _check_output(options.output), lambda: read_lock(options.lock)])
    files = write_bundle(options.output, lock=options.lock, download=options.download)
    _tell(options, files)


def write_bundle(output: Path, *, lock: Path = LOCK, download: bool = False) -> list[Path]:
    """Write the bundle; it is whole or absent, and takes the place of an older one.

    Args:
        output: Where the folder goes.
        lock: The list of wheels: `NAME==VERSION` lines, and a line `# python X.Y` for the notebook's Python.
        download: Download the listed wheels too.

    Returns:
        Every file in it, relative to it, sorted.

    Raises:
        InputError: The folder holds other things, or the list has a line that is no pin.
        UserError: The wheel cannot be built, or one cannot be downloaded.
    """
    python, pins = read_lock(lock)
    _check_output(output)
    with atomic_path(output) as folder:
        copy_source(folder / "code")
        shutil.copytree(CONFIGS, folder / "configs")
        (folder / "wheels").mkdir()
        build_wheel(folder / "code", folder / "wheels")
        (folder / "wheels.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
        for template in sorted(_TEMPLATES.iterdir()):
            text = template.read_text(encoding="utf-8").replace("{python}", python)
            (folder / template.name).write_text(text, encoding="utf-8", newline="\n")
        if download:
            _download(folder / "wheels.txt", python, folder / "wheels")
        files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        hashes = {path.as_posix(): file_hash(folder / path) for path in files}
        write_json(folder / LIST, {"python": python, "files": hashes, "made_by": made_by()})
    return [*files, Path(LIST)]


def read_lock(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the Python that a list of wheels is for, e.g. `3.12`, and its pins in their order.

    Raises:
        InputError: The file is missing, names no Python, or has a line that is no `NAME==VERSION`; every fault is told.
    """
    if not path.is_file():
        raise InputError(f"--lock {path}: there is no such file")
    text = path.read_text(encoding="utf-8")
    python = _PYTHON.search(text)
    faults = [] if python else [f"{path}: expected a line '# python X.Y' that says which Python it is for"]
    pins = []
    for number, line in enumerate(text.splitlines(), start=1):
        pin = line.partition("#")[0].strip()
        if pin and not _PIN.fullmatch(pin):
            faults.append(
                f"{path}, line {number}: expected NAME==VERSION, came '{pin}'; without a pin nobody knows later"
            )
        elif pin:
            pins.append(pin)
    if not pins:
        faults.append(f"{path}: expected at least one NAME==VERSION, came none")
    if faults or python is None:
        raise InputError(faults)
    return python[1], tuple(pins)


def copy_source(target: Path) -> None:
    """Copy what the wheel is built from, and the bundled sample: rooms as pyproject lists them, no cache, no test."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = [ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    for package in tools["packages"]:
        room = ROOT.joinpath(*package.split("."))
        found += [path for pattern in ("*.py", *tools["package-data"].get(package, ())) for path in room.glob(pattern)]
    found += (ROOT / "data" / "sample").glob("*.csv")
    for path in found:
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def build_wheel(source: Path, target: Path) -> Path:
    """Build this project's wheel without a network, in a copy: building leaves folders behind.

    Args:
        source: Made by `copy_source`; left as it is.
        target: Folder for the wheel.

    Raises:
        UserError: pip failed; its last words are told.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(source, Path(scratch) / "source")
        command = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(copy)]
        _pip(command, "the wheel could not be built; it needs setuptools>=77 (pip install 'setuptools>=77')")
    return next(iter(target.glob("misconception_mining-*.whl")))


def _download(wheels: Path, python: str, target: Path) -> None:
    platforms = [part for name in _PLATFORMS for part in ("--platform", name)]
    version = ["--python-version", python, "--implementation", "cp"]
    abis = [part for name in (f"cp{python.replace('.', '')}", "abi3", "none") for part in ("--abi", name)]
    command = ["download", "--no-deps", "--only-binary=:all:", *version, *abis, *platforms, "--dest", str(target)]
    _pip([*command, "--requirement", str(wheels)], "a wheel of the list could not be downloaded")


def _pip(arguments: Sequence[str], failed: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INPUT": "1"})
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise UserError(f"{failed}; pip said:\n{last}")


def _check_output(output: Path) -> None:
    """Refuse a folder with other things in it: the whole folder is replaced."""
    if fault := output_folder_fault(output):
        raise InputError(f"--output: {fault}")
    if output.is_dir() and any(output.iterdir()) and not (output / LIST).is_file():
        raise InputError(
            f"--output {output}: expected a new or empty folder or an older bundle, since the whole folder is "
            "replaced, came one with other files; name another folder"
        )


def _tell(options: argparse.Namespace, files: Sequence[Path]) -> None:
    size = sum((options.output / path).stat().st_size for path in files)
    wheels = sum(path.suffix == ".whl" for path in files)
    sys.stdout.write(
        f"\nWritten: {options.output}, {len(files)} files, {size / 1e6:.1f} MB, {wheels} wheel{'s'[: wheels != 1]}\n"
        f"Next: the steps in {options.output / 'README.md'}\n"
    )


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again."))
