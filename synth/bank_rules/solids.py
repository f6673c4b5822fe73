"""Volumes, surfaces, Pythagoras."""

from fractions import Fraction as F

from synth.answers import CM, CM2, CM3, measure, root
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

SOLIDS = "Volume and surface area"

TASKS = (
    Task(
        slug="volume-further",
        construct="Find the volume of a cuboid",
        subject=SOLIDS,
        wordings=(
            r"A cuboid is \( <a> \mathrm{~cm} \) by \( <b> \mathrm{~cm} \) by \( <c> \mathrm{~cm} \). "
            "What is its volume?",
            r"Find the volume of a box with edges of \( <a> \mathrm{~cm} \), \( <b> \mathrm{~cm} \) "
            r"and \( <c> \mathrm{~cm} \).",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 7), r.randint(3, 9)),
        keep=lambda a, b, c: len({a, b, c}) == 3,
        right=lambda a, b, c: measure(a * b * c, CM3),
        wrong=(
            (rule("volume-by-adding", "Adds the edges to find a volume"), lambda a, b, c: measure(a + b + c, CM3)),
            (
                rule("volume-as-faces-multiplied", "Multiplies the areas of the three faces for the volume"),
                lambda a, b, c: measure((a * b * c) ** 2, CM3),
            ),
            (
                rule("volume-as-one-face", "Gives the area of one face as the volume"),
                lambda a, b, c: measure(a * b, CM3),
            ),
            (
                rule("volume-as-surface", "Gives the surface area as the volume"),
                lambda a, b, c: measure(2 * (a * b + b * c + a * c), CM3),
            ),
        ),
    ),
    Task(
        slug="surface-area-of-cuboid",
        construct="Find the surface area of a cuboid",
        subject=SOLIDS,
        wordings=(
            r"A cuboid is \( <a> \mathrm{~cm} \) by \( <b> \mathrm{~cm} \) by \( <c> \mathrm{~cm} \). "
            "What is its surface area?",
            r"Find the surface area of a box with edges of \( <a> \mathrm{~cm} \), \( <b> "
            r"\mathrm{~cm} \) and \( <c> \mathrm{~cm} \).",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 7), r.randint(3, 9)),
        keep=lambda a, b, c: len({a, b, c}) == 3,
        right=lambda a, b, c: measure(2 * (a * b + b * c + a * c), CM2),
        wrong=(
            (
                rule("surface-visible-only", "Counts only the faces that can be seen"),
                lambda a, b, c: measure(a * b + b * c + a * c, CM2),
            ),
            (
                rule("surface-as-volume", "Gives the volume as the surface area"),
                lambda a, b, c: measure(a * b * c, CM2),
            ),
            (
                rule("surface-six-equal-faces", "Takes all faces of a cuboid for equal"),
                lambda a, b, c: measure(6 * a * b, CM2),
            ),
        ),
    ),
    Task(
        slug="missing-edge-of-cuboid",
        construct="Find a missing edge from the volume",
        subject=SOLIDS,
        wordings=(
            r"A cuboid of volume \( <v> \mathrm{~cm}^{3} \) has edges of \( <a> \mathrm{~cm} \) and "
            r"\( <b> \mathrm{~cm} \). How long is the third edge?",
            r"A box is \( <a> \mathrm{~cm} \) long and \( <b> \mathrm{~cm} \) wide and holds \( <v> "
            r"\mathrm{~cm}^{3} \). How high is it?",
        ),
        parameters="v a b",
        draw=lambda r: (a := r.randint(3, 8), b := r.randint(2, 6), a * b * r.randint(2, 9))[::-1],
        keep=lambda v, a, b: a != b,
        right=lambda v, a, b: measure(v // (a * b), CM),
        wrong=(
            (rule("volume-over-one-edge", "Divides the volume by one edge alone"), lambda v, a, b: measure(v // b, CM)),
        ),
        slips=(
            lambda v, a, b: measure(v - a - b, CM),
            lambda v, a, b: measure(v - a * b, CM),
            lambda v, a, b: measure(F(v, a + b), CM),
        ),
    ),
    Task(
        slug="hypotenuse-further",
        construct="Use Pythagoras' theorem",
        subject="Pythagoras' theorem",
        wordings=(
            r"The shorter sides of a right-angled triangle are \( <a> \mathrm{~cm} \) and \( <b> "
            r"\mathrm{~cm} \). How long is the hypotenuse?",
            r"A right-angled triangle has legs of \( <a> \mathrm{~cm} \) and \( <b> \mathrm{~cm} \). "
            "Find its longest side.",
        ),
        parameters="a b",
        draw=lambda r: (k := r.randint(1, 4), r.choice(((3 * k, 4 * k), (5 * k, 12 * k), (8 * k, 15 * k))))[1],
        right=lambda a, b: root(a * a + b * b, CM),
        wrong=(
            (
                rule("pythagoras-product-rooted", "Multiplies the sides and takes the root"),
                lambda a, b: root(a * b, CM),
            ),
            (
                rule("pythagoras-sides-multiplied", "Multiplies the sides to find the hypotenuse"),
                lambda a, b: root((a * b) ** 2, CM),
            ),
            (
                rule("pythagoras-sides-added", "Adds the shorter sides to find the hypotenuse"),
                lambda a, b: root((a + b) ** 2, CM),
            ),
            (
                rule("pythagoras-not-rooted", "Gives the square of the hypotenuse as its length"),
                lambda a, b: root((a * a + b * b) ** 2, CM),
            ),
            (
                rule("pythagoras-squares-subtracted", "Subtracts the squares when the longest side is wanted"),
                lambda a, b: root(b * b - a * a, CM),
            ),
        ),
    ),
)
