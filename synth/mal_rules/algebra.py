"""Algebraic expressions: brackets, like terms, substitution, writing formulae.

Letters and conjoined terms: Kuechemann, "Algebra" in Hart (ed.), "Children's Understanding of Mathematics" (1981);
the mal-rules follow Sleeman (1984) and Matz (1982) in kind.
"""

from synth.answers import expression, number
from synth.mal_rule import MalRule, Task
from synth.mal_rules.number import DOUBLES_FOR_SQUARE, INDEX_COVERS_PRODUCT, LEFT_TO_RIGHT, MINUS_MINUS_IS_MINUS

FIRST_TERM_ONLY = MalRule(
    slug="first-term-only",
    name="Multiplies out a bracket by its first term alone",
    explanation="The factor outside reaches only the term next to it; the later terms are copied out.",
)
ADDS_OUTER_NUMBER = MalRule(
    slug="adds-outer-number",
    name="Adds the number outside a bracket to the numbers inside it",
    explanation="The missing sign before a bracket is taken to be a plus.",
)
CONJOINS_TERMS = MalRule(
    slug="conjoins-terms",
    name="Joins a letter term and a number into a single term",
    explanation="Feels that an answer may not contain an operation sign, so three x and five become eight x.",
)
NEGATIVE_NOT_DISTRIBUTED = MalRule(
    slug="negative-not-distributed",
    name="Lets a negative multiplier change the sign of the first term in the bracket and no other",
    explanation="The size of the factor is used throughout, its sign only once.",
)
LIKE_TERMS_SQUARED = MalRule(
    slug="like-terms-squared",
    name="Raises the power of a letter when adding like terms",
    explanation="Adding x terms is confused with multiplying them, so x plus x gives x squared.",
)
SIGN_FROM_THE_RIGHT = MalRule(
    slug="sign-from-the-right",
    name="Attaches to a term the operation sign that follows it",
    explanation="When terms are regrouped, each takes along the sign on its right rather than on its left.",
)
SUBTRACTED_TERM_ADDED = MalRule(
    slug="subtracted-term-added",
    name="Adds all coefficients of like terms, whatever the signs between them",
    explanation="A term that is taken away is collected as if it were added.",
)
SUBSTITUTION_AS_DIGITS = MalRule(
    slug="substitution-as-digits",
    name="Puts a number in place of a letter as a digit beside the coefficient",
    explanation="Does not see the hidden multiplication, so a coefficient 3 followed by 5 is read as thirty-five.",
)
SUBSTITUTION_AS_SUM = MalRule(
    slug="substitution-as-sum",
    name="Takes a coefficient and its letter to be added together",
    explanation="Does not see the hidden multiplication and combines the number with the letter's value by a plus.",
)
FIXED_AND_RATE_SWAPPED = MalRule(
    slug="fixed-and-rate-swapped",
    name="Attaches the variable to the fixed amount instead of the rate",
    explanation="In a formula the charge that is paid once is multiplied by the number of units.",
)
EVERYTHING_ADDED_IN_FORMULA = MalRule(
    slug="everything-added-in-formula",
    name="Builds a formula by adding all quantities named in the text",
    explanation="'For each' is not turned into a multiplication, so rate, fixed amount and variable are summed.",
)


EXPANDING = "Expanding brackets"

TASKS = (
    Task(
        slug="expand-single-bracket",
        construct="Expand a single bracket",
        subject=EXPANDING,
        wordings=(
            r"Expand \[ <k>(<a*>x<+b>) \]",
            r"Multiply out the bracket: \( <k>(<a*>x<+b>) \)",
            r"Which expression is equivalent to \( <k>(<a*>x<+b>) \) ?",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 9), r.randint(1, 7), r.choice((-1, 1)) * r.randint(2, 9)),
        right=lambda k, a, b: expression((k * a, "x"), (k * b, "")),
        wrong=(
            (FIRST_TERM_ONLY, lambda k, a, b: expression((k * a, "x"), (b, ""))),
            (ADDS_OUTER_NUMBER, lambda k, a, b: expression((k + a, "x"), (k + b, ""))),
            (CONJOINS_TERMS, lambda k, a, b: expression((k * a + k * b, "x")) if b > 0 else None),
        ),
        slips=(lambda k, a, b: expression((a, "x"), (k * b, "")),),
    ),
    Task(
        slug="expand-negative-bracket",
        construct="Expand a single bracket with a negative multiplier",
        subject=EXPANDING,
        wordings=(
            r"Expand \[ -<k>(<a*>x<+b>) \]",
            r"Multiply out: \( -<k>(<a*>x<+b>) \)",
            r"<person> removes the bracket from \( -<k>(<a*>x<+b>) \). What should the result be?",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 9), r.randint(1, 7), -r.randint(2, 9)),
        right=lambda k, a, b: expression((-k * a, "x"), (-k * b, "")),
        wrong=(
            (NEGATIVE_NOT_DISTRIBUTED, lambda k, a, b: expression((-k * a, "x"), (k * b, ""))),
            (FIRST_TERM_ONLY, lambda k, a, b: expression((-k * a, "x"), (b, ""))),
            (ADDS_OUTER_NUMBER, lambda k, a, b: expression((a - k, "x"), (b - k, ""))),
        ),
        slips=(lambda k, a, b: expression((k * a, "x"), (k * b, "")),),
    ),
    Task(
        slug="collect-like-terms",
        construct="Collect like terms",
        subject="Simplifying expressions",
        wordings=(
            r"Simplify \[ <a*>x - <b> - <c*>x + <d> \]",
            r"Write as simply as possible: \( <a*>x - <b> - <c*>x + <d> \)",
            r"Which expression equals \( <a*>x - <b> - <c*>x + <d> \) ?",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(4, 12), r.randint(2, 9), r.randint(1, 7), r.randint(3, 19)),
        keep=lambda a, b, c, d: a - c > 1 and b != d,
        right=lambda a, b, c, d: expression((a - c, "x"), (d - b, "")),
        wrong=(
            (SUBTRACTED_TERM_ADDED, lambda a, b, c, d: expression((a + c, "x"), (d + b, ""))),
            (SIGN_FROM_THE_RIGHT, lambda a, b, c, d: expression((c - a, "x"), (d - b, ""))),
            (LIKE_TERMS_SQUARED, lambda a, b, c, d: expression((a - c, "x^{2}"), (d - b, ""))),
            (CONJOINS_TERMS, lambda a, b, c, d: expression((a - c + d - b, "x"))),
        ),
    ),
    Task(
        slug="substitute-into-square",
        construct="Substitute into expressions with powers",
        subject="Substitution",
        wordings=(
            r"When \( y = <n> \), what is the value of \( <a>y^{2} \) ?",
            r"\( y = <n> \). Work out \[ <a>y^{2} \]",
            r"<person> replaces \( y \) by \( <n> \) in \( <a>y^{2} \). What is the result?",
        ),
        parameters="a n",
        draw=lambda r: (r.randint(2, 9), r.randint(3, 12)),
        right=lambda a, n: number(a * n * n),
        wrong=(
            (INDEX_COVERS_PRODUCT, lambda a, n: number((a * n) ** 2)),
            (DOUBLES_FOR_SQUARE, lambda a, n: number(a * 2 * n)),
            (SUBSTITUTION_AS_SUM, lambda a, n: number(a + n * n)),
            (SUBSTITUTION_AS_DIGITS, lambda a, n: number(int(f"{a}{n * n}"))),
        ),
    ),
    Task(
        slug="substitute-negative",
        construct="Substitute negative numbers into linear expressions",
        subject="Substitution",
        wordings=(
            r"Find the value of \( <a> - <b>p \) when \( p = <n> \)",
            r"\( p = <n> \). What is \( <a> - <b>p \) ?",
            r"What does \( <a> - <b>p \) equal if \( p \) is \( <n> \) ?",
        ),
        parameters="a b n",
        draw=lambda r: (r.randint(5, 30), r.randint(2, 9), -r.randint(2, 9)),
        right=lambda a, b, n: number(a - b * n),
        wrong=(
            (MINUS_MINUS_IS_MINUS, lambda a, b, n: number(a + b * n)),
            (LEFT_TO_RIGHT, lambda a, b, n: number((a - b) * n)),
            (SUBSTITUTION_AS_SUM, lambda a, b, n: number(a - (b + n))),
        ),
    ),
    Task(
        slug="write-formula",
        construct="Write a formula from a description in words",
        subject="Formulae",
        wordings=(
            r"A taxi charges \( £ <a> \) and then \( £ <b> \) for each mile. Which expression gives the cost of "
            r"\( m \) miles in pounds?",
            r"Hiring a bike costs \( £ <b> \) a day, with a single payment of \( £ <a> \) for a helmet. What is the "
            r"cost in pounds of \( m \) days?",
            r"<person> has \( £ <a> \) and saves \( £ <b> \) every week. How many pounds are there after \( m \) "
            r"weeks?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(3, 30), r.randint(2, 15)),
        keep=lambda a, b: a != b,
        right=lambda a, b: expression((b, "m"), (a, "")),
        wrong=(
            (FIXED_AND_RATE_SWAPPED, lambda a, b: expression((a, "m"), (b, ""))),
            (EVERYTHING_ADDED_IN_FORMULA, lambda a, b: expression((1, "m"), (a + b, ""))),
            (CONJOINS_TERMS, lambda a, b: expression((a + b, "m"))),
        ),
    ),
)
