"""Products, quotients and powers of negative numbers."""

from synth.answers import number
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

NEGATIVES = "Negative numbers"

TASKS = (
    Task(
        slug="negative-times-positive",
        construct="Multiply negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ -<a> \times <b> \]",
            r"\( -<a> \times <b> = \)",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 12), r.randint(3, 9)),
        keep=lambda a, b: a != b,
        right=lambda a, b: number(-a * b),
        wrong=(
            (
                rule("mixed-product-positive", "Gives a positive product of a positive and a negative number"),
                lambda a, b: number(a * b),
            ),
        ),
        slips=(lambda a, b: number(b - a), lambda a, b: number(-a - b), lambda a, b: number(a - b)),
    ),
    Task(
        slug="negative-times-negative",
        construct="Multiply negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ -<a> \times -<b> \]",
            r"What is \( (-<a>) \times (-<b>) \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 12), r.randint(3, 9)),
        keep=lambda a, b: a != b,
        right=lambda a, b: number(a * b),
        wrong=(
            (
                rule("double-negative-product-negative", "Gives a negative product of two negative numbers"),
                lambda a, b: number(-a * b),
            ),
        ),
        slips=(lambda a, b: number(-a - b), lambda a, b: number(a + b), lambda a, b: number(b - a)),
    ),
    Task(
        slug="three-negatives-multiplied",
        construct="Multiply negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ -<a> \times -<b> \times -<c> \]",
            r"What is \( (-<a>) \times (-<b>) \times (-<c>) \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 6), r.randint(2, 6)),
        right=lambda a, b, c: number(-a * b * c),
        wrong=(
            (
                rule(
                    "any-negatives-positive", "Thinks a product of negative numbers is positive however many there are"
                ),
                lambda a, b, c: number(a * b * c),
            ),
        ),
        slips=(
            lambda a, b, c: number(-a - b - c),
            lambda a, b, c: number(a * b - c),
            lambda a, b, c: number(a + b + c),
        ),
    ),
    Task(
        slug="divide-with-negatives",
        construct="Divide negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ <n> \div <d> \]",
            r"\( <n> \div <d> = \)",
        ),
        parameters="n d",
        draw=lambda r: (
            s := r.choice(((-1, 1), (1, -1), (-1, -1), (1, 1))),
            d := r.randint(2, 9),
            (s[0] * d * r.choice((3, 4, 5, 6, 7, 8, 11)), s[1] * d),
        )[2],
        keep=lambda n, d: n * n != d**4,
        right=lambda n, d: number(n // d),
        wrong=(
            (
                rule("negative-over-positive-positive", "Gives a positive quotient of a negative by a positive number"),
                lambda n, d: number(-n // d) if n < 0 < d else None,
            ),
            (
                rule("positive-over-negative-positive", "Gives a positive quotient of a positive by a negative number"),
                lambda n, d: number(-n // d) if d < 0 < n else None,
            ),
            (
                rule("negatives-quotient-negative", "Gives a negative quotient of two negative numbers"),
                lambda n, d: number(-n // d) if n < 0 and d < 0 else None,
            ),
            (
                rule("positives-quotient-negative", "Gives a negative quotient of two positive numbers"),
                lambda n, d: number(-n // d) if n > 0 and d > 0 else None,
            ),
        ),
        slips=(lambda n, d: number(n - d), lambda n, d: number(n + d), lambda n, d: number(d - n)),
    ),
    Task(
        slug="square-of-negative",
        construct="Find powers of negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"What is \( (-<a>)^{2} \) ?",
            r"Calculate the square of \( -<a> \).",
        ),
        parameters="a",
        draw=lambda r: (r.randint(3, 15),),
        right=lambda a: number(a * a),
        wrong=(
            (
                rule("negative-square-negative", "Keeps the minus sign when a negative number is squared"),
                lambda a: number(-a * a),
            ),
            (
                rule("square-only-flips-sign", "Squares a negative number by dropping its sign alone"),
                lambda a: number(a),
            ),
        ),
        slips=(lambda a: number(-2 * a), lambda a: number(2 * a)),
    ),
    Task(
        slug="minus-a-square",
        construct="Find powers of negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"What is \( -<a>^{2} \) ?",
            r"Work out the value of \[ -<a>^{2} \]",
        ),
        parameters="a",
        draw=lambda r: (r.randint(3, 15),),
        right=lambda a: number(-a * a),
        wrong=(
            (
                rule("minus-taken-into-square", "Squares the minus sign in front of a square too"),
                lambda a: number(a * a),
            ),
        ),
        slips=(lambda a: number(-2 * a), lambda a: number(2 * a), lambda a: number(-a)),
    ),
    Task(
        slug="cube-of-negative",
        construct="Find powers of negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"What is \( (-<a>)^{3} \) ?",
            r"Calculate \[ (-<a>)^{3} \]",
        ),
        parameters="a",
        draw=lambda r: (r.choice((2, 4, 5, 6, 10)),),
        right=lambda a: number(-(a**3)),
        wrong=(
            (
                rule("odd-power-positive", "Gives a positive value to an odd power of a negative number"),
                lambda a: number(a**3),
            ),
        ),
        slips=(lambda a: number(-3 * a), lambda a: number(3 * a), lambda a: number(-a * a)),
    ),
    Task(
        slug="fourth-power-of-negative",
        construct="Find powers of negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"What is \( (-<a>)^{4} \) ?",
            r"Calculate \[ (-<a>)^{4} \]",
        ),
        parameters="a",
        draw=lambda r: (r.choice((2, 3, 5, 10)),),
        right=lambda a: number(a**4),
        wrong=(
            (
                rule("sign-put-back-on-power", "Works out a power without the sign and puts the minus back at the end"),
                lambda a: number(-(a**4)),
            ),
        ),
        slips=(lambda a: number(-4 * a), lambda a: number(4 * a), lambda a: number(-(a**3))),
    ),
)
