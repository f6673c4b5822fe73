"""Reciprocals, unit fractions, fractions of amounts."""

from fractions import Fraction as F
from math import gcd

from synth.answers import fraction, number
from synth.bank_rules.parts import ratio, rule, shown
from synth.mal_rule import Task

TIMES = "Multiplying and dividing fractions"

TASKS = (
    Task(
        slug="reciprocal-of-fraction",
        construct="Find reciprocals",
        subject=TIMES,
        wordings=(
            r"What is the reciprocal of \( \frac{<a>}{<b>} \) ?",
            r"Find the reciprocal of \[ \frac{<a>}{<b>} \]",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 8), r.randint(3, 11)),
        keep=lambda a, b: a < b and gcd(a, b) == 1,
        right=lambda a, b: fraction(b, a),
        wrong=(
            (
                rule("reciprocal-negated", "Makes a number negative to find its reciprocal"),
                lambda a, b: shown(rf"-\frac{{{a}}}{{{b}}}"),
            ),
            (
                rule("reciprocal-opposite-sign", "Turns a fraction over and changes its sign to find the reciprocal"),
                lambda a, b: shown(rf"-\frac{{{b}}}{{{a}}}"),
            ),
            (
                rule("reciprocal-as-rest-to-one", "Takes what is missing to one for the reciprocal"),
                lambda a, b: fraction(b - a, b),
            ),
            (rule("reciprocal-is-itself", "Thinks that a number is its own reciprocal"), lambda a, b: fraction(a, b)),
        ),
    ),
    Task(
        slug="reciprocal-of-integer",
        construct="Find reciprocals",
        subject=TIMES,
        wordings=(
            r"What is the reciprocal of \( <n> \) ?",
            r"Write the reciprocal of \( <n> \) as a number.",
        ),
        parameters="n",
        draw=lambda r: (r.choice((2, 3, 4, 6, 7, 8, 9)),),
        right=lambda n: fraction(1, n),
        wrong=(
            (rule("reciprocal-zero-point", "Writes the reciprocal of n as nought point n"), lambda n: number(F(n, 10))),
            (
                rule("reciprocal-negative-integer", "Takes the number with a minus sign for its reciprocal"),
                lambda n: number(-n),
            ),
            (rule("reciprocal-unchanged", "Gives the number itself as its reciprocal"), lambda n: number(n)),
        ),
    ),
    Task(
        slug="compare-unit-fractions",
        construct="Compare unit fractions",
        subject="Ordering fractions",
        wordings=(
            r"Which fraction is the largest? \[ \frac{1}{<a>} \quad \frac{1}{<b>} \quad \frac{1}{<c>} "
            r"\quad \frac{1}{<d>} \]",
            r"Which is the biggest part of a cake: \( \frac{1}{<a>}, \frac{1}{<b>}, \frac{1}{<c>} \) "
            r"or \( \frac{1}{<d>} \) ?",
        ),
        parameters="a b c d",
        draw=lambda r: tuple(r.sample(range(2, 16), 4)),
        right=lambda a, b, c, d: fraction(1, min(a, b, c, d)),
        wrong=(
            (
                rule("larger-bottom-larger-unit", "Thinks that one over a larger number is a larger unit fraction"),
                lambda a, b, c, d: fraction(1, max(a, b, c, d)),
            ),
        ),
        slips=(
            lambda a, b, c, d: fraction(1, sorted((a, b, c, d))[1]),
            lambda a, b, c, d: fraction(1, sorted((a, b, c, d))[2]),
        ),
    ),
    Task(
        slug="whole-from-fraction",
        construct="Find the whole from a fraction of it",
        subject="Fractions of an amount",
        wordings=(
            r"\( \frac{<a>}{<b>} \) of a number is \( <n> \). What is the number?",
            r"<person> has read \( <n> \) pages, which is \( \frac{<a>}{<b>} \) of a book. How many "
            "pages has the book?",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(2, 5), b := r.randint(3, 9), a * b * r.randint(2, 6)),
        keep=lambda a, b, n: a < b and gcd(a, b) == 1,
        right=lambda a, b, n: number(n // a * b),
        wrong=(
            (
                rule("given-part-as-whole", "Finds the fraction of the given part as though it were the whole"),
                lambda a, b, n: number(n // b * a),
            ),
            (
                rule("part-as-unit-fraction", "Treats the given part as one of the equal parts"),
                lambda a, b, n: number(n * b),
            ),
        ),
        slips=(lambda a, b, n: number(n // a), lambda a, b, n: number(n * a)),
    ),
    Task(
        slug="reduce-by-fraction",
        construct="Find what remains after a fraction is taken away",
        subject="Fractions of an amount",
        wordings=(
            r"<person> has \( £ <n> \) and spends \( \frac{<a>}{<b>} \) of it. How many pounds are "
            "left?",
            r"A rope is \( <n> \) metres long. \( \frac{<a>}{<b>} \) of it is cut off. How many "
            "metres remain?",
        ),
        parameters="n a b",
        draw=lambda r: (b := r.choice((4, 5, 8, 10)), (b * r.randint(3, 12), r.randint(2, 5), b))[1],
        keep=lambda n, a, b: a < b and gcd(a, b) == 1 and 2 * a != b,
        right=lambda n, a, b: number(n - n * a // b),
        wrong=(
            (
                rule("fraction-itself-taken-off", "Subtracts the fraction itself instead of that part of the amount"),
                lambda n, a, b: number(n - F(a, b)),
            ),
            (
                rule("part-for-remainder", "Gives the part that is taken away as what remains"),
                lambda n, a, b: number(n * a // b),
            ),
            (
                rule(
                    "denominator-multiplied-for-part", "Multiplies by the denominator to find a fraction of an amount"
                ),
                lambda n, a, b: number(n * b),
            ),
        ),
    ),
    Task(
        slug="fraction-of-amount-further",
        construct="Find a fraction of an amount",
        subject="Fractions of an amount",
        wordings=(
            r"Find \( \frac{<a>}{<b>} \) of \( <n> \).",
            r"What is \( \frac{<a>}{<b>} \) of \( <n> \mathrm{~kg} \), in \( \mathrm{kg} \) ?",
        ),
        parameters="a b n",
        draw=lambda r: (r.randint(2, 5), b := r.randint(3, 9), b * r.randint(3, 12)),
        keep=lambda a, b, n: a < b and gcd(a, b) == 1,
        right=lambda a, b, n: number(n // b * a),
        wrong=(
            (
                rule("times-denominator-for-part", "Multiplies the amount by the denominator"),
                lambda a, b, n: number(n * b),
            ),
            (
                rule("denominator-off-amount", "Takes the fraction's number from the amount"),
                lambda a, b, n: number(n - b),
            ),
        ),
        slips=(lambda a, b, n: number(n * a), lambda a, b, n: number(n // b)),
    ),
    Task(
        slug="fraction-to-ratio",
        construct="Convert between fractions and ratios",
        subject="Ratio and fractions",
        wordings=(
            r"\( \frac{<a>}{<b>} \) of the counters in a bag are red, the others are blue. What is "
            "the ratio of red to blue?",
            r"\( \frac{<a>}{<b>} \) of a class are girls. What is the ratio of girls to boys?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 7), r.randint(5, 13)),
        keep=lambda a, b: a < b and gcd(a, b) == 1 and 2 * a != b,
        right=lambda a, b: ratio(a, b - a),
        wrong=(
            (
                rule("fraction-parts-as-ratio", "Uses numerator and denominator as the two sides of a ratio"),
                lambda a, b: ratio(a, b),
            ),
            (
                rule("ratio-other-side-is-sum", "Adds numerator and denominator for the other side of a ratio"),
                lambda a, b: ratio(a, a + b),
            ),
        ),
        slips=(lambda a, b: ratio(b - a, a), lambda a, b: ratio(b, a)),
    ),
)
