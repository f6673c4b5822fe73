"""The bundled sample: a bank, training and test questions made from mal-rules.

Some rules are held out of training altogether; questions that show them are mixed into the test part until the asked
share of its labels is unseen. So the sample has what makes the real task hard: labels that training never showed.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from random import Random

from core.errors import InputError
from core.records import Misconception, Question
from synth.bank_extras import EXTRAS
from synth.mal_rules import ALL_RULES, ALL_TASKS
from synth.procedural import generate_questions

RULES_LEFT = 2
"""A rule is held out only where every task that has it keeps this many rules for training."""
MOST_UNSEEN = 0.33
"""A question that shows a held-out rule has two further labels, which mostly are seen."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A bank with training and test questions.

    Attributes:
        bank: The misconceptions with explanations, in order of id; the ids 0, 1, 2, … say nothing about the topic.
        train: Training questions, ids from 0.
        test: Test questions with labels, ids following the training questions'.
        held_out: Slugs of the rules that no training question shows, sorted.
    """

    bank: tuple[Misconception, ...]
    train: tuple[Question, ...]
    test: tuple[Question, ...]
    held_out: tuple[str, ...]


def make_sample(*, train: int, test: int, unseen: float, held_out: float, seed: int) -> Sample:
    """Return the sample.

    Args:
        train: Number of training questions.
        test: Number of test questions.
        unseen: Share of the test labels that training never shows, from 0 to `MOST_UNSEEN`.
        held_out: Share of the rules to hold out of training, between 0 and 1 (fewer where a task would have too
            few rules left).
        seed: Same arguments, same sample.

    Raises:
        InputError: So many questions, or so large a share of unseen labels, cannot be made.
    """
    if not 0 <= unseen <= MOST_UNSEEN:
        raise InputError(f"share of unseen test labels: expected 0 to {MOST_UNSEEN}, got {unseen}")
    bank = make_bank(seed=seed)
    hidden = hold_out(held_out, seed=seed)
    train_part = generate_questions(train, seed=seed, bank=bank, exclude=hidden)
    test_part = _test_questions(test, seed=seed, bank=bank, hidden=hidden, unseen=unseen, train=train_part)
    return Sample(bank=bank, train=tuple(train_part), test=tuple(test_part), held_out=tuple(sorted(hidden)))


def make_bank(*, seed: int) -> tuple[Misconception, ...]:
    """Return all mal-rules and the entries without questions, shuffled before they are numbered."""
    entries = [(rule.name, rule.explanation) for rule in ALL_RULES] + list(EXTRAS)
    Random(seed).shuffle(entries)
    return tuple(
        Misconception(id=id, name=name, explanation=explanation) for id, (name, explanation) in enumerate(entries)
    )


def hold_out(share: float, *, seed: int) -> frozenset[str]:
    """Choose rules to keep out of training, so that no task loses too many."""
    slugs = sorted(rule.slug for rule in ALL_RULES)
    Random(seed).shuffle(slugs)
    tasks = [{rule.slug for rule, _ in task.wrong} for task in ALL_TASKS]
    hidden: set[str] = set()
    for slug in slugs:
        if len(hidden) >= share * len(slugs):
            break
        with_it = [rules for rules in tasks if slug in rules]
        if all(len(rules - hidden - {slug}) >= RULES_LEFT for rules in with_it):
            hidden.add(slug)
    return frozenset(hidden)


def _test_questions(
    n: int,
    *,
    seed: int,
    bank: tuple[Misconception, ...],
    hidden: Collection[str],
    unseen: float,
    train: list[Question],
) -> list[Question]:
    """Mix questions with and without held-out rules so that the share of unseen labels stays at `unseen`."""
    seen_ids = {label for question in train for labels in question.labels for label in labels}
    taken = [question.text for question in train]
    showing = generate_questions(n, seed=seed + 1, bank=bank, rules=hidden, taken=taken)
    taken += [question.text for question in showing]
    without = generate_questions(n, seed=seed + 2, bank=bank, exclude=hidden, taken=taken)
    chosen: list[Question] = []
    labels, new = 0, 0
    for _ in range(n):
        source = showing if new <= unseen * labels else without
        question = source.pop(0)
        answers = [label for letter in question.labels for label in letter]
        labels += len(answers)
        new += sum(label not in seen_ids for label in answers)
        chosen.append(question)
    Random(seed + 3).shuffle(chosen)
    return [replace(question, id=len(train) + place) for place, question in enumerate(chosen)]
