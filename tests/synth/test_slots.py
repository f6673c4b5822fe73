from made_rows import BANK, made_question

from synth.slots import Slot, question_id_of, real_examples, slots_of

ENTRIES = list(BANK.values())


def wanted(real=None, **changes):
    facts = {"at_least": 1, "at_most": 2, "attempts": 3}
    return [
        (slot.misconception_id, slot.number, slot.attempts)
        for slot in slots_of(ENTRIES, real or {}, **{**facts, **changes})
    ]


def test_first_rows_come_first_and_unseen_misconceptions_before_others():
    assert wanted({1: 5, 2: 1}) == [(3, 0, 3), (2, 0, 3), (1, 0, 3), (3, 1, 1), (2, 1, 1), (1, 1, 1)]
    assert wanted(at_most=1) == [(1, 0, 3), (2, 0, 3), (3, 0, 3)]


def test_rows_can_be_left_out():
    assert wanted({1: 5}, only_unseen=True, at_most=1) == [(2, 0, 3), (3, 0, 3)]
    assert wanted(only={2}, at_most=1) == [(2, 0, 3)]
    assert wanted(limit=1) == [(1, 0, 3)]
    assert wanted({1: 1, 2: 1, 3: 1}, only_unseen=True) == []


def test_asking_for_more_keeps_what_there_was():
    few = wanted({2: 1}, at_most=2)
    assert wanted({2: 1}, at_most=4)[: len(few)] == few


def test_attempts_have_names_of_their_own():
    slot = Slot(misconception_id=7, number=1, attempts=2)
    assert [slot.key(0), slot.key(1)] == ["m7-1-0", "m7-1-1"]


def test_real_examples_are_counted_by_label():
    questions = [made_question(id=1, label=1), made_question(id=2, label=1), made_question(id=3, label=2)]
    assert real_examples(questions) == {1: 2, 2: 1}


def test_ids_of_made_questions_meet_no_other():
    ids = {question_id_of(f"m{n}-0-0", "same text") for n in range(2000)}
    assert len(ids) == 2000 and min(ids) >= 10**14 and max(ids) < 10**15
    assert question_id_of("m1-0-0", "a") == question_id_of("m1-0-0", "a") != question_id_of("m1-0-0", "b")
