"""Reflections, rotations and enlargements of points."""

from synth.answers import pair
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

MOVES = "Transformations"

TASKS = (
    Task(
        slug="reflect-in-vertical-line",
        construct="Reflect points in vertical and horizontal lines",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is reflected in the line \( x = <k> \). What is its image?",
            r"Reflect the point \( (<a>, <b>) \) in \( x = <k> \).",
        ),
        parameters="a b k",
        draw=lambda r: (a := r.randint(1, 6), r.randint(1, 9), a + r.randint(1, 5)),
        keep=lambda a, b, k: b not in (a, k) and b != 2 * k - b,
        right=lambda a, b, k: pair(2 * k - a, b),
        wrong=(
            (
                rule("image-on-vertical-mirror", "Puts the image of a point onto a vertical mirror line"),
                lambda a, b, k: pair(k, b),
            ),
            (rule("axis-as-mirror", "Reflects in an axis instead of the given line"), lambda a, b, k: pair(-a, b)),
            (
                rule("vertical-mirror-as-horizontal", "Takes a vertical mirror line for a horizontal one"),
                lambda a, b, k: pair(a, 2 * k - b),
            ),
        ),
    ),
    Task(
        slug="reflect-in-horizontal-line",
        construct="Reflect points in vertical and horizontal lines",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is reflected in the line \( y = <k> \). What is its image?",
            r"Reflect the point \( (<a>, <b>) \) in \( y = <k> \).",
        ),
        parameters="a b k",
        draw=lambda r: (r.randint(1, 9), b := r.randint(1, 6), b + r.randint(1, 5)),
        keep=lambda a, b, k: a not in (b, k) and a != 2 * k - a,
        right=lambda a, b, k: pair(a, 2 * k - b),
        wrong=(
            (
                rule("image-on-horizontal-mirror", "Puts the image of a point onto a horizontal mirror line"),
                lambda a, b, k: pair(a, k),
            ),
            (
                rule("axis-as-horizontal-mirror", "Uses the x-axis instead of a given horizontal mirror line"),
                lambda a, b, k: pair(a, -b),
            ),
            (
                rule("horizontal-mirror-as-vertical", "Takes a horizontal mirror line for a vertical one"),
                lambda a, b, k: pair(2 * k - a, b),
            ),
        ),
    ),
    Task(
        slug="reflect-in-falling-diagonal",
        construct="Reflect points in diagonal lines",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is reflected in the line \( y = -x \). What is its image?",
            r"Reflect the point \( (<a>, <b>) \) in \( y = -x \).",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b),
        right=lambda a, b: pair(-b, -a),
        wrong=(
            (
                rule("falling-diagonal-swaps-only", "Only swaps the coordinates for a reflection in y = -x"),
                lambda a, b: pair(b, a),
            ),
            (
                rule("falling-diagonal-signs-only", "Only changes the signs for a reflection in y = -x"),
                lambda a, b: pair(-a, -b),
            ),
            (
                rule("falling-diagonal-y-sign", "Changes the sign of y alone for a reflection in y = -x"),
                lambda a, b: pair(a, -b),
            ),
            (
                rule("falling-diagonal-x-sign", "Changes the sign of x alone for a reflection in y = -x"),
                lambda a, b: pair(-a, b),
            ),
        ),
    ),
    Task(
        slug="reflect-in-rising-diagonal",
        construct="Reflect points in diagonal lines",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is reflected in the line \( y = x \). What is its image?",
            r"Reflect the point \( (<a>, <b>) \) in \( y = x \).",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b),
        right=lambda a, b: pair(b, a),
        wrong=((rule("diagonals-mixed-up", "Mixes up the lines y = x and y = -x"), lambda a, b: pair(-b, -a)),),
        slips=(lambda a, b: pair(-a, b), lambda a, b: pair(a, -b), lambda a, b: pair(-a, -b)),
    ),
    Task(
        slug="reflect-in-axis-further",
        construct="Reflect points in the axes",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is reflected in the \( x \)-axis. What is its image?",
            r"Reflect the point \( (<a>, <b>) \) in the \( x \)-axis.",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b),
        right=lambda a, b: pair(a, -b),
        wrong=(
            (rule("axes-mixed-up", "Mixes up the two axes"), lambda a, b: pair(-a, b)),
            (rule("reflection-swaps-coordinates", "Swaps the coordinates for any reflection"), lambda a, b: pair(b, a)),
            (rule("reflection-as-rotation", "Rotates instead of reflecting"), lambda a, b: pair(-a, -b)),
        ),
    ),
    Task(
        slug="rotate-half-turn",
        construct="Rotate points about the origin",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is rotated by \( 180^{\circ} \) about the origin. What is its image?",
            r"Rotate the point \( (<a>, <b>) \) through a half turn about \( (0, 0) \).",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b),
        right=lambda a, b: pair(-a, -b),
        wrong=(
            (
                rule("quarter-for-half-turn", "Rotates by a quarter turn instead of a half turn"),
                lambda a, b: pair(b, -a),
            ),
            (rule("reflects-for-half-turn", "Reflects instead of rotating"), lambda a, b: pair(-a, b)),
            (rule("half-turn-swaps", "Swaps the coordinates for a half turn"), lambda a, b: pair(b, a)),
        ),
    ),
    Task(
        slug="rotate-quarter-turn",
        construct="Rotate points about the origin",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is rotated by \( 90^{\circ} \) clockwise about the origin. What is its "
            "image?",
            r"Rotate the point \( (<a>, <b>) \) clockwise through a quarter turn about \( (0, 0) \).",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b),
        right=lambda a, b: pair(b, -a),
        wrong=(
            (
                rule("half-for-quarter-turn", "Rotates by a half turn instead of a quarter turn"),
                lambda a, b: pair(-a, -b),
            ),
            (rule("turns-anticlockwise", "Mixes up clockwise and anticlockwise"), lambda a, b: pair(-b, a)),
            (rule("reflects-for-quarter-turn", "Reflects instead of turning by a quarter"), lambda a, b: pair(a, -b)),
        ),
    ),
    Task(
        slug="enlarge-by-minus-one",
        construct="Enlarge with negative scale factors",
        subject=MOVES,
        wordings=(
            r"\( (<a>, <b>) \) is enlarged by scale factor \( -1 \), centre the origin. What is its "
            "image?",
            r"Enlarge the point \( (<a>, <b>) \) by scale factor \( -1 \) about \( (0, 0) \).",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(-9, 9), r.randint(-9, 9)),
        keep=lambda a, b: a * b != 0 and abs(a) != abs(b),
        right=lambda a, b: pair(-a, -b),
        wrong=(
            (rule("minus-one-swaps", "Swaps the coordinates for an enlargement by minus one"), lambda a, b: pair(b, a)),
        ),
        slips=(lambda a, b: pair(a, b), lambda a, b: pair(-a, b), lambda a, b: pair(a - 1, b - 1)),
    ),
)
