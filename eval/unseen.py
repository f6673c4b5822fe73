"""Choosing question groups to hold out so that a stated share of their labels is unseen in training."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

Labels = tuple[int, ...]


class HoldOut:
    """Question groups that move, one step at a time, from training to validation (see `eval.splits.unseen_split`).

    A label is *hidden* once training holds no example of it; a labelled query of validation is unseen once all its
    labels are hidden.

    Args:
        queries: For every question group that has labels, the labels of each of its labelled queries.

    Attributes:
        validation: The groups moved so far.
    """

    def __init__(self, queries: Mapping[int, Sequence[Labels]]) -> None:
        self._queries = queries
        self._train_count = Counter(label for found in queries.values() for labels in found for label in labels)
        self._groups_of: dict[int, set[int]] = {}
        for group, found in queries.items():
            for labels in found:
                for label in labels:
                    self._groups_of.setdefault(label, set()).add(group)
        self.validation: set[int] = set()
        self._size = 0
        self._unseen = 0

    @property
    def group_count(self) -> int:
        """Number of question groups that have labels."""
        return len(self._queries)

    def fill(self, *, unseen_share: float, validation_share: float, tolerance: float, seed: int) -> list[int]:
        """Move groups until validation holds its share of the labelled queries and its share of unseen ones.

        Args:
            unseen_share: Asked share of unseen queries in validation, in [0, 1].
            validation_share: Asked share of all labelled queries, in (0, 1).
            tolerance: How far stripping may pass the asked share.
            seed: Seed of the order in which labels and groups are tried.

        Returns:
            Labels to strip from training, in rising order; empty where whole groups alone reach the share.
        """
        rng = np.random.default_rng(seed)
        labels = rng.permutation(sorted(self._groups_of)).tolist()
        groups = rng.permutation(sorted(self._queries)).tolist()
        target = validation_share * sum(len(found) for found in self._queries.values())
        while self._size < target:
            room = max(1.0, target - self._size + 0.5)
            if self._share() < unseen_share or (unseen_share > 0 and not self.validation):
                closures = (self._groups_of[label] - self.validation for label in labels)
                move = self._first_or_best(closures, room, at_least=unseen_share)
            else:
                move = None
            move = move or self._first_or_best(
                ({group} - self.validation for group in groups), room, below=unseen_share
            )
            if move is None and not self.validation:  # every group is larger than the share that was asked for
                move = {min(groups, key=lambda group: len(self._queries[group]))}
            if move is None:
                break
            self._move(move)
        return self._strip(unseen_share, tolerance)

    def _share(self) -> float:
        return self._unseen / self._size if self._size else 0.0

    def _gain(self, groups: Collection[int]) -> tuple[int, int]:
        """Return how many labelled queries, and how many unseen ones, validation would win with these groups."""
        moved = Counter(label for group in groups for labels in self._queries[group] for label in labels)
        hidden = {label for label, count in moved.items() if count == self._train_count[label]}
        touched = set().union(*(self._groups_of[label] for label in hidden))
        before = sum(self._is_unseen(labels, ()) for g in touched & self.validation for labels in self._queries[g])
        after = sum(self._is_unseen(labels, hidden) for group in touched for labels in self._queries[group])
        return sum(len(self._queries[group]) for group in groups), after - before

    def _is_unseen(self, labels: Labels, hidden: Collection[int]) -> bool:
        return all(label in hidden or not self._train_count[label] for label in labels)

    def _first_or_best(
        self,
        candidates: Iterable[set[int]],
        room: float,
        *,
        at_least: float | None = None,
        below: float = 0.0,
    ) -> set[int] | None:
        """Return the first set that fits and whose own share of unseen queries suits, else the one nearest to it."""
        best: set[int] | None = None
        best_distance = float("inf")
        for groups in candidates:
            if not groups:
                continue
            size = sum(len(self._queries[group]) for group in groups)
            if size > room or len(self.validation) + len(groups) >= self.group_count:
                continue
            share = self._gain(groups)[1] / size
            distance = at_least - share if at_least is not None else share - below
            if distance < 0 or share == at_least or share == below == 0.0:
                return groups
            if distance < best_distance:
                best, best_distance = groups, distance
        return best

    def _move(self, groups: Collection[int]) -> None:
        size, unseen = self._gain(groups)
        self._size += size
        self._unseen += unseen
        for group in groups:
            self._train_count.subtract(label for labels in self._queries[group] for label in labels)
        self.validation |= set(groups)

    def _strip(self, unseen_share: float, tolerance: float) -> list[int]:
        stripped: list[int] = []
        ceiling = (unseen_share + tolerance) * self._size
        while self._unseen < unseen_share * self._size - 0.5:
            choices = []
            gains = self._strip_gains()
            for label, gain in gains.items():
                if self._unseen + gain <= max(ceiling, self._unseen + 1):
                    choices.append((self._train_count[label] / gain, -gain, label))
            if not choices:
                break
            _, gain, label = min(choices)
            self._train_count[label] = 0
            self._unseen -= gain
            stripped.append(label)
        return sorted(stripped)

    def _strip_gains(self) -> Counter[int]:
        """Return, for each label, how many queries of validation become unseen if training loses that label alone."""
        gains: Counter[int] = Counter()
        for group in self.validation:
            for labels in self._queries[group]:
                shown = [label for label in labels if self._train_count[label]]
                if len(shown) == 1:
                    gains[shown[0]] += 1
        return gains
