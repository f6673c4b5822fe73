"""What each epoch of a language model's training shows: fresh lists, with or without hints, as tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from core.records import Misconception, Query, Ranking
from rerank.hint_dropout import drop_hints
from rerank.lm_tasks import ListPrompter, LmKind, PairPrompter, Task, listwise_task, pointwise_task
from rerank.training_groups import FoldProvenance, training_groups
from rerank.training_lists import TrainingList, soft_targets, training_lists


@dataclass(kw_only=True, eq=False)
class TaskSource:
    """Draws lists and makes tasks of them; the arguments are those of `train_language_model`.

    Attributes:
        cut: Tasks made so far in which something was cut from the question.
        taught: Tasks made so far whose targets a teacher helped to make.

    Raises:
        ValueError: The lists do not fit the prompts or the window, or the teacher's rankings are not the queries'.
    """

    queries: Sequence[Query]
    candidates: Sequence[Ranking]
    by_id: Mapping[int, Misconception]
    kind: LmKind
    prompter: ListPrompter | PairPrompter
    sizes: tuple[int, int]
    window: int
    spread: float
    none_share: float
    hint_dropout: float
    teacher: Sequence[Ranking] | None
    teacher_weight: float
    teacher_temperature: float
    seed: int
    weights: Sequence[float] | None = None
    cut: int = 0
    taught: int = 0

    def __post_init__(self) -> None:
        largest = self.sizes[1]
        if self.window < largest:
            raise ValueError(f"window {self.window}: expected at least the largest list, {largest}")
        if self.kind == "listwise":
            capacity = cast("ListPrompter", self.prompter).capacity
            if largest > capacity:
                raise ValueError(f"sizes: lists of {largest} were asked for, but a prompt holds at most {capacity}")
        elif self.none_share:
            raise ValueError("none_share is for listwise prompts: a Yes/No prompt has no 'none of these'")
        if self.teacher is not None and [r.key for r in self.teacher] != [q.key for q in self.queries]:
            raise ValueError("teacher: expected one ranking per query, with the queries' keys in their order")

    def lists(
        self,
        epoch: int,
        *,
        provenance: Sequence[FoldProvenance] | None = None,
        groups: Sequence[int] | None = None,
    ) -> list[TrainingList]:
        """Draw an epoch's lists.

        Args:
            epoch: From 0.
            provenance: Checked by `check_out_of_fold` where given; it is the same for every epoch.
            groups: For that check.

        Raises:
            InputError: See `training_groups`.
        """
        whole = training_groups(
            self.queries,
            self.candidates,
            group_size=max(self.window, 2),  # all there is to draw from, in stage-1 order
            window=max(self.window, 2),
            seed=self.seed,
            epoch=epoch,
            provenance=provenance,
            groups=groups,
            weights=self.weights,
        )
        return training_lists(
            whole, sizes=self.sizes, spread=self.spread, none_share=self.none_share, seed=self.seed, epoch=epoch
        )

    def shown(self, epoch: int) -> list[Query]:
        """Return the queries as an epoch shows them: some without their hint."""
        return drop_hints(self.queries, self.hint_dropout, seed=self.seed, epoch=epoch)

    def length(self, shown: TrainingList) -> int:
        """Return about how long a list's prompts are, in characters, to put lists of like length into one batch."""
        query = self.queries[shown.query_index]
        own = len(query.question.text) + len(query.correct_answer) + len(query.wrong_answer)
        names = sum(len(self.by_id[id].name) for id in shown.ids)
        return own + names if self.kind == "listwise" else own * len(shown.ids) + names

    def task(self, shown: TrainingList, queries: Sequence[Query]) -> Task:
        """Build a list's prompts and targets.

        Args:
            shown: The list.
            queries: Of `shown` for the epoch.

        Raises:
            ValueError: See `listwise_task`; or whatever the prompter refuses.
        """
        targets, taught = soft_targets(
            shown,
            teacher=None if self.teacher is None else self.teacher[shown.query_index],
            weight=self.teacher_weight,
            temperature=self.teacher_temperature,
        )
        query = queries[shown.query_index]
        if self.kind == "listwise":
            made = listwise_task(cast("ListPrompter", self.prompter), query, shown, self.by_id, targets)
        else:
            made = pointwise_task(cast("PairPrompter", self.prompter), query, shown, self.by_id, targets)
        self.cut += made.cut_tokens > 0
        self.taught += taught
        return made
