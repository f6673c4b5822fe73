import json
from dataclasses import replace
from fractions import Fraction

import pytest
from made_rows import asked
from scripted_writer import question

from core.records import Misconception
from synth import reasons
from synth.parsing import Written, parse_written
from synth.rules import answer_value, check_rules, picture_in

ENTRY = Misconception(id=7, name="Adds the denominators of two fractions.")
GOOD = parse_written(asked(question()))
assert isinstance(GOOD, Written)


def verdict(language="en", **changes):
    return check_rules(replace(GOOD, **changes), ENTRY, language=language)


def test_a_good_question_passes():
    assert verdict().accepted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"letter": "B"}, reasons.SAME_LETTER),
        ({"answers": ("1", "2", "3", "3")}, reasons.EQUAL_ANSWERS),
        ({"answers": ("1", r"\( 3 \)", "x", " 3")}, reasons.EQUAL_ANSWERS),
        ({"answers": ("1", r"\( 0.5 \)", "x", r"\( 0.50 \)")}, reasons.EQUAL_ANSWERS),
        ({"answers": ("1", r"\( 1,000 \)", "x", "1000")}, reasons.EQUAL_ANSWERS),
        ({"question": "What is 3 + 4? The correct answer is B."}, reasons.LEAKED),
        ({"question": "What is 3 + 4? (correct) 7"}, reasons.LEAKED),
        ({"question": "A student has a misconception. What do they get for 3 + 4?"}, reasons.LEAKED),
        ({"question": r"Work out \( 3 + 4 = 7 \).", "answers": ("1", "7", "12", "34")}, reasons.LEAKED),
        ({"question": "Work out 3 + 4. Answer: 7", "answers": ("1", "7", "12", "34")}, reasons.LEAKED),
        (
            {
                "question": "When is the sum of the squares of both sides of use? What is Pythagoras?",
                "answers": ("x", "The sum of the squares of both sides", "z", "w"),
            },
            reasons.LEAKED,
        ),
        ({"question": "What is 3 + 4? A student adds the denominators of two fractions"}, reasons.NAMED),
        ({"question": "What is 3 + 4?\nA) 1\nB) 7\nC) 12\nD) 34"}, reasons.OPTIONS),
        ({"question": "What is 3 + 4? A. 1 B. 7 C. 12 D. 34"}, reasons.OPTIONS),
        ({"question": "What is the area of the shape in the diagram?"}, reasons.PICTURE),
        ({"question": "What is the area of the triangle shown?"}, reasons.PICTURE),
        ({"question": "![a square]() What is its area?"}, reasons.PICTURE),
        ({"answers": ("1", "2", "3", "![a square]()")}, reasons.PICTURE),
        ({"question": r"What is \( \frac{1}{2 ?"}, reasons.BROKEN_LATEX),
        ({"answers": (r"\( 1", "2", "3", "4")}, reasons.BROKEN_LATEX),
        ({"question": "Why? " * 301}, reasons.TOO_LONG),
        ({"answers": ("1", "2", "3", "4" * 401)}, reasons.TOO_LONG),
        ({"question": "Quelle est la somme de deux fractions dans le plan, et pour qui?"}, reasons.LANGUAGE),
        ({"question": "Чему равна сумма двух чисел?"}, reasons.LANGUAGE),
    ],
)
def test_each_broken_rule_is_told(changes, reason):
    found = verdict(**changes)
    assert (found.accepted, found.reason) == (False, reason)


def test_every_reason_is_tested():
    tested = {
        mark.args[1][place][1]
        for mark in test_each_broken_rule_is_told.pytestmark
        for place in range(len(mark.args[1]))
    }
    assert tested == set(reasons.ROW_REASONS["rules"])


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "Round 0.4963 to 2 significant figures.", "answers": ("0.5", "0.50", "0.49", "0.4963")},
        {"question": "Which is larger, 0.3 or 0.25?", "answers": ("0.25", "0.3", "equal", "no")},
        {"question": "I double a number and the answer is 8. What was it?", "answers": ("16", "4", "8", "2")},
        {"question": r"Let \( A = \{1, 2\} \). How many subsets does the set have?"},
        {"question": "Ann says 7. Ben says 8. Who is right about 3 + 4?"},
        {"answers": (r"\( \frac{1}{2} \)", r"\( \frac{2}{4} \)", r"\( \frac{1}{4} \)", "2")},
        {"question": "What is the third significant figure of 10.452?"},
    ],
)
def test_what_only_looks_like_a_breach_passes(changes):
    assert verdict(**changes).accepted


def test_the_language_is_checked_only_where_asked():
    assert verdict(language=None, question="Quelle est la somme de deux fractions dans le plan, et pour qui?").accepted
    assert verdict(language="fr", question="Quelle est la somme de deux fractions dans le plan?").accepted


def test_answers_are_compared_by_what_they_are_worth():
    assert answer_value(r"\( 0.50 \)") == Fraction(1, 2) == answer_value("0.5")
    assert answer_value(r"\( \frac{2}{4} \)") == answer_value("2/4") != answer_value("1/2")
    assert answer_value("Yes ") == answer_value("yes")
    assert answer_value(r"\( \frac{1}{2} \)") == answer_value("0.5") and answer_value("-1/2") == answer_value("-0.5")
    assert answer_value("1,5") != answer_value("15") and answer_value("12,000") == answer_value("12000")


def test_words_that_speak_of_a_picture_are_found():
    assert picture_in("See the Diagram below") == "Diagram" and picture_in("Draw nothing") is None
    assert picture_in("Which one?", ("![a square]()", "a circle")) == "an answer is a picture"


@pytest.mark.eedi
def test_the_rules_cost_little_of_the_real_questions(eedi):
    """Told in the docstrings: pictures aside (they are not asked for), under 1 % of the real questions break a rule."""
    from core.tables import read_misconceptions, read_questions

    bank = {entry.id: entry for entry in read_misconceptions(eedi / "misconception_mapping.csv")}
    broken = total = 0
    for real in read_questions(eedi / "train.csv").questions:
        if picture_in(real.text, real.answers) or not any(real.labels):
            continue
        letter = next(letter for letter in real.wrong_letters if real.labels_of(letter))
        told = json.loads(question(question=real.text, answers=dict(zip("ABCD", real.answers, strict=True))))
        written = parse_written(asked(json.dumps({**told, "correct": real.correct, "misconception_answer": letter})))
        assert isinstance(written, Written)
        total += 1
        broken += not check_rules(written, bank[real.labels_of(letter)[0]], language="en").accepted
    assert total > 900 and broken / total < 0.01
