"""Multiplying and dividing decimals and by powers of ten."""

from fractions import Fraction as F
from math import floor

from synth.answers import number
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

POWERS_OF_TEN = "Multiplying and dividing by powers of ten"
CALCULATING = "Multiplying and dividing decimals"

TASKS = (
    Task(
        slug="times-one-hundred",
        construct="Multiply by powers of ten",
        subject=POWERS_OF_TEN,
        wordings=(
            r"\( <x> \times 100 = \)",
            r"Calculate \[ <x> \times 100 \]",
            r"What number is \( 100 \) times as big as \( <x> \) ?",
        ),
        parameters="x",
        draw=lambda r: (r.choice((F(r.randint(111, 999), 10), F(r.randint(12, 98)), F(r.randint(111, 999), 100))),),
        right=lambda x: number(100 * x),
        wrong=(
            (rule("ten-for-hundred", "Multiplies by ten where it should be a hundred"), lambda x: number(10 * x)),
            (
                rule("thousand-for-hundred", "Multiplies by a thousand where it should be a hundred"),
                lambda x: number(1000 * x),
            ),
            (
                rule("hundredth-for-hundred", "Divides by a hundred where it should be multiplied"),
                lambda x: number(x / 100),
            ),
            (
                rule("writes-hundred-behind", "Writes the digits of one hundred behind the number"),
                lambda x: number(int(f"{x}100")) if x.denominator == 1 else None,
            ),
        ),
    ),
    Task(
        slug="over-one-hundred",
        construct="Divide by powers of ten",
        subject=POWERS_OF_TEN,
        wordings=(
            r"\( <x> \div 100 = \)",
            r"Calculate \[ <x> \div 100 \]",
        ),
        parameters="x",
        draw=lambda r: (r.choice((F(r.randint(111, 9999), 10), F(r.randint(12, 9876)))),),
        right=lambda x: number(x / 100),
        wrong=(
            (rule("tenth-for-hundredth", "Divides by ten where it should be a hundred"), lambda x: number(x / 10)),
            (
                rule("hundred-for-hundredth", "Multiplies by a hundred where it should be divided"),
                lambda x: number(100 * x),
            ),
        ),
        slips=(lambda x: number(x / 1000), lambda x: number(10 * x)),
    ),
    Task(
        slug="over-ten",
        construct="Divide by powers of ten",
        subject=POWERS_OF_TEN,
        wordings=(
            r"\( <x> \div 10 = \)",
            r"Find one tenth of \( <x> \).",
        ),
        parameters="x",
        draw=lambda r: (r.choice((F(r.randint(111, 999), 10), F(r.randint(12, 987)))),),
        right=lambda x: number(x / 10),
        wrong=(
            (rule("hundredth-for-tenth", "Divides by a hundred where it should be ten"), lambda x: number(x / 100)),
        ),
        slips=(lambda x: number(10 * x), lambda x: number(x - 10), lambda x: number(100 * x)),
    ),
    Task(
        slug="over-one-thousand",
        construct="Divide by powers of ten",
        subject=POWERS_OF_TEN,
        wordings=(
            r"\( <x> \div 1000 = \)",
            r"Calculate \[ <x> \div 1000 \]",
        ),
        parameters="x",
        draw=lambda r: (F(r.randint(12, 9876)),),
        right=lambda x: number(x / 1000),
        wrong=(
            (
                rule("hundredth-for-thousandth", "Divides by a hundred where it should be a thousand"),
                lambda x: number(x / 100),
            ),
        ),
        slips=(lambda x: number(1000 * x), lambda x: number(x / 10), lambda x: number(10 * x)),
    ),
    Task(
        slug="decimal-times-whole",
        construct="Multiply a decimal by a whole number",
        subject=CALCULATING,
        wordings=(
            r"Calculate \[ <x> \times <k> \]",
            r"\( <k> \times <x> = \)",
        ),
        parameters="x k",
        draw=lambda r: (F(r.randint(2, 9), 10), r.randint(3, 9)),
        right=lambda x, k: number(x * k),
        wrong=(
            (
                rule("decimal-product-point-lost", "Multiplies the digits of a decimal and loses the point"),
                lambda x, k: number(10 * x * k),
            ),
            (
                rule("decimal-product-tenth", "Makes a product with a decimal below one ten times too small"),
                lambda x, k: number(x * k / 10),
            ),
            (
                rule("decimal-product-hundredth", "Makes a product with a decimal below one a hundred times too small"),
                lambda x, k: number(x * k / 100),
            ),
        ),
    ),
    Task(
        slug="whole-times-decimal-above-one",
        construct="Multiply a decimal by a whole number",
        subject=CALCULATING,
        wordings=(
            r"Calculate \[ <x> \times <k> \]",
            r"One bar weighs \( <x> \) grams. What do \( <k> \) bars weigh in grams?",
        ),
        parameters="x k",
        draw=lambda r: (F(r.randint(21, 79), 10), r.randint(3, 9)),
        keep=lambda x, k: x.denominator > 1,
        right=lambda x, k: number(x * k),
        wrong=(
            (
                rule("decimal-point-unseen", "Ignores the decimal point when multiplying by a whole number"),
                lambda x, k: number(10 * x * k),
            ),
            (
                rule("whole-part-only-multiplied", "Multiplies only the whole numbers and leaves the decimal part out"),
                lambda x, k: number(floor(x) * k),
            ),
        ),
        slips=(lambda x, k: number(floor(x) * k + x - floor(x)), lambda x, k: number(x + k)),
    ),
    Task(
        slug="decimal-over-whole",
        construct="Divide a decimal by a whole number",
        subject=CALCULATING,
        wordings=(
            r"Calculate \[ <x> \div <k> \]",
            r"\( <x> \div <k> = \)",
        ),
        parameters="x k",
        draw=lambda r: (k := r.randint(2, 9), F(k * r.randint(11, 49), 10))[::-1],
        keep=lambda x, k: x.denominator > 1,
        right=lambda x, k: number(x / k),
        wrong=(
            (
                rule("quotient-point-lost", "Divides the digits of a decimal and loses the point"),
                lambda x, k: number(10 * x / k),
            ),
            (
                rule("quotient-point-misplaced", "Puts the point back one place too far after dividing"),
                lambda x, k: number(x / k / 10),
            ),
        ),
        slips=(lambda x, k: number(x - k), lambda x, k: number(x * k)),
    ),
    Task(
        slug="decimal-over-decimal",
        construct="Divide a decimal by a decimal",
        subject=CALCULATING,
        wordings=(
            r"Calculate \[ <x> \div <y> \]",
            r"How many times does \( <y> \) go into \( <x> \) ?",
        ),
        parameters="x y",
        draw=lambda r: (k := r.randint(2, 9), y := F(r.randint(2, 9), 10), (k * y, y))[2],
        keep=lambda x, y: x < 1 and x / y != 10,
        right=lambda x, y: number(x / y),
        wrong=(
            (
                rule("quotient-keeps-places", "Gives a quotient of decimals as many places as they have"),
                lambda x, y: number(x / y / 10),
            ),
            (
                rule(
                    "quotient-places-removed-wrongly", "Divides once more when putting the point back into a quotient"
                ),
                lambda x, y: number(x / y / 100),
            ),
        ),
        slips=(lambda x, y: number(10 * x / y), lambda x, y: number(x - y), lambda x, y: number(x * y)),
    ),
    Task(
        slug="over-one-tenth",
        construct="Divide by a decimal",
        subject=CALCULATING,
        wordings=(
            r"\( <a> \div 0.1 = \)",
            r"Calculate \[ <a> \div 0.1 \]",
        ),
        parameters="a",
        draw=lambda r: (F(r.choice((r.randint(12, 99), F(r.randint(12, 99), 10)))),),
        right=lambda a: number(10 * a),
        wrong=((rule("divides-by-ten-for-tenth", "Divides by ten to divide by a tenth"), lambda a: number(a / 10)),),
        slips=(lambda a: number(100 * a), lambda a: number(a / 100), lambda a: number(a - F(1, 10))),
    ),
    Task(
        slug="times-one-tenth",
        construct="Multiply by a decimal",
        subject=CALCULATING,
        wordings=(
            r"\( <a> \times 0.1 = \)",
            r"Calculate \[ 0.1 \times <a> \]",
        ),
        parameters="a",
        draw=lambda r: (F(r.choice((r.randint(12, 99), F(r.randint(12, 99), 10)))),),
        right=lambda a: number(a / 10),
        wrong=(
            (rule("multiplies-by-ten-for-tenth", "Multiplies by ten to multiply by a tenth"), lambda a: number(10 * a)),
        ),
        slips=(lambda a: number(100 * a), lambda a: number(a / 100), lambda a: number(a)),
    ),
    Task(
        slug="over-simple-decimal",
        construct="Divide by a decimal",
        subject=CALCULATING,
        wordings=(
            r"\( <a> \div <x> = \)",
            r"Calculate \[ <a> \div <x> \]",
        ),
        parameters="a x",
        draw=lambda r: (20 * r.randint(1, 9), r.choice((F(1, 2), F(1, 4), F(1, 5)))),
        right=lambda a, x: number(a / x),
        wrong=(
            (rule("divides-by-reciprocal", "Divides by the reciprocal of the divisor"), lambda a, x: number(a * x)),
            (
                rule("divides-by-decimal-digits", "Divides by the digits of a decimal as if they were whole"),
                lambda a, x: number(F(a, int(str(float(x))[2:]))),
            ),
        ),
        slips=(lambda a, x: number(a - x), lambda a, x: number(10 * a / x), lambda a, x: number(a / x / 10)),
    ),
    Task(
        slug="square-root-of-decimal",
        construct="Find the square root of a decimal",
        subject=CALCULATING,
        wordings=(
            r"What is \( \sqrt{<x>} \) ?",
            r"Find the square root of \( <x> \).",
        ),
        parameters="x k",
        draw=lambda r: (k := r.randint(4, 9), (F(k * k, 100), k))[1],
        right=lambda x, k: number(F(k, 10)),
        wrong=(
            (
                rule("root-point-lost", "Finds the root of the digits of a decimal and ignores their place"),
                lambda x, k: number(k),
            ),
            (
                rule("root-keeps-places", "Gives the root of a decimal as many places as the decimal has"),
                lambda x, k: number(F(k, 100)),
            ),
        ),
        slips=(lambda x, k: number(x / 2), lambda x, k: number(x / 4)),
    ),
)
