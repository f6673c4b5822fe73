from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from synth.bank_rules import FURTHER_TASKS
from synth.mapped_questions import FIRST_ID, generate_mapped, read_back, verification_fault
from synth.procedural import ProceduralQuestion, text_key
from synth.rule_mapping import EVERY_TASK, bindings

TASKS = {task.slug: task for task in EVERY_TASK}
LABELS = {
    ("cube-a-number", "cube-times-three"): (4, 7),
    ("cube-a-number", "cube-adds-three"): (5,),
    ("solve-multiplied", "coefficient-subtracted"): (6,),
    ("third-angle-of-triangle", "triangle-angles-full-turn"): (8,),
}


def rows(questions: tuple[ProceduralQuestion, ...]) -> Counter[int]:
    return Counter(label for one in questions for own in one.question.labels for label in own)


def test_every_entry_gets_its_rows_and_answers_carry_all_entries_of_their_rule() -> None:
    made = generate_mapped(LABELS, rows_each=5, seed=1)
    assert made.rejected == {} and made.short == {}
    assert min(rows(made.questions).values()) >= 5 and set(rows(made.questions)) == {4, 5, 6, 7, 8}
    for one in made.questions:
        for letter, slug in zip("ABCD", one.rules, strict=True):
            assert one.question.labels_of(letter) == LABELS.get((one.task, slug), ())
        assert verification_fault(one, TASKS[one.task]) is None
    assert [one.question.id for one in made.questions] == list(range(FIRST_ID, FIRST_ID + len(made.questions)))
    assert len({text_key(one.question.text) for one in made.questions}) == len(made.questions)
    assert made == generate_mapped(LABELS, rows_each=5, seed=1)
    assert made.questions != generate_mapped(LABELS, rows_each=5, seed=2).questions


def test_texts_that_are_taken_are_not_made_and_what_runs_short_is_told() -> None:
    made = generate_mapped(LABELS, rows_each=5, seed=1)
    other = generate_mapped(LABELS, rows_each=5, seed=1, taken=[one.question.text for one in made.questions])
    assert not {text_key(q.question.text) for q in made.questions} & {
        text_key(q.question.text) for q in other.questions
    }
    # cubes of 2, 4 … 12 in three wordings, one of them with no name in it: there are no more than that
    few = generate_mapped({("cube-a-number", "cube-adds-three"): (5,)}, rows_each=1000, seed=0)
    assert few.short == {5: len(few.questions)} and 20 <= len(few.questions) <= 30
    assert len(generate_mapped(LABELS, rows_each=5, seed=1, most=3).questions) == 3


def test_one_question_of_every_further_task_passes_verification() -> None:
    labels = {pair: (number,) for number, pair in enumerate(bindings())}
    made = generate_mapped(labels, rows_each=1, seed=3)
    assert made.rejected == {} and made.short == {}
    assert {task.slug for task in FURTHER_TASKS} <= {one.task for one in made.questions}
    assert "<" not in "".join(
        one.question.text
        for one in made.questions
        if "x \\leq" not in one.question.text and " < " not in one.question.text
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda q: replace(q, answers=tuple("1" if a == q.answer(q.correct) else a for a in q.answers)),
            "right procedure",
        ),
        (lambda q: replace(q, text=q.text + " <a>"), "placeholder"),
        (
            lambda q: replace(q, answers=tuple(q.answers[0] if a != q.answer(q.correct) else a for a in q.answers)),
            "equal",
        ),
    ],
)
def test_a_spoilt_question_is_not_kept(change, reason) -> None:
    one = next(
        one
        for one in generate_mapped(LABELS, rows_each=3, seed=1).questions
        if one.task == "cube-a-number" and one.question.correct != "A"
    )
    assert reason in str(verification_fault(replace(one, question=change(one.question)), TASKS[one.task]))


def test_a_wrong_value_or_a_foreign_rule_is_found() -> None:
    one = next(o for o in generate_mapped(LABELS, rows_each=3, seed=1).questions if o.task == "cube-a-number")
    task = TASKS[one.task]
    spoilt = replace(one, values=(Fraction(-1), Fraction(-2), Fraction(-3), Fraction(-4)))
    assert verification_fault(spoilt, task) == "an answer's text is not worth its value"
    places = [place for place, slug in enumerate(one.rules) if slug]
    swapped = list(one.rules)
    swapped[places[0]], swapped[places[1]] = swapped[places[1]], swapped[places[0]]
    assert verification_fault(replace(one, rules=tuple(swapped)), task) == "a wrong answer is not its rule's"
    doubled = replace(
        task, wrong=(*task.wrong, (bindings()["square-a-number", "square-adds-two"][1], task.wrong[0][1]))
    )
    drawn = next(
        o
        for o in generate_mapped(LABELS, rows_each=9, seed=1).questions
        if o.task == task.slug and task.wrong[0][0].slug in o.rules
    )
    assert verification_fault(drawn, doubled) == "two rules give one wrong answer"


def test_numbers_are_read_back_from_texts() -> None:
    shown = {
        r"\( 12 \)": 12,
        r"\( -0.5 \)": Fraction(-1, 2),
        r"\( £ 3.20 \)": Fraction(16, 5),
        r"\( 40 \mathrm{~cm}^{2} \)": 40,
        r"\( 7 \% \)": 7,
        r"\( 61^{\circ} \)": 61,
        r"\( -\frac{3}{4} \)": Fraction(-3, 4),
        r"\( x = 3 \)": None,
        r"\( 2\pi \)": None,
        "12": None,
    }
    assert {text: read_back(text) for text in shown} == shown
