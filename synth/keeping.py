"""Answers go to the disk in a thread, all that came meanwhile at once: a slow disk holds no engine back."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition
from types import TracebackType
from typing import Self

from synth.ledger import Asked, Ledger


class Keeper:
    """Appends to a ledger while its caller goes on; when the block is left, all that was handed over is on the disk.

    A kill loses nothing that `kept` has told of. Only this writes into the ledger before the block is left.

    Args:
        ledger: Where to.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changed = Condition()
        self._waiting: list[Asked] = []
        self._kept = 0
        self._told = 0
        self._closing = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keeper")
        self._written: Future[None] | None = None

    def __enter__(self) -> Self:
        self._written = self._pool.submit(self._write)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the disk.

        Raises:
            InputError: Lines could not be written; an error that leaves the block goes before.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._pool.shutdown()
        if kind is None:
            self._check()

    def put(self, lines: Sequence[Asked]) -> None:
        """Hand lines over; they stay in order.

        Raises:
            InputError: Lines handed over before could not be written; these are not either.
        """
        self._check()
        with self._changed:
            self._waiting += lines
            self._changed.notify()

    def kept(self) -> int:
        """Return how many lines came onto the disk since this was asked last."""
        with self._changed:
            fresh, self._told = self._kept - self._told, self._kept
        return fresh

    def _check(self) -> None:
        if self._written is not None and self._written.done():
            self._written.result()  # raises what ended the thread before its time

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                lines, self._waiting = self._waiting, []
            if not lines:
                return
            self._ledger.extend(lines)
            with self._changed:
                self._kept += len(lines)
