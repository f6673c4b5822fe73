"""The ledger of requests: a JSON line for each thing a language model was asked, so that nothing is asked twice."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request and what came of it.

    Attributes:
        key: Hash of all that the answer depends on.
        task: What was asked for: `write`, `solve`, `judge`, `explain`, `hint`, …
        row: Which row (or entry, or query) it serves.
        engine: The kind of engine.
        model: The model's name.
        revision: The model's commit or content hash; None where a server does not tell.
        prompt_hash: SHA-256 of the messages.
        seed: Of the sampling.
        temperature: Of the sampling; 0 is greedy.
        max_tokens: Longest answer asked for.
        prompt_tokens: Tokens read.
        output_tokens: Tokens written.
        seconds: Its share of the wall time of its batch (of requests in flight: the time since the answer before it
            came): the sum over requests is the time spent.
        text: The answer; empty after an error.
        finish_reason: `stop`, `length` or `error`.
        error: What went wrong; None where nothing did. A request with an error is asked again in a later run.
    """

    key: str
    task: str
    row: str
    engine: str
    model: str
    revision: str | None
    prompt_hash: str
    seed: int
    temperature: float
    max_tokens: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    text: str
    finish_reason: str
    error: str | None = None


class Ledger:
    """An append-only file of `Asked`, a JSON line each; open in one process at a time.

    A line that a kill tore is dropped on opening; a line that cannot be written whole (a full disk) is taken back, so
    that what was finished before is never lost.

    Args:
        path: The file; made, with its folder, at the first line.

    Raises:
        InputError: Another process has it open, or a line in its midst is no line of a ledger.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{self._path}.lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise InputError(
                f"{self._path}: another run is writing into it; wait for its end or name another --output"
            ) from error
        self._asked: list[Asked] = []
        self._place: dict[str, int] = {}
        try:
            self._read()
        except InputError:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._asked)

    def __iter__(self) -> Iterator[Asked]:
        return iter(tuple(self._asked))

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def close(self) -> None:
        """Let another process open it."""
        self._lock.release()

    def get(self, key: str) -> Asked | None:
        """Return the last line of a key, finished or failed; None where it was never asked."""
        place = self._place.get(key)
        return None if place is None else self._asked[place]

    def append(self, asked: Asked) -> None:
        """Write one line; it is on the disk when this returns. See `extend`."""
        self.extend([asked])

    def extend(self, batch: Sequence[Asked]) -> None:
        """Write lines; they are on the disk when this returns.

        Raises:
            InputError: They cannot be written (a full disk); the lines written before stay.
        """
        data = "".join(json.dumps(vars(asked)) + "\n" for asked in batch).encode()
        if not data:
            return
        size = self._path.stat().st_size if self._path.exists() else 0
        try:
            with self._path.open("ab") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            self._cut(size)
            raise InputError(
                f"{self._path}: cannot be written ({error.strerror or error}). What was finished before is kept: make "
                "room and run the same command again"
            ) from error
        for asked in batch:
            self._add(asked)

    def _add(self, asked: Asked) -> None:
        self._place[asked.key] = len(self._asked)
        self._asked.append(asked)

    def _cut(self, size: int) -> None:
        if self._path.exists():
            os.truncate(self._path, size)

    def _read(self) -> None:
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self._cut(whole)
        for number, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
            self._add(_parsed(line, f"{self._path}, line {number}"))


_FIELDS = {field.name for field in fields(Asked)}


def _parsed(line: bytes, where: str) -> Asked:
    try:
        value: dict[str, Any] = json.loads(line)
        if set(value) != _FIELDS:
            raise ValueError(f"its keys are {', '.join(sorted(value))}")
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{where}: expected a line of the ledger of requests, got {line[:80]!r} ({error}). Remove the line; its "
            "request is asked again"
        ) from error
    return Asked(**value)
