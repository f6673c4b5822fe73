"""Adding and subtracting negative numbers."""

from synth.answers import number
from synth.bank_rules.parts import rule
from synth.bank_rules.shared import LARGER_MINUS_SMALLER, NEGATIVE_SIGN_UNSEEN, SIZES_ADDED_MINUS
from synth.mal_rule import Task
from synth.mal_rules.number import MINUS_MINUS_IS_MINUS

NEGATIVES = "Negative numbers"

TASKS = (
    Task(
        slug="add-positive-to-negative",
        construct="Add with negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ -<a> + <b> \]",
            r"\( -<a> + <b> = \)",
            r"The temperature is \( -<a> \) degrees and rises by \( <b> \) degrees. What is it now?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 15), r.randint(2, 15)),
        keep=lambda a, b: a != b,
        right=lambda a, b: number(b - a),
        wrong=(
            (SIZES_ADDED_MINUS, lambda a, b: number(-a - b)),
            (NEGATIVE_SIGN_UNSEEN, lambda a, b: number(a + b)),
            (rule("signs-exchanged", "Lets two numbers swap their signs"), lambda a, b: number(a - b)),
        ),
    ),
    Task(
        slug="add-two-negatives",
        construct="Add with negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ -<a> + (-<b>) \]",
            r"What is \( (-<a>) + (-<b>) \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 15), r.randint(2, 15)),
        keep=lambda a, b: a != b,
        right=lambda a, b: number(-a - b),
        wrong=(
            (
                rule("negatives-sum-positive", "Makes the sum of two negative numbers positive"),
                lambda a, b: number(a + b),
            ),
            (
                rule("adding-negative-raises", "Adds the size of a negative number that is added"),
                lambda a, b: number(b - a),
            ),
        ),
        slips=(lambda a, b: number(a - b), lambda a, b: number(a * b)),
    ),
    Task(
        slug="subtract-past-zero",
        construct="Subtract a larger number from a smaller one",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ <a> - <b> \]",
            r"\( <a> - <b> = \)",
            r"The temperature is \( <a> \) degrees and falls by \( <b> \) degrees. What is it now?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.randint(2, 12), a + r.randint(2, 15)),
        right=lambda a, b: number(a - b),
        wrong=(
            (SIZES_ADDED_MINUS, lambda a, b: number(-a - b)),
            (LARGER_MINUS_SMALLER, lambda a, b: number(b - a)),
        ),
        slips=(lambda a, b: number(a + b), lambda a, b: number(a - b - 1), lambda a, b: number(a - b + 1)),
    ),
    Task(
        slug="positive-minus-negative",
        construct="Subtract negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ <a> - (-<b>) \]",
            r"\( <a> - -<b> = \)",
            r"What is \( <a> - (-<b>) \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 20), r.randint(2, 20)),
        keep=lambda a, b: a != b,
        right=lambda a, b: number(a + b),
        wrong=(
            (MINUS_MINUS_IS_MINUS, lambda a, b: number(a - b)),
            (
                rule(
                    "minus-negative-is-negative", "Expects a negative result whenever a negative number is subtracted"
                ),
                lambda a, b: number(-a - b),
            ),
        ),
        slips=(lambda a, b: number(b - a), lambda a, b: number(a * b)),
    ),
    Task(
        slug="negative-minus-positive",
        construct="Subtract from negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Calculate \[ -<a> - <b> \]",
            r"\( -<a> - <b> = \)",
            r"What is \( <b> \) less than \( -<a> \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 20), r.randint(2, 20)),
        keep=lambda a, b: a != b,
        right=lambda a, b: number(-a - b),
        wrong=(
            (
                rule("towards-zero", "Moves towards zero when subtracting from a negative number"),
                lambda a, b: number(b - a),
            ),
            (
                rule("two-signs-plus-sum", "Turns two minus signs in a line into a positive result"),
                lambda a, b: number(a + b),
            ),
        ),
        slips=(lambda a, b: number(a - b), lambda a, b: number(a * b)),
    ),
    Task(
        slug="greatest-negative",
        construct="Order negative numbers",
        subject=NEGATIVES,
        wordings=(
            r"Which of these numbers is the greatest? \[ <list> \]",
            r"Which temperature is the highest, in degrees? \[ <list> \]",
        ),
        parameters="list",
        draw=lambda r: (tuple(r.sample(range(-30, -1), 4)),),
        right=lambda list: number(max(list)),
        wrong=(
            (
                rule("larger-size-greater", "Takes the negative number of the largest size for the greatest"),
                lambda list: number(min(list)),
            ),
        ),
        slips=(lambda list: number(sorted(list)[1]), lambda list: number(sorted(list)[2])),
    ),
)
