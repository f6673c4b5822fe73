"""Perimeters and areas."""

from fractions import Fraction as F

from synth.answers import CM, CM2, measure
from synth.bank_rules.parts import rule
from synth.bank_rules.shared import ALL_DIMENSIONS, LENGTHS_ADDED, SLANT
from synth.mal_rule import Task

AREA = "Area and perimeter"

TASKS = (
    Task(
        slug="area-of-rectangle",
        construct="Find the area of a rectangle",
        subject=AREA,
        wordings=(
            r"A rectangle is \( <a> \mathrm{~cm} \) by \( <b> \mathrm{~cm} \). What is its area?",
            r"What is the area of a rectangle with sides of \( <a> \mathrm{~cm} \) and \( <b> "
            r"\mathrm{~cm} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(5, 15), r.randint(3, 12)),
        keep=lambda a, b: a != b and a * b != 2 * (a + b),
        right=lambda a, b: measure(a * b, CM2),
        wrong=(
            (LENGTHS_ADDED, lambda a, b: measure(a + b, CM2)),
            (
                rule("perimeter-instead-of-area", "Works out the perimeter when the area is asked for"),
                lambda a, b: measure(2 * (a + b), CM2),
            ),
            (
                rule("rectangle-area-halved", "Halves the product of the sides of a rectangle"),
                lambda a, b: measure(F(a * b, 2), CM2),
            ),
        ),
    ),
    Task(
        slug="area-of-triangle-further",
        construct="Find the area of a triangle",
        subject=AREA,
        wordings=(
            r"A triangle has a base of \( <b> \mathrm{~cm} \), a perpendicular height of \( <h> "
            r"\mathrm{~cm} \) and another side of \( <s> \mathrm{~cm} \). What is its area?",
            "![A triangle: base <b> cm, height <h> cm, sloping side <s> cm] What is the area of the triangle?",
        ),
        parameters="b h s",
        draw=lambda r: (2 * r.randint(2, 8), h := r.randint(3, 9), h + r.randint(1, 4)),
        keep=lambda b, h, s: b not in (h, s),
        right=lambda b, h, s: measure(F(b * h, 2), CM2),
        wrong=(
            (
                rule("triangle-doubled", "Doubles instead of halving for the area of a triangle"),
                lambda b, h, s: measure(2 * b * h, CM2),
            ),
            (
                rule("triangle-halved-twice", "Halves twice for the area of a triangle"),
                lambda b, h, s: measure(F(b * h, 4), CM2),
            ),
            (
                rule("triangle-never-halved", "Multiplies base and height of a triangle and does not halve"),
                lambda b, h, s: measure(b * h, CM2),
            ),
            (SLANT, lambda b, h, s: measure(F(b * s, 2), CM2)),
            (ALL_DIMENSIONS, lambda b, h, s: measure(b * h * s, CM2)),
            (LENGTHS_ADDED, lambda b, h, s: measure(b + h + s, CM2)),
        ),
    ),
    Task(
        slug="area-of-parallelogram",
        construct="Find the area of a parallelogram",
        subject=AREA,
        wordings=(
            r"A parallelogram has a base of \( <b> \mathrm{~cm} \), a perpendicular height of \( <h> "
            r"\mathrm{~cm} \) and a sloping side of \( <s> \mathrm{~cm} \). What is its area?",
            "![A parallelogram: base <b> cm, height <h> cm, sloping side <s> cm] What is its area?",
        ),
        parameters="b h s",
        draw=lambda r: (r.randint(5, 14), h := r.randint(3, 8), h + r.randint(1, 4)),
        keep=lambda b, h, s: b not in (h, s),
        right=lambda b, h, s: measure(b * h, CM2),
        wrong=(
            (
                rule("parallelogram-halved", "Halves base times height for a parallelogram"),
                lambda b, h, s: measure(F(b * h, 2), CM2),
            ),
            (SLANT, lambda b, h, s: measure(b * s, CM2)),
            (ALL_DIMENSIONS, lambda b, h, s: measure(b * h * s, CM2)),
            (LENGTHS_ADDED, lambda b, h, s: measure(b + h + s, CM2)),
        ),
    ),
    Task(
        slug="area-of-trapezium",
        construct="Find the area of a trapezium",
        subject=AREA,
        wordings=(
            r"A trapezium has parallel sides of \( <a> \mathrm{~cm} \) and \( <b> \mathrm{~cm} \) and "
            r"a height of \( <h> \mathrm{~cm} \). What is its area?",
            "![A trapezium: parallel sides <a> cm and <b> cm, perpendicular height <h> cm] Find the "
            "area of the trapezium.",
        ),
        parameters="a b h",
        draw=lambda r: (r.randint(3, 9), r.randint(5, 14), r.randint(3, 9)),
        keep=lambda a, b, h: a < b and h not in (a, b, 2) and 2 * a != b,
        right=lambda a, b, h: measure(F((a + b) * h, 2), CM2),
        wrong=(
            (
                rule("trapezium-not-halved", "Does not halve the sum of the parallel sides"),
                lambda a, b, h: measure((a + b) * h, CM2),
            ),
            (
                rule("trapezium-sides-multiplied", "Multiplies the parallel sides of a trapezium"),
                lambda a, b, h: measure(a * b, CM2),
            ),
            (
                rule("trapezium-base-times-height", "Uses only the base and the height of a trapezium"),
                lambda a, b, h: measure(b * h, CM2),
            ),
            (ALL_DIMENSIONS, lambda a, b, h: measure(a * b * h, CM2)),
        ),
    ),
    Task(
        slug="side-of-regular-polygon",
        construct="Find a side from the perimeter",
        subject=AREA,
        wordings=(
            r"A regular polygon with \( <n> \) sides has a perimeter of \( <p> \mathrm{~cm} \). How "
            "long is each side?",
            r"The perimeter of a regular \( <n> \)-sided shape is \( <p> \mathrm{~cm} \). What is the "
            "length of one side?",
        ),
        parameters="n p",
        draw=lambda r: (n := r.choice((3, 5, 6, 8, 10)), n * r.randint(3, 12)),
        right=lambda n, p: measure(p // n, CM),
        wrong=(
            (
                rule("perimeter-times-sides", "Multiplies the perimeter by the number of sides"),
                lambda n, p: measure(p * n, CM),
            ),
            (
                rule("perimeter-minus-sides", "Subtracts the number of sides from the perimeter"),
                lambda n, p: measure(p - n, CM),
            ),
        ),
        slips=(lambda n, p: measure(p + n, CM), lambda n, p: measure(F(p, 2), CM)),
    ),
    Task(
        slug="width-from-perimeter",
        construct="Find a side from the perimeter",
        subject=AREA,
        wordings=(
            r"A rectangle has a perimeter of \( <p> \mathrm{~cm} \) and is \( <a> \mathrm{~cm} \) "
            "long. How wide is it?",
            r"One side of a rectangle is \( <a> \mathrm{~cm} \). The perimeter is \( <p> \mathrm{~cm} "
            r"\). What is the other side?",
        ),
        parameters="p a",
        draw=lambda r: (a := r.randint(5, 15), 2 * (a + r.randint(2, 12)))[::-1],
        keep=lambda p, a: p % a,
        right=lambda p, a: measure(p // 2 - a, CM),
        wrong=(
            (rule("both-widths-given", "Gives both missing sides together"), lambda p, a: measure(p - 2 * a, CM)),
            (
                rule("one-length-subtracted", "Subtracts the known side only once from the perimeter"),
                lambda p, a: measure(p - a, CM),
            ),
            (
                rule("other-side-half", "Thinks that the missing side is half of the known one"),
                lambda p, a: measure(F(a, 2), CM),
            ),
        ),
    ),
)
