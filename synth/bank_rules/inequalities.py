"""Inequalities."""

from synth.answers import number
from synth.bank_rules.parts import rule, shown
from synth.mal_rule import Task

INEQUALITIES = "Inequalities"

TASKS = (
    Task(
        slug="smallest-integer-above",
        construct="Find integers that satisfy an inequality",
        subject=INEQUALITIES,
        wordings=(
            r"What is the smallest integer that satisfies \( x > <n> \) ?",
            r"\( x > <n> \) and \( x \) is an integer. What is the least possible value of \( x \) ?",
        ),
        parameters="n",
        draw=lambda r: (r.randint(-12, 40),),
        keep=lambda n: abs(n) > 1,
        right=lambda n: number(n + 1),
        wrong=(
            (
                rule("end-value-included", "Counts the end value in although the inequality is strict"),
                lambda n: number(n),
            ),
            (rule("inequality-sign-misread", "Mixes up the signs for greater and less"), lambda n: number(n - 1)),
        ),
        slips=(lambda n: number(n + 2), lambda n: number(-n)),
    ),
    Task(
        slug="largest-integer-below",
        construct="Find integers that satisfy an inequality",
        subject=INEQUALITIES,
        wordings=(
            r"What is the largest integer that is less than \( <n> \) ?",
            r"\( x < <n> \) and \( x \) is an integer. What is the greatest possible value of \( x \) "
            "?",
        ),
        parameters="n",
        draw=lambda r: (r.randint(-12, 40),),
        keep=lambda n: abs(n) > 1,
        right=lambda n: number(n - 1),
        wrong=(
            (
                rule("less-than-includes-number", "Thinks that less than includes the number itself"),
                lambda n: number(n),
            ),
            (rule("less-than-misread", "Reads the sign for less as the sign for greater"), lambda n: number(n + 1)),
        ),
        slips=(lambda n: number(n - 2), lambda n: number(-n)),
    ),
    Task(
        slug="inequality-with-negative",
        construct="Solve linear inequalities",
        subject=INEQUALITIES,
        wordings=(
            r"Solve \( -<a>x < <b> \)",
            r"Which inequality has the same solutions as \( -<a>x < <b> \) ?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.randint(2, 9), a * r.randint(2, 9)),
        right=lambda a, b: shown(f"x > -{b // a}"),
        wrong=(
            (
                rule("negative-division-keeps-sign", "Divides an inequality by a negative and keeps its direction"),
                lambda a, b: shown(f"x < -{b // a}"),
            ),
            (
                rule("inequality-becomes-equation", "Gives one value for the solution of an inequality"),
                lambda a, b: shown(f"x = -{b // a}"),
            ),
            (
                rule("inequality-coefficient-added", "Adds the coefficient to the other side of an inequality"),
                lambda a, b: shown(f"x < {a + b}"),
            ),
        ),
    ),
    Task(
        slug="inequality-with-positive",
        construct="Solve linear inequalities",
        subject=INEQUALITIES,
        wordings=(
            r"Solve \( <a>x > <b> \)",
            r"Which inequality has the same solutions as \( <a>x > <b> \) ?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.randint(2, 9), a * r.randint(2, 9)),
        right=lambda a, b: shown(f"x > {b // a}"),
        wrong=(
            (
                rule("positive-division-flips-sign", "Turns an inequality round when dividing by a positive number"),
                lambda a, b: shown(f"x < {b // a}"),
            ),
            (
                rule("coefficient-has-no-effect", "Leaves the coefficient out of the solution of an inequality"),
                lambda a, b: shown(f"x > {b}"),
            ),
            (
                rule("inequality-coefficient-subtracted", "Subtracts the coefficient in an inequality"),
                lambda a, b: shown(f"x > {b - a}"),
            ),
        ),
    ),
)
