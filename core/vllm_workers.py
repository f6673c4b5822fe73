"""Data parallel scoring: several processes, an engine each; prompts are shared out between them.

(`LLM(data_parallel_size=…)` refuses to run in a single process.) Nothing here knows vLLM: any engine can be served.
"""

import logging
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from core.engine_process import Engine
from core.engine_worker import EngineWorker, WorkerError, WorkerTask
from core.errors import UserError
from core.language_model import EngineStats, Generation, LabelScores, TokenIds, check_prompts

_log = logging.getLogger(__name__)


class WorkerPool:
    """Implements `TokenScorer` and `TextGenerator` over worker processes, which are spawned and opened at once.

    Prompts are cut into one stretch a worker, of about equal tokens, in the order given: prompts of one query lie next
    to each other and so share a worker's prefix cache.

    Args:
        open_engine: Opens a worker's engine there; must be picklable (a module's function, `functools.partial`).
        environments: One a worker: variables set in its process before anything is imported, such as
            `CUDA_VISIBLE_DEVICES`.
        timeout_seconds: The longest that a worker may take for one call, or to open its engine. One that hangs without
            dying (a GPU that does not come back, a collective that waits for ever) is then ended.

    Raises:
        WorkerError: A worker could not open its engine; names it.
    """

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        environments: Sequence[Mapping[str, str]],
        *,
        timeout_seconds: float = 3600.0,
    ) -> None:
        if not environments:
            raise ValueError("expected at least one worker")
        self._timeout = timeout_seconds
        context = multiprocessing.get_context("spawn")
        self._seconds = 0.0
        self._workers: list[EngineWorker] = []
        opened = False
        try:
            for number, environment in enumerate(environments):
                self._workers.append(EngineWorker.start(context, number, environment, open_engine))
            tasks = [
                WorkerTask(worker=worker, told=f"{worker.name()} opening its engine", first=0)
                for worker in self._workers
            ]
            self._gather(tasks)
            opened = True
        finally:
            if not opened:
                self.close()
        _log.info("%d engine workers are open", len(self._workers))

    @property
    def stats(self) -> EngineStats:
        """Counts of all workers; `seconds` is the time that calls took here."""
        told = [worker.stats for worker in self._workers]
        return EngineStats(
            prompts=sum(stats.prompts for stats in told),
            prompt_tokens=sum(stats.prompt_tokens for stats in told),
            cached_tokens=sum(stats.cached_tokens for stats in told),
            seconds=self._seconds,
            path=next((stats.path for stats in told if stats.path), ""),
        )

    def close(self) -> None:
        """End the workers: asked first, then made to."""
        for worker in self._workers:
            with suppress(OSError):
                worker.pipe.send(None)
            worker.pipe.close()
        for worker in self._workers:
            worker.end(patiently=True)
        self._workers = []

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """Return the scores of each prompt's labels as its next token; see `core.language_model.TokenScorer`.

        Raises:
            ScoringError: As the engine says, with the prompt's number in this call; names the worker.
            WorkerError: A worker died, or did not answer in time; names it and its prompts.
            ValueError: Lengths differ, a prompt or a label list is empty, or a label stands twice.
        """
        check_prompts(prompts, labels)
        found = self._share(prompts, lambda s: ("score", (list(prompts[s]), list(labels[s])), {}))
        return [scores for part in found for scores in part]

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Generation]:
        """Return one continuation of each prompt; see `core.language_model.TextGenerator`.

        Raises:
            WorkerError: A worker died, or did not answer in time; names it and its prompts.
        """
        options = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed, "schema": schema}
        found = self._share(prompts, lambda s: ("generate", (list(prompts[s]),), options))
        return [text for part in found for text in part]

    def _share(self, prompts: Sequence[TokenIds], task: Callable[[slice], tuple[Any, ...]]) -> list[Any]:
        if not self._workers:
            raise ValueError("this pool was closed")
        started = time.perf_counter()
        tasks = []
        for worker, stretch in zip(
            self._workers, stretches([len(p) for p in prompts], len(self._workers)), strict=True
        ):
            if stretch.start == stretch.stop:
                continue
            told = f"{worker.name()} with prompts {stretch.start} to {stretch.stop - 1} of {len(prompts)}"
            tasks.append(WorkerTask(worker=worker, told=told, first=stretch.start))
            with suppress(OSError):  # a dead worker shows when its answer is awaited
                worker.pipe.send(task(stretch))
        try:
            return self._gather(tasks)
        finally:
            self._seconds += time.perf_counter() - started

    def _gather(self, tasks: Sequence[WorkerTask]) -> list[Any]:
        """Await every answer, so that pipes stay in step; then raise the first fault."""
        deadline = time.monotonic() + self._timeout  # the workers run at the same time
        answers: list[Any] = []
        faults: list[UserError | ValueError] = []
        for task in tasks:
            try:
                kind, value = task.answer(deadline)
            except WorkerError as error:
                faults.append(error)
                continue
            if kind == "done":
                answers.append(value)
            else:
                faults.append(task.fault(kind, value))
        if faults:
            raise faults[0]
        return answers


def stretches(lengths: Sequence[int], parts: int) -> list[slice]:
    """Cut places 0 to n - 1 into stretches of about equal total length; some may be empty.

    Args:
        lengths: Tokens of each prompt, n of them.
        parts: How many stretches.

    Returns:
        `parts` slices that cover every place once, in order.
    """
    ends: list[int] = []
    total, covered = sum(lengths), 0
    for place, length in enumerate(lengths):
        # A prompt belongs to the stretch that its middle lies in.
        part = min(parts - 1, int((covered + length / 2) * parts / total)) if total else 0
        while len(ends) < part:
            ends.append(place)
        covered += length
    ends += [len(lengths)] * (parts - len(ends))
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def device_environments(workers: int, devices_each: int, visible: Sequence[str]) -> list[dict[str, str]]:
    """Return each worker's environment: its own GPUs.

    Args:
        workers: How many.
        devices_each: GPUs an engine takes (tensor × pipeline parallel).
        visible: The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them; none on a CPU.

    Raises:
        WorkerError: There are too few.
    """
    if not visible:
        return [{} for _ in range(workers)]
    if workers * devices_each > len(visible):
        raise WorkerError(
            f"{workers} workers of {devices_each} GPUs each need {workers * devices_each}; {len(visible)} can be seen"
        )
    groups = [visible[number * devices_each : (number + 1) * devices_each] for number in range(workers)]
    return [{"CUDA_VISIBLE_DEVICES": ",".join(group)} for group in groups]
