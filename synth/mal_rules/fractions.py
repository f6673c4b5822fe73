"""Fractions: adding, multiplying, dividing, fractions of amounts, mixed numbers."""

from fractions import Fraction
from random import Random

from synth.answers import fraction, lowest, number
from synth.mal_rule import MalRule, Task
from synth.mal_rules.number import TIMES_AS_PLUS

ADDS_TOPS_AND_BOTTOMS = MalRule(
    slug="adds-tops-and-bottoms",
    name="Adds fractions by adding top to top and bottom to bottom",
    explanation="Numerators and denominators are treated as separate whole-number sums; no common denominator is "
    "looked for.",
)
NUMERATORS_NOT_SCALED = MalRule(
    slug="numerators-not-scaled",
    name="Changes to a common denominator without changing the numerators to match",
    explanation="Writes both fractions over the product of the denominators but keeps the old numerators before "
    "adding.",
)
KEEPS_LARGER_DENOMINATOR = MalRule(
    slug="keeps-larger-denominator",
    name="Adds unlike fractions by summing the numerators over the bigger denominator",
    explanation="Takes one of the denominators as common, although the other fraction has not been rewritten.",
)
PRODUCT_KEEPS_DENOMINATOR = MalRule(
    slug="product-keeps-denominator",
    name="Leaves a shared denominator unchanged when multiplying fractions",
    explanation="Carries the rule for adding over to multiplying: only the numerators are multiplied.",
)
CROSS_MULTIPLIES_PRODUCT = MalRule(
    slug="cross-multiplies-product",
    name="Multiplies diagonally when finding the product of two fractions",
    explanation="The numerator of one goes with the denominator of the other, which in fact divides the fractions.",
)
INVERTS_FIRST_FRACTION = MalRule(
    slug="inverts-first-fraction",
    name="Turns the dividend upside down rather than the divisor",
    explanation="Remembers that one fraction is inverted for a division but inverts the first one.",
)
DIVIDES_WITHOUT_INVERTING = MalRule(
    slug="divides-without-inverting",
    name="Changes a division of fractions to a multiplication and forgets the reciprocal",
    explanation="The sign is changed but both fractions stay as they are, so they are simply multiplied.",
)
INVERTS_BOTH_FRACTIONS = MalRule(
    slug="inverts-both-fractions",
    name="Takes the reciprocal of both fractions before multiplying",
    explanation="In a division of fractions each of them is turned upside down instead of the second alone.",
)
WHOLE_TIMES_TOP_AND_BOTTOM = MalRule(
    slug="whole-times-top-and-bottom",
    name="Multiplies numerator and denominator alike by a whole number",
    explanation="Scales the fraction to an equivalent one where it should be multiplied.",
)
WHOLE_TIMES_DENOMINATOR = MalRule(
    slug="whole-times-denominator",
    name="Multiplies the denominator when a fraction is multiplied by a whole number",
    explanation="The whole number is used on the bottom, which divides the fraction.",
)
WHOLE_ADDED_TO_NUMERATOR = MalRule(
    slug="whole-added-to-numerator",
    name="Adds a whole number straight onto the numerator",
    explanation="Whole and numerator are summed over the same denominator, as though the whole counted in the "
    "fraction's parts.",
)
SWAPS_ROLES_IN_FRACTION_OF = MalRule(
    slug="swaps-roles-in-fraction-of",
    name="Divides by the numerator and multiplies by the denominator for a fraction of an amount",
    explanation="The two steps are known but each is done with the wrong part of the fraction.",
)
UNIT_FRACTION_ONLY = MalRule(
    slug="unit-fraction-only",
    name="Finds one part only and does not multiply by the numerator",
    explanation="Divides the amount by the denominator and stops there.",
)
DIVIDES_BY_NUMERATOR = MalRule(
    slug="divides-by-numerator",
    name="Divides the amount by the top number of the fraction",
    explanation="Uses the numerator as the number of equal parts and ignores the denominator.",
)
WHOLE_TIMES_NUMERATOR = MalRule(
    slug="whole-times-numerator",
    name="Converts a mixed number by multiplying the whole by the numerator",
    explanation="The whole part is multiplied by the top of the fraction instead of the bottom before the rest is "
    "added.",
)
MIXED_NUMBER_AS_PRODUCT = MalRule(
    slug="mixed-number-as-product",
    name="Reads a mixed number as the whole number multiplied by the fraction",
    explanation="Borrows the convention of algebra, where things written side by side are multiplied.",
)
WHOLE_AND_NUMERATOR_JOINED = MalRule(
    slug="whole-and-numerator-joined",
    name="Writes the whole number in front of the numerator as a further digit",
    explanation="A mixed number is made improper by pushing the two numbers together.",
)


def proper_fraction(r: Random) -> tuple[int, int]:
    """Draw a proper fraction in lowest terms."""
    while True:
        a, b = r.randint(1, 8), r.randint(3, 12)
        if a < b and Fraction(a, b).denominator == b:
            return a, b


TASKS = (
    Task(
        slug="add-unlike-fractions",
        construct="Add fractions with different denominators",
        subject="Adding and subtracting fractions",
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} + \frac{<c>}{<d>} \]",
            r"\( \frac{<a>}{<b>} + \frac{<c>}{<d>} = \)",
            r"<person> eats \( \frac{<a>}{<b>} \) of one pizza and \( \frac{<c>}{<d>} \) of another of the same size. "
            r"How much pizza is that in all?",
        ),
        parameters="a b c d",
        draw=lambda r: (*proper_fraction(r), *proper_fraction(r)),
        keep=lambda a, b, c, d: b != d,
        right=lambda a, b, c, d: lowest(a * d + c * b, b * d),
        wrong=(
            (ADDS_TOPS_AND_BOTTOMS, lambda a, b, c, d: fraction(a + c, b + d)),
            (NUMERATORS_NOT_SCALED, lambda a, b, c, d: fraction(a + c, b * d)),
            (KEEPS_LARGER_DENOMINATOR, lambda a, b, c, d: fraction(a + c, max(b, d))),
        ),
    ),
    Task(
        slug="multiply-like-fractions",
        construct="Multiply two fractions",
        subject="Multiplying and dividing fractions",
        wordings=(
            r"Calculate \[ \frac{<a>}{<b>} \times \frac{<c>}{<b>} \]",
            r"What is \( \frac{<a>}{<b>} \times \frac{<c>}{<b>} \) ?",
            r"What is \( \frac{<a>}{<b>} \) of \( \frac{<c>}{<b>} \) ?",
        ),
        parameters="a c b",
        draw=lambda r: (r.randint(1, 9), r.randint(1, 9), r.randint(3, 15)),
        keep=lambda a, c, b: a < b and c < b and a != c,
        right=lambda a, c, b: lowest(a * c, b * b),
        wrong=(
            (PRODUCT_KEEPS_DENOMINATOR, lambda a, c, b: fraction(a * c, b)),
            (CROSS_MULTIPLIES_PRODUCT, lambda a, c, b: fraction(a * b, b * c)),
            (TIMES_AS_PLUS, lambda a, c, b: fraction(a + c, b)),
        ),
    ),
    Task(
        slug="divide-fractions",
        construct="Divide one fraction by another",
        subject="Multiplying and dividing fractions",
        wordings=(
            r"Work out \[ \frac{<a>}{<b>} \div \frac{<c>}{<d>} \]",
            r"\( \frac{<a>}{<b>} \div \frac{<c>}{<d>} = \)",
            r"How many times does \( \frac{<c>}{<d>} \) go into \( \frac{<a>}{<b>} \) ?",
        ),
        parameters="a b c d",
        draw=lambda r: (*proper_fraction(r), *proper_fraction(r)),
        keep=lambda a, b, c, d: a != c and b != d,
        right=lambda a, b, c, d: lowest(a * d, b * c),
        wrong=(
            (INVERTS_FIRST_FRACTION, lambda a, b, c, d: lowest(b * c, a * d)),
            (DIVIDES_WITHOUT_INVERTING, lambda a, b, c, d: lowest(a * c, b * d)),
            (INVERTS_BOTH_FRACTIONS, lambda a, b, c, d: lowest(b * d, a * c)),
        ),
    ),
    Task(
        slug="whole-times-fraction",
        construct="Multiply a fraction by an integer",
        subject="Multiplying and dividing fractions",
        wordings=(
            r"Calculate \[ <k> \times \frac{<a>}{<b>} \]",
            r"\( <k> \times \frac{<a>}{<b>} = \)",
            r"One jug holds \( \frac{<a>}{<b>} \) of a litre. How many litres do \( <k> \) full jugs hold?",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 9), *proper_fraction(r)),
        keep=lambda k, a, b: k * a % b,
        right=lambda k, a, b: lowest(k * a, b),
        wrong=(
            (WHOLE_TIMES_TOP_AND_BOTTOM, lambda k, a, b: fraction(k * a, k * b)),
            (WHOLE_TIMES_DENOMINATOR, lambda k, a, b: fraction(a, k * b)),
            (WHOLE_ADDED_TO_NUMERATOR, lambda k, a, b: fraction(k + a, b)),
        ),
    ),
    Task(
        slug="fraction-of-amount",
        construct="Find a fraction of an amount",
        subject="Fractions of an amount",
        wordings=(
            r"What is \( \frac{<a>}{<b>} \) of \( <n> \) ?",
            r"There are \( <n> \) pupils in a year group. \( \frac{<a>}{<b>} \) of them walk to school. How many walk?",
            r"Find \( \frac{<a>}{<b>} \) of \( £ <n> \), in pounds.",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(2, 6), b := r.randint(3, 9), a * b * r.randint(2, 9)),
        keep=lambda a, b, n: a < b and Fraction(a, b).denominator == b,
        right=lambda a, b, n: number(n // b * a),
        wrong=(
            (SWAPS_ROLES_IN_FRACTION_OF, lambda a, b, n: number(n // a * b)),
            (UNIT_FRACTION_ONLY, lambda a, b, n: number(n // b)),
            (DIVIDES_BY_NUMERATOR, lambda a, b, n: number(n // a)),
        ),
    ),
    Task(
        slug="mixed-to-improper",
        construct="Convert between mixed numbers and improper fractions",
        subject="Mixed numbers",
        wordings=(
            r"Write \( <w> \frac{<a>}{<b>} \) as an improper fraction.",
            r"Which improper fraction is equal to \( <w> \frac{<a>}{<b>} \) ?",
            r"<person> wants to multiply by \( <w> \frac{<a>}{<b>} \) and first makes it top-heavy. What does "
            r"<person> write?",
        ),
        parameters="w a b",
        draw=lambda r: (r.randint(2, 9), *proper_fraction(r)),
        keep=lambda w, a, b: a > 1,
        right=lambda w, a, b: fraction(w * b + a, b),
        wrong=(
            (WHOLE_TIMES_NUMERATOR, lambda w, a, b: fraction(w * a + b, b)),
            (WHOLE_ADDED_TO_NUMERATOR, lambda w, a, b: fraction(w + a, b)),
            (MIXED_NUMBER_AS_PRODUCT, lambda w, a, b: fraction(w * a, b)),
            (WHOLE_AND_NUMERATOR_JOINED, lambda w, a, b: fraction(10 * w + a, b)),
        ),
    ),
)
