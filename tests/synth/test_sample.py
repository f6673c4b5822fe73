from functools import cache

import pytest

from core.errors import InputError
from core.records import Misconception, Question
from synth.bank_extras import EXTRAS
from synth.mal_rules import ALL_RULES, ALL_TASKS
from synth.procedural import rule_ids, text_key
from synth.sample import RULES_LEFT, Sample, hold_out, make_bank, make_sample


@cache
def sample(seed: int = 1, unseen: float = 0.3) -> Sample:
    return make_sample(train=448, test=192, unseen=unseen, held_out=0.2, seed=seed)


def labels_of(questions: tuple[Question, ...]) -> list[int]:
    return [label for question in questions for labels in question.labels for label in labels]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("unseen", [0.0, 0.2, 0.3])
def test_the_share_of_unseen_labels_is_the_one_asked_for(seed: int, unseen: float) -> None:
    made = sample(seed, unseen)
    seen = set(labels_of(made.train))
    test_labels = labels_of(made.test)
    assert sum(label not in seen for label in test_labels) / len(test_labels) == pytest.approx(unseen, abs=0.02)


def test_held_out_rules_never_label_a_training_question() -> None:
    made = sample()
    ids = rule_ids(made.bank)
    assert 0.15 <= len(made.held_out) / len(ALL_RULES) <= 0.25
    assert not {ids[slug] for slug in made.held_out} & set(labels_of(made.train))


def test_training_and_test_share_no_text_and_no_id() -> None:
    made = sample()
    questions = (*made.train, *made.test)
    assert len({text_key(question.text) for question in questions}) == 640
    assert [question.id for question in questions] == list(range(640))


def test_every_other_rule_has_training_questions_in_the_bundled_sample() -> None:
    made = sample(2024)
    shown = set(labels_of(made.train))
    missing = [slug for slug, id in rule_ids(made.bank).items() if id not in shown and slug not in made.held_out]
    assert missing == []


def test_every_task_keeps_rules_for_training() -> None:
    hidden = hold_out(0.2, seed=1)
    assert all(len({rule.slug for rule, _ in task.wrong} - hidden) >= RULES_LEFT for task in ALL_TASKS)
    assert hold_out(0.0, seed=1) == frozenset()


def test_the_bank_holds_rules_and_entries_without_questions_in_no_order() -> None:
    bank = make_bank(seed=1)
    assert len(bank) == len(ALL_RULES) + len(EXTRAS) >= 120
    assert [entry.id for entry in bank] == list(range(len(bank)))
    assert len({entry.name.casefold() for entry in bank}) == len(bank)
    assert all(entry.explanation for entry in bank)
    rules = {rule.name for rule in ALL_RULES}
    first_half = sum(entry.name in rules for entry in bank[: len(bank) // 2])
    assert first_half / (len(bank) // 2) == pytest.approx(len(rules) / len(bank), abs=0.1)
    assert bank == make_bank(seed=1) != make_bank(seed=2)


@pytest.mark.parametrize("unseen", [-0.1, 0.6])
def test_a_share_of_unseen_labels_out_of_reach_is_refused(unseen: float) -> None:
    with pytest.raises(InputError, match="unseen"):
        make_sample(train=10, test=10, unseen=unseen, held_out=0.2, seed=0)


def test_every_label_stands_in_the_bank() -> None:
    made = sample()
    known = {entry.id for entry in made.bank}
    assert set(labels_of(made.train)) | set(labels_of(made.test)) <= known


def test_the_same_arguments_make_the_same_sample() -> None:
    assert make_sample(train=60, test=30, unseen=0.3, held_out=0.2, seed=8) == make_sample(
        train=60, test=30, unseen=0.3, held_out=0.2, seed=8
    )


def test_entries_without_questions_are_no_rules() -> None:
    names = {Misconception(id=0, name=name, explanation=text).name.casefold() for name, text in EXTRAS}
    assert len(names) == len(EXTRAS)
    assert not names & {rule.name.casefold() for rule in ALL_RULES}
