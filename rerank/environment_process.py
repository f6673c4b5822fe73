"""A script in a Python environment of its own: started, watched, and ended with this process."""

import logging
import os
import subprocess
import time
from pathlib import Path

from core.errors import ModelError

logger = logging.getLogger(__name__)

_LAST_LINES = 12
_SET = {"HF_HUB_OFFLINE": "1", "END_WITH_STDIN": "1"}
_MINE = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def run_in_environment(python: Path, script: Path, job: Path, *, log: Path) -> None:
    """Run a script to its end; what it writes goes to a log file.

    It reads its standard input and ends when that closes (`environments/parent.py`), so that it never outlives this
    process, however this one ends.

    Args:
        python: The environment's interpreter.
        script: The script; its argument is `job`.
        job: The job file.
        log: The log file; one that stands there is replaced.

    Raises:
        ModelError: The environment is not there, or the script failed; with its last lines.
    """
    if not python.is_file():
        raise ModelError(f"{python}: expected the interpreter of an environment; make it with {made_by(python)}")
    log.parent.mkdir(parents=True, exist_ok=True)
    # The environment has its own packages, and no tool asks a hub for anything.
    environment = {name: value for name, value in os.environ.items() if name not in _MINE} | _SET
    began = time.perf_counter()
    logger.info("%s runs in %s; its log: %s", script.name, python.parent.parent, log)
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [str(python.absolute()), str(script.absolute()), str(job.absolute())],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
        raise ModelError(
            f"{script.name} ended with status {status} after {time.perf_counter() - began:.0f} s; its log: {log}; its "
            "last lines: " + " | ".join(line.strip()[-300:] for line in lines)
        )
    logger.info("%s: done in %.0f s", script.name, time.perf_counter() - began)


def installed_version(python: Path, package: str) -> str:
    """Return the version of a package in an environment.

    Raises:
        ModelError: The environment or the package is not there; says how to make it.
    """
    if not python.is_file():
        raise ModelError(f"{python}: this environment is not there; make it with {made_by(python)}")
    code = f"import importlib.metadata as m, sys; sys.stdout.write(m.version({package!r}))"
    environment = {name: value for name, value in os.environ.items() if name not in _MINE}
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise ModelError(f"{python}: has no package {package}; make the environment again with {made_by(python)}")
    return done.stdout.strip()


def made_by(python: Path) -> str:
    """Return the command that makes an environment."""
    return f"make quantizer-env NAME={python.parent.parent.name}"
