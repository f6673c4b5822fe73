"""Every right answer and every rule of the further tasks against answers that were read through one by one."""

from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from synth.bank_rules import FURTHER_RULES, FURTHER_TASKS
from synth.bank_rules.parts import (
    average,
    fraction_shown,
    line,
    linear,
    middle,
    mixed,
    near,
    percent,
    primes,
    ratio,
    roman,
    roots,
    round_table,
    rule,
    shown,
    signed,
    skewed_table,
    spread,
    standard_form,
    surd,
    table_draw,
    values_with_mode,
    vector,
    words,
)
from synth.mal_rules import ALL_RULES, ALL_TASKS

TASKS = {task.slug: task for task in FURTHER_TASKS}
ANSWERS = [
    line.split("\t")
    for line in Path(__file__).with_name("further_answers.tsv").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("task", TASKS)
def test_rules_give_what_a_student_with_this_belief_writes(task: str) -> None:
    rows = [row for row in ANSWERS if row[0] == task]
    apply = {rule.slug: procedure for rule, procedure in TASKS[task].wrong} | {"right": TASKS[task].right}
    assert {row[2] for row in rows} == set(apply)  # nothing is left unchecked
    for _, parameters, name, expected in rows:
        answer = apply[name](*eval(parameters, {"Fraction": Fraction}))
        assert answer is not None and answer.text == expected, (task, parameters, name)


def test_the_answers_that_were_read_through_tell_right_from_wrong() -> None:
    wrong = {(row[0], row[1]): row[3] for row in ANSWERS if row[2] == "right"}
    assert all(row[3] != wrong[row[0], row[1]] for row in ANSWERS if row[2] != "right")


def test_tasks_and_rules_are_of_one_kind_each_and_not_the_samples() -> None:
    everywhere = (*ALL_TASKS, *FURTHER_TASKS)
    assert len({task.slug for task in everywhere}) == len(everywhere)
    objects: dict[str, set[int]] = {}
    for task in everywhere:
        for found, _ in task.wrong:
            objects.setdefault(found.slug, set()).add(id(found))
    assert [slug for slug, same in objects.items() if len(same) > 1] == []
    own = [one for one in FURTHER_RULES if one not in ALL_RULES]
    assert len({one.name.casefold() for one in (*ALL_RULES, *own)}) == len(ALL_RULES) + len(own)
    assert len(own) > 600
    assert all(len(task.wordings) > 1 for task in FURTHER_TASKS)


def test_shared_tasks_of_the_sample_stay_its_own() -> None:
    assert len(ALL_TASKS) == 83 and len(ALL_RULES) == 200  # the bundled sample is these, byte for byte


def test_the_parts() -> None:
    assert rule("a-b", "Name").explanation == "Name" and rule("a-b", "Name", "Why").explanation == "Why"
    assert shown("x").value != shown("x ").value and words("x").text == "x"
    assert percent(Fraction(1, 2)).text == r"\( 0.5 \% \)" and percent(0) is None
    assert ratio(2, 3).text == r"\( 2: 3 \)" and ratio(0, 3) is None
    assert fraction_shown(2, 4).text == r"\( \frac{2}{4} \)" and fraction_shown(2, 0) is None
    assert mixed(1, 2, 3).text == r"\( 1 \frac{2}{3} \)" and mixed(0, 2, 3) is None
    assert vector(1, Fraction(1, 2)).text == r"\( \begin{pmatrix} 1 \\ 0.5 \end{pmatrix} \)"
    assert vector(1, Fraction(1, 3)) is None
    assert standard_form(Fraction(7, 2), 4).text == r"\( 3.5 \times 10^{4} \)" and standard_form(0, 4) is None
    assert roots(3, -2).text == r"\( x = -2 \) or \( x = 3 \)"
    assert surd(1, 5).text == r"\( \sqrt{5} \)" and surd(2, 0) is None
    assert primes(360) == [2, 2, 2, 3, 3, 5] and primes(1) == []
    assert [roman(n) for n in (4, 9, 40, 94, 399)] == ["IV", "IX", "XL", "XCIV", "CCCXCIX"]
    assert (linear(1, -2), linear(-1, 3), signed(-4), line(2, -1)) == ("x - 2", "-x + 3", " - 4", "y = 2x - 1")
    assert [near(x, 10) for x in (14, 15, Fraction(249, 10))] == [10, 20, 20]
    assert (middle((3, 1, 2)), middle((4, 1, 2, 3)), average((1, 2)), spread((5, 1))) == (2, 2.5, 1.5, 4)


def test_drawn_tables_are_what_their_tasks_need() -> None:
    for seed in range(50):
        assert sorted(Counter(values_with_mode(Random(seed))).values()) == [1, 1, 1, 2]
        *_, f, g, h = skewed_table(Random(seed))
        assert f > g + h or h > f + g
        assert sum(round_table(Random(seed))[3:]) in (10, 20)
        a, b, c, *frequencies = table_draw(Random(seed))
        assert (b, c) == (a + 1, a + 2) and len(set(frequencies)) == 3
