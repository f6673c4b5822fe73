"""Simplifying and substituting into algebraic expressions."""

from synth.answers import expression, number
from synth.bank_rules.parts import rule, shown
from synth.mal_rule import Task

SIMPLIFYING = "Simplifying expressions"
SUBSTITUTION = "Substitution"

TASKS = (
    Task(
        slug="multiply-like-terms",
        construct="Multiply algebraic terms",
        subject=SIMPLIFYING,
        wordings=(
            r"Simplify \( <a>y \times <b>y \)",
            r"Which expression is equal to \( <a>y \times <b>y \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9)),
        keep=lambda a, b: a != b and a * b != a + b,
        right=lambda a, b: expression((a * b, "y^{2}")),
        wrong=(
            (
                rule("like-terms-added-for-product", "Adds like terms that should be multiplied"),
                lambda a, b: expression((a + b, "y")),
            ),
            (
                rule("product-coefficients-added", "Adds coefficients and multiplies letters"),
                lambda a, b: expression((a + b, "y^{2}")),
            ),
            (
                rule("letters-not-multiplied", "Multiplies the coefficients and keeps a single letter"),
                lambda a, b: expression((a * b, "y")),
            ),
            (
                rule("term-parts-summed", "Multiplies numbers and letters apart and adds the results"),
                lambda a, b: expression((1, "y^{2}"), (a * b, "")),
            ),
        ),
    ),
    Task(
        slug="repeated-letter-product",
        construct="Use index notation for letters",
        subject=SIMPLIFYING,
        wordings=(
            r"Simplify \( <product> \)",
            r"Write as simply as possible: \( <product> \)",
        ),
        parameters="n product",
        draw=lambda r: (n := r.randint(3, 6), r" \times ".join("m" * n)),
        right=lambda n, product: shown(f"m^{{{n}}}"),
        wrong=(
            (
                rule("repeated-product-as-multiple", "Writes a letter multiplied n times as n of that letter"),
                lambda n, product: shown(f"{n}m"),
            ),
            (
                rule("repeated-letter-written-out", "Writes the letter as often as it is multiplied"),
                lambda n, product: shown("m" * n),
            ),
        ),
        slips=(lambda n, product: shown(f"m + {n}"), lambda n, product: shown(f"{n}^{{m}}")),
    ),
    Task(
        slug="repeated-letter-sum",
        construct="Collect like terms",
        subject=SIMPLIFYING,
        wordings=(
            r"Simplify \( <sum> \)",
            r"Which expression is equal to \( <sum> \) ?",
        ),
        parameters="n sum",
        draw=lambda r: (n := r.randint(3, 6), " + ".join("a" * n)),
        right=lambda n, sum: shown(f"{n}a"),
        wrong=(
            (
                rule("repeated-sum-as-power", "Writes a letter added n times as its nth power"),
                lambda n, sum: shown(f"a^{{{n}}}"),
            ),
        ),
        slips=(lambda n, sum: shown(f"a + {n}"), lambda n, sum: shown("a" * n), lambda n, sum: shown(f"{n}^{{a}}")),
    ),
    Task(
        slug="subtract-like-terms",
        construct="Collect like terms",
        subject=SIMPLIFYING,
        wordings=(
            r"Simplify \( <a>p - p \)",
            r"Which expression is equal to \( <a>p - p \) ?",
        ),
        parameters="a",
        draw=lambda r: (r.randint(3, 12),),
        right=lambda a: expression((a - 1, "p")),
        wrong=(
            (
                rule("bare-letter-has-no-coefficient", "Does not give a letter without a number the coefficient one"),
                lambda a: number(a),
            ),
            (
                rule("bare-letter-cancels", "Lets a letter cancel the letter of a term with a coefficient"),
                lambda a: expression((a, "p")),
            ),
        ),
        slips=(lambda a: expression((a + 1, "p")), lambda a: expression((a, "p^{2}"))),
    ),
    Task(
        slug="evaluate-linear-term",
        construct="Substitute into algebraic terms",
        subject=SUBSTITUTION,
        wordings=(
            r"What is the value of \( <a>x \) when \( x = <n> \) ?",
            r"\( x = <n> \). Work out \( <a>x \)",
        ),
        parameters="a n",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 5)),
        keep=lambda a, n: a != n,
        right=lambda a, n: number(a * n),
        wrong=(
            (
                rule("coefficient-joined-to-value", "Writes the value of a letter behind its coefficient"),
                lambda a, n: number(int(f"{a}{n}")),
            ),
            (rule("coefficient-added-to-value", "Adds coefficient and value of a letter"), lambda a, n: number(a + n)),
            (
                rule("coefficient-disregarded", "Gives the value of the letter and disregards the coefficient"),
                lambda a, n: number(n),
            ),
            (
                rule("coefficient-to-the-power", "Raises the coefficient to the power of the letter's value"),
                lambda a, n: number(a**n),
            ),
            (
                rule("letter-left-in-place", "Keeps the letter beside the value that replaces it"),
                lambda a, n: expression((a * n, "x")),
            ),
        ),
    ),
    Task(
        slug="evaluate-product-of-letters",
        construct="Substitute into algebraic terms",
        subject=SUBSTITUTION,
        wordings=(
            r"What is the value of \( pq \) when \( p = <a> \) and \( q = <b> \) ?",
            r"\( p = <a> \) and \( q = <b> \). Work out \( pq \)",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9)),
        keep=lambda a, b: a != b and a != 2 * b,
        right=lambda a, b: number(a * b),
        wrong=(
            (
                rule("letters-together-mean-plus", "Adds the values of two letters that stand together"),
                lambda a, b: number(a + b),
            ),
            (
                rule("letters-together-mean-digits", "Writes the values of two letters as the digits of a number"),
                lambda a, b: number(int(f"{a}{b}")),
            ),
        ),
        slips=(lambda a, b: number(a - b), lambda a, b: number(a**2 * b)),
    ),
    Task(
        slug="evaluate-linear-expression",
        construct="Substitute into linear expressions",
        subject=SUBSTITUTION,
        wordings=(
            r"What is the value of \( <a>x + <b>y \) when \( x = <m> \) and \( y = <n> \) ?",
            r"\( x = <m> \) and \( y = <n> \). Work out \( <a>x + <b>y \)",
        ),
        parameters="a b m n",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 6), r.randint(2, 9), r.randint(2, 9)),
        keep=lambda a, b, m, n: a != b and m != n,
        right=lambda a, b, m, n: number(a * m + b * n),
        wrong=(
            (
                rule("values-of-letters-swapped", "Mixes up which value belongs to which letter"),
                lambda a, b, m, n: number(a * n + b * m),
            ),
            (
                rule("coefficients-left-out", "Adds the values of the letters without their coefficients"),
                lambda a, b, m, n: number(m + n),
            ),
            (
                rule("expression-terms-all-multiplied", "Multiplies the terms of a sum"),
                lambda a, b, m, n: number(a * m * b * n),
            ),
        ),
        slips=(lambda a, b, m, n: number(a + m + b + n),),
    ),
)
