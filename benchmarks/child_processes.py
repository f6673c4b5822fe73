"""Processes of a benchmark: each leads a process group, has a time limit and a log, and none outlives this one."""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A line that names an error, behind what vLLM and its processes put before it.
_ERROR = re.compile(r"^(?:\(\S+ pid=\d+\) )?(?:[A-Z]+ [\d-]+ [\d:]+ \[\S+\] )?((?:\w+\.)*\w*(?:Error|Exception): .+)$")


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process to run.

    Attributes:
        name: Of the check or the folder.
        command: With its arguments.
        log: Takes its messages.
    """

    name: str
    command: Sequence[str]
    log: Path


def end_with_sigterm() -> None:
    """Let a SIGTERM end this process as an exception does, so that its children end with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run_children(
    children: Sequence[Child], *, limit: float, at_a_time: int = 1, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Child, str, float]]:
    """Run processes, some at a time, and yield each as it ends with how it ended and its wall seconds.

    Args:
        children: In the order in which they start.
        limit: Seconds that each may take; it and all that it started are ended then.
        at_a_time: How many at most.
        environment: Theirs; None: this process's.
    """
    waiting = list(children)
    running: dict[subprocess.Popen[bytes], tuple[Child, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_a_time:
                child = waiting.pop(0)
                with child.log.open("wb") as told:
                    process = subprocess.Popen(
                        child.command, stdout=told, stderr=told, env=environment, process_group=0
                    )
                running[process] = child, time.perf_counter()
            for process, (child, began) in list(running.items()):
                seconds, status = time.perf_counter() - began, process.poll()
                if status is None and seconds < limit:
                    continue
                del running[process]
                _end(process)
                yield child, f"cut off after {limit:g} seconds" if status is None else f"exit status {status}", seconds
            time.sleep(0.05)
    finally:
        for process in running:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and whatever is left of its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def what_happened(log: Path, *, most: int = 3000) -> str:
    """Return a log's errors in short, the first first, and its last characters.

    The cause of a failed start of vLLM stands in its engine's messages, far above the end of its log.
    """
    # Of a progress bar, which writes over its own line, the last state is enough.
    read = log.read_bytes().decode("utf-8", errors="replace").split("\n")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in read]
    named = dict.fromkeys(found.group(1)[:500] for found in map(_ERROR.match, lines) if found)
    errors = "\n".join(list(named)[:10])
    return (f"errors:\n{errors}\n…\n" if errors else "") + "\n".join(lines).rstrip()[-most:]


def add_room_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how much of a GPU an engine takes."""
    parser.add_argument(
        "--cache-gib", type=float, default=2.0, help="vLLM's room for keys and values, an engine (default: %(default)s)"
    )
    parser.add_argument(
        "--memory", type=float, default=0.06, help="share of a GPU that an engine must find free (default: %(default)s)"
    )
