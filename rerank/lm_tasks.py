"""One list of candidates becomes prompts with targets: what one loss term of a language model is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from core.records import FloatArray, Misconception, Query
from rerank.training_lists import TrainingList

LmKind = Literal["listwise", "pointwise"]


class Prompt(Protocol):
    """What is read of a `BuiltPrompt`."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """The prompt."""
        ...

    @property
    def label_ids(self) -> tuple[int, ...]:
        """The tokens whose scores are read after it."""
        ...

    @property
    def cut_tokens(self) -> int:
        """Tokens of the question that were left out."""
        ...

    @property
    def candidate_ids(self) -> tuple[int | None, ...]:
        """What each label stands for; None is "none of these"."""
        ...


class ListPrompter(Protocol):
    """What is used of a `ListwisePrompter`."""

    @property
    def capacity(self) -> int:
        """The most candidates that a prompt can hold."""
        ...

    def build(self, query: Query, candidates: Sequence[Misconception]) -> Prompt:
        """Return one prompt for all candidates."""
        ...


class PairPrompter(Protocol):
    """What is used of a `PointwisePrompter`."""

    def build(self, query: Query, candidate: Misconception) -> Prompt:
        """Return the Yes/No prompt of one candidate."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """One term of the loss.

    Attributes:
        kind: `listwise` is one prompt whose labels are the candidates; `pointwise` a prompt a candidate, with the
            labels Yes and No, whose log-odds are the candidates' logits.
        prompts: Token ids of each prompt.
        labels: Label ids of each prompt.
        targets: Wanted probability of each candidate, float64, shape (candidates,), sums to 1.
        cut_tokens: Tokens that were left out of the question.
        weight: What its loss is multiplied by.
    """

    kind: LmKind
    prompts: tuple[tuple[int, ...], ...]
    labels: tuple[tuple[int, ...], ...]
    targets: FloatArray
    cut_tokens: int = 0
    weight: float = 1.0

    def __post_init__(self) -> None:
        wanted = len(self.labels[0]) if self.kind == "listwise" else len(self.prompts)
        if len(self.targets) != wanted or abs(float(self.targets.sum()) - 1.0) > 1e-6:
            raise ValueError(f"expected {wanted} targets that sum to 1; got {self.targets.tolist()}")

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return max(len(prompt) for prompt in self.prompts)


def listwise_task(
    prompter: ListPrompter, query: Query, shown: TrainingList, bank: Mapping[int, Misconception], targets: FloatArray
) -> Task:
    """Return the task of a listwise prompt.

    Args:
        prompter: Builds the prompt as at inference.
        query: The query.
        shown: Its candidates; a truth that was withheld makes "none of these" the target.
        bank: The misconceptions by id.
        targets: One for each of `shown.ids`.

    Raises:
        ValueError: The truth was withheld, but the prompts have no "none of these" label.
    """
    built = prompter.build(query, [bank[id] for id in shown.ids])
    wanted: dict[int | None, float] = dict(zip(shown.ids, targets.tolist(), strict=True))
    if shown.truth is None:
        if None not in built.candidate_ids:
            raise ValueError("a truth was withheld (none_share), but these prompts have no 'none of these' label")
        wanted[None] = 1.0
    return Task(
        kind="listwise",
        prompts=(tuple(built.token_ids),),
        labels=(tuple(built.label_ids),),
        targets=np.array([wanted.get(id, 0.0) for id in built.candidate_ids], dtype=np.float64),
        cut_tokens=built.cut_tokens,
        weight=shown.weight,
    )


def pointwise_task(
    prompter: PairPrompter, query: Query, shown: TrainingList, bank: Mapping[int, Misconception], targets: FloatArray
) -> Task:
    """Return the task of one Yes/No prompt a candidate; arguments as of `listwise_task`."""
    built = [prompter.build(query, bank[id]) for id in shown.ids]
    return Task(
        kind="pointwise",
        prompts=tuple(tuple(prompt.token_ids) for prompt in built),
        labels=tuple(tuple(prompt.label_ids) for prompt in built),
        targets=targets,
        cut_tokens=sum(prompt.cut_tokens for prompt in built),
        weight=shown.weight,
    )
