"""Directions and powers of conversions between metric units."""

from fractions import Fraction as F

from synth.answers import number
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

METRIC = "Metric units"

TASKS = (
    Task(
        slug="smaller-unit-to-larger",
        construct="Convert to a larger metric unit",
        subject=METRIC,
        wordings=(
            r"How many <big> are \( <n> \) <small>?",
            r"Convert \( <n> \) <small> to <big>.",
        ),
        parameters="n factor big small",
        draw=lambda r: (
            unit := r.choice(
                (
                    (1000, "metres", "millimetres"),
                    (1000, "kilograms", "grams"),
                    (1000, "litres", "millilitres"),
                    (100, "metres", "centimetres"),
                    (1000, "kilometres", "metres"),
                    (1000, "tonnes", "kilograms"),
                )
            ),
            (unit[0] * r.randint(2, 9), *unit),
        )[1],
        right=lambda n, factor, big, small: number(n // factor),
        wrong=(
            (
                rule("larger-unit-multiplies", "Multiplies when changing to a larger unit"),
                lambda n, factor, big, small: number(n * factor),
            ),
            (
                rule("conversion-factor-added", "Adds the conversion factor when changing units"),
                lambda n, factor, big, small: number(n + factor),
            ),
        ),
        slips=(
            lambda n, factor, big, small: number(F(n, factor) / 10),
            lambda n, factor, big, small: number(10 * n // factor),
        ),
    ),
    Task(
        slug="larger-unit-to-smaller",
        construct="Convert to a smaller metric unit",
        subject=METRIC,
        wordings=(
            r"How many <small> are \( <n> \) <big>?",
            r"Convert \( <n> \) <big> to <small>.",
        ),
        parameters="n factor big small",
        draw=lambda r: (
            unit := r.choice(
                (
                    (1000, "metres", "millimetres"),
                    (1000, "kilograms", "grams"),
                    (1000, "litres", "millilitres"),
                    (100, "metres", "centimetres"),
                    (1000, "kilometres", "metres"),
                    (1000, "tonnes", "kilograms"),
                )
            ),
            (F(r.choice((r.randint(11, 95), 10 * r.randint(2, 9))), 10), *unit),
        )[1],
        right=lambda n, factor, big, small: number(n * factor),
        wrong=(
            (
                rule("smaller-unit-divides", "Divides when changing to a smaller unit"),
                lambda n, factor, big, small: number(n / factor),
            ),
            (
                rule("conversion-factor-added-down", "Adds the conversion factor when changing to a smaller unit"),
                lambda n, factor, big, small: number(n + factor),
            ),
        ),
        slips=(
            lambda n, factor, big, small: number(n * factor / 10),
            lambda n, factor, big, small: number(n * factor * 10),
        ),
    ),
    Task(
        slug="area-in-smaller-unit",
        construct="Convert between metric units of area",
        subject=METRIC,
        wordings=(
            r"\( 1 \mathrm{~cm} = 10 \mathrm{~mm} \). How many \( \mathrm{mm}^{2} \) are \( <n> "
            r"\mathrm{~cm}^{2} \) ?",
            r"Convert \( <n> \mathrm{~cm}^{2} \) to \( \mathrm{mm}^{2} \).",
        ),
        parameters="n",
        draw=lambda r: (r.randint(2, 60),),
        right=lambda n: number(100 * n),
        wrong=(
            (rule("area-factor-not-squared", "Uses the factor of lengths for an area"), lambda n: number(10 * n)),
            (rule("area-factor-cubed", "Cubes the factor of lengths for an area"), lambda n: number(1000 * n)),
        ),
        slips=(lambda n: number(F(n, 10)), lambda n: number(20 * n)),
    ),
    Task(
        slug="volume-in-smaller-unit",
        construct="Convert between metric units of volume",
        subject=METRIC,
        wordings=(
            r"\( 1 \mathrm{~cm} = 10 \mathrm{~mm} \). How many \( \mathrm{mm}^{3} \) are \( <n> "
            r"\mathrm{~cm}^{3} \) ?",
            r"Convert \( <n> \mathrm{~cm}^{3} \) to \( \mathrm{mm}^{3} \).",
        ),
        parameters="n",
        draw=lambda r: (r.randint(2, 60),),
        right=lambda n: number(1000 * n),
        wrong=((rule("volume-factor-not-cubed", "Uses the factor of lengths for a volume"), lambda n: number(10 * n)),),
        slips=(lambda n: number(100 * n), lambda n: number(F(n, 10)), lambda n: number(30 * n)),
    ),
)
