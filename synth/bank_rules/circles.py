"""Circles and sectors."""

from fractions import Fraction as F

from synth.answers import CM, PI, expression, measure, number
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

CIRCLES = "Circles"

TASKS = (
    Task(
        slug="radius-from-diameter",
        construct="Use radius and diameter",
        subject=CIRCLES,
        wordings=(
            r"The diameter of a circle is \( <d> \mathrm{~cm} \). What is its radius?",
            r"A circle is \( <d> \mathrm{~cm} \) across. How long is its radius?",
        ),
        parameters="d",
        draw=lambda r: (2 * r.randint(2, 30),),
        right=lambda d: measure(d // 2, CM),
        wrong=(
            (
                rule("diameter-doubled-for-radius", "Doubles the diameter to find the radius"),
                lambda d: measure(2 * d, CM),
            ),
            (rule("radius-is-diameter", "Takes radius and diameter for the same length"), lambda d: measure(d, CM)),
        ),
        slips=(lambda d: measure(F(d, 4), CM), lambda d: measure(d * d, CM)),
    ),
    Task(
        slug="diameter-from-radius",
        construct="Use radius and diameter",
        subject=CIRCLES,
        wordings=(
            r"The radius of a circle is \( <r> \mathrm{~cm} \). What is its diameter?",
            r"A circle has a radius of \( <r> \mathrm{~cm} \). How wide is it?",
        ),
        parameters="r",
        draw=lambda r: (r.randint(3, 40),),
        right=lambda r: measure(2 * r, CM),
        wrong=(
            (
                rule("radius-halved-for-diameter", "Halves the radius to find the diameter"),
                lambda r: measure(F(r, 2), CM),
            ),
            (rule("diameter-is-radius", "Gives the radius as the diameter"), lambda r: measure(r, CM)),
        ),
        slips=(lambda r: measure(4 * r, CM), lambda r: measure(r * r, CM)),
    ),
    Task(
        slug="area-of-circle-from-radius",
        construct="Find the area of a circle",
        subject=CIRCLES,
        wordings=(
            r"What is the area of a circle with radius \( <r> \mathrm{~cm} \), in \( \mathrm{cm}^{2} "
            r"\) and in terms of \( \pi \) ?",
            r"A circle has a radius of \( <r> \mathrm{~cm} \). Find its area in terms of \( \pi \).",
        ),
        parameters="r",
        draw=lambda r: (r.randint(3, 15),),
        right=lambda r: number(r * r, after=PI),
        wrong=(
            (
                rule("circle-area-without-square", "Multiplies the radius by pi for the area of a circle"),
                lambda r: number(r, after=PI),
            ),
            (
                rule("circumference-instead-of-area", "Works out the circumference when the area is asked for"),
                lambda r: number(2 * r, after=PI),
            ),
            (
                rule("diameter-in-area-formula", "Uses the diameter in the formula for the area of a circle"),
                lambda r: number(4 * r * r, after=PI),
            ),
        ),
    ),
    Task(
        slug="area-of-sector",
        construct="Find the area of a sector",
        subject=CIRCLES,
        wordings=(
            r"A sector has an angle of \( <t>^{\circ} \) and a radius of \( <r> \mathrm{~cm} \). What "
            r"is its area in \( \mathrm{cm}^{2} \), in terms of \( \pi \) ?",
            r"Find the area of a sector with radius \( <r> \mathrm{~cm} \) and angle \( <t>^{\circ} "
            r"\), in terms of \( \pi \).",
        ),
        parameters="t r",
        draw=lambda r: (r.choice((30, 45, 60, 72, 90, 120)), r.choice((6, 9, 10, 12))),
        right=lambda t, r: number(F(t * r * r, 360), after=PI),
        wrong=(
            (
                rule("sector-whole-circle", "Finds the area of the whole circle for a sector"),
                lambda t, r: number(r * r, after=PI),
            ),
            (
                rule("sector-arc-for-area", "Finds the arc length for the area of a sector"),
                lambda t, r: number(F(2 * t * r, 360), after=PI),
            ),
            (
                rule("sector-radius-not-squared", "Leaves the square out of the area of a sector"),
                lambda t, r: number(F(t * r, 360), after=PI),
            ),
        ),
    ),
    Task(
        slug="arc-length",
        construct="Find the length of an arc",
        subject=CIRCLES,
        wordings=(
            r"An arc has an angle of \( <t>^{\circ} \) and a radius of \( <r> \mathrm{~cm} \). How "
            r"long is it in \( \mathrm{cm} \), in terms of \( \pi \) ?",
            r"Find the arc length of a sector with radius \( <r> \mathrm{~cm} \) and angle \( "
            r"<t>^{\circ} \), in terms of \( \pi \).",
        ),
        parameters="t r",
        draw=lambda r: (r.choice((30, 45, 60, 72, 90, 120)), r.choice((6, 9, 10, 12))),
        right=lambda t, r: number(F(2 * t * r, 360), after=PI),
        wrong=(
            (
                rule("arc-whole-circumference", "Finds the whole circumference for an arc"),
                lambda t, r: number(2 * r, after=PI),
            ),
            (
                rule("arc-area-for-length", "Finds the area of the sector for its arc"),
                lambda t, r: number(F(t * r * r, 360), after=PI),
            ),
        ),
        slips=(lambda t, r: number(F(t * r, 360), after=PI), lambda t, r: number(t, after=PI)),
    ),
    Task(
        slug="perimeter-of-sector",
        construct="Find the perimeter of a sector",
        subject=CIRCLES,
        wordings=(
            r"A sector has an angle of \( <t>^{\circ} \) and a radius of \( <r> \mathrm{~cm} \). What "
            r"is its perimeter in \( \mathrm{cm} \), in terms of \( \pi \) ?",
            r"Find the perimeter of a sector with radius \( <r> \mathrm{~cm} \) and angle \( "
            r"<t>^{\circ} \), in terms of \( \pi \).",
        ),
        parameters="t r",
        draw=lambda r: (r.choice((60, 90, 120)), r.choice((6, 12, 18))),
        right=lambda t, r: expression((t * r // 180, r"\pi"), (2 * r, "")),
        wrong=(
            (
                rule("sector-perimeter-as-arc", "Gives the arc alone as the perimeter of a sector"),
                lambda t, r: expression((t * r // 180, r"\pi")),
            ),
            (
                rule("sector-perimeter-as-circumference", "Gives the whole circumference as the perimeter of a sector"),
                lambda t, r: expression((2 * r, r"\pi")),
            ),
            (
                rule("sector-perimeter-as-area", "Gives the area of a sector as its perimeter"),
                lambda t, r: expression((t * r * r // 360, r"\pi")),
            ),
        ),
    ),
)
