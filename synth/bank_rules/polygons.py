"""Angles in polygons."""

from fractions import Fraction as F

from synth.answers import DEGREES, measure
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

POLYGONS = "Angles in polygons"

TASKS = (
    Task(
        slug="fourth-angle-of-quadrilateral",
        construct="Find missing angles in quadrilaterals",
        subject=POLYGONS,
        wordings=(
            r"Three angles of a quadrilateral are \( <a>^{\circ} \), \( <b>^{\circ} \) and \( "
            r"<c>^{\circ} \). What is the fourth?",
            r"![A quadrilateral with the angles <a>, <b>, <c> degrees and x, in order] What is \( x "
            r"\) ?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(61, 119), r.randint(61, 119), r.randint(61, 119)),
        keep=lambda a, b, c: len({a, b, c}) == 3 and 360 - a - b - c not in (a, b, c) and 180 - b != 360 - a - b - c,
        right=lambda a, b, c: measure(360 - a - b - c, DEGREES),
        wrong=(
            (
                rule("quadrilateral-sum-450", "Thinks that the angles of a quadrilateral add to 450 degrees"),
                lambda a, b, c: measure(450 - a - b - c, DEGREES),
            ),
            (
                rule("opposite-in-quadrilateral-equal", "Thinks that opposite angles of any quadrilateral are equal"),
                lambda a, b, c: measure(b, DEGREES),
            ),
            (
                rule(
                    "opposite-in-quadrilateral-supplementary",
                    "Thinks that opposite angles of any quadrilateral add to 180 degrees",
                ),
                lambda a, b, c: measure(180 - b, DEGREES),
            ),
        ),
    ),
    Task(
        slug="polygon-sum-further",
        construct="Find the sum of the interior angles of a polygon",
        subject=POLYGONS,
        wordings=(
            r"What do the interior angles of a polygon with \( <n> \) sides add up to?",
            r"Find the sum of the interior angles of a \( <n> \)-sided polygon.",
        ),
        parameters="n",
        draw=lambda r: (r.randint(5, 16),),
        right=lambda n: measure(180 * (n - 2), DEGREES),
        wrong=(
            (
                rule("polygon-sum-plus-two", "Adds two to the number of sides for the angle sum"),
                lambda n: measure(180 * (n + 2), DEGREES),
            ),
            (
                rule("polygon-sum-minus-one", "Subtracts one from the number of sides for the angle sum"),
                lambda n: measure(180 * (n - 1), DEGREES),
            ),
            (
                rule("polygon-sum-hundred-n", "Multiplies the number of sides by 100 for the angle sum"),
                lambda n: measure(100 * n, DEGREES),
            ),
            (
                rule("polygon-sum-always-180", "Thinks that the interior angles of every polygon add to 180 degrees"),
                lambda n: measure(180, DEGREES),
            ),
            (
                rule("polygon-sum-180-n", "Multiplies the number of sides by 180 for the angle sum"),
                lambda n: measure(180 * n, DEGREES),
            ),
        ),
    ),
    Task(
        slug="regular-interior-further",
        construct="Find an interior angle of a regular polygon",
        subject=POLYGONS,
        wordings=(
            r"What is the size of each interior angle of a regular polygon with \( <n> \) sides?",
            r"Find an interior angle of a regular \( <n> \)-sided polygon.",
        ),
        parameters="n",
        draw=lambda r: (r.choice((5, 6, 8, 9, 10, 12, 15, 18, 20)),),
        right=lambda n: measure(180 - F(360, n), DEGREES),
        wrong=(
            (
                rule("interior-with-plus-two", "Adds two to the number of sides for an interior angle"),
                lambda n: measure(F(180 * (n + 2), n), DEGREES),
            ),
            (
                rule("interior-ten-n", "Multiplies the number of sides by ten for an interior angle"),
                lambda n: measure(10 * n, DEGREES),
            ),
            (
                rule("interior-360-minus", "Subtracts a share of 180 degrees from 360 for an interior angle"),
                lambda n: measure(360 - F(180, n), DEGREES),
            ),
            (
                rule("interior-by-two-fewer", "Divides by two fewer than the number of sides"),
                lambda n: measure(180, DEGREES),
            ),
        ),
    ),
    Task(
        slug="regular-exterior",
        construct="Find an exterior angle of a regular polygon",
        subject=POLYGONS,
        wordings=(
            r"What is the size of each exterior angle of a regular polygon with \( <n> \) sides?",
            r"Find an exterior angle of a regular \( <n> \)-sided polygon.",
        ),
        parameters="n",
        draw=lambda r: (r.choice((5, 6, 8, 9, 10, 12, 15, 18, 20)),),
        right=lambda n: measure(F(360, n), DEGREES),
        wrong=(
            (rule("exterior-is-full-turn", "Gives each exterior angle 360 degrees"), lambda n: measure(360, DEGREES)),
            (
                rule("interior-for-exterior", "Gives the interior angle for the exterior one"),
                lambda n: measure(180 - F(360, n), DEGREES) if n != 4 else None,
            ),
            (
                rule("exterior-reflex", "Takes the reflex angle at a corner for the exterior angle"),
                lambda n: measure(180 + F(360, n), DEGREES),
            ),
        ),
    ),
)
