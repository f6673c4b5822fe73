"""Adding and subtracting fractions."""

from math import gcd

from synth.answers import fraction, lowest
from synth.bank_rules.parts import rule
from synth.mal_rule import Task
from synth.mal_rules.fractions import ADDS_TOPS_AND_BOTTOMS

ADDING = "Adding and subtracting fractions"

TASKS = (
    Task(
        slug="add-unlike-fractions-further",
        construct="Add fractions with different denominators",
        subject=ADDING,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} + \frac{<c>}{<d>} \]",
            r"Add \( \frac{<a>}{<b>} \) and \( \frac{<c>}{<d>} \).",
            r"\( \frac{<a>}{<b>} + \frac{<c>}{<d>} = \)",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(1, 5), r.randint(3, 9), r.randint(1, 5), r.randint(3, 9)),
        keep=lambda a, b, c, d: b != d and gcd(a, b) == gcd(c, d) == 1 and a < b and c < d and a != c,
        right=lambda a, b, c, d: lowest(a * d + c * b, b * d),
        wrong=(
            (
                rule("fraction-sum-as-product", "Multiplies fractions that should be added"),
                lambda a, b, c, d: fraction(a * c, b * d),
            ),
            (
                rule("tops-added-bottoms-multiplied", "Adds numerators and multiplies denominators"),
                lambda a, b, c, d: fraction(a + c, b * d),
            ),
            (
                rule("tops-times-own-bottoms", "Multiplies each numerator by its own denominator before adding"),
                lambda a, b, c, d: fraction(a * b + c * d, b * d),
            ),
            (
                rule("tops-times-bottoms-plus", "Multiplies numerators and adds denominators of fractions to be added"),
                lambda a, b, c, d: fraction(a * c, b + d),
            ),
        ),
    ),
    Task(
        slug="add-like-fractions",
        construct="Add fractions with the same denominator",
        subject=ADDING,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} + \frac{<c>}{<b>} \]",
            r"\( \frac{<a>}{<b>} + \frac{<c>}{<b>} = \)",
        ),
        parameters="a c b",
        draw=lambda r: (r.randint(2, 5), r.randint(2, 5), r.choice((11, 13, 15, 17))),
        keep=lambda a, c, b: a != c,
        right=lambda a, c, b: lowest(a + c, b),
        wrong=(
            (
                rule("like-tops-multiplied", "Multiplies the numerators of fractions with one denominator to add them"),
                lambda a, c, b: fraction(a * c, b),
            ),
            (ADDS_TOPS_AND_BOTTOMS, lambda a, c, b: fraction(a + c, 2 * b)),
        ),
        slips=(lambda a, c, b: fraction(a * c, b * b), lambda a, c, b: fraction(a + c, b * b)),
    ),
    Task(
        slug="add-unit-fractions",
        construct="Add fractions with the same numerator",
        subject=ADDING,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} + \frac{<a>}{<c>} \]",
            r"\( \frac{<a>}{<b>} + \frac{<a>}{<c>} = \)",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(1, 3), r.randint(4, 9), r.randint(4, 11)),
        keep=lambda a, b, c: b < c and gcd(a, b) == gcd(a, c) == 1,
        right=lambda a, b, c: lowest(a * (b + c), b * c),
        wrong=(
            (
                rule("same-top-kept", "Keeps a shared numerator and adds the denominators"),
                lambda a, b, c: fraction(a, b + c),
            ),
            (ADDS_TOPS_AND_BOTTOMS, lambda a, b, c: fraction(2 * a, b + c)),
            (
                rule("bottom-becomes-product", "Adds numerators over the product of the denominators"),
                lambda a, b, c: fraction(2 * a, b * c),
            ),
        ),
    ),
    Task(
        slug="subtract-unlike-fractions",
        construct="Subtract fractions with different denominators",
        subject=ADDING,
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} - \frac{<c>}{<d>} \]",
            r"\( \frac{<a>}{<b>} - \frac{<c>}{<d>} = \)",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(3, 9), r.randint(7, 12), r.randint(1, 4), r.randint(3, 6)),
        keep=lambda a, b, c, d: a < b and c < d and a > c and b > d and gcd(a, b) == gcd(c, d) == 1 and a * d > c * b,
        right=lambda a, b, c, d: lowest(a * d - c * b, b * d),
        wrong=(
            (
                rule("tops-and-bottoms-subtracted", "Subtracts numerators and denominators separately"),
                lambda a, b, c, d: fraction(a - c, b - d),
            ),
            (
                rule("tops-subtracted-bottoms-multiplied", "Subtracts numerators and multiplies denominators"),
                lambda a, b, c, d: fraction(a - c, b * d),
            ),
            (
                rule("tops-subtracted-larger-bottom", "Subtracts numerators over the larger denominator"),
                lambda a, b, c, d: fraction(a - c, b),
            ),
            (
                rule(
                    "tops-multiplied-bottoms-subtracted",
                    "Multiplies numerators and subtracts denominators in a difference",
                ),
                lambda a, b, c, d: fraction(a * c, b - d),
            ),
        ),
    ),
    Task(
        slug="one-minus-fraction",
        construct="Subtract a fraction from one",
        subject=ADDING,
        wordings=(
            r"Calculate \[ 1 - \frac{<a>}{<b>} \]",
            r"<person> eats \( \frac{<a>}{<b>} \) of a cake. What fraction is left?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(3, 9), r.randint(8, 15)),
        keep=lambda a, b: a < b and gcd(a, b) == 1 and b - a != a - 1,
        right=lambda a, b: fraction(b - a, b),
        wrong=(
            (
                rule("one-off-numerator", "Takes one from the numerator to subtract a fraction from one"),
                lambda a, b: fraction(a - 1, b),
            ),
            (
                rule("one-off-denominator", "Takes one from the denominator to subtract a fraction from one"),
                lambda a, b: fraction(a, b - 1),
            ),
        ),
        slips=(lambda a, b: fraction(b, a), lambda a, b: fraction(b - a, b - 1)),
    ),
    Task(
        slug="integer-plus-fraction",
        construct="Add an integer and a fraction",
        subject=ADDING,
        wordings=(
            r"Calculate \[ <w> + \frac{<a>}{<b>} \]",
            r"\( \frac{<a>}{<b>} + <w> = \)",
        ),
        parameters="w a b",
        draw=lambda r: (r.randint(2, 6), r.randint(1, 5), r.randint(4, 9)),
        keep=lambda w, a, b: a < b and gcd(a, b) == 1,
        right=lambda w, a, b: fraction(w * b + a, b),
        wrong=(
            (
                rule("integer-onto-numerator", "Adds an integer to the numerator of a fraction"),
                lambda w, a, b: fraction(w + a, b),
            ),
            (
                rule("integer-onto-both", "Adds an integer to both parts of a fraction"),
                lambda w, a, b: fraction(w + a, w + b),
            ),
        ),
        slips=(lambda w, a, b: fraction(w * a, b), lambda w, a, b: fraction(a, w + b)),
    ),
)
