"""Standard form."""

from fractions import Fraction as F

from synth.answers import number
from synth.bank_rules.parts import rule, standard_form
from synth.mal_rule import Task

STANDARD = "Standard form"

TASKS = (
    Task(
        slug="large-in-standard-form",
        construct="Write numbers given in standard form",
        subject=STANDARD,
        wordings=(
            r"Write \( <x> \times 10^{<k>} \) as an ordinary number.",
            r"Which number is \( <x> \times 10^{<k>} \) ?",
        ),
        parameters="x k",
        draw=lambda r: (F(10 * r.randint(2, 9) + r.randint(1, 9), 10), r.randint(3, 6)),
        right=lambda x, k: number(x * 10**k),
        wrong=(
            (
                rule("standard-front-digits-only", "Writes only the front digits of a number in standard form"),
                lambda x, k: number(10 * x),
            ),
            (
                rule("standard-zeros-counted", "Writes as many zeros behind the front digits as the index says"),
                lambda x, k: number(10 * x * 10**k),
            ),
            (
                rule("standard-index-times-ten", "Multiplies by ten times the index in standard form"),
                lambda x, k: number(x * 10 * k),
            ),
        ),
    ),
    Task(
        slug="negative-index-standard-form",
        construct="Write numbers given in standard form",
        subject=STANDARD,
        wordings=(
            r"Write \( <x> \times 10^{-<k>} \) as an ordinary number.",
            r"Which number is \( <x> \times 10^{-<k>} \) ?",
        ),
        parameters="x k",
        draw=lambda r: (F(r.randint(2, 9)), r.randint(2, 4)),
        right=lambda x, k: number(x / 10**k),
        wrong=(
            (
                rule("standard-minus-ignored", "Treats a negative index in standard form like a positive one"),
                lambda x, k: number(x * 10**k),
            ),
            (
                rule("standard-negative-value", "Makes a number in standard form negative because of its index"),
                lambda x, k: number(-x * 10**k),
            ),
        ),
        slips=(lambda x, k: number(10 * x / 10**k), lambda x, k: number(-x / 10**k)),
    ),
    Task(
        slug="small-to-standard-form",
        construct="Write numbers in standard form",
        subject=STANDARD,
        wordings=(
            r"Write \( <x> \) in standard form.",
            r"Which of these is \( <x> \) in standard form?",
        ),
        parameters="x d e",
        draw=lambda r: (d := r.randint(2, 9), e := r.randint(1, 9), (F(10 * d + e, 10_000), d, e))[2],
        right=lambda x, d, e: standard_form(d + F(e, 10), -3),
        wrong=(
            (
                rule("standard-index-is-places", "Takes the number of decimal places for the index"),
                lambda x, d, e: standard_form(d + F(e, 10), -4),
            ),
            (
                rule("standard-front-too-large", "Allows a front number of ten or more in standard form"),
                lambda x, d, e: standard_form(10 * d + e, -4),
            ),
            (
                rule("standard-index-one-off", "Miscounts the power of ten in standard form"),
                lambda x, d, e: standard_form(d + F(e, 10), -2),
            ),
        ),
        slips=(lambda x, d, e: standard_form(d + F(e, 10), 3),),
    ),
    Task(
        slug="divide-standard-form",
        construct="Calculate with numbers in standard form",
        subject=STANDARD,
        wordings=(
            r"Calculate \( (<a> \times 10^{<m>}) \div (<b> \times 10^{<n>}) \).",
            r"Work out \[ \frac{<a> \times 10^{<m>}}{<b> \times 10^{<n>}} \]",
        ),
        parameters="a m b n",
        draw=lambda r: (
            b := r.choice((2, 3)),
            n := r.choice((2, 3)),
            (b * r.choice((2, 3)), n * r.choice((3, 4)), b, n),
        )[2],
        keep=lambda a, m, b, n: a < 10 and a // b != a - b,
        right=lambda a, m, b, n: standard_form(a // b, m - n),
        wrong=(
            (
                rule("standard-powers-divided", "Divides the indices when dividing in standard form"),
                lambda a, m, b, n: standard_form(a // b, m // n),
            ),
            (
                rule(
                    "standard-front-subtracted", "Subtracts the front numbers and divides the indices in standard form"
                ),
                lambda a, m, b, n: standard_form(a - b, m // n),
            ),
        ),
        slips=(lambda a, m, b, n: standard_form(a - b, m - n), lambda a, m, b, n: standard_form(a // b, m + n)),
    ),
    Task(
        slug="standard-form-over-whole",
        construct="Calculate with numbers in standard form",
        subject=STANDARD,
        wordings=(
            r"Calculate \( (<a> \times 10^{<m>}) \div <b> \).",
            r"Half a million or more: \( <a> \times 10^{<m>} \) grains are shared equally among \( "
            r"<b> \) bowls. How many grains are in a bowl?",
        ),
        parameters="a m b",
        draw=lambda r: (b := r.choice((2, 3)), (b * r.choice((2, 3)), b * r.choice((2, 3)), b))[1],
        keep=lambda a, m, b: a < 10 and m > 5,
        right=lambda a, m, b: standard_form(a // b, m),
        wrong=(
            (
                rule("whole-divides-index", "Divides the index instead of the front number by a whole number"),
                lambda a, m, b: standard_form(a, m // b),
            ),
            (
                rule(
                    "standard-number-and-power-apart", "Applies a division to the front number and to the index alike"
                ),
                lambda a, m, b: standard_form(a // b, m // b),
            ),
        ),
        slips=(lambda a, m, b: standard_form(a // b, m - b), lambda a, m, b: standard_form(a, m - b)),
    ),
    Task(
        slug="add-standard-form",
        construct="Calculate with numbers in standard form",
        subject=STANDARD,
        wordings=(
            r"Calculate \( <a> \times 10^{<m>} + <b> \times 10^{<m>} \).",
            r"Add \( <a> \times 10^{<m>} \) and \( <b> \times 10^{<m>} \), in standard form.",
        ),
        parameters="a b m",
        draw=lambda r: (r.randint(2, 4), r.randint(2, 5), r.randint(3, 8)),
        right=lambda a, b, m: standard_form(a + b, m),
        wrong=(
            (
                rule("tens-added-too", "Adds the tens as well as the front numbers in standard form"),
                lambda a, b, m: standard_form(a + b, m, 20),
            ),
            (
                rule("standard-indices-added", "Adds front numbers and indices alike in standard form"),
                lambda a, b, m: standard_form(a + b, 2 * m),
            ),
        ),
        slips=(lambda a, b, m: standard_form(a * b, m), lambda a, b, m: standard_form(a + b, m + 1)),
    ),
)
