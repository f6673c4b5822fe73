"""Multiplying and dividing fractions."""

from math import gcd

from synth.answers import fraction, lowest, number
from synth.bank_rules.parts import rule
from synth.mal_rule import Task
from synth.mal_rules.fractions import DIVIDES_WITHOUT_INVERTING

TIMES = "Multiplying and dividing fractions"

TASKS = (
    Task(
        slug="multiply-unlike-fractions",
        construct="Multiply two fractions",
        subject=TIMES,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} \times \frac{<c>}{<d>} \]",
            r"What is \( \frac{<a>}{<b>} \) of \( \frac{<c>}{<d>} \) ?",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(2, 5), r.randint(3, 9), r.randint(2, 5), r.randint(3, 9)),
        keep=lambda a, b, c, d: b != d and a != c and a < b and c < d and gcd(a, b) == gcd(c, d) == 1,
        right=lambda a, b, c, d: lowest(a * c, b * d),
        wrong=(
            (
                rule("product-tops-added", "Adds numerators and multiplies denominators in a product of fractions"),
                lambda a, b, c, d: fraction(a + c, b * d),
            ),
            (
                rule("product-bottoms-added", "Multiplies numerators and adds denominators in a product of fractions"),
                lambda a, b, c, d: fraction(a * c, b + d),
            ),
            (
                rule("product-all-added", "Adds numerators and denominators in a product of fractions"),
                lambda a, b, c, d: fraction(a + c, b + d),
            ),
            (
                rule("product-second-inverted", "Turns the second fraction over before multiplying"),
                lambda a, b, c, d: fraction(a * d, b * c),
            ),
        ),
    ),
    Task(
        slug="integer-times-fraction-roles",
        construct="Multiply a fraction by an integer",
        subject=TIMES,
        wordings=(
            r"Calculate \[ <k> \times \frac{<a>}{<b>} \]",
            r"\( \frac{<a>}{<b>} \times <k> = \)",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 5), r.randint(3, 9)),
        keep=lambda k, a, b: a < b and gcd(a, b) == 1 and k * a % b and k != b and k != a,
        right=lambda k, a, b: fraction(k * a, b),
        wrong=(
            (
                rule("integer-as-denominator", "Makes the integer the denominator of the product"),
                lambda k, a, b: fraction(a, k),
            ),
            (
                rule("numerator-to-bottom", "Lets the numerator become the denominator of the product"),
                lambda k, a, b: fraction(k, a),
            ),
            (
                rule("integer-times-both", "Multiplies both parts of a fraction by the integer"),
                lambda k, a, b: fraction(k * a, k * b),
            ),
            (
                rule("integer-times-bottom", "Multiplies the denominator by the integer"),
                lambda k, a, b: fraction(a, k * b),
            ),
        ),
    ),
    Task(
        slug="divide-integer-by-fraction",
        construct="Divide an integer by a fraction",
        subject=TIMES,
        wordings=(
            r"Calculate \[ <k> \div \frac{<a>}{<b>} \]",
            r"How many times does \( \frac{<a>}{<b>} \) go into \( <k> \) ?",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 5), r.randint(3, 9)),
        keep=lambda k, a, b: a < b and gcd(a, b) == 1 and k != a,
        right=lambda k, a, b: lowest(k * b, a),
        wrong=(
            (
                rule(
                    "integer-over-fraction-multiplied", "Multiplies an integer by the fraction it should be divided by"
                ),
                lambda k, a, b: lowest(k * a, b),
            ),
            (
                rule("unit-reciprocal-only", "Multiplies by the denominator alone to divide by a fraction"),
                lambda k, a, b: number(k * b),
            ),
            (
                rule("both-parts-times-integer", "Multiplies both parts of the divisor by the integer"),
                lambda k, a, b: fraction(k * a, k * b),
            ),
        ),
        slips=(lambda k, a, b: lowest(a, k * b),),
    ),
    Task(
        slug="divide-by-unit-fraction",
        construct="Divide an integer by a unit fraction",
        subject=TIMES,
        wordings=(
            r"Calculate \[ <k> \div \frac{1}{<b>} \]",
            r"\( <k> \div \frac{1}{<b>} = \)",
        ),
        parameters="k b",
        draw=lambda r: (b := r.randint(2, 9), b * r.randint(2, 9))[::-1],
        right=lambda k, b: number(k * b),
        wrong=(
            (
                rule("unit-divisor-as-its-reciprocal", "Divides by the denominator to divide by a unit fraction"),
                lambda k, b: number(k // b),
            ),
        ),
        slips=(lambda k, b: fraction(1, k * b), lambda k, b: number(k - b), lambda k, b: number(k + b)),
    ),
    Task(
        slug="fraction-over-fitting-integer",
        construct="Divide a fraction by an integer",
        subject=TIMES,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} \div <k> \]",
            r"\( \frac{<a>}{<b>} \) of a pie is shared equally by \( <k> \) people. What fraction of "
            "the pie does each get?",
        ),
        parameters="a b k",
        draw=lambda r: (k := r.randint(2, 4), (k * r.randint(2, 4), k * r.randint(3, 7), k))[1],
        keep=lambda a, b, k: a < b,
        right=lambda a, b, k: fraction(a // k, b),
        wrong=(
            (
                rule("integer-divides-denominator", "Divides the denominator to divide a fraction by an integer"),
                lambda a, b, k: fraction(a, b // k),
            ),
            (
                rule("integer-divides-both", "Divides both parts of a fraction by the integer"),
                lambda a, b, k: fraction(a // k, b // k),
            ),
            (
                rule("integer-off-denominator", "Takes the integer from the denominator to divide"),
                lambda a, b, k: fraction(a, b - k),
            ),
        ),
    ),
    Task(
        slug="fraction-over-integer",
        construct="Divide a fraction by an integer",
        subject=TIMES,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} \div <k> \]",
            r"\( \frac{<a>}{<b>} \div <k> = \)",
        ),
        parameters="a b k",
        draw=lambda r: (r.randint(1, 7), r.randint(4, 9), r.randint(2, 5)),
        keep=lambda a, b, k: a < b and gcd(a, b) == 1 and a % k,
        right=lambda a, b, k: fraction(a, b * k),
        wrong=(
            (
                rule("fraction-quotient-times", "Multiplies the numerator to divide a fraction by an integer"),
                lambda a, b, k: fraction(a * k, b),
            ),
            (
                rule("fraction-quotient-both", "Multiplies both parts to divide a fraction by an integer"),
                lambda a, b, k: fraction(a * k, b * k),
            ),
        ),
        slips=(lambda a, b, k: fraction(a, b + k), lambda a, b, k: fraction(b, a * k)),
    ),
    Task(
        slug="divide-like-fractions",
        construct="Divide fractions with the same denominator",
        subject=TIMES,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} \div \frac{<c>}{<b>} \]",
            r"\( \frac{<a>}{<b>} \div \frac{<c>}{<b>} = \)",
        ),
        parameters="a c b",
        draw=lambda r: (r.randint(4, 9), r.randint(2, 5), r.choice((11, 13, 17))),
        keep=lambda a, c, b: a > c + 1 and a != 2 * c,
        right=lambda a, c, b: lowest(a, c),
        wrong=(
            (
                rule("like-quotient-subtracts", "Subtracts the numerators to divide fractions with one denominator"),
                lambda a, c, b: fraction(a - c, b),
            ),
            (DIVIDES_WITHOUT_INVERTING, lambda a, c, b: fraction(a * c, b * b)),
        ),
        slips=(lambda a, c, b: fraction(c, a), lambda a, c, b: fraction(a + c, b)),
    ),
    Task(
        slug="square-a-fraction",
        construct="Square a fraction",
        subject=TIMES,
        wordings=(
            r"Calculate \[ \left(\frac{<a>}{<b>}\right)^{2} \]",
            r"What is the square of \( \frac{<a>}{<b>} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(3, 7), r.randint(4, 11)),
        keep=lambda a, b: a < b and gcd(a, b) == 1,
        right=lambda a, b: fraction(a * a, b * b),
        wrong=(
            (
                rule("fraction-square-doubles", "Doubles both parts of a fraction to square it"),
                lambda a, b: fraction(2 * a, 2 * b),
            ),
            (rule("fraction-square-one-part", "Squares only one part of a fraction"), lambda a, b: fraction(a * a, b)),
        ),
        slips=(lambda a, b: fraction(2 * a, b), lambda a, b: fraction(a, b * b)),
    ),
)
