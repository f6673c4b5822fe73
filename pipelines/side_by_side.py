"""Work in several processes at a time on one device, none of which outlives this one."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def side_by_side(
    work: Callable[..., None],
    tasks: Sequence[tuple[Any, ...]],
    *,
    at_a_time: int,
    threads: int | None = None,
) -> None:
    """Call `work(*task)` for every task, each in a process that starts fresh.

    A small model leaves most of a large GPU idle: three trainings at once take little longer than one. Should this
    process be killed, the others end within a second, so that a run started again finds nobody at its files.

    Args:
        work: A function of a module, so that the other processes can find it.
        tasks: Its arguments, one tuple a call; they must be picklable.
        at_a_time: Processes at a time.
        threads: CPU threads of each process; None shares the machine's out evenly.

    Raises:
        Exception: What the first task that failed raised; tasks that had not begun are dropped.
    """
    share = threads or max(1, (os.cpu_count() or 1) // at_a_time)
    with ProcessPoolExecutor(
        max_workers=min(at_a_time, len(tasks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(share,),
    ) as pool:
        waiting = [pool.submit(work, *task) for task in tasks]
        try:
            for future in waiting:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
