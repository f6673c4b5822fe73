"""Lengths, areas and volumes: perimeter, triangles, circles, Pythagoras, cuboids."""

from fractions import Fraction

from synth.answers import CM, CM2, CM3, PI, measure, root
from synth.mal_rule import MalRule, Task

AREA_FOR_PERIMETER = MalRule(
    slug="area-for-perimeter",
    name="Calculates the space inside a shape when asked for the distance round it",
    explanation="Area and boundary length are confused; the sides, or the squared radius, are multiplied.",
)
PERIMETER_FOR_AREA = MalRule(
    slug="perimeter-for-area",
    name="Calculates the distance round a shape when asked for the space inside it",
    explanation="All side lengths, or the circumference, are given as the area.",
)
ADJACENT_SIDES_ONLY = MalRule(
    slug="adjacent-sides-only",
    name="Adds only the side lengths that are written on the diagram",
    explanation="Unlabelled sides are not counted, so the perimeter of a rectangle is length plus width.",
)
ONE_PAIR_DOUBLED = MalRule(
    slug="one-pair-doubled",
    name="Counts only one of the two pairs of equal sides twice",
    explanation="In a perimeter one pair of opposite sides is included fully, of the other only one side.",
)
TRIANGLE_NOT_HALVED = MalRule(
    slug="triangle-not-halved",
    name="Finds the area of a triangle as base times height",
    explanation="The formula for a rectangle is used and the half is forgotten.",
)
SLANT_AS_HEIGHT = MalRule(
    slug="slant-as-height",
    name="Uses a sloping side as the perpendicular height",
    explanation="Any second side of the triangle will do; that height and base must meet at a right angle is not seen.",
)
DIAMETER_AS_RADIUS = MalRule(
    slug="diameter-as-radius",
    name="Puts the diameter into a circle formula where the radius belongs",
    explanation="The distance across is not halved before it is used.",
)
RADIUS_AS_DIAMETER = MalRule(
    slug="radius-as-diameter",
    name="Puts the radius into a circle formula where the diameter belongs",
    explanation="The circumference is found as pi times the radius, half of what it should be.",
)
RADIUS_NOT_SQUARED = MalRule(
    slug="radius-not-squared",
    name="Leaves out the square in the formula for the area of a circle",
    explanation="Pi is multiplied by the radius itself.",
)
HYPOTENUSE_AS_SUM = MalRule(
    slug="hypotenuse-as-sum",
    name="Combines the sides of a right-angled triangle without squaring them",
    explanation="The lengths themselves are added or subtracted to get the third side.",
)
SQUARE_ROOT_FORGOTTEN = MalRule(
    slug="square-root-forgotten",
    name="Stops at the square of the side when using Pythagoras' theorem",
    explanation="The squares are combined correctly but no root is taken at the end.",
)
ALWAYS_ADDS_SQUARES = MalRule(
    slug="always-adds-squares",
    name="Adds the squares whichever side of the right-angled triangle is missing",
    explanation="The longest side is treated like a shorter one, so a leg comes out longer than the hypotenuse.",
)
SQUARES_SUBTRACTED_FOR_LONGEST = MalRule(
    slug="squares-subtracted-for-longest",
    name="Subtracts the squares when looking for the hypotenuse",
    explanation="The step for finding a shorter side is used although the longest side is wanted.",
)
DIMENSIONS_ADDED = MalRule(
    slug="dimensions-added",
    name="Adds length, width and height for the volume of a cuboid",
    explanation="Volume is thought of as a total of the measurements, not as a product.",
)
SURFACE_FOR_VOLUME = MalRule(
    slug="surface-for-volume",
    name="Works out the area of all faces when asked for volume",
    explanation="What covers a solid and what fills it are mixed up.",
)
ONE_FACE_AS_VOLUME = MalRule(
    slug="one-face-as-volume",
    name="Multiplies only two of three dimensions",
    explanation="The area of one face is given as the volume; the third measurement is not used.",
)

TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41))
RIGHT_TRIANGLES = tuple(
    (a * k, b * k, c * k)
    for triple in TRIPLES
    for a, b, c in (triple, (triple[1], triple[0], triple[2]))
    for k in range(1, 9)
    if c * k <= 90
)

TASKS = (
    Task(
        slug="perimeter-of-rectangle",
        construct="Calculate the perimeter of a rectangle",
        subject="Perimeter and area",
        wordings=(
            r"A rectangle is \( <a> \mathrm{~cm} \) long and \( <b> \mathrm{~cm} \) wide. What is its perimeter, in "
            r"\( \mathrm{cm} \) ?",
            r"How many centimetres of ribbon go once round the edge of a rectangular card of \( <a> \mathrm{~cm} \) by "
            r"\( <b> \mathrm{~cm} \) ?",
            r"![A rectangle with its base labelled <a> cm and its right side labelled <b> cm]() What is the perimeter "
            r"of this rectangle, in \( \mathrm{cm} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(4, 40), r.randint(3, 30)),
        keep=lambda a, b: a > b,
        right=lambda a, b: measure(2 * a + 2 * b),
        wrong=(
            (AREA_FOR_PERIMETER, lambda a, b: measure(a * b)),
            (ADJACENT_SIDES_ONLY, lambda a, b: measure(a + b)),
            (ONE_PAIR_DOUBLED, lambda a, b: measure(2 * a + b)),
        ),
    ),
    Task(
        slug="area-of-triangle",
        construct="Calculate the area of a right-angled triangle",
        subject="Perimeter and area",
        wordings=(
            r"A right-angled triangle has sides of \( <a> \mathrm{~cm}, <b> \mathrm{~cm} \) and \( <c> \mathrm{~cm} "
            r"\), the last one opposite the right angle. What is its area?",
            r"![A right-angled triangle with base <a> cm, height <b> cm and sloping side <c> cm]() What is the area of "
            r"the triangle?",
            r"The sides of a triangle are \( <a>, <b> \) and \( <c> \mathrm{~cm} \). The first two meet at a right "
            r"angle. Work out the area.",
        ),
        parameters="a b c",
        draw=lambda r: r.choice(RIGHT_TRIANGLES),
        right=lambda a, b, c: measure(Fraction(a * b, 2), CM2),
        wrong=(
            (TRIANGLE_NOT_HALVED, lambda a, b, c: measure(a * b, CM2)),
            (SLANT_AS_HEIGHT, lambda a, b, c: measure(Fraction(a * c, 2), CM2)),
            (PERIMETER_FOR_AREA, lambda a, b, c: measure(a + b + c, CM2)),
        ),
    ),
    Task(
        slug="area-of-circle",
        construct="Calculate the area of a circle in terms of pi",
        subject="Circles",
        wordings=(
            r"A circle has a diameter of \( <d> \mathrm{~cm} \). What is its area in \( \mathrm{cm}^{2} \), in "
            r"terms of \( \pi \) ?",
            r"![A circle with a line through its centre labelled <d> cm]() What area does the circle enclose? Leave "
            r"\( \pi \) in your answer, in \( \mathrm{cm}^{2} \).",
            r"A round plate measures \( <d> \mathrm{~cm} \) from edge to edge through the middle. Give its area in "
            r"\( \mathrm{cm}^{2} \) as a multiple of \( \pi \).",
        ),
        parameters="d",
        draw=lambda r: (2 * r.randint(3, 60),),
        right=lambda d: measure(Fraction(d * d, 4), PI),
        wrong=(
            (DIAMETER_AS_RADIUS, lambda d: measure(d * d, PI)),
            (PERIMETER_FOR_AREA, lambda d: measure(d, PI)),
            (RADIUS_NOT_SQUARED, lambda d: measure(Fraction(d, 2), PI)),
        ),
    ),
    Task(
        slug="circumference-of-circle",
        construct="Calculate the circumference of a circle in terms of pi",
        subject="Circles",
        wordings=(
            r"What is the circumference of a circle with diameter \( <d> \mathrm{~cm} \), in \( \mathrm{cm} \) and in "
            r"terms of \( \pi \) ?",
            r"A wheel has a diameter of \( <d> \mathrm{~cm} \). How far does it roll in one turn, in \( \mathrm{cm} "
            r"\) ? Leave \( \pi \) in your answer.",
            r"![A circle with a line through its centre labelled <d> cm]() How long is the edge of this circle in "
            r"\( \mathrm{cm} \), as a multiple of \( \pi \) ?",
        ),
        parameters="d",
        draw=lambda r: (2 * r.randint(3, 60),),
        right=lambda d: measure(d, PI),
        wrong=(
            (DIAMETER_AS_RADIUS, lambda d: measure(2 * d, PI)),
            (RADIUS_AS_DIAMETER, lambda d: measure(Fraction(d, 2), PI)),
            (AREA_FOR_PERIMETER, lambda d: measure(Fraction(d * d, 4), PI)),
        ),
    ),
    Task(
        slug="pythagoras-hypotenuse",
        construct="Use Pythagoras' theorem to find the longest side",
        subject="Pythagoras' theorem",
        wordings=(
            r"The two shorter sides of a right-angled triangle are \( <a> \mathrm{~cm} \) and \( <b> \mathrm{~cm} \). "
            r"How long is the third side?",
            r"![A right-angled triangle; the sides at the right angle are <a> cm and <b> cm, the third is marked x]() "
            r"What is the length \( x \) ?",
            r"A rectangle measures \( <a> \mathrm{~cm} \) by \( <b> \mathrm{~cm} \). How long is its diagonal?",
        ),
        parameters="a b c",
        draw=lambda r: r.choice(RIGHT_TRIANGLES),
        right=lambda a, b, c: root(a * a + b * b, CM),
        wrong=(
            (HYPOTENUSE_AS_SUM, lambda a, b, c: root((a + b) ** 2, CM)),
            (SQUARE_ROOT_FORGOTTEN, lambda a, b, c: root((a * a + b * b) ** 2, CM)),
            (SQUARES_SUBTRACTED_FOR_LONGEST, lambda a, b, c: root(abs(a * a - b * b), CM)),
        ),
    ),
    Task(
        slug="pythagoras-shorter-side",
        construct="Use Pythagoras' theorem to find a shorter side",
        subject="Pythagoras' theorem",
        wordings=(
            r"The longest side of a right-angled triangle is \( <c> \mathrm{~cm} \), another side is "
            r"\( <a> \mathrm{~cm} \). How long is the remaining side?",
            r"![A right-angled triangle; the side opposite the right angle is <c> cm, another is <a> cm, the third is "
            r"marked x]() What is the length \( x \) ?",
            r"A ladder of \( <c> \mathrm{~cm} \) leans against a wall, its foot \( <a> \mathrm{~cm} \) away from "
            r"it. How high up the wall does it reach?",
        ),
        parameters="a b c",
        draw=lambda r: r.choice(RIGHT_TRIANGLES),
        right=lambda a, b, c: root(c * c - a * a, CM),
        wrong=(
            (HYPOTENUSE_AS_SUM, lambda a, b, c: root((c - a) ** 2, CM)),
            (SQUARE_ROOT_FORGOTTEN, lambda a, b, c: root((c * c - a * a) ** 2, CM)),
            (ALWAYS_ADDS_SQUARES, lambda a, b, c: root(c * c + a * a, CM)),
        ),
    ),
    Task(
        slug="volume-of-cuboid",
        construct="Calculate the volume of a cuboid",
        subject="Volume and surface area",
        wordings=(
            r"A box is \( <a> \mathrm{~cm} \) long, \( <b> \mathrm{~cm} \) wide and \( <c> \mathrm{~cm} \) high. "
            r"What is its volume?",
            r"![A cuboid with edges labelled <a> cm, <b> cm and <c> cm]() What is the volume of this cuboid?",
            r"How many cubic centimetres of water fill a tank of \( <a> \mathrm{~cm} \) by \( <b> \mathrm{~cm} \) by "
            r"\( <c> \mathrm{~cm} \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(3, 20), r.randint(2, 15), r.randint(2, 12)),
        keep=lambda a, b, c: a != b != c != a,
        right=lambda a, b, c: measure(a * b * c, CM3),
        wrong=(
            (DIMENSIONS_ADDED, lambda a, b, c: measure(a + b + c, CM3)),
            (SURFACE_FOR_VOLUME, lambda a, b, c: measure(2 * (a * b + b * c + a * c), CM3)),
            (ONE_FACE_AS_VOLUME, lambda a, b, c: measure(a * b, CM3)),
        ),
    ),
)
