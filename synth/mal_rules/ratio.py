"""Ratio and proportion: sharing, ratios as fractions, scaling, inverse proportion, similar shapes.

The additive strategy in ratio tasks: Hart, "Ratio: Children's Strategies and Errors" (1984).
"""

from fractions import Fraction

from synth.answers import CM2, lowest, measure, money
from synth.mal_rule import MalRule, Task
from synth.mal_rules.number import DOUBLES_FOR_SQUARE

DIVIDES_TOTAL_BY_OWN_PART = MalRule(
    slug="divides-total-by-own-part",
    name="Divides the total by one side of the ratio to find that share",
    explanation="Each share is found by dividing the whole by its own number of parts; the parts are not added first.",
)
ONE_PART_AS_SHARE = MalRule(
    slug="one-part-as-share",
    name="Gives the value of one part of a ratio as the whole share",
    explanation="Divides by the sum of the parts and leaves out the multiplication that should follow.",
)
OTHER_SHARE = MalRule(
    slug="other-share",
    name="Assigns the numbers of a ratio to the wrong people or things",
    explanation="The order of the words and the order of the numbers are not matched up.",
)
PART_TO_PART = MalRule(
    slug="part-to-part",
    name="Uses the other part as the denominator rather than the total",
    explanation="A ratio of one part to another is read directly as a fraction or probability of the whole.",
)
SINGLE_ITEM_SHARE = MalRule(
    slug="single-item-share",
    name="Counts a whole group as one out of the total",
    explanation="Writes one over the total, although the group has more than one member.",
)
ADDITIVE_SCALING = MalRule(
    slug="additive-scaling",
    name="Scales by adding the same difference instead of multiplying by the same factor",
    explanation="Sees two extra people as two extra grams: the difference between quantities is kept, not their ratio.",
)
SCALES_INVERSELY = MalRule(
    slug="scales-inversely",
    name="Uses the scale factor the wrong way up",
    explanation="Multiplies where the quantity should shrink and divides where it should grow.",
)
UNIT_VALUE_AND_STOP = MalRule(
    slug="unit-value-and-stop",
    name="Finds the amount for one and does not scale it up",
    explanation="The unitary method is broken off after its first step.",
)
DIRECT_FOR_INVERSE = MalRule(
    slug="direct-for-inverse",
    name="Assumes that more of one always means proportionally more of the other",
    explanation="An inverse relation, such as workers and days, is handled as direct proportion.",
)
TOTAL_WORK_AND_STOP = MalRule(
    slug="total-work-and-stop",
    name="Gives the time that a single worker needs, whatever number is asked about",
    explanation="The two numbers are multiplied to find the whole work, which is not shared out again.",
)
AREA_SCALES_LIKE_LENGTH = MalRule(
    slug="area-scales-like-length",
    name="Believes areas grow by the same factor as lengths",
    explanation="The length scale factor is applied to an area once instead of twice.",
)

TASKS = (
    Task(
        slug="share-in-ratio",
        construct="Share a quantity in a given ratio",
        subject="Ratio",
        wordings=(
            r"\( £ <n> \) is shared between <person> and a friend in the ratio \( <a>: <b> \). How much does <person> "
            r"get?",
            r"Divide \( £ <n> \) in the ratio \( <a>: <b> \). What is the first share?",
            r"The costs of a trip and of a meal are in the ratio \( <a>: <b> \). Together they cost \( £ <n> \). What "
            r"does the trip cost?",
        ),
        parameters="n a b",
        draw=lambda r: (((a := r.randint(2, 9)) + (b := r.randint(2, 9))) * r.randint(2, 30), a, b),
        keep=lambda n, a, b: a != b and Fraction(a, b).denominator == b,
        right=lambda n, a, b: money(Fraction(n * a, a + b)),
        wrong=(
            (DIVIDES_TOTAL_BY_OWN_PART, lambda n, a, b: money(Fraction(n, a))),
            (ONE_PART_AS_SHARE, lambda n, a, b: money(Fraction(n, a + b))),
            (OTHER_SHARE, lambda n, a, b: money(Fraction(n * b, a + b))),
            (PART_TO_PART, lambda n, a, b: money(Fraction(n * a, b)) if a < b else None),
        ),
        slips=(lambda n, a, b: money(Fraction(n, 2)),),
    ),
    Task(
        slug="ratio-as-fraction",
        construct="Write a part of a ratio as a fraction of the whole",
        subject="Ratio",
        wordings=(
            r"A bag holds red and green sweets in the ratio \( <a>: <b> \). What fraction of the sweets is red?",
            r"In a choir the ratio of adults to children is \( <a>: <b> \). What fraction of the choir are adults?",
            r"Paint is mixed from blue and white in the ratio \( <a>: <b> \). What fraction of the mixture is blue?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 19), r.randint(2, 19)),
        keep=lambda a, b: Fraction(a, b).denominator == b and b > 1 and a > 1 and a != b,
        right=lambda a, b: lowest(a, a + b),
        wrong=(
            (PART_TO_PART, lambda a, b: lowest(a, b)),
            (OTHER_SHARE, lambda a, b: lowest(b, a + b)),
            (SINGLE_ITEM_SHARE, lambda a, b: lowest(1, a + b)),
        ),
    ),
    Task(
        slug="scale-recipe",
        construct="Solve direct proportion problems",
        subject="Proportion",
        wordings=(
            r"A recipe for \( <p> \) people needs \( <g> \mathrm{~g} \) of flour. How many grams are needed for "
            r"\( <q> \) people?",
            r"\( <p> \) identical tins weigh \( <g> \) grams. How many grams do \( <q> \) of these tins weigh?",
            r"<person> uses \( <g> \mathrm{~g} \) of rice for \( <p> \) portions. How many grams make \( <q> \) "
            r"portions?",
        ),
        parameters="p g q",
        draw=lambda r: (p := r.randint(2, 8), p * 2 * r.randint(5, 60), r.randint(3, 15)),
        keep=lambda p, g, q: q != p and q % p,
        right=lambda p, g, q: measure(Fraction(g * q, p)),
        wrong=(
            (ADDITIVE_SCALING, lambda p, g, q: measure(g + q - p)),
            (SCALES_INVERSELY, lambda p, g, q: measure(Fraction(g * p, q))),
            (UNIT_VALUE_AND_STOP, lambda p, g, q: measure(Fraction(g, p))),
        ),
        slips=(lambda p, g, q: measure(g * q),),
    ),
    Task(
        slug="inverse-proportion",
        construct="Solve inverse proportion problems",
        subject="Proportion",
        wordings=(
            r"\( <m> \) builders need \( <d> \) days to build a wall. How many days would \( <k> \) builders need, "
            r"working at the same rate?",
            r"A field feeds \( <m> \) sheep for \( <d> \) days. For how many days does it feed \( <k> \) sheep?",
            r"It takes \( <m> \) pumps \( <d> \) days to empty a lake. How many days do \( <k> \) such pumps take?",
        ),
        parameters="m d k",
        draw=lambda r: (r.randint(2, 12), r.randint(3, 24), r.randint(2, 16)),
        keep=lambda m, d, k: m != k and m * d % k == 0 and m * d // k > 1,
        right=lambda m, d, k: measure(Fraction(m * d, k)),
        wrong=(
            (DIRECT_FOR_INVERSE, lambda m, d, k: measure(Fraction(d * k, m))),
            (ADDITIVE_SCALING, lambda m, d, k: measure(d - (k - m))),
            (TOTAL_WORK_AND_STOP, lambda m, d, k: measure(m * d)),
        ),
        slips=(lambda m, d, k: measure(d),),
    ),
    Task(
        slug="area-of-enlargement",
        construct="Use a length scale factor with areas of similar shapes",
        subject="Similarity and enlargement",
        wordings=(
            r"A shape of area \( <s> \mathrm{~cm}^{2} \) is enlarged with scale factor \( <k> \). What is the area of "
            r"the image?",
            r"Two similar triangles have sides in the ratio \( 1: <k> \). The smaller has area "
            r"\( <s> \mathrm{~cm}^{2} \). What is the area of the larger?",
            r"<person> makes every length of a poster \( <k> \) times as long. The poster covered "
            r"\( <s> \mathrm{~cm}^{2} \). What area does the new one cover?",
        ),
        parameters="s k",
        draw=lambda r: (r.randint(4, 80), r.randint(3, 10)),
        right=lambda s, k: measure(s * k * k, CM2),
        wrong=(
            (AREA_SCALES_LIKE_LENGTH, lambda s, k: measure(s * k, CM2)),
            (DOUBLES_FOR_SQUARE, lambda s, k: measure(s * 2 * k, CM2)),
            (ADDITIVE_SCALING, lambda s, k: measure(s + k, CM2)),
        ),
    ),
)
