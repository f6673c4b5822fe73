"""What requests to a model cost: of one run, of what it came to, and of all runs into the same ledger."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from synth.ledger import Asked, Ledger


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What some requests cost.

    Attributes:
        requests: How many were sent.
        failed: How many of them failed.
        prompt_tokens: Tokens read.
        output_tokens: Tokens written.
        seconds: Time spent.
    """

    requests: int
    failed: int
    prompt_tokens: int
    output_tokens: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What each task cost, in order of name.

    Attributes:
        this_run: Requests that this run sent.
        these_settings: Requests that this run's result rests on, sent now or by an earlier run.
        all_runs: All requests in the ledger: those of other settings too, whose rows are not in the result.
    """

    this_run: Mapping[str, Spent]
    these_settings: Mapping[str, Spent]
    all_runs: Mapping[str, Spent]


def costs_of(ledger: Ledger, *, before: int, used: Collection[str]) -> Costs:
    """Return the costs of a run.

    Args:
        ledger: The ledger, the run's requests in it.
        before: How many requests were in it when the run began.
        used: Keys of all requests that the run asked for, new or known.
    """
    every = list(ledger)
    return Costs(
        this_run=spent_by_task(every[before:]),
        these_settings=spent_by_task(asked for asked in every if asked.key in used),
        all_runs=spent_by_task(every),
    )


def spent_by_task(requests: Iterable[Asked]) -> dict[str, Spent]:
    """Return what each task cost, in order of name."""
    tasks: dict[str, list[Asked]] = {}
    for asked in requests:
        tasks.setdefault(asked.task, []).append(asked)
    return {
        task: Spent(
            requests=len(found),
            failed=sum(asked.error is not None for asked in found),
            prompt_tokens=sum(asked.prompt_tokens for asked in found),
            output_tokens=sum(asked.output_tokens for asked in found),
            seconds=round(sum(asked.seconds for asked in found), 3),
        )
        for task, found in sorted(tasks.items())
    }


def total_of(tasks: Mapping[str, Spent], *, without: Collection[str] = ()) -> Spent:
    """Return the sum over tasks, some of them left out."""
    every = [spent for task, spent in tasks.items() if task not in without]
    return Spent(
        requests=sum(one.requests for one in every),
        failed=sum(one.failed for one in every),
        prompt_tokens=sum(one.prompt_tokens for one in every),
        output_tokens=sum(one.output_tokens for one in every),
        seconds=round(sum(one.seconds for one in every), 3),
    )
