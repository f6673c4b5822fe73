"""Linear equations and inequalities, with mal-rules after Sleeman (1984): wrong inverses, half-balanced equations."""

from fractions import Fraction

from synth.answers import lowest, relation
from synth.mal_rule import MalRule, Task

SAME_OPERATION_NOT_INVERSE = MalRule(
    slug="same-operation-not-inverse",
    name="Moves a number across the equals sign with its sign unchanged",
    explanation="The number is added on the other side where it should be subtracted: the operation is repeated, not "
    "undone.",
)
SUBTRACTS_COEFFICIENT = MalRule(
    slug="subtracts-coefficient",
    name="Removes a coefficient from an unknown by subtracting it",
    explanation="The number in front of the letter is taken away from the other side instead of dividing by it.",
)
DIVIDES_ONE_SIDE_PARTLY = MalRule(
    slug="divides-one-side-partly",
    name="Scales some terms of an equation and leaves the others alone",
    explanation="When both sides are divided or multiplied, one term is skipped.",
)
COEFFICIENT_OVER_NUMBER = MalRule(
    slug="coefficient-over-number",
    name="Divides the coefficient by the number at the end of an equation",
    explanation="The last division is done the wrong way round, often because it comes out neater.",
)
LETTER_TERM_KEEPS_SIGN = MalRule(
    slug="letter-term-keeps-sign",
    name="Adds the letter terms together although they stand on opposite sides",
    explanation="Terms in the unknown are gathered from both sides without using the inverse operation.",
)
DIVIDES_AGAIN = MalRule(
    slug="divides-again",
    name="Undoes a division by dividing once more",
    explanation="Where the unknown is divided by a number, both sides are divided by it again.",
)
INEQUALITY_NOT_REVERSED = MalRule(
    slug="inequality-not-reversed",
    name="Keeps the direction of an inequality when dividing by a negative",
    explanation="The inequality is handled exactly like an equation, so its sign never turns round.",
)
INEQUALITY_AS_EQUATION = MalRule(
    slug="inequality-as-equation",
    name="Replaces an inequality by an equation and gives a single value",
    explanation="Only the boundary value is reported, not the range of solutions.",
)
DIVISOR_SIGN_LOST = MalRule(
    slug="divisor-sign-lost",
    name="Divides by the size of a negative coefficient and leaves out its sign",
    explanation="The minus in front of the unknown disappears when both sides are divided.",
)

EQUALS = "x = "
LINEAR = "Solving linear equations"

TASKS = (
    Task(
        slug="solve-two-step",
        construct="Solve two-step linear equations",
        subject=LINEAR,
        wordings=(
            r"Solve \[ <a>x + <b> = <c> \]",
            r"What is the solution of \( <a>x + <b> = <c> \) ?",
            r"<person> thinks of a number \( x \), multiplies it by \( <a> \), adds \( <b> \) and gets \( <c> \). "
            r"What is \( x \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (a := r.randint(2, 9), b := r.randint(2, 20), a * r.randint(2, 12) + b),
        right=lambda a, b, c: lowest(c - b, a, before=EQUALS),
        wrong=(
            (SAME_OPERATION_NOT_INVERSE, lambda a, b, c: lowest(c + b, a, before=EQUALS)),
            (SUBTRACTS_COEFFICIENT, lambda a, b, c: lowest(c - b - a, before=EQUALS)),
            (DIVIDES_ONE_SIDE_PARTLY, lambda a, b, c: lowest(Fraction(c, a) - b, before=EQUALS)),
            (COEFFICIENT_OVER_NUMBER, lambda a, b, c: lowest(a, c - b, before=EQUALS)),
        ),
    ),
    Task(
        slug="solve-unknown-both-sides",
        construct="Solve linear equations with the unknown on both sides",
        subject=LINEAR,
        wordings=(
            r"Solve \[ <a>x + <b> = <c*>x + <d> \]",
            r"For which value of \( x \) is \( <a>x + <b> = <c*>x + <d> \) ?",
            r"The expressions \( <a>x + <b> \) and \( <c*>x + <d> \) have the same value. What is \( x \) ?",
        ),
        parameters="a b c d",
        draw=lambda r: (
            (c := r.randint(1, 6)) + (k := r.randint(2, 6)),
            b := r.randint(2, 15),
            c,
            b + k * r.randint(2, 9),
        ),
        right=lambda a, b, c, d: lowest(d - b, a - c, before=EQUALS),
        wrong=(
            (LETTER_TERM_KEEPS_SIGN, lambda a, b, c, d: lowest(d - b, a + c, before=EQUALS)),
            (SAME_OPERATION_NOT_INVERSE, lambda a, b, c, d: lowest(d + b, a - c, before=EQUALS)),
            (SUBTRACTS_COEFFICIENT, lambda a, b, c, d: lowest(d - b - (a - c), before=EQUALS)),
            (COEFFICIENT_OVER_NUMBER, lambda a, b, c, d: lowest(a - c, d - b, before=EQUALS)),
        ),
    ),
    Task(
        slug="solve-with-division",
        construct="Solve linear equations in which the unknown is divided",
        subject=LINEAR,
        wordings=(
            r"Solve \[ \frac{x}{<a>} + <b> = <c> \]",
            r"What is the value of \( x \) if \( \frac{x}{<a>} + <b> = <c> \) ?",
            r"A number \( x \) is divided by \( <a> \), then \( <b> \) is added. The result is \( <c> \). Find \( x "
            r"\).",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 9), b := r.randint(2, 12), b + r.randint(2, 12)),
        right=lambda a, b, c: lowest(a * (c - b), before=EQUALS),
        wrong=(
            (DIVIDES_AGAIN, lambda a, b, c: lowest(c - b, a, before=EQUALS)),
            (SAME_OPERATION_NOT_INVERSE, lambda a, b, c: lowest(a * (c + b), before=EQUALS)),
            (DIVIDES_ONE_SIDE_PARTLY, lambda a, b, c: lowest(a * c - b, before=EQUALS)),
        ),
    ),
    Task(
        slug="solve-inequality",
        construct="Solve linear inequalities",
        subject="Inequalities",
        wordings=(
            r"Solve the inequality \[ <b> - <a>x > <c> \]",
            r"Which values of \( x \) satisfy \( <b> - <a>x > <c> \) ?",
            r"<person> has to solve \( <b> - <a>x > <c> \). What is the solution?",
        ),
        parameters="a b c",
        draw=lambda r: (a := r.randint(2, 9), b := r.randint(1, 20), b + r.choice((-1, 1)) * a * r.randint(2, 9)),
        right=lambda a, b, c: relation("<", Fraction(b - c, a)),
        wrong=(
            (INEQUALITY_NOT_REVERSED, lambda a, b, c: relation(">", Fraction(b - c, a))),
            (INEQUALITY_AS_EQUATION, lambda a, b, c: relation("=", Fraction(b - c, a))),
            (DIVISOR_SIGN_LOST, lambda a, b, c: relation(">", Fraction(c - b, a))),
        ),
    ),
)
