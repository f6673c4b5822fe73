"""Expanding brackets."""

from synth.answers import expression
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

EXPANDING = "Expanding brackets"

TASKS = (
    Task(
        slug="expand-bracket-further",
        construct="Expand a single bracket",
        subject=EXPANDING,
        wordings=(
            r"Expand \( <k>(<a*>x + <b>) \)",
            r"Multiply out \[ <k>(<a*>x + <b>) \]",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 5), r.randint(2, 9)),
        keep=lambda k, a, b: k * b != k + b,
        right=lambda k, a, b: expression((k * a, "x"), (k * b, "")),
        wrong=(
            (
                rule("second-term-added-to-factor", "Multiplies the first term of a bracket and adds to the second"),
                lambda k, a, b: expression((k * a, "x"), (k + b, "")),
            ),
            (
                rule("second-term-only", "Multiplies only the second term of a bracket"),
                lambda k, a, b: expression((a, "x"), (k * b, "")),
            ),
            (
                rule("bracket-merely-removed", "Removes a bracket without multiplying"),
                lambda k, a, b: expression((10 * k + a, "x"), (b, "")),
            ),
            (
                rule("first-term-alone-expanded", "Multiplies the first term of a bracket and copies the second"),
                lambda k, a, b: expression((k * a, "x"), (b, "")),
            ),
        ),
    ),
    Task(
        slug="expand-negative-bracket-further",
        construct="Expand a bracket with a negative factor",
        subject=EXPANDING,
        wordings=(
            r"Expand \( -<k>(<a*>x + <b>) \)",
            r"Multiply out \[ -<k>(<a*>x + <b>) \]",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 9), r.randint(1, 5), r.randint(2, 9)),
        right=lambda k, a, b: expression((-k * a, "x"), (-k * b, "")),
        wrong=(
            (
                rule("negative-factor-ignored", "Ignores the minus sign before a bracket"),
                lambda k, a, b: expression((k * a, "x"), (k * b, "")),
            ),
            (
                rule("negative-factor-first-term", "Applies the minus sign before a bracket to the first term alone"),
                lambda k, a, b: expression((-k * a, "x"), (k * b, "")),
            ),
        ),
        slips=(
            lambda k, a, b: expression((-k * a, "x"), (b, "")),
            lambda k, a, b: expression((a - k, "x"), (b - k, "")),
        ),
    ),
    Task(
        slug="expand-brackets-with-coefficient",
        construct="Expand the product of two brackets",
        subject=EXPANDING,
        wordings=(
            r"Expand and simplify \( (<a>x + <p>)(x + <q>) \)",
            r"Multiply out \[ (<a>x + <p>)(x + <q>) \]",
        ),
        parameters="a p q",
        draw=lambda r: (r.randint(2, 5), r.randint(2, 7), r.randint(2, 7)),
        keep=lambda a, p, q: p != q,
        right=lambda a, p, q: expression((a, "x^{2}"), (a * q + p, "x"), (p * q, "")),
        wrong=(
            (
                rule("double-bracket-coefficient-ignored", "Ignores the coefficient in a pair of brackets"),
                lambda a, p, q: expression((1, "x^{2}"), (p + q, "x"), (p * q, "")),
            ),
            (
                rule("double-bracket-ends-only", "Multiplies only the first terms and the last terms of two brackets"),
                lambda a, p, q: expression((a, "x^{2}"), (p * q, "")),
            ),
            (
                rule(
                    "double-bracket-middle-product",
                    "Multiplies the numbers in the brackets for the middle term and adds them for the last",
                ),
                lambda a, p, q: expression((a, "x^{2}"), (p * q, "x"), (p + q, "")),
            ),
        ),
    ),
)
