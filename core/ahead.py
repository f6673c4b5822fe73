"""What comes next is made by threads while the present is worked on: a training's batches, rendered prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
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
    make: Callable[[Given], Made], inputs: Iterable[Given], *, depth: int = DEPTH, threads: int = 1
) -> Iterator[Iterator[Made]]:
    """Make a result of every input, in order, in threads that are up to `depth` results ahead of the reader.

    The threads are gone when the block is left, however it is left; each then finishes the one result that it is at.

    Args:
        make: Called in the threads, with one thread never twice at once. It must leave alone what the reader changes
            meanwhile: the model, the optimiser, and torch's random state.
        inputs: What it is called with; read by the reader's own thread, up to `depth` ahead.
        depth: Results ahead, at least 1.
        threads: How many results are made at the same time, at least 1.

    Yields:
        An iterator of the results. An error of `make` comes out of it where the result would have.

    Raises:
        ValueError: `depth` or `threads` is below 1.
    """
    for name, number in (("depth", depth), ("threads", threads)):
        if number < 1:
            raise ValueError(f"{name}: expected at least 1; got {number}")
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="ahead")
    try:
        yield _results(pool, make, inputs, depth)
    finally:
        pool.shutdown(cancel_futures=True)


def _results(
    pool: ThreadPoolExecutor, make: Callable[[Given], Made], inputs: Iterable[Given], depth: int
) -> Iterator[Made]:
    waiting = iter(inputs)
    begun: deque[Future[Made]] = deque(pool.submit(make, given) for given in islice(waiting, depth))
    while begun:
        made = begun.popleft().result()
        begun.extend(pool.submit(make, given) for given in islice(waiting, 1))
        yield made
