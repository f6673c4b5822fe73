"""Linear equations."""

from fractions import Fraction as F

from synth.answers import lowest, number
from synth.bank_rules.parts import rule
from synth.bank_rules.shared import ORDER_NOT_REVERSED, STOPS_BEFORE_DIVIDING
from synth.mal_rule import Task
from synth.mal_rules.equations import SAME_OPERATION_NOT_INVERSE

EQUATIONS = "Solving equations"
X = "x = "

TASKS = (
    Task(
        slug="solve-multiplied",
        construct="Solve one-step equations",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( <a>x = <b> \)",
            r"\( <a>x = <b> \). What is \( x \) ?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.randint(3, 9), a * r.randint(3, 12)),
        right=lambda a, b: number(b // a, before=X),
        wrong=(
            (
                rule("coefficient-subtracted", "Subtracts the coefficient to solve for the unknown"),
                lambda a, b: number(b - a, before=X),
            ),
            (
                rule("coefficient-added", "Adds the coefficient to solve for the unknown"),
                lambda a, b: number(b + a, before=X),
            ),
            (
                rule("coefficient-multiplied", "Multiplies by the coefficient to solve for the unknown"),
                lambda a, b: number(a * b, before=X),
            ),
            (STOPS_BEFORE_DIVIDING, lambda a, b: number(b, before=X)),
            (
                rule("coefficient-over-value", "Divides the coefficient by the value"),
                lambda a, b: lowest(a, b, before=X),
            ),
        ),
    ),
    Task(
        slug="solve-divided",
        construct="Solve one-step equations",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( \frac{x}{<a>} = <b> \)",
            r"\( x \div <a> = <b> \). What is \( x \) ?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.randint(2, 5), a * r.randint(2, 9)),
        keep=lambda a, b: a * b != a + b,
        right=lambda a, b: number(a * b, before=X),
        wrong=(
            (
                rule("divides-to-undo-division", "Divides where the equation needs multiplying"),
                lambda a, b: number(b // a, before=X),
            ),
            (
                rule("subtracts-to-undo-division", "Subtracts where the equation needs multiplying"),
                lambda a, b: number(b - a, before=X),
            ),
            (
                rule("adds-to-undo-division", "Adds where the equation needs multiplying"),
                lambda a, b: number(b + a, before=X),
            ),
        ),
    ),
    Task(
        slug="solve-added",
        construct="Solve one-step equations",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( x + <a> = <b> \)",
            r"\( x + <a> = <b> \). What is \( x \) ?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.randint(2, 9), a * r.randint(3, 9)),
        right=lambda a, b: number(b - a, before=X),
        wrong=(
            (rule("adds-to-undo-addition", "Adds once more to undo an addition"), lambda a, b: number(a + b, before=X)),
            (
                rule("multiplies-to-undo-addition", "Multiplies to undo an addition"),
                lambda a, b: number(a * b, before=X),
            ),
            (rule("divides-to-undo-addition", "Divides to undo an addition"), lambda a, b: number(b // a, before=X)),
        ),
    ),
    Task(
        slug="solve-subtracted",
        construct="Solve one-step equations",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( x - <a> = <b> \)",
            r"\( x - <a> = <b> \). What is \( x \) ?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.randint(2, 9), a * r.randint(3, 9)),
        right=lambda a, b: number(a + b, before=X),
        wrong=(
            (
                rule("subtracts-to-undo-subtraction", "Subtracts once more to undo a subtraction"),
                lambda a, b: number(b - a, before=X),
            ),
            (
                rule("multiplies-to-undo-subtraction", "Multiplies to undo a subtraction"),
                lambda a, b: number(a * b, before=X),
            ),
            (
                rule("divides-to-undo-subtraction", "Divides to undo a subtraction"),
                lambda a, b: number(b // a, before=X),
            ),
        ),
    ),
    Task(
        slug="solve-two-step-further",
        construct="Solve two-step equations",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( <a>x + <b> = <c> \)",
            r"\( <a>x + <b> = <c> \). What is \( x \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (a := r.randint(2, 6), b := a * r.randint(1, 5), b + a * r.randint(3, 12)),
        right=lambda a, b, c: number((c - b) // a, before=X),
        wrong=(
            (ORDER_NOT_REVERSED, lambda a, b, c: number(c // a - b, before=X)),
            (STOPS_BEFORE_DIVIDING, lambda a, b, c: number(c - b, before=X)),
            (SAME_OPERATION_NOT_INVERSE, lambda a, b, c: number((c + b) // a, before=X)),
            (
                rule("constant-ignored-in-equation", "Takes the number on the other side for the solution"),
                lambda a, b, c: number(c, before=X),
            ),
        ),
    ),
    Task(
        slug="solve-with-bracket",
        construct="Solve equations with brackets",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( <a>(x + <b>) = <c> \)",
            r"\( <a>(x + <b>) = <c> \). What is \( x \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (a := r.randint(2, 6), b := a * r.randint(1, 3), a * (b + r.randint(2, 9))),
        right=lambda a, b, c: number(c // a - b, before=X),
        wrong=(
            (
                rule("bracket-number-moved-first", "Subtracts a number inside a bracket before expanding it"),
                lambda a, b, c: number((c - b) // a, before=X),
            ),
            (
                rule("bracket-number-added", "Adds the number in the bracket after dividing"),
                lambda a, b, c: number(c // a + b, before=X),
            ),
        ),
        slips=(lambda a, b, c: number(c - a * b, before=X), lambda a, b, c: number(c // a, before=X)),
    ),
    Task(
        slug="unknown-in-denominator",
        construct="Solve equations with the unknown in the denominator",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( \frac{<a>}{x} = <b> \)",
            r"\( \frac{<a>}{x} = <b> \). What is \( x \) ?",
        ),
        parameters="a b",
        draw=lambda r: (b := r.randint(2, 9), b * r.randint(2, 9))[::-1],
        keep=lambda a, b: a != b * b,
        right=lambda a, b: number(a // b, before=X),
        wrong=(
            (
                rule("denominator-moved-up", "Multiplies where an unknown stands below the bar"),
                lambda a, b: number(a * b, before=X),
            ),
            (
                rule("reciprocal-given-for-unknown", "Gives the value of one over x for x"),
                lambda a, b: lowest(b, a, before=X),
            ),
        ),
        slips=(lambda a, b: number(a - b, before=X), lambda a, b: number(b, before=X)),
    ),
    Task(
        slug="negative-unknown",
        construct="Solve equations with a negative coefficient",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( <a> - x = <b> \)",
            r"\( <a> - x = <b> \). What is \( x \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 9), r.randint(11, 30)),
        right=lambda a, b: number(a - b, before=X),
        wrong=(
            (
                rule("minus-before-unknown-dropped", "Drops the minus sign before the unknown at the end"),
                lambda a, b: number(b - a, before=X),
            ),
            (
                rule("sum-for-negative-unknown", "Adds the numbers although one is subtracted from"),
                lambda a, b: number(a + b, before=X),
            ),
        ),
        slips=(lambda a, b: number(-a - b, before=X), lambda a, b: number(b, before=X)),
    ),
    Task(
        slug="half-the-bracket",
        construct="Solve equations with fractions",
        subject=EQUATIONS,
        wordings=(
            r"Solve \( \frac{x + <b>}{<a>} = <c> \)",
            r"\( \frac{x + <b>}{<a>} = <c> \). What is \( x \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 9), r.randint(5, 12)),
        keep=lambda a, b, c: c > b and a * c != c + a,
        right=lambda a, b, c: number(a * c - b, before=X),
        wrong=(
            (
                rule("numerator-number-moved-first", "Subtracts from the numerator before clearing the denominator"),
                lambda a, b, c: number(a * (c - b), before=X),
            ),
            (
                rule("numerator-number-added", "Keeps the sign of a number that leaves the numerator"),
                lambda a, b, c: number(a * c + b, before=X),
            ),
        ),
        slips=(lambda a, b, c: number(F(c, a) - b, before=X), lambda a, b, c: number(c - b, before=X)),
    ),
)
