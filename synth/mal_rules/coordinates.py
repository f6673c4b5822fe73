"""Coordinates and straight lines: midpoints, reflections, gradients."""

from fractions import Fraction

from synth.answers import lowest, pair
from synth.mal_rule import MalRule, Task

COORDINATES_SWAPPED = MalRule(
    slug="coordinates-swapped",
    name="Reads or writes the vertical coordinate first",
    explanation="The order of the numbers in a pair of coordinates is reversed.",
)
MIDPOINT_HALF_DIFFERENCE = MalRule(
    slug="midpoint-half-difference",
    name="Halves the distance between two coordinates and takes that as the middle",
    explanation="Half the difference is found but not added on to where the segment begins.",
)
MIDPOINT_NOT_HALVED = MalRule(
    slug="midpoint-not-halved",
    name="Adds the coordinates of the end points and leaves them undivided",
    explanation="The sums are taken for the midpoint; their means are not formed.",
)
REFLECTS_IN_WRONG_AXIS = MalRule(
    slug="reflects-in-wrong-axis",
    name="Changes the sign of the coordinate that a reflection leaves alone",
    explanation="Believes that a mirror line along an axis changes the coordinate named after that axis.",
)
REFLECTION_NEGATES_BOTH = MalRule(
    slug="reflection-negates-both",
    name="Carries out a reflection in an axis as a half turn about the origin",
    explanation="Both coordinates change sign instead of one.",
)
GRADIENT_UPSIDE_DOWN = MalRule(
    slug="gradient-upside-down",
    name="Divides the change across by the change up to find steepness",
    explanation="Horizontal and vertical differences are put the wrong way round in the gradient.",
)
GRADIENT_INCONSISTENT_ORDER = MalRule(
    slug="gradient-inconsistent-order",
    name="Subtracts the points in one order upwards and in the other order across",
    explanation="The gradient gets the right size with the wrong sign.",
)
GRADIENT_WITHOUT_RUN = MalRule(
    slug="gradient-without-run",
    name="Takes the rise alone as the gradient of a line",
    explanation="The difference of the y-coordinates is not divided by anything.",
)
INTERCEPT_AS_GRADIENT = MalRule(
    slug="intercept-as-gradient",
    name="Confuses the constant of a line's equation with its slope",
    explanation="In y = mx + c the roles of the two numbers are exchanged.",
)
Y_COEFFICIENT_IGNORED = MalRule(
    slug="y-coefficient-ignored",
    name="Reads the slope from an equation before y stands on its own",
    explanation="Takes the number in front of x although y still has a coefficient of its own.",
)
LINES = "Straight-line graphs"

TASKS = (
    Task(
        slug="midpoint",
        construct="Find the midpoint of two points",
        subject="Coordinates",
        wordings=(
            r"What is the midpoint of the line segment from \( (<a>, <b>) \) to \( (<c>, <d>) \) ?",
            r"\( P \) is \( (<a>, <b>) \) and \( Q \) is \( (<c>, <d>) \). \( M \) lies halfway between them. What are "
            r"the coordinates of \( M \) ?",
            r"A segment joins \( (<a>, <b>) \) and \( (<c>, <d>) \). Which point is at its centre?",
        ),
        parameters="a b c d",
        draw=lambda r: (
            a := r.randint(-4, 8),
            b := r.randint(-4, 8),
            a + 2 * r.randint(1, 6),
            b + 2 * r.randint(1, 6),
        ),
        keep=lambda a, b, c, d: 0 not in (a, b, a + c, b + d),
        right=lambda a, b, c, d: pair(Fraction(a + c, 2), Fraction(b + d, 2)),
        wrong=(
            (MIDPOINT_HALF_DIFFERENCE, lambda a, b, c, d: pair(Fraction(c - a, 2), Fraction(d - b, 2))),
            (MIDPOINT_NOT_HALVED, lambda a, b, c, d: pair(a + c, b + d)),
            (COORDINATES_SWAPPED, lambda a, b, c, d: pair(Fraction(b + d, 2), Fraction(a + c, 2))),
        ),
    ),
    Task(
        slug="reflect-in-y-axis",
        construct="Reflect points in the coordinate axes",
        subject="Transformations",
        wordings=(
            r"The point \( (<a>, <b>) \) is reflected in the \( y \)-axis. What are the coordinates of its image?",
            r"<person> draws the mirror image of \( (<a>, <b>) \) with the \( y \)-axis as mirror line. Where is it?",
            r"Reflect \( (<a>, <b>) \) in the line \( x = 0 \). Which point do you get?",
        ),
        parameters="a b",
        draw=lambda r: (r.choice((-1, 1)) * r.randint(1, 12), r.choice((-1, 1)) * r.randint(1, 12)),
        keep=lambda a, b: abs(a) != abs(b),
        right=lambda a, b: pair(-a, b),
        wrong=(
            (REFLECTS_IN_WRONG_AXIS, lambda a, b: pair(a, -b)),
            (REFLECTION_NEGATES_BOTH, lambda a, b: pair(-a, -b)),
            (COORDINATES_SWAPPED, lambda a, b: pair(b, a)),
        ),
    ),
    Task(
        slug="gradient-from-points",
        construct="Find the gradient of a line through two points",
        subject=LINES,
        wordings=(
            r"What is the gradient of the line through \( (<a>, <b>) \) and \( (<c>, <d>) \) ?",
            r"A straight line passes through \( (<a>, <b>) \) and \( (<c>, <d>) \). Work out its gradient.",
            r"![A straight line on a grid through the marked points (<a>, <b>) and (<c>, <d>)]() How steep is the "
            r"line? Give its gradient.",
        ),
        parameters="a b c d",
        draw=lambda r: (
            a := r.randint(-5, 6),
            b := r.randint(-5, 8),
            a + r.randint(2, 6),
            b + r.choice((-1, 1)) * r.randint(2, 12),
        ),
        keep=lambda a, b, c, d: abs(d - b) != c - a,
        right=lambda a, b, c, d: lowest(d - b, c - a),
        wrong=(
            (GRADIENT_UPSIDE_DOWN, lambda a, b, c, d: lowest(c - a, d - b)),
            (GRADIENT_INCONSISTENT_ORDER, lambda a, b, c, d: lowest(d - b, a - c)),
            (GRADIENT_WITHOUT_RUN, lambda a, b, c, d: lowest(d - b)),
        ),
    ),
    Task(
        slug="gradient-from-equation",
        construct="Find the gradient of a line from its equation",
        subject=LINES,
        wordings=(
            r"What is the gradient of the line \( <k>y = <m*>x<+c> \) ?",
            r"A line has the equation \[ <k>y = <m*>x<+c> \] What is its gradient?",
            r"<person> wants to draw a parallel to the line \( <k>y = <m*>x<+c> \). What gradient does it need?",
        ),
        parameters="k m c",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 20), r.choice((-1, 1)) * r.randint(2, 20)),
        keep=lambda k, m, c: abs(c) != m and m != k * k,
        right=lambda k, m, c: lowest(m, k),
        wrong=(
            (Y_COEFFICIENT_IGNORED, lambda k, m, c: lowest(m)),
            (INTERCEPT_AS_GRADIENT, lambda k, m, c: lowest(c, k)),
            (GRADIENT_UPSIDE_DOWN, lambda k, m, c: lowest(k, m)),
        ),
    ),
)
