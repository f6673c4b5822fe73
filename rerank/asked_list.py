"""One list of candidates on its way through its orders: prompts out, scores in, one score a candidate."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.fusion import log_softmax
from core.language_model import LabelScores
from core.order_scores import OrderScores
from core.records import FloatArray, IntArray, Misconception, Query
from rerank.adaptive import SkipPolicy
from rerank.listwise_plans import OrderPlan
from rerank.orders import average_orders, by_candidate
from rerank.prompts import BuiltPrompt, ListwisePrompter

Scored = tuple[FloatArray, float | None]
"""Log-probabilities by place of one list, and of "none of these"; their exponentials sum to 1."""

Asking = Generator[list[BuiltPrompt], list[LabelScores], list[Scored]]


@dataclass(kw_only=True, eq=False)
class AskedList:
    """One list of one query and what was read of it so far.

    Attributes:
        key: The query's key.
        start: First place of the list among the query's candidates; 0 but for windows.
        ids: The misconception at each place of the list, int64, shape (n,).
        permutations: Slot -> place of each order.
        prompts: One an order.
        asked: The scores of the orders asked so far.
    """

    key: str
    start: int
    ids: IntArray
    permutations: list[IntArray]
    prompts: list[BuiltPrompt]
    asked: list[OrderScores] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        query: Query,
        candidates: Sequence[Misconception],
        start: int,
        *,
        prompter: ListwisePrompter,
        plan: OrderPlan,
    ) -> "AskedList":
        """Build all prompts of a list at once.

        Raises:
            ValueError: A prompt cannot be built.
        """
        permutations = plan.permutations(len(candidates), query.key)
        return cls(
            key=query.key,
            start=start,
            ids=np.asarray([candidate.id for candidate in candidates], dtype=np.int64),
            permutations=permutations,
            prompts=[prompter.build(query, [candidates[place] for place in order.tolist()]) for order in permutations],
        )

    @property
    def waiting(self) -> list[BuiltPrompt]:
        """The prompts that were not asked."""
        return self.prompts[len(self.asked) :]

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompts that were asked."""
        return sum(len(prompt.token_ids) for prompt in self.prompts[: len(self.asked)])

    def add(self, scores: LabelScores) -> None:
        """Take the scores of the next order.

        Raises:
            ValueError: The prompt's candidates are not those of the list in this order.
        """
        order = len(self.asked)
        shown = self.prompts[order].candidate_ids
        slots = [slot for slot, id in enumerate(shown) if id is not None]
        ids = np.asarray([shown[slot] for slot in slots], dtype=np.int64)
        if not np.array_equal(ids, self.ids[self.permutations[order]]):
            raise ValueError(f"query {self.key}: the prompt of order {order} shows other candidates than were given")
        logprobs = scores.logprobs.astype(np.float64)
        none = [float(logprobs[slot]) for slot, id in enumerate(shown) if id is None]
        self.asked.append(
            OrderScores(
                key=self.key,
                order=order,
                ids=ids,
                logprobs=logprobs[slots],
                none_logprob=none[0] if none else None,
                mass=scores.mass,
                window=self.start,
            )
        )

    def average(self, plan: OrderPlan) -> Scored:
        """Return the average over the orders asked."""
        return self._scored(average_orders(np.stack([self._row(n) for n in range(len(self.asked))]), space=plan.space))

    def debiased(self, policy: SkipPolicy) -> Scored:
        """Return the first order's scores without its slot bias."""
        return self._scored(self._row(0, policy.debias(self.asked[0].logprobs)))

    def is_sure(self, policy: SkipPolicy) -> bool:
        """Return whether the first order is sure enough."""
        return policy.is_sure(policy.debias(self.asked[0].logprobs))

    def _row(self, order: int, logprobs: FloatArray | None = None) -> FloatArray:
        """Return one order's log-probabilities by place, "none of these" behind them where there is one."""
        scores = self.asked[order]
        none = [] if scores.none_logprob is None else [scores.none_logprob]
        slots = np.append(scores.logprobs if logprobs is None else logprobs, none)
        return by_candidate(slots, self.permutations[order])

    def _scored(self, row: FloatArray) -> Scored:
        # float32 probabilities sum to 1 within 1e-6; this takes that off.
        row = log_softmax(row)
        n = len(self.ids)
        return row[:n], float(row[n]) if len(row) > n else None


def ask_lists(lists: Sequence[AskedList], *, plan: OrderPlan, policy: SkipPolicy | None, skip: bool | None) -> Asking:
    """Ask lists of one query: every order at once, or the first and then, where it leaves doubt, the others.

    Args:
        lists: The lists; their `asked` grows.
        plan: Says in which space orders are averaged.
        policy: Decides after the first order; None asks all at once.
        skip: Whether the others are left out whatever the first one scored; None lets the policy decide.

    Returns:
        The lists' scores. One whose further orders were left out still has prompts waiting.
    """
    first = {number: asked.prompts[:1] if policy else asked.prompts for number, asked in enumerate(lists)}
    yield from _ask(lists, first)
    if policy is not None:
        doubtful = {
            number: asked.waiting
            for number, asked in enumerate(lists)
            if asked.waiting and not (asked.is_sure(policy) if skip is None else skip)
        }
        if doubtful:
            yield from _ask(lists, doubtful)
    return [asked.debiased(policy) if policy and asked.waiting else asked.average(plan) for asked in lists]


def _ask(
    lists: Sequence[AskedList], wanted: dict[int, list[BuiltPrompt]]
) -> Generator[list[BuiltPrompt], list[LabelScores], None]:
    scores = yield [prompt for prompts in wanted.values() for prompt in prompts]
    owners = [number for number, prompts in wanted.items() for _ in prompts]
    for number, found in zip(owners, scores, strict=True):
        lists[number].add(found)
