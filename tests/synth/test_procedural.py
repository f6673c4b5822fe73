from collections import Counter
from collections.abc import Hashable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.records import LETTERS, Misconception
from synth.mal_rules import ALL_RULES, ALL_TASKS
from synth.procedural import (
    ProceduralQuestion,
    check_slugs,
    generate_procedural,
    generate_questions,
    rule_ids,
    text_key,
)

IDS = {rule.slug: place for place, rule in enumerate(ALL_RULES)}
TASKS = {task.slug: task for task in ALL_TASKS}
SLUGS = sorted(IDS)


def assert_verified(one: ProceduralQuestion, ids: dict[str, int]) -> None:
    """Assert that every answer is what its rule computes, and that no other rule of the task gives it."""
    task = TASKS[one.task]
    computed: dict[str, Hashable] = {}
    texts: dict[str, str] = {}
    for rule, procedure in task.wrong:
        answer = procedure(*one.parameters)
        if answer is not None:
            computed[rule.slug], texts[rule.slug] = answer.value, answer.text
    right = task.right(*one.parameters)
    assert right is not None
    assert len(set(one.values)) == 4
    assert len(set(one.question.answers)) == 4
    for letter, slug, value in zip(LETTERS, one.rules, one.values, strict=True):
        text = one.question.answer(letter)
        if letter == one.question.correct:
            assert (slug, value, text) == (None, right.value, right.text)
        elif slug is None:
            assert value not in computed.values()
            assert one.question.labels_of(letter) == ()
        else:
            assert (computed[slug], texts[slug]) == (value, text)
            assert [other for other, its in computed.items() if its == value] == [slug]
            assert one.question.labels_of(letter) == ((ids[slug],) if slug in ids else ())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_every_distractor_is_what_its_rule_computes(seed: int) -> None:
    for one in generate_procedural(len(ALL_TASKS), seed=seed, ids=IDS):
        assert_verified(one, IDS)


def test_ten_thousand_questions_without_a_repeat() -> None:
    made = generate_procedural(10_000, seed=1, ids=IDS)
    assert len({text_key(one.question.text) for one in made}) == 10_000
    assert [one.question.id for one in made] == list(range(10_000))
    labelled = sum(len(labels) for one in made for labels in one.question.labels)
    assert labelled / 30_000 > 0.9
    assert {one.task for one in made} == set(TASKS)
    assert all("<" not in one.question.text.replace(" < ", "") for one in made)
    letters = Counter(one.question.correct for one in made)
    assert all(2_300 < letters[letter] < 2_700 for letter in LETTERS)


def test_the_same_seed_makes_the_same_questions_and_another_seed_others() -> None:
    first = generate_procedural(120, seed=5, ids=IDS)
    assert first == generate_procedural(120, seed=5, ids=IDS)
    assert first != generate_procedural(120, seed=6, ids=IDS)


def test_fewer_questions_are_the_beginning_of_more() -> None:
    assert generate_procedural(83, seed=5, ids=IDS) == generate_procedural(300, seed=5, ids=IDS)[:83]


@pytest.mark.parametrize("slug", SLUGS[::7])
def test_rows_for_one_rule_carry_the_users_own_id_and_nothing_else(slug: str) -> None:
    made = generate_procedural(12, seed=3, ids={slug: 9_999}, rules=[slug], first_id=500)
    assert [one.question.id for one in made] == list(range(500, 512))
    for one in made:
        assert slug in one.rules
        assert_verified(one, {slug: 9_999})
        letter = LETTERS[one.rules.index(slug)]
        assert [other for other in LETTERS if one.question.labels_of(other)] == [letter]


def test_every_rule_can_be_asked_for() -> None:
    for slug in SLUGS:
        (one,) = generate_procedural(1, seed=0, ids=IDS, rules=[slug])
        assert slug in one.rules


def test_excluded_rules_are_never_labelled_and_come_last() -> None:
    barred = SLUGS[::3]
    made = generate_procedural(600, seed=2, ids=IDS, exclude=barred)
    assert not {IDS[slug] for slug in barred} & {
        label for one in made for labels in one.question.labels for label in labels
    }
    for one in made:
        assert any(labels for labels in one.question.labels)
        assert_verified(one, {slug: id for slug, id in IDS.items() if slug not in barred})


def test_texts_that_are_taken_do_not_come_again() -> None:
    first = [one.question.text for one in generate_procedural(200, seed=4, ids=IDS)]
    again = generate_procedural(200, seed=4, ids=IDS, taken=[text.upper() for text in first])
    assert not {text_key(text) for text in first} & {text_key(one.question.text) for one in again}


def test_an_exhausted_rule_is_told() -> None:
    with pytest.raises(InputError, match=r"expected 5000 .* only \d+"):
        generate_procedural(5_000, seed=0, ids=IDS, rules=["exterior-for-interior"])


def test_unknown_slugs_are_refused_together() -> None:
    with pytest.raises(InputError) as caught:
        check_slugs(["left-to-rihgt", "left-to-right", "zzz"])
    assert len(caught.value.faults) == 2
    assert "did you mean 'left-to-right'" in str(caught.value)
    with pytest.raises(InputError):
        generate_procedural(1, seed=0, ids={"zzz": 1})


def test_labels_are_the_banks_ids() -> None:
    bank = [Misconception(id=7, name=ALL_RULES[0].name), Misconception(id=3, name="Something else")]
    assert rule_ids(bank) == {ALL_RULES[0].slug: 7}
    questions = generate_questions(20, seed=0, bank=bank, rules=[ALL_RULES[0].slug])
    assert {label for question in questions for labels in question.labels for label in labels} == {7}


def test_construct_and_subject_ids_stand_for_their_names() -> None:
    questions = generate_questions(600, seed=0, bank=[])
    assert len({(q.construct, q.construct_id) for q in questions}) == len({q.construct for q in questions})
    assert len({q.construct_id for q in questions}) == len({q.construct for q in questions})
    assert len({(q.subject, q.subject_id) for q in questions}) == len({q.subject_id for q in questions})
