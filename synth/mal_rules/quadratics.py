"""Quadratic expressions: products of brackets and factorising.

Why the linear pattern is carried over: Matz, "Towards a process model for high school algebra errors" (1982).
"""

from synth.answers import Answer, brackets, expression
from synth.mal_rule import MalRule, Task
from synth.mal_rules.algebra import EXPANDING
from synth.mal_rules.number import DOUBLES_FOR_SQUARE

FIRST_AND_LAST_ONLY = MalRule(
    slug="first-and-last-only",
    name="Multiplies only matching terms of two brackets: first with first and last with last",
    explanation="The two cross products are left out, so no middle term appears.",
)
SUM_AND_PRODUCT_SWAPPED = MalRule(
    slug="sum-and-product-swapped",
    name="Mixes up which of sum and product of the numbers belongs to the x term",
    explanation="The product is written as the coefficient of x and the sum as the constant, or they are looked for "
    "that way round.",
)
LETTER_TIMES_ITSELF_DOUBLED = MalRule(
    slug="letter-times-itself-doubled",
    name="Writes a letter multiplied by itself as two of that letter",
    explanation="x times x is simplified to 2x, as though it were x plus x.",
)
MIDDLE_TERM_ONCE = MalRule(
    slug="middle-term-once",
    name="Counts the cross product of a squared bracket one time instead of two",
    explanation="When a bracket is squared, only one of the two equal middle terms is written down.",
)
FACTOR_SIGNS_FLIPPED = MalRule(
    slug="factor-signs-flipped",
    name="Reverses the signs inside the brackets of a factorised quadratic",
    explanation="Writes the roots into the brackets as they are, not with the opposite sign.",
)
FACTORS_MATCH_CONSTANT_ONLY = MalRule(
    slug="factors-match-constant-only",
    name="Chooses numbers for the brackets that give the right product without checking the sum",
    explanation="Any factor pair of the constant term is accepted.",
)
FACTORS_MATCH_MIDDLE_ONLY = MalRule(
    slug="factors-match-middle-only",
    name="Chooses numbers for the brackets that give the right sum without checking the product",
    explanation="The coefficient of x is split in two and the constant is ignored.",
)


def _other_factors(b: int, c: int) -> Answer | None:
    """Return brackets whose numbers multiply to c but do not add to b."""
    pairs = [(p, c // p) for p in range(1, c + 1) if c % p == 0 and p + c // p != b]
    return brackets(*pairs[-1]) if pairs else None


TASKS = (
    Task(
        slug="expand-two-brackets",
        construct="Expand the product of two brackets",
        subject=EXPANDING,
        wordings=(
            r"Expand and simplify \[ (x<+p>)(x<+q>) \]",
            r"Which quadratic expression is equal to \( (x<+p>)(x<+q>) \) ?",
            r"A rectangle measures \( x<+p> \) by \( x<+q> \). Which expression is its area?",
        ),
        parameters="p q",
        draw=lambda r: (r.randint(1, 12), r.randint(2, 12)),
        keep=lambda p, q: p != q,
        right=lambda p, q: expression((1, "x^{2}"), (p + q, "x"), (p * q, "")),
        wrong=(
            (FIRST_AND_LAST_ONLY, lambda p, q: expression((1, "x^{2}"), (p * q, ""))),
            (SUM_AND_PRODUCT_SWAPPED, lambda p, q: expression((1, "x^{2}"), (p * q, "x"), (p + q, ""))),
            (LETTER_TIMES_ITSELF_DOUBLED, lambda p, q: expression((2 + p + q, "x"), (p * q, ""))),
        ),
    ),
    Task(
        slug="square-a-bracket",
        construct="Expand the square of a bracket",
        subject=EXPANDING,
        wordings=(
            r"Expand \[ (<y><+a>)^{2} \]",
            r"Which of these is the same as \( (<y><+a>)^{2} \) ?",
            r"A square has sides of length \( <y><+a> \). Which expression is its area?",
        ),
        parameters="y a",
        draw=lambda r: (r.choice("xynmt"), r.randint(1, 15)),
        keep=lambda y, a: a != 2,
        right=lambda y, a: expression((1, f"{y}^{{2}}"), (2 * a, y), (a * a, "")),
        wrong=(
            (FIRST_AND_LAST_ONLY, lambda y, a: expression((1, f"{y}^{{2}}"), (a * a, ""))),
            (DOUBLES_FOR_SQUARE, lambda y, a: expression((2, y), (2 * a, ""))),
            (MIDDLE_TERM_ONCE, lambda y, a: expression((1, f"{y}^{{2}}"), (a, y), (a * a, ""))),
        ),
    ),
    Task(
        slug="factorise-quadratic",
        construct="Factorise a quadratic with leading coefficient one",
        subject="Factorising",
        wordings=(
            r"Factorise \[ x^{2}<+b*>x<+c> \]",
            r"Write \( x^{2}<+b*>x<+c> \) as a product of two brackets.",
            r"Which of these is a factorised form of \( x^{2}<+b*>x<+c> \) ?",
        ),
        parameters="b c",
        draw=lambda r: ((p := r.randint(2, 12)) + (q := r.randint(2, 12)), p * q),
        keep=lambda b, c: b * b != 4 * c,
        right=lambda b, c: brackets(p := next(p for p in range(1, c) if p * (b - p) == c), b - p),
        wrong=(
            (FACTORS_MATCH_CONSTANT_ONLY, _other_factors),
            (FACTORS_MATCH_MIDDLE_ONLY, lambda b, c: brackets(b // 2, b - b // 2)),
            (
                FACTOR_SIGNS_FLIPPED,
                lambda b, c: brackets(-(p := next(p for p in range(1, c) if p * (b - p) == c)), p - b),
            ),
        ),
    ),
)
