"""Rounding, estimating, bounds."""

from fractions import Fraction as F
from math import floor

from synth.answers import number
from synth.bank_rules.parts import near, rule, shown
from synth.bank_rules.shared import FIVE_DOWN, NEAREST_WHOLE, TOO_LITTLE, TOO_MUCH
from synth.mal_rule import Task
from synth.mal_rules.number import ALWAYS_ROUNDS_DOWN

ROUNDING = "Rounding and estimating"

TASKS = (
    Task(
        slug="round-large-to-one-figure",
        construct="Round to significant figures",
        subject=ROUNDING,
        wordings=(
            r"Round \( <n> \) to one significant figure.",
            r"What is \( <n> \), correct to \( 1 \) significant figure?",
        ),
        parameters="n",
        draw=lambda r: (10_000 * r.randint(2, 8) + r.randint(1111, 4888),),
        keep=lambda n: len({near(n, s) for s in (1, 10, 100, 1000, 10_000)}) == 5,
        right=lambda n: number(near(n, 10_000)),
        wrong=(
            (
                rule("two-figures-for-one", "Keeps two significant figures when one is asked for"),
                lambda n: number(near(n, 1000)),
            ),
            (
                rule("hundred-for-one-figure", "Rounds to the nearest hundred instead of one significant figure"),
                lambda n: number(near(n, 100)),
            ),
            (
                rule(
                    "figure-without-zeros",
                    "Rounds to significant figures and leaves out the zeros that hold the places",
                ),
                lambda n: number(n // 10_000),
            ),
            (
                rule("up-to-next-figure", "Always rounds the first figure up"),
                lambda n: number((n // 10_000 + 1) * 10_000),
            ),
            (
                rule("second-figure-for-first", "Takes the second significant figure for the first"),
                lambda n: number(near(n % 10_000, 1000)),
            ),
        ),
    ),
    Task(
        slug="round-mixed-decimal-to-one-figure",
        construct="Round to significant figures",
        subject=ROUNDING,
        wordings=(
            r"Round \( <x> \) to one significant figure.",
            r"What is \( <x> \), correct to \( 1 \) significant figure?",
        ),
        parameters="x",
        draw=lambda r: (F(100 * r.choice((21, 31, 43, 62, 73, 34, 83)) + r.randint(11, 44) + r.choice((0, 40)), 100),),
        keep=lambda x: len({near(x, s) for s in (F(1, 10), 1, 10)} | {x}) == 4,
        right=lambda x: number(near(x, 10)),
        wrong=(
            (NEAREST_WHOLE, lambda x: number(near(x, 1))),
            (
                rule("places-for-figures", "Counts decimal places when significant figures are asked for"),
                lambda x: number(near(x, F(1, 10))),
            ),
            (
                rule("figure-up", "Rounds up to the next figure although the following digit is small"),
                lambda x: number(near(x, 10) + 10),
            ),
        ),
    ),
    Task(
        slug="round-small-decimal-to-one-figure",
        construct="Round to significant figures",
        subject=ROUNDING,
        wordings=(
            r"Round \( <x> \) to one significant figure.",
            r"What is \( <x> \), correct to \( 1 \) significant figure?",
        ),
        parameters="x",
        draw=lambda r: (F(10 * r.randint(11, 94) + r.randint(1, 9), 10_000),),
        keep=lambda x: (
            x < F(9, 100) and near(x, F(1, 100)) != near(x, F(1, 10)) and near(x, F(1, 1000)) != near(x, F(1, 100))
        ),
        right=lambda x: number(near(x, F(1, 100))),
        wrong=(
            (
                rule("leading-zero-counts", "Counts a zero before the first digit as a significant figure"),
                lambda x: number(near(x, F(1, 10))),
            ),
            (
                rule("hidden-two-figures", "Keeps two significant figures of a small decimal when one is asked for"),
                lambda x: number(near(x, F(1, 1000))),
            ),
            (
                rule("small-decimal-point-lost", "Drops the point and zeros of a small decimal when rounding"),
                lambda x: number(near(x, F(1, 100)) * 100),
            ),
        ),
    ),
    Task(
        slug="round-to-two-places",
        construct="Round to decimal places",
        subject=ROUNDING,
        wordings=(
            r"Round \( <x> \) to \( 2 \) decimal places.",
            r"What is \( <x> \), correct to two decimal places?",
        ),
        parameters="x",
        draw=lambda r: (F(r.randint(10_0000, 98_9999), 10_000),),
        keep=lambda x: len({near(x, F(1, 10**k)) for k in range(5)}) == 5 and near(x, F(1, 100)) > x,
        right=lambda x: number(near(x, F(1, 100))),
        wrong=(
            (
                rule("figures-for-places", "Counts significant figures when decimal places are asked for"),
                lambda x: number(near(x, 1)),
            ),
            (TOO_LITTLE, lambda x: number(near(x, F(1, 1000)))),
            (TOO_MUCH, lambda x: number(near(x, F(1, 10)))),
            (ALWAYS_ROUNDS_DOWN, lambda x: number(F(floor(100 * x), 100))),
        ),
    ),
    Task(
        slug="round-to-one-place",
        construct="Round to decimal places",
        subject=ROUNDING,
        wordings=(
            r"Round \( <x> \) to \( 1 \) decimal place.",
            r"What is \( <x> \), correct to one decimal place?",
        ),
        parameters="x",
        draw=lambda r: (F(100 * r.randint(2, 40) + 10 * r.randint(1, 8) + 5, 100),),
        keep=lambda x: near(x, 1) != near(x, F(1, 10)),
        right=lambda x: number(near(x, F(1, 10))),
        wrong=(
            (FIVE_DOWN, lambda x: number(F(floor(10 * x), 10))),
            (NEAREST_WHOLE, lambda x: number(near(x, 1))),
            (rule("point-removed-to-round", "Removes the decimal point to round a decimal"), lambda x: number(100 * x)),
        ),
    ),
    Task(
        slug="round-to-whole",
        construct="Round decimals to whole numbers",
        subject=ROUNDING,
        wordings=(
            r"Round \( <x> \) to the nearest whole number.",
            r"What is \( <x> \), to the nearest integer?",
        ),
        parameters="x",
        draw=lambda r: (F(r.randint(1100, 9899), 100),),
        keep=lambda x: len({near(x, s) for s in (F(1, 100), F(1, 10), 1, 10)}) == 4 and near(x, 1) > x,
        right=lambda x: number(near(x, 1)),
        wrong=(
            (
                rule("ten-for-whole", "Rounds to the nearest ten when a whole number is asked for"),
                lambda x: number(near(x, 10)),
            ),
            (
                rule("one-place-for-whole", "Rounds to one decimal place when a whole number is asked for"),
                lambda x: number(near(x, F(1, 10))),
            ),
            (
                rule("cut-instead-of-rounded", "Rounds down although the next digit is five or more"),
                lambda x: number(floor(x)),
            ),
            (
                rule("point-left-out-for-whole", "Leaves the decimal point out to make a whole number"),
                lambda x: number(100 * x),
            ),
        ),
    ),
    Task(
        slug="carry-over-nine",
        construct="Round to decimal places",
        subject=ROUNDING,
        wordings=(
            r"Round \( <x> \) to \( 1 \) decimal place.",
            r"What is \( <x> \), correct to one decimal place?",
        ),
        parameters="x",
        draw=lambda r: (F(100 * r.randint(2, 40) + 90 + r.randint(5, 9), 100),),
        right=lambda x: shown(f"{floor(x) + 1}.0"),
        wrong=(
            (
                rule(
                    "nine-becomes-zero-alone",
                    "Turns a nine into a zero when rounding up and adds nothing to the next digit",
                ),
                lambda x: shown(f"{floor(x)}.0"),
            ),
            (
                rule("nine-becomes-ten", "Writes a ten in the place of a nine that is rounded up"),
                lambda x: shown(f"{floor(x)}.10"),
            ),
            (
                rule("zero-place-left-out", "Leaves out a zero that shows the accuracy of a rounded decimal"),
                lambda x: shown(f"{floor(x) + 1}"),
            ),
        ),
    ),
    Task(
        slug="estimate-a-product",
        construct="Estimate by rounding to one significant figure",
        subject=ROUNDING,
        wordings=(
            r"Estimate \( <x> \times <y> \) by rounding each number to one significant figure.",
            r"<person> rounds both numbers to \( 1 \) significant figure to estimate \[ <x> \times "
            r"<y> \] What is the estimate?",
        ),
        parameters="x y",
        draw=lambda r: (F(r.randint(211, 889), 10), F(r.randint(21, 89), 10)),
        keep=lambda x, y: x % 10 not in (0, 5) and y % 1 not in (0, F(1, 2)) and x.denominator > 1,
        right=lambda x, y: number(near(x, 10) * near(y, 1)),
        wrong=(
            (
                rule("estimate-nearest-whole", "Rounds to whole numbers to make an estimate"),
                lambda x, y: number(near(x, 1) * near(y, 1)),
            ),
            (
                rule("estimate-all-up", "Rounds every number up to make an estimate"),
                lambda x, y: number((floor(x / 10) + 1) * 10 * (floor(y) + 1)),
            ),
            (
                rule("estimate-all-down", "Rounds every number down to make an estimate"),
                lambda x, y: number(floor(x / 10) * 10 * floor(y)),
            ),
        ),
        slips=(lambda x, y: number(x * y),),
    ),
    Task(
        slug="lower-bound",
        construct="Find bounds of rounded numbers",
        subject=ROUNDING,
        wordings=(
            r"A length is \( <n> \mathrm{~cm} \), to the nearest \( 10 \mathrm{~cm} \). What is its "
            r"lower bound in \( \mathrm{cm} \) ?",
            r"\( <n> \) is a number rounded to the nearest \( 10 \). What is the lower bound?",
        ),
        parameters="n",
        draw=lambda r: (10 * r.randint(8, 70),),
        right=lambda n: number(n - 5),
        wrong=(
            (
                rule("bound-by-whole-step", "Moves by the whole degree of accuracy to find a bound"),
                lambda n: number(n - 10),
            ),
            (rule("upper-for-lower", "Gives the upper bound when the lower is asked for"), lambda n: number(n + 5)),
            (
                rule("bound-half-unit", "Finds bounds as if numbers were rounded to the nearest whole"),
                lambda n: number(n - F(1, 2)),
            ),
        ),
    ),
)
