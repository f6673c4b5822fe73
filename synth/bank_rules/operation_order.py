"""Order of operations."""

from fractions import Fraction as F

from synth.answers import number
from synth.bank_rules.parts import rule
from synth.bank_rules.shared import ADDITION_BEFORE_DIVISION, FRACTION_BAR_NO_GROUP
from synth.mal_rule import Task

ORDER = "Order of operations"

TASKS = (
    Task(
        slug="add-then-divide",
        construct="Use the order of operations with division",
        subject=ORDER,
        wordings=(
            r"Calculate \[ <a> + <b> \div <c> \]",
            r"\( <a> + <b> \div <c> = \)",
            r"What is the value of \( <a> + <b> \div <c> \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (c := r.randint(2, 6), c * r.randint(2, 9), c * r.randint(2, 9))[::-1],
        keep=lambda a, b, c: a != b,
        right=lambda a, b, c: number(a + b // c),
        wrong=((ADDITION_BEFORE_DIVISION, lambda a, b, c: number((a + b) // c)),),
        slips=(lambda a, b, c: number(a + b + c), lambda a, b, c: number(a + b * c), lambda a, b, c: number(a + b - c)),
    ),
    Task(
        slug="brackets-times",
        construct="Use the order of operations with brackets",
        subject=ORDER,
        wordings=(
            r"Work out \[ (<a> + <b>) \times <c> \]",
            r"\( (<a> + <b>) \times <c> = \)",
            r"<person> is asked for \( (<a> + <b>) \times <c> \). What is the answer?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 12), r.randint(2, 12), r.randint(3, 9)),
        right=lambda a, b, c: number((a + b) * c),
        wrong=(
            (
                rule("brackets-unseen", "Calculates as if the brackets were not there"),
                lambda a, b, c: number(a + b * c),
            ),
        ),
        slips=(lambda a, b, c: number(a + b + c), lambda a, b, c: number(a * b * c), lambda a, b, c: number(a * c + b)),
    ),
    Task(
        slug="brackets-after-product",
        construct="Use the order of operations with brackets",
        subject=ORDER,
        wordings=(
            r"Work out \[ <a> + <b> \times (<c> + <d>) \]",
            r"\( <a> + <b> \times (<c> + <d>) = \)",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(2, 12), r.randint(2, 6), r.randint(2, 6), r.randint(2, 6)),
        right=lambda a, b, c, d: number(a + b * (c + d)),
        wrong=(
            (
                rule("left-to-right-after-brackets", "Does brackets first and then everything else from the left"),
                lambda a, b, c, d: number((a + b) * (c + d)),
            ),
            (
                rule("brackets-unseen-in-sum", "Leaves the brackets out of a longer calculation"),
                lambda a, b, c, d: number(a + b * c + d),
            ),
            (
                rule("all-from-the-left", "Works through a line from the left and overlooks brackets and priority"),
                lambda a, b, c, d: number((a + b) * c + d),
            ),
        ),
    ),
    Task(
        slug="subtract-a-product",
        construct="Use the order of operations",
        subject=ORDER,
        wordings=(
            r"Calculate \[ <a> - <b> \times <c> \]",
            r"\( <a> - <b> \times <c> = \)",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(30, 70), r.randint(2, 6), r.randint(2, 5)),
        right=lambda a, b, c: number(a - b * c),
        wrong=(
            (
                rule("subtraction-before-product", "Does a subtraction before a multiplication"),
                lambda a, b, c: number((a - b) * c),
            ),
        ),
        slips=(lambda a, b, c: number(a - b - c), lambda a, b, c: number(a * b - c), lambda a, b, c: number(a + b * c)),
    ),
    Task(
        slug="add-a-product",
        construct="Use the order of operations",
        subject=ORDER,
        wordings=(
            r"Calculate \[ <a> \times <b> + <c> \]",
            r"\( <a> \times <b> + <c> = \)",
            r"Which answer is right for \( <a> \times <b> + <c> \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9), r.randint(2, 9)),
        keep=lambda a, b, c: len({a, b, c}) == 3,
        right=lambda a, b, c: number(a * b + c),
        wrong=(
            (
                rule("addition-always-first", "Does an addition before any other operation"),
                lambda a, b, c: number(a * (b + c)),
            ),
        ),
        slips=(lambda a, b, c: number(a + b + c), lambda a, b, c: number(a * b * c), lambda a, b, c: number(a * c + b)),
    ),
    Task(
        slug="two-subtractions",
        construct="Use the order of operations",
        subject=ORDER,
        wordings=(
            r"Calculate \[ <a> - <b> - <c> \]",
            r"\( <a> - <b> - <c> = \)",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(20, 60), r.randint(8, 15), r.randint(2, 7)),
        right=lambda a, b, c: number(a - b - c),
        wrong=(
            (
                rule("right-to-left", "Carries out the operations of a line from the right"),
                lambda a, b, c: number(a - (b - c)),
            ),
        ),
        slips=(lambda a, b, c: number(a + b - c), lambda a, b, c: number(a - b), lambda a, b, c: number(a + b + c)),
    ),
    Task(
        slug="add-a-square",
        construct="Use the order of operations with powers",
        subject=ORDER,
        wordings=(
            r"Calculate \[ <a> + <b>^{2} \]",
            r"What is \( <a> + <b>^{2} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 9), r.randint(3, 9)),
        right=lambda a, b: number(a + b * b),
        wrong=(
            (rule("addition-before-power", "Does an addition before a power"), lambda a, b: number((a + b) ** 2)),
            (
                rule("each-term-squared", "Applies a square to every number of a sum"),
                lambda a, b: number(a * a + b * b),
            ),
        ),
        slips=(lambda a, b: number(a + 2 * b), lambda a, b: number(a + b)),
    ),
    Task(
        slug="divide-by-a-square",
        construct="Use the order of operations with powers",
        subject=ORDER,
        wordings=(
            r"Calculate \[ <a> \div <b>^{2} \]",
            r"What is \( <a> \div <b>^{2} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (b := r.randint(2, 5), b * b * r.randint(2, 8))[::-1],
        right=lambda a, b: number(a // b**2),
        wrong=((rule("division-before-power", "Does a division before a power"), lambda a, b: number((a // b) ** 2)),),
        slips=(lambda a, b: number(a // b), lambda a, b: number(F(a, 2 * b)), lambda a, b: number(a * b * b)),
    ),
    Task(
        slug="sum-above-a-bar",
        construct="Use the order of operations with fraction bars",
        subject=ORDER,
        wordings=(
            r"Calculate \[ \frac{<a> + <b>}{<c>} \]",
            r"What is the value of \( \frac{<a> + <b>}{<c>} \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (c := r.choice((2, 4, 5)), c * r.randint(2, 9), c * r.randint(2, 9))[::-1],
        right=lambda a, b, c: number((a + b) // c),
        wrong=(
            (FRACTION_BAR_NO_GROUP, lambda a, b, c: number(a + b // c)),
            (rule("bar-as-minus", "Reads a fraction bar as a minus sign"), lambda a, b, c: number(a + b - c)),
            (
                rule("bar-as-times", "Reads a fraction bar as a multiplication sign"),
                lambda a, b, c: number((a + b) * c),
            ),
            (rule("bar-as-plus", "Reads a fraction bar as a plus sign"), lambda a, b, c: number(a + b + c)),
        ),
    ),
)
