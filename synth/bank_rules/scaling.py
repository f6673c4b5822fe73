"""Proportion, scale factors, similar shapes."""

from fractions import Fraction as F

from synth.answers import lowest, measure, number
from synth.bank_rules.parts import rule
from synth.bank_rules.shared import SCALE_UPSIDE_DOWN
from synth.mal_rule import Task
from synth.mal_rules.ratio import ADDITIVE_SCALING, AREA_SCALES_LIKE_LENGTH

PROPORTION = "Direct and inverse proportion"
SCALE = "Scale factors and similar shapes"

TASKS = (
    Task(
        slug="scale-a-recipe-further",
        construct="Solve direct proportion problems",
        subject=PROPORTION,
        wordings=(
            r"A recipe for \( <p> \) people needs \( <g> \) grams of rice. How many grams are needed "
            r"for \( <q> \) people?",
            r"\( <p> \) pens cost \( <g> \) pence. What do \( <q> \) pens cost, in pence?",
        ),
        parameters="p g q",
        draw=lambda r: (p := r.randint(2, 8), p * 10 * r.randint(2, 12), r.randint(3, 15)),
        keep=lambda p, g, q: p < q and q % p,
        right=lambda p, g, q: number(g // p * q),
        wrong=(
            (
                rule("amount-as-for-one", "Multiplies the amount as if it had been for one"),
                lambda p, g, q: number(g * q),
            ),
            (
                rule("unit-amount-only", "Finds the amount for one and does not multiply up"),
                lambda p, g, q: number(g // p),
            ),
            (
                rule("price-subtracted-for-unit", "Subtracts the number of items to find the price of one"),
                lambda p, g, q: number((g - p) * q),
            ),
        ),
        slips=(lambda p, g, q: number(g + q - p),),
    ),
    Task(
        slug="inverse-formula",
        construct="Use inverse proportion",
        subject=PROPORTION,
        wordings=(
            r"\( y \) is inversely proportional to \( x \). When \( x = <a> \), \( y = <b> \). What "
            r"is \( y \) when \( x = <c> \) ?",
            r"\( y \propto \frac{1}{x} \) and \( y = <b> \) at \( x = <a> \). Find \( y \) at \( x = "
            r"<c> \).",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 8), r.choice((10, 12, 15, 20, 24, 30, 40)), r.choice((2, 3, 4, 5, 6, 10))),
        keep=lambda a, b, c: a != c and a * b % c == 0 and a + b > c and b * c % a == 0,
        right=lambda a, b, c: number(a * b // c),
        wrong=(
            (
                rule("inverse-treated-as-direct", "Uses direct proportion where it is inverse"),
                lambda a, b, c: number(b * c // a),
            ),
            (
                rule("inverse-constant-is-sum", "Thinks that inversely proportional numbers always add to the same"),
                lambda a, b, c: number(a + b - c),
            ),
            (rule("constant-taken-as-one", "Leaves out the constant of proportionality"), lambda a, b, c: lowest(1, c)),
        ),
        slips=(lambda a, b, c: number(a * b * c),),
    ),
    Task(
        slug="scale-factor",
        construct="Find the scale factor of an enlargement",
        subject=SCALE,
        wordings=(
            r"A side of \( <a> \mathrm{~cm} \) becomes \( <b> \mathrm{~cm} \) in an enlargement. What "
            "is the scale factor?",
            r"Two shapes are similar. Matching sides are \( <a> \mathrm{~cm} \) and \( <b> "
            r"\mathrm{~cm} \). By which scale factor is the first enlarged into the second?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.choice((2, 4, 5, 8, 10)), a * r.choice((2, 3, 4, F(3, 2), F(5, 2)))),
        keep=lambda a, b: F(b).denominator == 1 and b - a != F(b, a) and a != 2,
        right=lambda a, b: number(F(b) / a),
        wrong=(
            (
                rule("scale-factor-by-subtracting", "Subtracts lengths to find a scale factor"),
                lambda a, b: number(b - a),
            ),
            (rule("scale-factor-by-adding", "Adds lengths to find a scale factor"), lambda a, b: number(a + b)),
            (
                rule("scale-factor-by-multiplying", "Multiplies lengths to find a scale factor"),
                lambda a, b: number(a * b),
            ),
            (SCALE_UPSIDE_DOWN, lambda a, b: lowest(F(a) / b)),
        ),
    ),
    Task(
        slug="similar-missing-side",
        construct="Find missing sides of similar shapes",
        subject=SCALE,
        wordings=(
            r"Two rectangles are similar. One is \( <a> \mathrm{~cm} \) by \( <b> \mathrm{~cm} \). In "
            r"the other, the side that matches \( <a> \mathrm{~cm} \) is \( <c> \mathrm{~cm} \). What "
            "is its other side?",
            r"Triangle P has sides of \( <a> \mathrm{~cm} \) and \( <b> \mathrm{~cm} \). In a similar "
            r"triangle the side matching \( <a> \mathrm{~cm} \) is \( <c> \mathrm{~cm} \). How long "
            r"is the side matching \( <b> \mathrm{~cm} \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (a := r.randint(2, 7), r.randint(3, 12), a * r.randint(3, 5)),
        keep=lambda a, b, c: a != b,
        right=lambda a, b, c: measure(b * c // a, r" \mathrm{~cm}"),
        wrong=(
            (
                rule("similar-difference-given", "Gives the difference of two lengths as the missing side"),
                lambda a, b, c: measure(c - a, r" \mathrm{~cm}"),
            ),
            (
                rule("similar-scale-factor-given", "Finds the scale factor and gives it as the missing side"),
                lambda a, b, c: measure(c // a, r" \mathrm{~cm}"),
            ),
            (ADDITIVE_SCALING, lambda a, b, c: measure(b + c - a, r" \mathrm{~cm}")),
            (
                rule("similar-always-doubles", "Doubles a side whatever the scale factor is"),
                lambda a, b, c: measure(2 * b, r" \mathrm{~cm}"),
            ),
        ),
    ),
    Task(
        slug="volume-scale-factor",
        construct="Use a length scale factor with volumes",
        subject=SCALE,
        wordings=(
            r"A solid of volume \( <v> \mathrm{~cm}^{3} \) is enlarged with scale factor \( <k> \). "
            "What is the volume of the new solid?",
            r"Two solids are similar; lengths of the second are \( <k> \) times those of the first. "
            r"The first has volume \( <v> \mathrm{~cm}^{3} \). What is the volume of the second?",
        ),
        parameters="v k",
        draw=lambda r: (r.randint(4, 20), r.randint(2, 5)),
        right=lambda v, k: measure(v * k**3, r" \mathrm{~cm}^{3}"),
        wrong=(
            (
                rule("volume-scales-like-length", "Multiplies a volume by the scale factor of lengths"),
                lambda v, k: measure(v * k, r" \mathrm{~cm}^{3}"),
            ),
            (
                rule("volume-scales-like-area", "Squares the scale factor for a volume"),
                lambda v, k: measure(v * k * k, r" \mathrm{~cm}^{3}"),
            ),
            (
                rule("volume-scale-factor-added", "Adds the scale factor to a volume"),
                lambda v, k: measure(v + k, r" \mathrm{~cm}^{3}"),
            ),
        ),
    ),
    Task(
        slug="area-scale-factor-further",
        construct="Use a length scale factor with areas",
        subject=SCALE,
        wordings=(
            r"Every length of a shape is multiplied by \( <k> \). Its area was \( <s> "
            r"\mathrm{~cm}^{2} \). What is its area now?",
            r"A photo of area \( <s> \mathrm{~cm}^{2} \) is enlarged by scale factor \( <k> \). What "
            "is the area of the enlargement?",
        ),
        parameters="s k",
        draw=lambda r: (r.randint(5, 30), r.randint(3, 6)),
        keep=lambda s, k: s != k,
        right=lambda s, k: measure(s * k * k, r" \mathrm{~cm}^{2}"),
        wrong=(
            (AREA_SCALES_LIKE_LENGTH, lambda s, k: measure(s * k, r" \mathrm{~cm}^{2}")),
            (
                rule("area-squared-not-factor", "Squares the area instead of the scale factor"),
                lambda s, k: measure(s * s * k, r" \mathrm{~cm}^{2}"),
            ),
            (
                rule("area-scale-factor-added", "Adds the scale factor to an area"),
                lambda s, k: measure(s + k, r" \mathrm{~cm}^{2}"),
            ),
        ),
    ),
)
