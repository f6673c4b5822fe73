"""Angles: isosceles triangles, parallel lines, polygons."""

from fractions import Fraction

from synth.answers import DEGREES, measure
from synth.mal_rule import MalRule, Task

TRIANGLE_SUM_360 = MalRule(
    slug="triangle-sum-360",
    name="Believes the angles of a triangle make a full turn",
    explanation="Uses 360 degrees, the sum for quadrilaterals and for angles round a point, in a triangle.",
)
FORGETS_TO_HALVE_BASE_ANGLES = MalRule(
    slug="forgets-to-halve-base-angles",
    name="Gives both equal angles of an isosceles triangle together as one",
    explanation="The given angle is taken from the angle sum and the remainder is not shared between the two.",
)
WRONG_ANGLES_EQUAL = MalRule(
    slug="wrong-angles-equal",
    name="Picks the wrong pair of equal angles in an isosceles triangle",
    explanation="Takes the unknown angle to equal the given one, although they do not lie opposite the equal sides.",
)
CO_INTERIOR_EQUAL = MalRule(
    slug="co-interior-equal",
    name="Assumes that two angles between parallel lines on one side of a crossing line match",
    explanation="Allied angles are treated like alternate ones, although together they make a straight angle.",
)
PAIR_SUMS_TO_FULL_TURN = MalRule(
    slug="pair-sums-to-full-turn",
    name="Thinks a straight angle has 360 degrees",
    explanation="Where two angles make a half turn, their sum is taken to be a full one.",
)
PAIR_SUMS_TO_RIGHT_ANGLE = MalRule(
    slug="pair-sums-to-right-angle",
    name="Takes supplementary angles to add to 90 degrees",
    explanation="Angles that make a half turn are confused with those that make a quarter turn.",
)
SIDES_TIMES_180 = MalRule(
    slug="sides-times-180",
    name="Counts a triangle for every side of a polygon in its angle sum",
    explanation="Multiplies the number of sides by 180 and does not take off the angles round the middle.",
)
POLYGON_SUM_360 = MalRule(
    slug="polygon-sum-360",
    name="Thinks the interior angles of every polygon add to the same as a quadrilateral's",
    explanation="What holds for four sides, or for exterior angles, is used for any polygon.",
)
POLYGON_ALL_RIGHT_ANGLES = MalRule(
    slug="polygon-all-right-angles",
    name="Assumes every corner of a polygon is square",
    explanation="The angle sum is found as 90 degrees for each corner.",
)
EXTERIOR_FOR_INTERIOR = MalRule(
    slug="exterior-for-interior",
    name="Mixes up the angle inside a polygon with the turn at its corner",
    explanation="360 divided by the number of sides is given as the interior angle.",
)
SUM_FOR_SINGLE_ANGLE = MalRule(
    slug="sum-for-single-angle",
    name="Gives the total of all angles of a regular polygon as the size of one",
    explanation="The angle sum is found and not divided by the number of angles.",
)

TASKS = (
    Task(
        slug="isosceles-base-angle",
        construct="Find missing angles in isosceles triangles",
        subject="Angles in triangles",
        wordings=(
            r"An isosceles triangle has an angle of \( <a>^{\circ} \) between its two equal sides. What is the size of "
            r"each of the other angles?",
            r"![An isosceles triangle; the top angle, between the two marked sides, is <a> degrees; a base angle is "
            r"x]() What is the value of \( x \) ?",
            r"In triangle \( PQR \), \( PQ = PR \) and angle \( QPR = <a>^{\circ} \). Work out angle \( PQR \).",
        ),
        parameters="a",
        draw=lambda r: (2 * r.randint(8, 80),),
        keep=lambda a: a != 60,
        right=lambda a: measure(Fraction(180 - a, 2), DEGREES),
        wrong=(
            (TRIANGLE_SUM_360, lambda a: measure(Fraction(360 - a, 2), DEGREES)),
            (FORGETS_TO_HALVE_BASE_ANGLES, lambda a: measure(180 - a, DEGREES)),
            (WRONG_ANGLES_EQUAL, lambda a: measure(a, DEGREES)),
        ),
    ),
    Task(
        slug="isosceles-apex-angle",
        construct="Find missing angles in isosceles triangles",
        subject="Angles in triangles",
        wordings=(
            r"Each of the two equal angles of an isosceles triangle is \( <a>^{\circ} \). How large is the third "
            r"angle?",
            r"![An isosceles triangle; a base angle is <a> degrees; the top angle, between the two marked sides, is "
            r"y]() What is the value of \( y \) ?",
            r"In triangle \( ABC \), \( AB = AC \) and angle \( ABC = <a>^{\circ} \). Work out angle \( BAC \).",
        ),
        parameters="a",
        draw=lambda r: (r.randint(21, 86),),
        keep=lambda a: a not in (45, 60),
        right=lambda a: measure(180 - 2 * a, DEGREES),
        wrong=(
            (TRIANGLE_SUM_360, lambda a: measure(360 - 2 * a, DEGREES)),
            (WRONG_ANGLES_EQUAL, lambda a: measure(a, DEGREES)),
        ),
        slips=(lambda a: measure(180 - a, DEGREES), lambda a: measure(90 - a, DEGREES)),
    ),
    Task(
        slug="co-interior-angles",
        construct="Use angle facts for parallel lines",
        subject="Angles and parallel lines",
        wordings=(
            r"![Two parallel lines crossed by a third; the angles <a> degrees and p lie between the parallel lines on "
            r"the same side of the third]() What is the size of angle \( p \) ?",
            r"Two co-interior angles lie between a pair of parallel lines. One of them is \( <a>^{\circ} \). What is "
            r"the other?",
            r"A straight road crosses two parallel railway lines. Between the lines, on one side of the road, the "
            r"angles are \( <a>^{\circ} \) and \( t \). Find \( t \).",
        ),
        parameters="a",
        draw=lambda r: (r.choice((r.randint(21, 88), r.randint(21, 88), r.randint(92, 159))),),
        keep=lambda a: a not in (45, 90),
        right=lambda a: measure(180 - a, DEGREES),
        wrong=(
            (CO_INTERIOR_EQUAL, lambda a: measure(a, DEGREES)),
            (PAIR_SUMS_TO_FULL_TURN, lambda a: measure(360 - a, DEGREES)),
            (PAIR_SUMS_TO_RIGHT_ANGLE, lambda a: measure(90 - a, DEGREES)),
        ),
        slips=(lambda a: measure(190 - a, DEGREES), lambda a: measure(170 - a, DEGREES)),
    ),
    Task(
        slug="polygon-angle-sum",
        construct="Find the sum of the interior angles of a polygon",
        subject="Angles in polygons",
        wordings=(
            r"What is the sum of the interior angles of a polygon with \( <n> \) sides?",
            r"All the angles inside a shape with \( <n> \) straight sides are added. What is the total?",
            r"<person> measures and adds the \( <n> \) interior angles of a polygon. What should the sum be?",
        ),
        parameters="n",
        draw=lambda r: (r.randint(5, 30),),
        right=lambda n: measure(180 * (n - 2), DEGREES),
        wrong=(
            (SIDES_TIMES_180, lambda n: measure(180 * n, DEGREES)),
            (POLYGON_SUM_360, lambda n: measure(360, DEGREES)),
            (POLYGON_ALL_RIGHT_ANGLES, lambda n: measure(90 * n, DEGREES)),
        ),
    ),
    Task(
        slug="regular-polygon-angle",
        construct="Find an interior angle of a regular polygon",
        subject="Angles in polygons",
        wordings=(
            r"What is the size of one interior angle of a regular polygon with \( <n> \) sides?",
            r"![Part of a regular polygon with <n> sides; one angle inside it is marked w]() Find angle \( w \).",
            r"A coin has the shape of a regular polygon with \( <n> \) equal sides. How large is the angle inside each "
            r"corner?",
        ),
        parameters="n",
        draw=lambda r: (r.choice((5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 25, 30, 36, 40)),),
        right=lambda n: measure(Fraction(180 * (n - 2), n), DEGREES),
        wrong=(
            (EXTERIOR_FOR_INTERIOR, lambda n: measure(Fraction(360, n), DEGREES)),
            (SUM_FOR_SINGLE_ANGLE, lambda n: measure(180 * (n - 2), DEGREES)),
            (POLYGON_ALL_RIGHT_ANGLES, lambda n: measure(90, DEGREES)),
        ),
    ),
)
