"""Equivalent fractions, mixed numbers, decimals and percentages."""

from fractions import Fraction as F
from math import gcd

from synth.answers import fraction, number
from synth.bank_rules.parts import fraction_shown, mixed, percent, rule
from synth.mal_rule import Task

EQUIVALENT = "Equivalent fractions"
MIXED = "Mixed numbers"
CONVERTING = "Converting fractions"

TASKS = (
    Task(
        slug="simplify-a-fraction",
        construct="Simplify fractions",
        subject=EQUIVALENT,
        wordings=(
            r"Write \( \frac{<a>}{<b>} \) in its simplest form.",
            r"Simplify fully \[ \frac{<a>}{<b>} \]",
        ),
        parameters="a b",
        draw=lambda r: (g := r.choice((4, 6, 8, 9, 10, 12)), (g * r.randint(1, 6), g * r.randint(3, 9)))[1],
        keep=lambda a, b: a < b and gcd(a, b) % 2 == 0,
        right=lambda a, b: fraction_shown(a // gcd(a, b), b // gcd(a, b)),
        wrong=(
            (
                rule("simplified-part-way", "Stops simplifying a fraction too early"),
                lambda a, b: fraction_shown(a // 2, b // 2) if gcd(a, b) > 2 else None,
            ),
            (
                rule("simplified-by-subtracting", "Subtracts one number from both parts to simplify"),
                lambda a, b: fraction_shown(a - 2, b - 2),
            ),
            (
                rule("simplified-unevenly", "Divides numerator and denominator by different numbers"),
                lambda a, b: fraction_shown(a // gcd(a, b), b // 2) if gcd(a, b) > 2 else None,
            ),
        ),
        slips=(lambda a, b: fraction_shown(b // gcd(a, b), a // gcd(a, b)),),
    ),
    Task(
        slug="equivalent-fraction",
        construct="Find equivalent fractions",
        subject=EQUIVALENT,
        wordings=(
            r"What goes in the box? \[ \frac{<a>}{<b>} = \frac{\square}{<c>} \]",
            r"\( \frac{<a>}{<b>} \) is written with the denominator \( <c> \). What is the new "
            "numerator?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 7), b := r.randint(3, 9), b * r.randint(3, 6)),
        keep=lambda a, b, c: a < b and gcd(a, b) == 1,
        right=lambda a, b, c: number(a * c // b),
        wrong=(
            (
                rule("equivalent-numerator-kept", "Changes the denominator and leaves the numerator as it was"),
                lambda a, b, c: number(a),
            ),
            (
                rule("equivalent-by-adding", "Adds the same amount to both parts to make an equivalent fraction"),
                lambda a, b, c: number(a + c - b),
            ),
            (
                rule(
                    "equivalent-multiplier-as-numerator", "Gives the multiplier instead of applying it to the numerator"
                ),
                lambda a, b, c: number(c // b),
            ),
        ),
    ),
    Task(
        slug="improper-to-mixed",
        construct="Convert improper fractions to mixed numbers",
        subject=MIXED,
        wordings=(
            r"Write \( \frac{<n>}{<b>} \) as a mixed number.",
            r"Which mixed number is equal to \( \frac{<n>}{<b>} \) ?",
        ),
        parameters="n b",
        draw=lambda r: (r.randint(13, 47), r.randint(3, 9)),
        keep=lambda n, b: gcd(n, b) == 1 and n // b != n % b and n > 2 * b and n // b != n // 10,
        right=lambda n, b: mixed(n // b, n % b, b),
        wrong=(
            (
                rule("tens-digit-as-wholes", "Takes the tens digit of the numerator for the wholes"),
                lambda n, b: mixed(n // 10, n % 10, b),
            ),
            (
                rule("whole-and-rest-swapped", "Swaps the whole part and the remainder of a mixed number"),
                lambda n, b: mixed(n % b, n // b, b),
            ),
            (
                rule("numerator-as-wholes", "Writes the whole numerator in front as the number of wholes"),
                lambda n, b: mixed(n, 1, b),
            ),
            (
                rule("numerator-as-new-denominator", "Uses the numerator as the denominator of the mixed number"),
                lambda n, b: mixed(n // b, n % b, n),
            ),
            (
                rule("missing-part-for-rest", "Writes what is missing to the next whole instead of the remainder"),
                lambda n, b: mixed(n // b, b - n % b, b) if b != 2 * (n % b) else None,
            ),
        ),
    ),
    Task(
        slug="mixed-to-improper-further",
        construct="Convert mixed numbers to improper fractions",
        subject=MIXED,
        wordings=(
            r"Write \( <w> \frac{<a>}{<b>} \) as an improper fraction.",
            r"Which fraction is equal to \( <w> \frac{<a>}{<b>} \) ?",
        ),
        parameters="w a b",
        draw=lambda r: (r.randint(2, 7), r.randint(2, 7), r.randint(3, 9)),
        keep=lambda w, a, b: a < b and gcd(a, b) == 1,
        right=lambda w, a, b: fraction(w * b + a, b),
        wrong=(
            (
                rule("mixed-numerator-dropped", "Multiplies whole and denominator and forgets to add the numerator"),
                lambda w, a, b: fraction(w * b, b),
            ),
            (
                rule("mixed-times-top-plus-bottom", "Multiplies the whole by the numerator and adds the denominator"),
                lambda w, a, b: fraction(w * a + b, b),
            ),
            (
                rule(
                    "mixed-whole-times-denominator-below", "Multiplies the denominator of a mixed number by the whole"
                ),
                lambda w, a, b: fraction(a, w * b),
            ),
        ),
    ),
    Task(
        slug="fraction-to-decimal-further",
        construct="Convert fractions to decimals",
        subject=CONVERTING,
        wordings=(
            r"Write \( \frac{<a>}{<b>} \) as a decimal.",
            r"Which decimal is equal to \( \frac{<a>}{<b>} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.choice((1, 2, 3, 4, 5, 7, 8, 9)), r.choice((4, 5, 8, 20, 25))),
        keep=lambda a, b: a < b and gcd(a, b) == 1,
        right=lambda a, b: number(F(a, b)),
        wrong=(
            (
                rule("numerator-behind-point", "Writes only the numerator behind a decimal point"),
                lambda a, b: number(F(a, 10)) if a > 1 else None,
            ),
            (
                rule("denominator-over-numerator", "Divides the denominator by the numerator"),
                lambda a, b: number(F(b, a)),
            ),
            (
                rule("reciprocal-as-decimal-digits", "Writes the denominator of one nth behind a decimal point"),
                lambda a, b: number(F(b, 10 ** len(str(b)))) if a == 1 else None,
            ),
        ),
        slips=(
            lambda a, b: number(a + F(b, 100)),
            lambda a, b: number(F(10 * a, b)),
            lambda a, b: number(F(a, b) / 10),
        ),
    ),
    Task(
        slug="fraction-to-percentage",
        construct="Convert fractions to percentages",
        subject=CONVERTING,
        wordings=(
            r"Write \( \frac{<a>}{<b>} \) as a percentage.",
            r"Which percentage is equal to \( \frac{<a>}{<b>} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(3, 9), r.choice((20, 25, 50))),
        keep=lambda a, b: gcd(a, b) == 1,
        right=lambda a, b: percent(F(100 * a, b)),
        wrong=(
            (rule("sign-on-numerator", "Adds a per cent sign to the numerator"), lambda a, b: percent(a)),
            (rule("sign-on-denominator", "Puts the per cent sign behind the denominator"), lambda a, b: percent(b)),
            (
                rule("denominator-times-ten-percent", "Multiplies the denominator by ten to make a percentage"),
                lambda a, b: percent(10 * b),
            ),
            (
                rule("parts-multiplied-for-percent", "Multiplies numerator and denominator to make a percentage"),
                lambda a, b: percent(a * b),
            ),
            (
                rule("parts-joined-for-percent", "Writes the numerator followed by the denominator as a percentage"),
                lambda a, b: percent(int(f"{a}{b}")),
            ),
            (
                rule(
                    "point-between-parts-percent",
                    "Puts a decimal point between the parts of a fraction for a percentage",
                ),
                lambda a, b: percent(a + F(b, 100)),
            ),
            (
                rule("numerator-doubled-percent", "Doubles the numerator to make a percentage"),
                lambda a, b: percent(2 * a) if b != 50 else None,
            ),
        ),
    ),
)
