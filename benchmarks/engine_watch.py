"""Where the time of a run through vLLM goes: before the engine has its requests, in its steps, and after them."""

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any


class Watch:
    """What one run did, in seconds since it began.

    Attributes:
        submits: When each request was handed to the engine; the time when that was done.
        steps: (when a step's tokens were there, how many requests got one, when the engine's process sent them).
        waited: Spent waiting for the engine's tokens; the rest of the time is this process's own work.
        syncs: How long each `os.fsync` took, whichever thread called it.
        collected: Spent by Python's collection of garbage.
        ended: When the run was over.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self.submits: list[float] = []
        self.steps: list[tuple[float, int, float]] = []
        self.waited = 0.0
        self.syncs: list[float] = []
        self.collected = 0.0
        self.ended = 0.0
        self._collecting = 0.0

    def since(self, moment: float | None = None) -> float:
        """Return seconds from the beginning to a moment of the clock; None: now."""
        return (self._clock() if moment is None else moment) - self._began

    def phases(self) -> dict[str, float | int]:
        """Return the numbers of the run: head, sending, steps, tail.

        `head_seconds` to the first request, `sending_seconds` from there to the last; `tail_seconds` from the last
        step's tokens to the end, of which they lay there unread for `late_seconds`. `steps` are those that brought
        tokens, `mean_running` how many requests got one, `steps_below_most` those of fewer than the fullest one's,
        `step_seconds` the median time between two, `slow_seconds` what all of them took beyond that.
        """
        tokens = [many for _, many, _ in self.steps if many]
        first = self.submits[0] if self.submits else self.ended
        last_step, _, sent = self.steps[-1] if self.steps else (self.ended, 0, self.ended)
        full = max(tokens, default=0)
        gaps = [later - sooner for (_, _, sooner), (_, _, later) in pairwise(self.steps)]
        step = statistics.median(gaps) if gaps else 0.0
        return {
            "head_seconds": first,
            "sending_seconds": (self.submits[-1] if self.submits else first) - first,
            "tail_seconds": self.ended - sent,
            "late_seconds": last_step - sent,
            "steps": len(tokens),
            "mean_running": sum(tokens) / len(tokens) if tokens else 0.0,
            "steps_below_most": sum(many < full for many in tokens),
            "step_seconds": step,
            "slow_seconds": sum(max(0.0, gap - step) for gap in gaps),
            "waiting_seconds": self.waited,
            "syncs": len(self.syncs),
            "sync_seconds": sum(self.syncs),
            "slowest_sync_seconds": max(self.syncs, default=0.0),
            "garbage_seconds": self.collected,
        }

    def _garbage(self, phase: str, _: dict[str, int]) -> None:
        now = self._clock()
        if phase == "start":
            self._collecting = now
        else:
            self.collected += now - self._collecting


@contextmanager
def watched(engine: Any, clock: Callable[[], float] = time.monotonic) -> Iterator[Watch]:  # noqa: ANN401
    """Look on while a `vllm.LLM.llm_engine` is used; what is measured costs some microseconds a step.

    Args:
        engine: It; `add_request` and its `engine_core.get_output` are wrapped meanwhile (0.24 to 0.32).
        clock: Seconds; the engine's process stamps its outputs with `time.monotonic`, which one machine shares.
    """
    watch = Watch(clock)
    core = engine.engine_core
    add, get, sync = engine.add_request, core.get_output, os.fsync

    def add_request(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        name = add(*args, **kwargs)
        watch.submits.append(watch.since())
        return name

    def get_output() -> Any:  # noqa: ANN401
        began = clock()
        outputs = get()
        now = clock()
        watch.waited += now - began
        watch.steps.append((watch.since(now), len(outputs.outputs), watch.since(outputs.timestamp)))
        return outputs

    def fsync(descriptor: int) -> None:
        began = clock()
        sync(descriptor)
        watch.syncs.append(clock() - began)

    engine.add_request, core.get_output, os.fsync = add_request, get_output, fsync  # type: ignore[assignment]
    gc.callbacks.append(watch._garbage)
    try:
        yield watch
    finally:
        watch.ended = watch.since()
        gc.callbacks.remove(watch._garbage)
        os.fsync = sync
        del engine.add_request, core.get_output
