"""Gradients, intercepts, equations of lines."""

from synth.answers import lowest, number
from synth.bank_rules.parts import rule, shown
from synth.mal_rule import Task

LINES = "Straight line graphs"

TASKS = (
    Task(
        slug="gradient-from-points-further",
        construct="Find the gradient from two points",
        subject=LINES,
        wordings=(
            r"What is the gradient of the line through \( (<a>, <b>) \) and \( (<c>, <d>) \) ?",
            r"A line passes through \( (<a>, <b>) \) and \( (<c>, <d>) \). Find its gradient.",
        ),
        parameters="a b c d",
        draw=lambda r: (
            a := r.randint(1, 5),
            b := r.randint(1, 6),
            k := r.choice((2, 3, 4)),
            (a, b, a + k, b + k * r.randint(2, 5)),
        )[3],
        right=lambda a, b, c, d: lowest(d - b, c - a),
        wrong=(
            (
                rule("gradient-as-product", "Multiplies the changes in x and y for the gradient"),
                lambda a, b, c, d: number((d - b) * (c - a)),
            ),
            (
                rule("gradient-as-difference", "Subtracts the change in x from the change in y"),
                lambda a, b, c, d: number((d - b) - (c - a)),
            ),
            (
                rule("gradient-by-sums", "Divides the sum of the heights by the sum across"),
                lambda a, b, c, d: lowest(b + d, a + c),
            ),
            (
                rule("gradient-across-over-up", "Divides the change in x by the change in y"),
                lambda a, b, c, d: lowest(c - a, d - b),
            ),
            (rule("gradient-is-rise", "Gives the change in y as the gradient"), lambda a, b, c, d: number(d - b)),
            (
                rule("gradient-from-last-point", "Divides the coordinates of one point for the gradient"),
                lambda a, b, c, d: lowest(d, c),
            ),
        ),
    ),
    Task(
        slug="gradient-from-explicit-equation",
        construct="Read gradients from equations",
        subject=LINES,
        wordings=(
            r"What is the gradient of \( y = <m>x<+c> \) ?",
            r"A line has the equation \( y = <m>x<+c> \). Write down its gradient.",
        ),
        parameters="m c",
        draw=lambda r: (r.randint(2, 9), r.choice((-1, 1)) * r.randint(2, 9)),
        keep=lambda m, c: abs(c) != m,
        right=lambda m, c: number(m),
        wrong=(
            (rule("gradient-is-intercept", "Takes the constant of a line for its gradient"), lambda m, c: number(c)),
            (rule("gradient-with-x", "Includes the letter x in the gradient"), lambda m, c: shown(f"{m}x")),
            (
                rule("gradient-negated", "Thinks that the gradient has the opposite sign of the coefficient"),
                lambda m, c: number(-m),
            ),
        ),
    ),
    Task(
        slug="gradient-constant-first",
        construct="Read gradients from equations",
        subject=LINES,
        wordings=(
            r"What is the gradient of \( y = <c> + <m>x \) ?",
            r"A line has the equation \( y = <c> + <m>x \). Write down its gradient.",
        ),
        parameters="m c",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9)),
        keep=lambda m, c: c != m,
        right=lambda m, c: number(m),
        wrong=(
            (
                rule("first-term-is-gradient", "Takes the first term of a line's equation for its gradient"),
                lambda m, c: number(c),
            ),
            (rule("letter-kept-in-gradient", "Writes the letter as part of the gradient"), lambda m, c: shown(f"{m}x")),
        ),
        slips=(lambda m, c: number(m + c), lambda m, c: number(-m)),
    ),
    Task(
        slug="intercept-from-equation",
        construct="Read intercepts from equations",
        subject=LINES,
        wordings=(
            r"Where does the line \( y = <m>x<+c> \) cross the \( y \)-axis?",
            r"What is the \( y \)-intercept of \( y = <m>x<+c> \) ?",
        ),
        parameters="m c",
        draw=lambda r: (r.randint(2, 9), r.choice((-1, 1)) * r.randint(2, 9)),
        keep=lambda m, c: abs(c) != m,
        right=lambda m, c: shown(f"(0, {c})"),
        wrong=(
            (
                rule("intercept-is-gradient", "Takes the coefficient of x for the intercept"),
                lambda m, c: shown(f"(0, {m})"),
            ),
            (rule("intercept-on-wrong-axis", "Places the intercept where y is zero"), lambda m, c: shown(f"({c}, 0)")),
            (rule("intercept-sign-lost", "Loses the sign of the constant of a line"), lambda m, c: shown(f"(0, {-c})")),
        ),
    ),
    Task(
        slug="gradient-from-implicit-equation",
        construct="Read gradients from equations",
        subject=LINES,
        wordings=(
            r"What is the gradient of \( <a>x + <b>y = <c> \) ?",
            r"A line has the equation \( <a>x + <b>y = <c> \). Find its gradient.",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9), r.randint(2, 30)),
        keep=lambda a, b, c: len({a, b, c}) == 3,
        right=lambda a, b, c: lowest(-a, b),
        wrong=(
            (
                rule(
                    "implicit-coefficient-of-x",
                    "Takes the coefficient of x for the gradient although y does not stand alone",
                ),
                lambda a, b, c: number(a),
            ),
            (
                rule("implicit-y-over-x", "Divides the coefficient of y by that of x for the gradient"),
                lambda a, b, c: lowest(b, a),
            ),
            (rule("implicit-sign-lost", "Loses the minus sign when rearranging a line"), lambda a, b, c: lowest(a, b)),
        ),
    ),
    Task(
        slug="horizontal-line",
        construct="Write equations of horizontal and vertical lines",
        subject=LINES,
        wordings=(
            r"What is the equation of the horizontal line through \( (<a>, <b>) \) ?",
            r"A line is parallel to the \( x \)-axis and passes through \( (<a>, <b>) \). What is its "
            "equation?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b) and abs(b) > 1,
        right=lambda a, b: shown(f"y = {b}"),
        wrong=(
            (
                rule("horizontal-as-vertical", "Mixes up the equations of horizontal and vertical lines"),
                lambda a, b: shown(f"x = {a}"),
            ),
            (
                rule("horizontal-x-of-height", "Writes a horizontal line as x equals its height"),
                lambda a, b: shown(f"x = {b}"),
            ),
            (
                rule("horizontal-with-x", "Includes x in the equation of a horizontal line"),
                lambda a, b: shown(f"y = {b}x"),
            ),
            (
                rule("horizontal-as-multiple", "Writes a horizontal line as x equal to a multiple of y"),
                lambda a, b: shown(f"x = {b}y"),
            ),
        ),
    ),
    Task(
        slug="vertical-line",
        construct="Write equations of horizontal and vertical lines",
        subject=LINES,
        wordings=(
            r"What is the equation of the vertical line through \( (<a>, <b>) \) ?",
            r"A line is parallel to the \( y \)-axis and passes through \( (<a>, <b>) \). What is its "
            "equation?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b) and abs(a) > 1,
        right=lambda a, b: shown(f"x = {a}"),
        wrong=(
            (
                rule("vertical-as-horizontal", "Mixes up the equations of vertical and horizontal lines"),
                lambda a, b: shown(f"y = {b}"),
            ),
            (
                rule("vertical-written-with-y", "Writes a vertical line as y equals its position across"),
                lambda a, b: shown(f"y = {a}"),
            ),
            (
                rule("vertical-as-multiple", "Writes a vertical line as y equal to a multiple of x"),
                lambda a, b: shown(f"y = {a}x"),
            ),
        ),
    ),
    Task(
        slug="gradient-of-perpendicular",
        construct="Find gradients of parallel and perpendicular lines",
        subject="Straight line graphs",
        wordings=(
            r"What is the gradient of a line perpendicular to \( y = <m>x<+c> \) ?",
            r"A line is at right angles to \( y = <m>x<+c> \). What is its gradient?",
        ),
        parameters="m c",
        draw=lambda r: (r.choice((2, 3, 4, 5, 6, 7, 8)), r.choice((-1, 1)) * r.randint(1, 9)),
        keep=lambda m, c: abs(c) != m,
        right=lambda m, c: lowest(-1, m),
        wrong=(
            (
                rule("perpendicular-reciprocal-only", "Forgets the change of sign for a perpendicular gradient"),
                lambda m, c: lowest(1, m),
            ),
            (
                rule("perpendicular-sign-only", "Changes only the sign for a perpendicular gradient"),
                lambda m, c: number(-m),
            ),
            (rule("perpendicular-as-parallel", "Takes perpendicular lines for parallel ones"), lambda m, c: number(m)),
        ),
    ),
    Task(
        slug="gradient-of-parallel",
        construct="Find gradients of parallel and perpendicular lines",
        subject="Straight line graphs",
        wordings=(
            r"What is the gradient of a line parallel to \( y = <m>x<+c> \) ?",
            r"A line is parallel to \( y = <m>x<+c> \). What is its gradient?",
        ),
        parameters="m c",
        draw=lambda r: (r.choice((2, 3, 4, 5, 6, 7, 8)), r.choice((-1, 1)) * r.randint(1, 9)),
        keep=lambda m, c: abs(c) != m,
        right=lambda m, c: number(m),
        wrong=(
            (
                rule("parallel-opposite-sign", "Gives parallel lines gradients of opposite sign"),
                lambda m, c: number(-m),
            ),
            (
                rule(
                    "parallel-as-perpendicular", "Takes parallel lines for lines whose gradients multiply to minus one"
                ),
                lambda m, c: lowest(-1, m),
            ),
            (
                rule("parallel-same-intercept", "Takes the intercept for what parallel lines share"),
                lambda m, c: number(c),
            ),
        ),
    ),
)
