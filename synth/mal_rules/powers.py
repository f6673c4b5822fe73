"""Powers and the laws of indices."""

from synth.answers import expression, lowest, number, power, raised
from synth.mal_rule import MalRule, Task

BASE_TIMES_INDEX = MalRule(
    slug="base-times-index",
    name="Multiplies the base by the index to evaluate a power",
    explanation="Reads a power as one product of the two numbers that are written, so four cubed becomes twelve.",
)
BASE_INDEX_SWAPPED = MalRule(
    slug="base-index-swapped",
    name="Confuses which number of a power is repeated and which counts the repeats",
    explanation="Multiplies the index by itself as often as the base says.",
)
BASE_PLUS_INDEX = MalRule(
    slug="base-plus-index",
    name="Adds the base and the index to evaluate a power",
    explanation="Combines the two written numbers by addition instead of repeated multiplication.",
)
NEGATIVE_INDEX_NEGATIVE_VALUE = MalRule(
    slug="negative-index-negative-value",
    name="Thinks a minus sign in the index makes the value of the power negative",
    explanation="Evaluates the power with a positive index and puts the minus in front, instead of taking the "
    "reciprocal.",
)
NEGATIVE_INDEX_IGNORED = MalRule(
    slug="negative-index-ignored",
    name="Pays no attention to the minus sign of an index",
    explanation="A negative power is evaluated as if its index were positive.",
)
MULTIPLIES_INDICES = MalRule(
    slug="multiplies-indices",
    name="Multiplies the indices when powers of one base are multiplied",
    explanation="Uses the law for a power of a power where the indices ought to be added.",
)
MULTIPLIES_BASES = MalRule(
    slug="multiplies-bases",
    name="Multiplies the bases together as well when simplifying a product of powers",
    explanation="The equal bases are multiplied as numbers while the indices are added, so three becomes nine.",
)
ADDS_COEFFICIENTS = MalRule(
    slug="adds-coefficients",
    name="Adds the numbers in front of the letters when terms are multiplied",
    explanation="Applies to the coefficients of a product what the law of indices says about the indices.",
)
HIDDEN_INDEX_ZERO = MalRule(
    slug="hidden-index-zero",
    name="Believes a letter without an index has index zero",
    explanation="A bare letter adds nothing to the index of the product, as though it were to the power 0.",
)
ADDS_INDICES_OF_NESTED_POWER = MalRule(
    slug="adds-indices-of-nested-power",
    name="Adds the indices when a power is raised to a further power",
    explanation="Uses the law for multiplying powers on a bracket that carries an index of its own.",
)
COEFFICIENT_NOT_RAISED = MalRule(
    slug="coefficient-not-raised",
    name="Raises only the letter in a bracket to the power, not its coefficient",
    explanation="The number inside the bracket is copied out unchanged while the power is applied to the letter.",
)
COEFFICIENT_TIMES_INDEX = MalRule(
    slug="coefficient-times-index",
    name="Multiplies the coefficient inside a bracket by the bracket's index",
    explanation="Treats number and index alike: both are multiplied by the outer index, though the number must be "
    "raised to it.",
)

TASKS = (
    Task(
        slug="evaluate-power",
        construct="Evaluate a positive integer power of a number",
        subject="Squares, cubes and powers",
        wordings=(
            r"What is the value of \( <a>^{<b>} \) ?",
            r"Work out \[ <a>^{<b>} \]",
            r"<person> writes a number as \( <a>^{<b>} \). Which number is it?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 12), r.randint(2, 6)),
        keep=lambda a, b: a != b and a**b <= 10_000,
        right=lambda a, b: number(a**b),
        wrong=(
            (BASE_TIMES_INDEX, lambda a, b: number(a * b)),
            (BASE_INDEX_SWAPPED, lambda a, b: number(b**a)),
            (BASE_PLUS_INDEX, lambda a, b: number(a + b)),
        ),
    ),
    Task(
        slug="negative-power",
        construct="Evaluate a negative integer power of a number",
        subject="Squares, cubes and powers",
        wordings=(
            r"What is the value of \( <a>^{-<b>} \) ?",
            r"Write \( <a>^{-<b>} \) without an index.",
            r"Evaluate \[ <a>^{-<b>} \]",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 20), r.randint(1, 5)),
        keep=lambda a, b: a != b and a**b <= 2_000,
        right=lambda a, b: lowest(1, a**b),
        wrong=(
            (NEGATIVE_INDEX_NEGATIVE_VALUE, lambda a, b: number(-(a**b))),
            (NEGATIVE_INDEX_IGNORED, lambda a, b: number(a**b)),
            (BASE_TIMES_INDEX, lambda a, b: number(-a * b)),
        ),
        slips=(lambda a, b: lowest(-1, a**b),),
    ),
    Task(
        slug="multiply-number-powers",
        construct="Multiply powers of the same number, leaving the answer in index form",
        subject="Laws of indices",
        wordings=(
            r"Write as a single power: \[ <n>^{<a>} \times <n>^{<b>} \]",
            r"Simplify, leaving your answer as a power: \( <n>^{<a>} \times <n>^{<b>} \)",
            r"Which of these is equal to \( <n>^{<a>} \times <n>^{<b>} \) ?",
        ),
        parameters="n a b",
        draw=lambda r: (r.choice((2, 3, 5, 6, 7, 10)), r.randint(2, 9), r.randint(2, 9)),
        keep=lambda n, a, b: a * b != a + b,
        right=lambda n, a, b: power(n, a + b),
        wrong=(
            (MULTIPLIES_INDICES, lambda n, a, b: power(n, a * b)),
            (MULTIPLIES_BASES, lambda n, a, b: power(n * n, a + b)),
        ),
        slips=(lambda n, a, b: power(n * n, a * b), lambda n, a, b: power(2 * n, a + b)),
    ),
    Task(
        slug="multiply-algebraic-powers",
        construct="Simplify products of algebraic terms with indices",
        subject="Laws of indices",
        wordings=(
            r"Simplify \[ <p*><s> \times <q*><t> \]",
            r"Write \( <p*><s> \times <q*><t> \) in its simplest form.",
            r"The sides of a rectangle are \( <p*><s> \) and \( <q*><t> \). Which expression is its area?",
        ),
        parameters="p q a b y s t",
        draw=lambda r: (
            r.randint(2, 9),
            r.randint(2, 9),
            a := r.randint(2, 6),
            b := r.choice((1, 1, 2, 3, 4)),
            y := r.choice("xyabt"),
            raised(y, a),
            raised(y, b),
        ),
        keep=lambda p, q, a, b, *_: (p, q) != (2, 2) and (a, b) != (2, 2),
        right=lambda p, q, a, b, y, *_: expression((p * q, raised(y, a + b))),
        wrong=(
            (MULTIPLIES_INDICES, lambda p, q, a, b, y, *_: None if b == 1 else expression((p * q, raised(y, a * b)))),
            (HIDDEN_INDEX_ZERO, lambda p, q, a, b, y, *_: expression((p * q, raised(y, a))) if b == 1 else None),
            (ADDS_COEFFICIENTS, lambda p, q, a, b, y, *_: expression((p + q, raised(y, a + b)))),
        ),
        slips=(lambda p, q, a, b, y, *_: expression((p * q, raised(y, a + b + 1))),),
    ),
    Task(
        slug="power-of-bracket",
        construct="Raise a bracketed term with an index to a power",
        subject="Laws of indices",
        wordings=(
            r"Simplify \[ (<k><s>)^{<b>} \]",
            r"Which expression is equal to \( (<k><s>)^{<b>} \) ?",
            r"Write \( (<k><s>)^{<b>} \) without brackets.",
        ),
        parameters="k a b y s",
        draw=lambda r: (
            r.randint(2, 6),
            a := r.randint(2, 7),
            r.randint(2, 4),
            y := r.choice("xyabt"),
            raised(y, a),
        ),
        keep=lambda k, a, b, *_: (a, b) != (2, 2) and (k, b) != (2, 2) and k**b < 300,
        right=lambda k, a, b, y, _: expression((k**b, raised(y, a * b))),
        wrong=(
            (COEFFICIENT_NOT_RAISED, lambda k, a, b, y, _: expression((k, raised(y, a * b)))),
            (COEFFICIENT_TIMES_INDEX, lambda k, a, b, y, _: expression((k * b, raised(y, a * b)))),
            (ADDS_INDICES_OF_NESTED_POWER, lambda k, a, b, y, _: expression((k**b, raised(y, a + b)))),
        ),
    ),
)
