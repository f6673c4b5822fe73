"""Splits into training and validation that keep copies of a question together.

Each works on any list of questions, so an inner split is a call on `split.train`.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.errors import InputError
from core.records import Question, queries_of
from eval.groups import question_groups
from eval.unseen import HoldOut

logger = logging.getLogger(__name__)

TOLERANCE = 0.02
"""How far the reached share of unseen labels may lie from the asked one before it is reported."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Two parts that share no question group; each keeps the order of the file."""

    train: tuple[Question, ...]
    validation: tuple[Question, ...]


def question_folds(questions: Sequence[Question], *, k: int, seed: int) -> list[Split]:
    """Return `k` splits whose validation parts divide the questions, whole question groups at a time.

    Groups are shuffled, then dealt out, those with most labelled queries first, each to the fold with the fewest
    labelled queries so far (then the fewest questions): fold sizes differ by no more than one group.

    Args:
        questions: Any questions.
        k: Number of folds, from 2 to the number of question groups.
        seed: Seed of the shuffle.

    Raises:
        InputError: `k` is outside its range.
    """
    groups = question_groups(questions)
    members = _members(groups.tolist())
    if not 2 <= k <= len(members):
        raise InputError(
            f"expected a number of folds from 2 to {len(members)} (the number of different questions), got {k}"
        )
    labelled = np.bincount(groups, weights=[_labelled(question) for question in questions], minlength=len(members))
    shuffled = np.random.default_rng(seed).permutation(len(members))
    order = shuffled[np.argsort(-labelled[shuffled], kind="stable")]
    loads = [(0.0, 0, fold) for fold in range(k)]
    fold_of = np.empty(len(members), dtype=np.int64)
    for group in order:
        queries, size, fold = min(loads)
        fold_of[group] = fold
        loads[fold] = (queries + float(labelled[group]), size + len(members[group]), fold)
    return [_split(questions, (fold_of[groups] == fold).tolist()) for fold in range(k)]


def unseen_split(
    questions: Sequence[Question], *, unseen_share: float, validation_share: float = 0.2, seed: int
) -> Split:
    """Return a split where a stated share of validation's labelled queries has no label that training shows.

    (0.6 is about what the private test of the Eedi competition had.) A query counts as unseen if NONE of its labels
    has an example in training. Labels are held out in the way that loses fewest of them:

    1. Walk through the labels in a seeded order; while validation holds too few unseen queries, move *all* questions
       of one label over, choosing labels that bring mostly unseen queries. This loses no label.
    2. While it holds too many, move over questions whose labels stay in training.
    3. If validation is full and unseen queries are still too few (labels with many questions each), strip the labels
       whose unseen gain costs fewest training examples; those wrong answers become unlabelled. The log says how many.

    Held-out labels are therefore rarer than the average label, as they are in nature.

    Args:
        questions: Any questions.
        unseen_share: Asked share, in [0, 1]. A reached share further than 0.02 off is a logged warning that tells it.
        validation_share: Share of the labelled queries that go to validation, in (0, 1).
        seed: Seed of the order in which labels and questions are tried.

    Raises:
        InputError: A share is out of range, or fewer than two question groups carry a label.
    """
    if not 0.0 <= unseen_share <= 1.0 or not 0.0 < validation_share < 1.0:
        raise InputError(
            "expected an unseen share from 0 to 1 and a validation share between 0 and 1, "
            f"got {unseen_share} and {validation_share}"
        )
    groups = question_groups(questions).tolist()
    labels: dict[int, list[tuple[int, ...]]] = {}
    for question, group in zip(questions, groups, strict=True):
        labels.setdefault(group, []).extend(found for found in question.labels if found)
    hold_out = HoldOut({group: found for group, found in labels.items() if found})
    if hold_out.group_count < 2:
        raise InputError(f"expected at least 2 different questions with labels to split, got {hold_out.group_count}")
    stripped = hold_out.fill(
        unseen_share=unseen_share, validation_share=validation_share, tolerance=TOLERANCE / 2, seed=seed
    )
    split = _split(questions, [group in hold_out.validation for group in groups])
    split = replace(split, train=tuple(strip_labels(split.train, stripped)))
    reached = _share(split.train, split.validation)
    lost = _total(questions) - _total(split.train) - _total(split.validation)
    logger.info(
        "unseen split: share %.3f asked, %.3f reached, %d training labels stripped", unseen_share, reached, lost
    )
    if abs(reached - unseen_share) > TOLERANCE:
        logger.warning(
            "unseen split: a share of %.3f unseen labels was asked for, %.3f was reached; "
            "use more questions or another validation share",
            unseen_share,
            reached,
        )
    return split


def strip_labels(questions: Sequence[Question], ids: Collection[int]) -> list[Question]:
    """Return the questions without the labels `ids`; a wrong answer that loses its only label becomes unlabelled."""
    gone = frozenset(ids)
    return [
        question
        if all(gone.isdisjoint(found) for found in question.labels)
        else replace(question, labels=_without(question, gone))
        for question in questions
    ]


def unseen_share(train: Sequence[Question], validation: Sequence[Question]) -> float:
    """Return the share of validation's labelled queries none of whose labels has an example in training, in [0, 1].

    Raises:
        InputError: No query of validation is labelled.
    """
    return _share(train, validation)


def seen_labels(questions: Sequence[Question]) -> frozenset[int]:
    """Return the ids of all labels that occur in some questions."""
    return frozenset(label for question in questions for found in question.labels for label in found)


def _without(
    question: Question, gone: frozenset[int]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    a, b, c, d = (tuple(label for label in found if label not in gone) for found in question.labels)
    return a, b, c, d


# `unseen_split` has an argument of the public function's name.
def _share(train: Sequence[Question], validation: Sequence[Question]) -> float:
    queries = queries_of(validation, labelled_only=True)
    if not queries:
        raise InputError("expected at least one labelled query in the validation part, got none")
    known = seen_labels(train)
    return sum(known.isdisjoint(query.labels) for query in queries) / len(queries)


def _labelled(question: Question) -> int:
    return sum(bool(found) for found in question.labels)


def _total(questions: Sequence[Question]) -> int:
    return sum(len(found) for question in questions for found in question.labels)


def _members(groups: Sequence[int]) -> list[list[int]]:
    members: list[list[int]] = [[] for _ in range(max(groups, default=-1) + 1)]
    for row, group in enumerate(groups):
        members[group].append(row)
    return members


def _split(questions: Sequence[Question], held_out: Sequence[bool]) -> Split:
    pairs = list(zip(questions, held_out, strict=True))
    return Split(
        train=tuple(question for question, out in pairs if not out),
        validation=tuple(question for question, out in pairs if out),
    )
