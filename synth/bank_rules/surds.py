"""Surds and values of powers."""

from synth.answers import number, power
from synth.bank_rules.parts import rule, surd
from synth.mal_rule import Task

INDICES = "Laws of indices"
SURDS = "Surds"

TASKS = (
    Task(
        slug="powers-of-two-bases",
        construct="Evaluate powers",
        subject=INDICES,
        wordings=(
            r"Which is equal to \( <n>^{<k>} \) ?",
            r"Evaluate \[ <n>^{<k>} \]",
        ),
        parameters="n k",
        draw=lambda r: (r.choice((2, 3, 4, 5, 6)), r.choice((4, 5))),
        keep=lambda n, k: n != k,
        right=lambda n, k: number(n**k),
        wrong=(
            (
                rule("power-as-repeated-addition", "Adds the base as often as the index says"),
                lambda n, k: number(n * k),
            ),
            (rule("index-added-to-base", "Adds the index to the base"), lambda n, k: number(n + k)),
            (
                rule("base-written-repeatedly", "Writes the base as often as the index says"),
                lambda n, k: number(int(str(n) * k)),
            ),
            (rule("index-written-as-digit", "Writes the index as the last digit"), lambda n, k: number(10 * n + k)),
        ),
    ),
    Task(
        slug="multiplied-surds",
        construct="Multiply surds",
        subject=SURDS,
        wordings=(
            r"Simplify \( \sqrt{<a>} \times \sqrt{<b>} \)",
            r"Which is equal to \( \sqrt{<a>} \times \sqrt{<b>} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.choice((2, 3, 5, 6, 7)), r.choice((3, 5, 7, 11, 13))),
        keep=lambda a, b: a < b,
        right=lambda a, b: surd(1, a * b),
        wrong=(
            (
                rule("surd-product-adds", "Adds the numbers under the roots when surds are multiplied"),
                lambda a, b: surd(1, a + b),
            ),
            (rule("surd-product-loses-root", "Loses the root when surds are multiplied"), lambda a, b: number(a * b)),
        ),
        slips=(lambda a, b: surd(a, b), lambda a, b: surd(2, a * b)),
    ),
    Task(
        slug="integer-times-surd",
        construct="Multiply surds by integers",
        subject=SURDS,
        wordings=(
            r"Simplify \( <k> \times \sqrt{<n>} \)",
            r"Which is equal to \( <k> \times \sqrt{<n>} \) ?",
        ),
        parameters="k n",
        draw=lambda r: (r.choice((2, 3, 5, 6, 7)), r.choice((2, 3, 5, 7, 11))),
        keep=lambda k, n: k != n,
        right=lambda k, n: surd(k, n),
        wrong=(
            (
                rule("integer-goes-under-root", "Multiplies the number under the root by the integer"),
                lambda k, n: surd(1, k * n),
            ),
            (
                rule("integer-added-under-root", "Adds the integer to the number under the root"),
                lambda k, n: surd(1, k + n),
            ),
            (
                rule("integer-and-root-swapped", "Swaps the integer with the number under the root"),
                lambda k, n: surd(n, k),
            ),
        ),
    ),
    Task(
        slug="simplify-a-surd",
        construct="Simplify surds",
        subject=SURDS,
        wordings=(
            r"Simplify \( \sqrt{<s>} \)",
            r"Write \( \sqrt{<s>} \) in the form \( a\sqrt{b} \).",
        ),
        parameters="k m s",
        draw=lambda r: (k := r.choice((2, 3, 4, 5, 6)), m := r.choice((2, 3, 5, 6, 7)), k * k * m),
        keep=lambda k, m, s: k != m,
        right=lambda k, m, s: surd(k, m),
        wrong=(
            (
                rule("surd-square-not-rooted", "Puts the square factor before the root without taking its root"),
                lambda k, m, s: surd(k * k, m),
            ),
            (
                rule("surd-parts-swapped", "Leaves the root of the square under the sign and puts the rest outside"),
                lambda k, m, s: surd(m, k),
            ),
            (
                rule("surd-halved", "Halves the number under a root"),
                lambda k, m, s: surd(1, s // 2) if s % 2 == 0 else None,
            ),
        ),
        slips=(lambda k, m, s: surd(k, k * m), lambda k, m, s: surd(2 * k, m)),
    ),
    Task(
        slug="add-surds",
        construct="Add surds",
        subject=SURDS,
        wordings=(
            r"Simplify \( \sqrt{<p>} + \sqrt{<q>} \)",
            r"Which is equal to \( \sqrt{<p>} + \sqrt{<q>} \) ?",
        ),
        parameters="a b m p q",
        draw=lambda r: (
            m := r.choice((2, 3, 5)),
            (a := r.randint(2, 4), b := r.randint(2, 6), m, a * a * m, b * b * m),
        )[1],
        keep=lambda a, b, m, p, q: a < b,
        right=lambda a, b, m, p, q: surd(a + b, m),
        wrong=(
            (rule("surds-added-under-root", "Adds the numbers under the roots"), lambda a, b, m, p, q: surd(1, p + q)),
            (
                rule("surds-multiplied-for-sum", "Multiplies surds that should be added"),
                lambda a, b, m, p, q: surd(1, p * q),
            ),
            (
                rule("surd-sum-adds-everything", "Adds the numbers before the roots and those under them"),
                lambda a, b, m, p, q: surd(a + b, 2 * m),
            ),
        ),
    ),
    Task(
        slug="surd-with-factor-times-integer",
        construct="Multiply surds by integers",
        subject=SURDS,
        wordings=(
            r"Simplify \( <k> \times <a>\sqrt{<n>} \)",
            r"Which is equal to \( <k> \times <a>\sqrt{<n>} \) ?",
        ),
        parameters="k a n",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 6), r.choice((3, 5, 7, 11))),
        keep=lambda k, a, n: k != a,
        right=lambda k, a, n: surd(k * a, n),
        wrong=(
            (
                rule("factor-multiplies-under-root", "Multiplies the integer with the number under the root"),
                lambda k, a, n: surd(a, k * n),
            ),
            (
                rule("factor-adds-outside-root", "Adds the integer to the number before the root"),
                lambda k, a, n: surd(k + a, n),
            ),
        ),
        slips=(lambda k, a, n: surd(k * a, k * n), lambda k, a, n: number(k * a * n)),
    ),
    Task(
        slug="value-of-two-powers",
        construct="Evaluate sums of powers",
        subject=INDICES,
        wordings=(
            r"Work out \( <a>^{2} + <b>^{2} \)",
            r"What is \( <a>^{2} + <b>^{2} \) ?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(3, 9), r.randint(3, 9)),
        keep=lambda a, b: a != b,
        right=lambda a, b: number(a * a + b * b),
        wrong=(
            (
                rule("squares-summed-first", "Adds the numbers first and squares the total"),
                lambda a, b: number((a + b) ** 2),
            ),
            (
                rule("squares-doubled-and-added", "Doubles each number of a sum of squares"),
                lambda a, b: number(2 * (a + b)),
            ),
        ),
        slips=(lambda a, b: number(a * a * b * b), lambda a, b: power(a + b, 4)),
    ),
)
