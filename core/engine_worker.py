"""A process that serves an engine, seen from outside: how it is started, asked, waited for and ended."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from core.engine_process import Engine, serve
from core.errors import UserError
from core.language_model import EngineStats, ScoringError

_PATIENCE = 10.0
"""Seconds that a worker has to end by itself."""


class WorkerError(UserError):
    """A worker process died, did not answer in time, or could not open its engine."""


@dataclass(kw_only=True)
class EngineWorker:
    """One process and the pipe to it.

    Attributes:
        number: Its own, from 0.
        environment: The variables that were set in it.
        stats: Counts as it last told them.
    """

    number: int
    environment: dict[str, str]
    process: SpawnProcess
    pipe: Connection
    stats: EngineStats

    @classmethod
    def start(
        cls, context: SpawnContext, number: int, environment: Mapping[str, str], open_engine: Callable[[], Engine]
    ) -> "EngineWorker":
        """Start a process, which opens its engine at once; the first answer tells how that went."""
        ours, theirs = context.Pipe()
        # Not daemonic: an engine with tensor parallelism has processes of its own.
        process = context.Process(
            target=serve, args=(theirs, dict(environment), open_engine), name=f"engine-{number}", daemon=False
        )
        process.start()
        theirs.close()  # else a dead worker's pipe would never end
        return cls(number=number, environment=dict(environment), process=process, pipe=ours, stats=EngineStats())

    def name(self) -> str:
        """Return how messages name it."""
        told = ", ".join(f"{key}={value}" for key, value in self.environment.items())
        return f"worker {self.number} (process {self.process.pid}{', ' + told if told else ''})"

    def end(self, *, patiently: bool = False) -> None:
        """End the process where it still runs; a patient end leaves it time to do so by itself first."""
        if patiently:
            self.process.join(_PATIENCE)
        for make_end in (self.process.terminate, self.process.kill):
            if self.process.is_alive():
                make_end()
                self.process.join(_PATIENCE)


@dataclass(frozen=True, kw_only=True)
class WorkerTask:
    """What a worker was asked.

    Attributes:
        worker: The worker.
        told: Says worker and task in messages.
        first: Number of the task's first prompt in the whole call.
    """

    worker: EngineWorker
    told: str
    first: int = 0

    def answer(self, deadline: float) -> tuple[str, Any]:
        """Await the answer and return kind and value as `core.engine_process.serve` sends them.

        Args:
            deadline: In seconds of `time.monotonic`. A worker that hangs is ended then: a late answer would be taken
                for the next task's.

        Raises:
            WorkerError: The worker died, or the deadline passed; names worker and task.
        """
        worker = self.worker
        started = time.monotonic()
        # The process too: its end shows even where its own children still hold the pipe open.
        ready = wait([worker.pipe, worker.process.sentinel], max(0.0, deadline - started))
        if not ready:
            worker.end()
            raise WorkerError(
                f"{self.told}: no answer in time (waited {deadline - started:.3g} seconds), so it was ended; where it "
                "only needs longer, raise worker_timeout_seconds or ask for less at once"
            )
        try:
            if not worker.pipe.poll():
                raise EOFError
            kind, value, worker.stats = worker.pipe.recv()
        except (EOFError, OSError) as error:
            worker.process.join(_PATIENCE)
            status = worker.process.exitcode
            raise WorkerError(f"{self.told}: died with exit status {status}; its own messages say why") from error
        return kind, value

    def fault(self, kind: str, value: Any) -> UserError | ValueError:  # noqa: ANN401 - whatever `serve` sends
        """Return a worker's error as this process raises it: a prompt by its number in the whole call.

        Args:
            kind: Of `answer`, not `done`.
            value: Likewise.
        """
        if kind != "score":
            return {"value": ValueError}.get(kind, WorkerError)(f"{self.told}: {value}")
        message, number = value
        if number is None:
            return ScoringError(f"{self.told} (numbers count from the first of these): {message}")
        own = self.first + number
        return ScoringError(f"{self.told}: " + re.sub(rf"\bprompt {number}\b", f"prompt {own}", message), prompt=own)
