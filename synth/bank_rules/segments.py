"""Line segments and translations of points."""

from math import isqrt

from synth.answers import number, pair, root
from synth.bank_rules.parts import rule
from synth.mal_rule import Task
from synth.mal_rules.coordinates import COORDINATES_SWAPPED

SEGMENTS = "Coordinates and line segments"
MOVES = "Transformations"

TASKS = (
    Task(
        slug="length-of-segment",
        construct="Find the length of a line segment",
        subject=SEGMENTS,
        wordings=(
            r"How long is the line segment from \( (<a>, <b>) \) to \( (<c>, <d>) \) ?",
            r"What is the distance between \( (<a>, <b>) \) and \( (<c>, <d>) \) ?",
        ),
        parameters="a b c d",
        draw=lambda r: (
            a := r.randint(1, 6),
            b := r.randint(1, 6),
            k := r.choice(((3, 4), (4, 3), (5, 12), (6, 8))),
            (a, b, a + k[0], b + k[1]),
        )[3],
        right=lambda a, b, c, d: root((c - a) ** 2 + (d - b) ** 2),
        wrong=(
            (
                rule("distance-as-sum-of-changes", "Adds the changes in x and y for a distance"),
                lambda a, b, c, d: root((c - a + d - b) ** 2),
            ),
            (
                rule("distance-from-sums", "Adds coordinates instead of subtracting them for a distance"),
                lambda a, b, c, d: root((a + c) ** 2 + (b + d) ** 2),
            ),
            (
                rule("distance-from-furthest", "Takes a coordinate of the point furthest out for the distance"),
                lambda a, b, c, d: root(max(c, d) ** 2),
            ),
            (
                rule("distance-squares-subtracted", "Subtracts squares to find a distance"),
                lambda a, b, c, d: root(abs((c - a) ** 2 - (d - b) ** 2)),
            ),
        ),
    ),
    Task(
        slug="midpoint-further",
        construct="Find the midpoint of a line segment",
        subject=SEGMENTS,
        wordings=(
            r"What is the midpoint of \( (<a>, <b>) \) and \( (<c>, <d>) \) ?",
            r"\( M \) is halfway between \( (<a>, <b>) \) and \( (<c>, <d>) \). Find \( M \).",
        ),
        parameters="a b c d",
        draw=lambda r: (
            a := r.randint(1, 8),
            b := r.randint(1, 8),
            (a, b, a + 2 * r.randint(1, 6), b + 2 * r.randint(1, 6)),
        )[2],
        keep=lambda a, b, c, d: a != b,
        right=lambda a, b, c, d: pair((a + c) // 2, (b + d) // 2),
        wrong=(
            (
                rule("midpoint-as-half-difference", "Halves the differences of the coordinates for a midpoint"),
                lambda a, b, c, d: pair((c - a) // 2, (d - b) // 2),
            ),
            (
                rule("midpoint-as-difference", "Gives the differences of the coordinates as the midpoint"),
                lambda a, b, c, d: pair(c - a, d - b),
            ),
            (
                rule("midpoint-as-sum", "Adds the coordinates and does not halve for a midpoint"),
                lambda a, b, c, d: pair(a + c, b + d),
            ),
            (COORDINATES_SWAPPED, lambda a, b, c, d: pair((b + d) // 2, (a + c) // 2)),
        ),
    ),
    Task(
        slug="other-end-of-segment",
        construct="Find an end point from the midpoint",
        subject=SEGMENTS,
        wordings=(
            r"\( (<a>, <b>) \) is one end of a line segment, \( (<c>, <d>) \) its midpoint. What is "
            "the other end?",
            r"The midpoint of \( AB \) is \( (<c>, <d>) \) and \( A \) is \( (<a>, <b>) \). Find \( B "
            r"\).",
        ),
        parameters="a b c d",
        draw=lambda r: (a := r.randint(1, 8), b := r.randint(1, 8), (a, b, a + r.randint(1, 6), b + r.randint(1, 6)))[
            2
        ],
        right=lambda a, b, c, d: pair(2 * c - a, 2 * d - b),
        wrong=(
            (
                rule("end-as-sum-with-midpoint", "Adds end point and midpoint to find the other end"),
                lambda a, b, c, d: pair(a + c, b + d),
            ),
            (
                rule("end-mirrored-at-origin", "Thinks that the two ends of a segment have coordinates of equal size"),
                lambda a, b, c, d: pair(-a, -b),
            ),
        ),
        slips=(lambda a, b, c, d: pair(c - a, d - b), lambda a, b, c, d: pair(2 * c, 2 * d)),
    ),
    Task(
        slug="translate-right-up",
        construct="Translate points by a vector",
        subject=MOVES,
        wordings=(
            r"The point \( (<a>, <b>) \) is translated by \( \begin{pmatrix} <c> \\ <d> \end{pmatrix} "
            r"\). What is its image?",
            r"Translate \( (<a>, <b>) \) by the vector \( \begin{pmatrix} <c> \\ <d> \end{pmatrix} \).",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(1, 9), r.randint(1, 9), r.randint(1, 7), r.randint(1, 7)),
        keep=lambda a, b, c, d: a != b and c != d,
        right=lambda a, b, c, d: pair(a + c, b + d),
        wrong=(
            (
                rule("vector-top-moves-up", "Takes the top number of a vector for the vertical move"),
                lambda a, b, c, d: pair(a + d, b + c),
            ),
            (
                rule("vector-positive-left-down", "Moves left and down for positive numbers of a vector"),
                lambda a, b, c, d: pair(a - c, b - d),
            ),
            (
                rule("vector-positive-left", "Moves left for a positive top number of a vector"),
                lambda a, b, c, d: pair(a - c, b + d),
            ),
            (
                rule("vector-positive-down", "Moves down for a positive bottom number of a vector"),
                lambda a, b, c, d: pair(a + c, b - d),
            ),
        ),
    ),
    Task(
        slug="translate-left-down",
        construct="Translate points by a vector",
        subject=MOVES,
        wordings=(
            r"The point \( (<a>, <b>) \) is translated by \( \begin{pmatrix} -<c> \\ -<d> "
            r"\end{pmatrix} \). What is its image?",
            r"Translate \( (<a>, <b>) \) by the vector \( \begin{pmatrix} -<c> \\ -<d> \end{pmatrix} "
            r"\).",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(1, 9), r.randint(1, 9), r.randint(1, 7), r.randint(1, 7)),
        keep=lambda a, b, c, d: a != b and c != d,
        right=lambda a, b, c, d: pair(a - c, b - d),
        wrong=(
            (
                rule("vector-negative-right", "Moves right for a negative top number of a vector"),
                lambda a, b, c, d: pair(a + c, b - d),
            ),
            (
                rule("vector-negative-up", "Moves up for a negative bottom number of a vector"),
                lambda a, b, c, d: pair(a - c, b + d),
            ),
            (
                rule("vector-signs-unseen", "Overlooks the minus signs in a vector"),
                lambda a, b, c, d: pair(a + c, b + d),
            ),
        ),
    ),
    Task(
        slug="circle-equation-radius",
        construct="Use the equation of a circle",
        subject="Equation of a circle",
        wordings=(
            r"What is the radius of the circle \( x^{2} + y^{2} = <s> \) ?",
            r"A circle has the equation \( x^{2} + y^{2} = <s> \). How long is its radius?",
        ),
        parameters="s",
        draw=lambda r: (r.choice((4, 6, 8, 10, 12, 14)) ** 2,),
        right=lambda s: number(isqrt(s)),
        wrong=(
            (
                rule("circle-radius-squared", "Takes the squared radius in a circle's equation for the radius"),
                lambda s: number(s),
            ),
        ),
        slips=(lambda s: number(s // 2), lambda s: number(s // 4), lambda s: number(2 * isqrt(s))),
    ),
)
