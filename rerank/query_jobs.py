"""How queries go through a scorer: a window of them at a time, each taking as many rounds as it needs.

A query's work is a generator: it gives the prompts it wants scored, gets their scores back, and ends with its result.
One call of the scorer holds the present prompts of up to `batch_queries` queries, the earlier queries first and each
query's prompts side by side. So a query's next order goes in with the first orders of the queries behind it, while its
own prefix is still in the engine's cache, and no call is half empty. Meanwhile a thread builds the next queries'
prompts.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from tqdm import tqdm

from core.language_model import LabelScores, ScoringError, TokenScorer
from rerank.prompts import BuiltPrompt
from rerank.reranker import Deadline, WatchingDeadline

Result = TypeVar("Result")
QueryJob = Generator[list[BuiltPrompt], list[LabelScores], Result]


@dataclass(kw_only=True)
class _Running(Generic[Result]):
    """One started query."""

    place: int
    name: str
    job: QueryJob[Result]
    prompts: list[BuiltPrompt] = field(default_factory=list)
    result: Result | None = None

    def advance(self, scores: list[LabelScores] | None) -> bool:
        """Hand scores in (None to start) and take the next prompts; return whether there are any."""
        try:
            self.prompts = next(self.job) if scores is None else self.job.send(scores)
        except StopIteration as end:
            self.prompts, self.result = [], end.value
        return bool(self.prompts)


def run_query_jobs(
    jobs: Sequence[tuple[str, Callable[[], QueryJob[Result]]]],
    scorer: TokenScorer,
    *,
    batch_queries: int,
    deadline: Deadline | None = None,
    show_progress: bool = False,
) -> list[Result | None]:
    """Run every query's job to its end.

    Args:
        jobs: A name for messages and a way to start the job, per query. A job must depend on nothing but its query, so
            that `batch_queries` changes no result beyond the engine's own float noise.
        scorer: The engine; one whose `is_open` is False opens it when it is first asked.
        batch_queries: Queries under way at once, at least 1.
        deadline: Asked before each call of the scorer; True stops. None never stops. One that watches is told after
            each call how many queries are finished.
        show_progress: Whether to show a bar over the queries.

    Returns:
        The results in the order of the jobs; None for queries that were not finished at the deadline.

    Raises:
        ScoringError: A score did not come back; names the query.
        ValueError: `batch_queries` is below 1.
    """
    if batch_queries < 1:
        raise ValueError(f"batch_queries must be at least 1; got {batch_queries}")
    results: list[Result | None] = [None] * len(jobs)
    waiting = deque(enumerate(jobs))
    primed: deque[_Running[Result]] = deque()
    active: list[_Running[Result]] = []

    def prime() -> None:
        """Start queries ahead of time, up to a full window; those that need no prompt are finished by it."""
        while waiting and len(primed) < batch_queries:
            place, (name, start) = waiting.popleft()
            running = _Running(place=place, name=name, job=start())
            running.advance(None)
            primed.append(running)

    with (
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompts") as pool,
        tqdm(total=len(jobs), desc="reranking", unit="query", disable=not show_progress) as bar,
    ):
        while not (deadline is not None and deadline()):
            while len(active) < batch_queries and (primed or waiting):
                prime()
                running = primed.popleft()
                if running.prompts:
                    active.append(running)
                else:
                    results[running.place] = running.result
                    bar.update()
            if not active:
                break
            # A scorer that is about to open its engine may fork: no other thread runs meanwhile.
            ahead = pool.submit(prime) if getattr(scorer, "is_open", True) else None
            scores = _score(scorer, active)
            if ahead is not None:
                ahead.result()
            going_on = []
            for running, found in zip(active, scores, strict=True):
                if running.advance(found):
                    going_on.append(running)
                else:
                    results[running.place] = running.result
                    bar.update()
            active = going_on
            if isinstance(deadline, WatchingDeadline):
                deadline.finished(sum(result is not None for result in results), len(jobs))
    return results


def _score(scorer: TokenScorer, active: Sequence[_Running[Result]]) -> list[list[LabelScores]]:
    """Score the present prompts of all queries in one call; return the scores by query.

    Raises:
        ScoringError: Names the query.
    """
    owners = [running.name for running in active for _ in running.prompts]
    prompts = [prompt for running in active for prompt in running.prompts]
    try:
        scores = scorer.score([prompt.token_ids for prompt in prompts], [prompt.label_ids for prompt in prompts])
    except ScoringError as error:
        known = error.prompt is not None and error.prompt < len(owners)
        owner = f"query {owners[error.prompt or 0]}" if known else f"one of the queries {owners[0]} to {owners[-1]}"
        raise ScoringError([f"{owner}: {fault}" for fault in error.faults], prompt=error.prompt) from error
    if len(scores) != len(prompts):
        raise ScoringError(
            f"queries {owners[0]} to {owners[-1]}: expected scores of {len(prompts)} prompts, {len(scores)} came back"
        )
    for place, (owner, prompt, found) in enumerate(zip(owners, prompts, scores, strict=True)):
        if found.logprobs.shape != (len(prompt.label_ids),) or not np.isfinite(found.logprobs).all():
            raise ScoringError(
                f"query {owner}: expected {len(prompt.label_ids)} finite scores, got {found.logprobs.tolist()}",
                prompt=place,
            )
    rest = iter(scores)
    return [[next(rest) for _ in running.prompts] for running in active]
