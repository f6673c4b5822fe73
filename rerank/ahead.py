"""What comes next is made by a thread of its own while the present is worked on: a training's batches, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

DEPTH = 2
"""Results that are made ahead at most: the next one, and one more for the case that it takes longer than a step."""


@contextmanager
def made_ahead(
    make: Callable[[Given], Made], inputs: Sequence[Given], *, depth: int = DEPTH
) -> Iterator[Iterator[Made]]:
    """Make a result of every input, in order, in one thread that is up to `depth` results ahead of the reader.

    The thread is gone when the block is left, however it is left; it then finishes the one result that it is at.

    Args:
        make: Called in the thread, never twice at once. It must leave alone what the reader changes meanwhile: the
            model, the optimiser, and torch's random state.
        inputs: What it is called with.
        depth: Results ahead, at least 1.

    Yields:
        An iterator of the results. An error of `make` comes out of it where the result would have.

    Raises:
        ValueError: `depth` is below 1.
    """
    if depth < 1:
        raise ValueError(f"depth: expected at least 1; got {depth}")
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
    try:
        yield _results(thread, make, inputs, depth)
    finally:
        thread.shutdown(cancel_futures=True)


def _results(
    thread: ThreadPoolExecutor, make: Callable[[Given], Made], inputs: Sequence[Given], depth: int
) -> Iterator[Made]:
    waiting = iter(inputs)
    begun: deque[Future[Made]] = deque(thread.submit(make, given) for given in islice(waiting, depth))
    while begun:
        made = begun.popleft().result()
        begun.extend(thread.submit(make, given) for given in islice(waiting, 1))
        yield made
