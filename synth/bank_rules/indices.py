"""Laws of indices."""

from fractions import Fraction as F

from synth.answers import number
from synth.bank_rules.parts import fraction_shown, rule, shown
from synth.mal_rule import Task

INDICES = "Laws of indices"

TASKS = (
    Task(
        slug="divide-number-powers",
        construct="Divide powers of the same number",
        subject=INDICES,
        wordings=(
            r"Write as a single power: \( <n>^{<a>} \div <n>^{<b>} \)",
            r"\( <n>^{<a>} \div <n>^{<b>} = \)",
        ),
        parameters="n a b",
        draw=lambda r: (b := r.randint(2, 4), (r.choice((2, 3, 5, 7, 10)), b * r.randint(2, 4), b))[1],
        keep=lambda n, a, b: a - b != a // b and a != b,
        right=lambda n, a, b: shown(f"{n}^{{{a - b}}}"),
        wrong=(
            (
                rule("indices-divided", "Divides the indices when powers are divided"),
                lambda n, a, b: shown(f"{n}^{{{a // b}}}"),
            ),
            (
                rule("bases-divided-indices-subtracted", "Subtracts the indices but divides the bases"),
                lambda n, a, b: shown(f"1^{{{a - b}}}"),
            ),
            (
                rule("bases-and-indices-divided", "Divides both the bases and the indices"),
                lambda n, a, b: shown(f"1^{{{a // b}}}"),
            ),
            (
                rule("bases-and-indices-subtracted", "Subtracts both the bases and the indices"),
                lambda n, a, b: shown(f"0^{{{a - b}}}"),
            ),
        ),
    ),
    Task(
        slug="multiply-number-powers-further",
        construct="Multiply powers of the same number",
        subject=INDICES,
        wordings=(
            r"Write as a single power: \( <n>^{<a>} \times <n>^{<b>} \)",
            r"\( <n>^{<a>} \times <n>^{<b>} = \)",
        ),
        parameters="n a b",
        draw=lambda r: (r.choice((3, 5, 7, 10)), r.randint(2, 6), r.randint(2, 6)),
        keep=lambda n, a, b: a + b != a * b,
        right=lambda n, a, b: shown(f"{n}^{{{a + b}}}"),
        wrong=(
            (
                rule("bases-added-too", "Adds the bases as well as the indices"),
                lambda n, a, b: shown(f"{2 * n}^{{{a + b}}}"),
            ),
            (
                rule("bases-and-indices-multiplied", "Multiplies both the bases and the indices"),
                lambda n, a, b: shown(f"{n * n}^{{{a * b}}}"),
            ),
            (
                rule("index-product", "Multiplies the indices of a product of powers"),
                lambda n, a, b: shown(f"{n}^{{{a * b}}}"),
            ),
            (
                rule("base-product", "Multiplies the bases of a product of powers"),
                lambda n, a, b: shown(f"{n * n}^{{{a + b}}}"),
            ),
        ),
    ),
    Task(
        slug="power-of-a-power",
        construct="Raise a power to a power",
        subject=INDICES,
        wordings=(
            r"Write as a single power: \( (<n>^{<a>})^{<b>} \)",
            r"\( (<n>^{<a>})^{<b>} = \)",
        ),
        parameters="n a b",
        draw=lambda r: (r.choice((3, 5, 7)), r.randint(3, 7), r.randint(2, 4)),
        keep=lambda n, a, b: a + b != a * b,
        right=lambda n, a, b: shown(f"{n}^{{{a * b}}}"),
        wrong=(
            (
                rule("nested-indices-added", "Adds the indices of a power of a power"),
                lambda n, a, b: shown(f"{n}^{{{a + b}}}"),
            ),
            (
                rule("nested-index-raised", "Raises the inner index to the outer one"),
                lambda n, a, b: shown(f"{n}^{{{a**b}}}"),
            ),
            (
                rule("nested-base-times-index", "Multiplies the base as well by the outer index"),
                lambda n, a, b: shown(f"{n * b}^{{{a * b}}}"),
            ),
        ),
    ),
    Task(
        slug="power-of-coefficient-and-letter",
        construct="Raise algebraic terms to a power",
        subject=INDICES,
        wordings=(
            r"Simplify \( (<k>x^{<a>})^{2} \)",
            r"Which expression is equal to \( (<k>x^{<a>})^{2} \) ?",
        ),
        parameters="k a",
        draw=lambda r: (r.randint(3, 9), r.randint(3, 7)),
        right=lambda k, a: shown(f"{k * k}x^{{{2 * a}}}"),
        wrong=(
            (
                rule("power-on-coefficient-only", "Raises only the coefficient to the power"),
                lambda k, a: shown(f"{k * k}x^{{{a}}}"),
            ),
            (
                rule("square-of-index", "Squares the index of a letter that is squared"),
                lambda k, a: shown(f"{k * k}x^{{{a * a}}}"),
            ),
            (
                rule("coefficient-doubled-in-square", "Doubles the coefficient of a term that is squared"),
                lambda k, a: shown(f"{2 * k}x^{{{2 * a}}}"),
            ),
            (
                rule("letter-index-plus-two", "Adds two to the index of a letter that is squared"),
                lambda k, a: shown(f"{k * k}x^{{{a + 2}}}"),
            ),
        ),
    ),
    Task(
        slug="divide-algebraic-terms",
        construct="Divide algebraic terms",
        subject=INDICES,
        wordings=(
            r"Simplify \( <p>x^{<a>} \div <q>x^{<b>} \)",
            r"Simplify \[ \frac{<p>x^{<a>}}{<q>x^{<b>}} \]",
        ),
        parameters="p a q b",
        draw=lambda r: (q := r.randint(2, 5), b := r.randint(2, 4), (q * r.randint(2, 6), b * r.randint(2, 4), q, b))[
            2
        ],
        keep=lambda p, a, q, b: p // q != p - q and a // b != a - b,
        right=lambda p, a, q, b: shown(f"{p // q}x^{{{a - b}}}"),
        wrong=(
            (
                rule("quotient-coefficients-subtracted", "Subtracts the coefficients as well as the indices"),
                lambda p, a, q, b: shown(f"{p - q}x^{{{a - b}}}"),
            ),
            (
                rule("quotient-indices-divided", "Divides coefficients and indices alike"),
                lambda p, a, q, b: shown(f"{p // q}x^{{{a // b}}}"),
            ),
        ),
        slips=(lambda p, a, q, b: shown(f"{p // q}x^{{{a + b}}}"), lambda p, a, q, b: shown(f"{p * q}x^{{{a - b}}}")),
    ),
    Task(
        slug="multiply-algebraic-terms",
        construct="Multiply algebraic terms",
        subject=INDICES,
        wordings=(
            r"Simplify \( <p>x^{<a>} \times <q>x^{<b>} \)",
            r"Which expression is equal to \( <p>x^{<a>} \times <q>x^{<b>} \) ?",
        ),
        parameters="p a q b",
        draw=lambda r: (r.randint(2, 7), r.randint(2, 6), r.randint(2, 7), r.randint(2, 6)),
        keep=lambda p, a, q, b: p * q != p + q and a * b != a + b,
        right=lambda p, a, q, b: shown(f"{p * q}x^{{{a + b}}}"),
        wrong=(
            (
                rule("term-product-coefficients-added", "Adds coefficients and indices alike"),
                lambda p, a, q, b: shown(f"{p + q}x^{{{a + b}}}"),
            ),
            (
                rule("term-product-indices-multiplied", "Multiplies the indices of letters that are multiplied"),
                lambda p, a, q, b: shown(f"{p * q}x^{{{a * b}}}"),
            ),
            (
                rule("term-product-base-added", "Adds the letters and multiplies their indices"),
                lambda p, a, q, b: shown(f"{p * q}(2x)^{{{a * b}}}"),
            ),
        ),
    ),
    Task(
        slug="power-zero",
        construct="Use the index zero",
        subject=INDICES,
        wordings=(
            r"What is the value of \( <n>^{0} \) ?",
            r"\( <n>^{0} = \)",
        ),
        parameters="n",
        draw=lambda r: (r.randint(2, 99),),
        right=lambda n: number(1),
        wrong=(
            (rule("power-zero-is-zero", "Takes a number to the power zero for zero"), lambda n: number(0)),
            (rule("power-zero-has-no-effect", "Leaves a number to the power zero as it is"), lambda n: number(n)),
        ),
        slips=(lambda n: fraction_shown(1, n), lambda n: number(10 * n)),
    ),
    Task(
        slug="one-to-a-power",
        construct="Find powers of one",
        subject=INDICES,
        wordings=(
            r"What is the value of \( 1^{<k>} \) ?",
            r"\( 1^{<k>} = \)",
        ),
        parameters="k",
        draw=lambda r: (r.randint(2, 12),),
        right=lambda k: number(1),
        wrong=((rule("one-power-as-product", "Multiplies one by the index to find its power"), lambda k: number(k)),),
        slips=(lambda k: number(k + 1), lambda k: number(10 + k), lambda k: number(0)),
    ),
    Task(
        slug="index-one-half",
        construct="Use fractional indices",
        subject=INDICES,
        wordings=(
            r"What is the value of \( <n>^{\frac{1}{2}} \) ?",
            r"Work out \[ <n>^{\frac{1}{2}} \]",
        ),
        parameters="k n",
        draw=lambda r: (k := r.randint(3, 12), k * k),
        right=lambda k, n: number(k),
        wrong=(
            (rule("half-power-halves", "Multiplies by a fractional index"), lambda k, n: number(F(n, 2))),
            (
                rule("half-power-reciprocal", "Takes a fractional index for a sign to form the reciprocal"),
                lambda k, n: fraction_shown(1, k),
            ),
            (rule("half-power-added", "Adds a fractional index to the base"), lambda k, n: number(n + F(1, 2))),
        ),
    ),
    Task(
        slug="index-two-thirds",
        construct="Use fractional indices",
        subject=INDICES,
        wordings=(
            r"What is the value of \( <n>^{\frac{2}{3}} \) ?",
            r"Work out \[ <n>^{\frac{2}{3}} \]",
        ),
        parameters="k n",
        draw=lambda r: (k := r.choice((4, 9, 16, 25)), k**3),
        right=lambda k, n: number(k * k),
        wrong=(
            (
                rule("fractional-index-upside-down", "Takes numerator and denominator of an index the wrong way round"),
                lambda k, n: number(round(k**0.5) ** 9),
            ),
            (
                rule("fractional-index-times-numerator", "Multiplies the root by the numerator of the index"),
                lambda k, n: number(2 * k),
            ),
            (
                rule("fractional-index-as-factor", "Multiplies the base by a fractional index"),
                lambda k, n: number(F(2 * n, 3)) if n % 3 == 0 else None,
            ),
        ),
        slips=(lambda k, n: number(k), lambda k, n: number(k**3)),
    ),
)
