"""Angle facts."""

from fractions import Fraction as F

from synth.answers import DEGREES, measure
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

ANGLES = "Angle facts"

TASKS = (
    Task(
        slug="angle-on-straight-line",
        construct="Use angles on a straight line",
        subject=ANGLES,
        wordings=(
            r"Two angles on a straight line are \( <a>^{\circ} \) and \( x \). What is \( x \) ?",
            "![A straight line with a ray that makes the angles <a> degrees and x] What is the size "
            r"of \( x \) ?",
        ),
        parameters="a",
        draw=lambda r: (r.randint(12, 79),),
        keep=lambda a: a not in (45, 50, 60),
        right=lambda a: measure(180 - a, DEGREES),
        wrong=(
            (
                rule("straight-line-ninety", "Thinks that angles on a straight line add to 90 degrees"),
                lambda a: measure(90 - a, DEGREES),
            ),
            (
                rule("straight-line-hundred", "Thinks that angles on a straight line add to 100 degrees"),
                lambda a: measure(100 - a, DEGREES),
            ),
            (
                rule("straight-line-full-turn", "Thinks that angles on a straight line add to a full turn"),
                lambda a: measure(360 - a, DEGREES),
            ),
            (
                rule("adjacent-angles-equal", "Thinks that two angles next to each other are equal"),
                lambda a: measure(a, DEGREES),
            ),
        ),
    ),
    Task(
        slug="angles-around-a-point",
        construct="Use angles around a point",
        subject=ANGLES,
        wordings=(
            r"The angles around a point are \( <a>^{\circ} \), \( <b>^{\circ} \) and \( x \). What is "
            r"\( x \) ?",
            r"Three angles make a full turn. Two of them are \( <a>^{\circ} \) and \( <b>^{\circ} \). "
            "What is the third?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(15, 50), r.randint(15, 48)),
        keep=lambda a, b: a + b < 90 and a != b,
        right=lambda a, b: measure(360 - a - b, DEGREES),
        wrong=(
            (
                rule("point-half-turn", "Thinks that the angles around a point add to 180 degrees"),
                lambda a, b: measure(180 - a - b, DEGREES),
            ),
            (
                rule("full-turn-hundred", "Thinks that a full turn has 100 degrees"),
                lambda a, b: measure(100 - a - b, DEGREES),
            ),
            (
                rule("full-turn-ninety", "Thinks that a full turn has 90 degrees"),
                lambda a, b: measure(90 - a - b, DEGREES),
            ),
        ),
        slips=(lambda a, b: measure(a + b, DEGREES),),
    ),
    Task(
        slug="vertically-opposite-angle",
        construct="Use vertically opposite angles",
        subject=ANGLES,
        wordings=(
            r"Two straight lines cross. One angle is \( <a>^{\circ} \). What is the angle vertically "
            "opposite to it?",
            "![Two straight lines cross; the angles <a> degrees and x are vertically opposite] What "
            r"is \( x \) ?",
        ),
        parameters="a",
        draw=lambda r: (r.randint(12, 88),),
        keep=lambda a: a not in (45, 60),
        right=lambda a: measure(a, DEGREES),
        wrong=(
            (
                rule("opposite-sum-half-turn", "Thinks that vertically opposite angles add to 180 degrees"),
                lambda a: measure(180 - a, DEGREES),
            ),
            (
                rule("opposite-sum-full-turn", "Thinks that vertically opposite angles add to 360 degrees"),
                lambda a: measure(360 - a, DEGREES),
            ),
            (
                rule("opposite-sum-right-angle", "Thinks that vertically opposite angles add to 90 degrees"),
                lambda a: measure(90 - a, DEGREES),
            ),
        ),
    ),
    Task(
        slug="corresponding-angle",
        construct="Use angles in parallel lines",
        subject=ANGLES,
        wordings=(
            r"A line crosses two parallel lines. One angle is \( <a>^{\circ} \). What is the angle "
            "that corresponds to it?",
            "![Two parallel lines and a transversal; the angles <a> degrees and x are corresponding] "
            r"What is \( x \) ?",
        ),
        parameters="a",
        draw=lambda r: (r.randint(12, 88),),
        keep=lambda a: a not in (45, 60),
        right=lambda a: measure(a, DEGREES),
        wrong=(
            (
                rule("corresponding-sum-half-turn", "Thinks that corresponding angles add to 180 degrees"),
                lambda a: measure(180 - a, DEGREES),
            ),
            (
                rule("corresponding-sum-full-turn", "Thinks that corresponding angles add to 360 degrees"),
                lambda a: measure(360 - a, DEGREES),
            ),
            (
                rule("corresponding-sum-right-angle", "Thinks that corresponding angles add to 90 degrees"),
                lambda a: measure(90 - a, DEGREES),
            ),
        ),
    ),
    Task(
        slug="alternate-angle",
        construct="Use angles in parallel lines",
        subject=ANGLES,
        wordings=(
            r"A line crosses two parallel lines. One angle is \( <a>^{\circ} \). What is the angle "
            "alternate to it?",
            "![Two parallel lines and a transversal; the angles <a> degrees and x are alternate] "
            r"What is \( x \) ?",
        ),
        parameters="a",
        draw=lambda r: (r.randint(12, 88),),
        keep=lambda a: a != 60,
        right=lambda a: measure(a, DEGREES),
        wrong=(
            (
                rule("alternate-sum-half-turn", "Thinks that alternate angles add to 180 degrees"),
                lambda a: measure(180 - a, DEGREES),
            ),
        ),
        slips=(
            lambda a: measure(360 - a, DEGREES),
            lambda a: measure(2 * a, DEGREES),
            lambda a: measure(90 + a, DEGREES),
        ),
    ),
    Task(
        slug="third-angle-of-triangle",
        construct="Find missing angles in triangles",
        subject=ANGLES,
        wordings=(
            r"Two angles of a triangle are \( <a>^{\circ} \) and \( <b>^{\circ} \). What is the third?",
            r"![A triangle with the angles <a> degrees, <b> degrees and x] What is the size of \( x "
            r"\) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(20, 79), r.randint(20, 79)),
        keep=lambda a, b: a != b and a + b != 90,
        right=lambda a, b: measure(180 - a - b, DEGREES),
        wrong=(
            (
                rule("triangle-angles-full-turn", "Thinks that the angles of a triangle add to 360 degrees"),
                lambda a, b: measure(360 - a - b, DEGREES),
            ),
            (
                rule("triangle-sum-not-subtracted", "Adds the known angles and does not subtract them from 180"),
                lambda a, b: measure(a + b, DEGREES),
            ),
            (
                rule("triangle-one-angle-used", "Uses only one of the known angles of a triangle"),
                lambda a, b: measure(180 - a, DEGREES),
            ),
            (
                rule("triangle-looks-isosceles", "Takes a triangle to be isosceles without a reason"),
                lambda a, b: measure(a, DEGREES),
            ),
        ),
    ),
    Task(
        slug="isosceles-from-apex",
        construct="Find missing angles in isosceles triangles",
        subject=ANGLES,
        wordings=(
            r"The angle between the equal sides of an isosceles triangle is \( <a>^{\circ} \). What "
            "is each of the other angles?",
            "![An isosceles triangle; the angle at the top between the equal sides is <a> degrees, a "
            r"base angle is x] What is \( x \) ?",
        ),
        parameters="a",
        draw=lambda r: (2 * r.randint(10, 75),),
        keep=lambda a: a not in (60, 90) and a != 180 - 2 * a,
        right=lambda a: measure(F(180 - a, 2), DEGREES),
        wrong=(
            (
                rule("base-angles-not-halved", "Does not halve what is left for two base angles"),
                lambda a: measure(180 - a, DEGREES),
            ),
            (
                rule("isosceles-wrong-pair", "Takes the wrong two angles of an isosceles triangle for the equal ones"),
                lambda a: measure(a, DEGREES),
            ),
            (
                rule("isosceles-sum-360", "Shares out 360 degrees in an isosceles triangle"),
                lambda a: measure(F(360 - a, 2), DEGREES),
            ),
        ),
    ),
)
