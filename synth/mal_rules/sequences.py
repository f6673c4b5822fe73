"""Sequences: nth term, later terms, geometric growth, position-to-term rules."""

from synth.answers import expression, number
from synth.mal_rule import MalRule, Task
from synth.mal_rules.number import DOUBLES_FOR_SQUARE, INDEX_COVERS_PRODUCT

DIFFERENCE_AS_ADDED_NUMBER = MalRule(
    slug="difference-as-added-number",
    name="Writes the step of a linear sequence as a number added to n",
    explanation="'Goes up in fives' becomes n + 5: the rule from term to term is written as if it were the one from "
    "position to term.",
)
FIRST_TERM_AS_CONSTANT = MalRule(
    slug="first-term-as-constant",
    name="Starts counting the steps of a sequence at the first term as if it were number zero",
    explanation="The first term is used as the constant, so each result is one step too far along.",
)
STEP_AND_START_SWAPPED = MalRule(
    slug="step-and-start-swapped",
    name="Uses the first term as the multiplier in the general term",
    explanation="The roles of the first term and of the common difference are exchanged.",
)
STEP_TIMES_POSITION = MalRule(
    slug="step-times-position",
    name="Multiplies position by common difference and adds no constant",
    explanation="Every linear sequence is treated as a times table.",
)
SCALES_AN_EARLIER_TERM = MalRule(
    slug="scales-an-earlier-term",
    name="Doubles the fifth term to get the tenth",
    explanation="Assumes that a term twice as far along is twice as large, which holds for times tables only.",
)
GEOMETRIC_AS_LINEAR = MalRule(
    slug="geometric-as-linear",
    name="Continues a multiplying pattern by adding the latest difference again",
    explanation="A geometric sequence is taken for an arithmetic one.",
)
FIRST_DIFFERENCE_REPEATED = MalRule(
    slug="first-difference-repeated",
    name="Takes the gap between the first two terms to hold throughout a sequence",
    explanation="Only the first two terms are looked at, and their difference is added to the last.",
)
ALWAYS_DOUBLES_SEQUENCE = MalRule(
    slug="always-doubles-sequence",
    name="Thinks every sequence that grows quickly doubles each time",
    explanation="The common ratio is not worked out from the terms but assumed to be two.",
)
TERM_AND_POSITION_MIXED = MalRule(
    slug="term-and-position-mixed",
    name="Adds the constant of a rule to the position before squaring",
    explanation="The constant is added to the position before the square is taken.",
)

TASKS = (
    Task(
        slug="nth-term",
        construct="Find the nth term of a linear sequence",
        subject="Linear sequences",
        wordings=(
            r"What is the \( n \)th term of this sequence? \[ <a>, <b>, <c>, <d>, \ldots \]",
            r"A sequence begins \( <a>, <b>, <c>, <d>, \ldots \) Which expression gives its \( n \)th term?",
            r"<person> makes patterns from \( <a>, <b>, <c> \) and \( <d> \) sticks. How many sticks does pattern "
            r"\( n \) need?",
        ),
        parameters="a b c d k",
        draw=lambda r: ((a := r.randint(2, 20)), a + (k := r.randint(2, 9)), a + 2 * k, a + 3 * k, k),
        keep=lambda a, b, c, d, k: a not in (k, 2 * k),
        right=lambda a, b, c, d, k: expression((k, "n"), (a - k, "")),
        wrong=(
            (DIFFERENCE_AS_ADDED_NUMBER, lambda a, b, c, d, k: expression((1, "n"), (k, ""))),
            (FIRST_TERM_AS_CONSTANT, lambda a, b, c, d, k: expression((k, "n"), (a, ""))),
            (STEP_AND_START_SWAPPED, lambda a, b, c, d, k: expression((a, "n"), (k, ""))),
            (STEP_TIMES_POSITION, lambda a, b, c, d, k: expression((k, "n"))),
        ),
    ),
    Task(
        slug="later-term",
        construct="Find a later term of a linear sequence",
        subject="Linear sequences",
        wordings=(
            r"The first five terms of a sequence are \( <a>, <b>, <c>, <d>, <e> \). What is the \( 10 \)th term?",
            r"A linear sequence starts \[ <a>, <b>, <c>, <d>, <e>, \ldots \] Find its tenth term.",
            r"<person> saves in a pattern: \( £ <a>, £ <b>, £ <c>, £ <d>, £ <e> \) in the first five weeks. How many "
            r"pounds are saved in week \( 10 \) ?",
        ),
        parameters="a b c d e k",
        draw=lambda r: ((a := r.randint(2, 30)), a + (k := r.randint(2, 9)), a + 2 * k, a + 3 * k, a + 4 * k, k),
        keep=lambda a, b, c, d, e, k: a != k,
        right=lambda a, b, c, d, e, k: number(a + 9 * k),
        wrong=(
            (FIRST_TERM_AS_CONSTANT, lambda a, b, c, d, e, k: number(a + 10 * k)),
            (STEP_TIMES_POSITION, lambda a, b, c, d, e, k: number(10 * k)),
            (SCALES_AN_EARLIER_TERM, lambda a, b, c, d, e, k: number(2 * e)),
        ),
    ),
    Task(
        slug="next-geometric-term",
        construct="Continue a geometric sequence",
        subject="Geometric sequences",
        wordings=(
            r"What is the next term? \[ <a>, <b>, <c>, \ldots \]",
            r"Each term of a sequence is the one before times the same number. It starts \( <a>, <b>, <c> \). What "
            r"follows?",
            r"Find the fourth term of the geometric sequence \( <a>, <b>, <c>, \ldots \)",
        ),
        parameters="a b c",
        draw=lambda r: ((a := r.randint(2, 20)), a * (k := r.randint(3, 6)), a * k * k),
        right=lambda a, b, c: number(c * b // a),
        wrong=(
            (GEOMETRIC_AS_LINEAR, lambda a, b, c: number(2 * c - b)),
            (FIRST_DIFFERENCE_REPEATED, lambda a, b, c: number(c + b - a)),
            (ALWAYS_DOUBLES_SEQUENCE, lambda a, b, c: number(2 * c)),
        ),
    ),
    Task(
        slug="term-of-quadratic",
        construct="Use a position-to-term rule with a square",
        subject="Quadratic sequences",
        wordings=(
            r"The \( n \)th term of a sequence is \( <a>n^{2} + <c> \). What is term number \( <k> \) ?",
            r"A sequence follows the rule \( <a>n^{2} + <c> \). Find the term for \( n = <k> \)",
            r"What is the \( <k> \)th term of the sequence with \( n \)th term \[ <a>n^{2} + <c> \]",
        ),
        parameters="a c k",
        draw=lambda r: (r.randint(2, 6), r.randint(1, 15), r.randint(4, 12)),
        right=lambda a, c, k: number(a * k * k + c),
        wrong=(
            (INDEX_COVERS_PRODUCT, lambda a, c, k: number((a * k) ** 2 + c)),
            (DOUBLES_FOR_SQUARE, lambda a, c, k: number(a * 2 * k + c)),
            (TERM_AND_POSITION_MIXED, lambda a, c, k: number(a * (k + c) ** 2)),
        ),
    ),
)
