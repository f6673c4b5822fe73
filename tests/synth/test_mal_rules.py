"""Every right answer against an independent solution; every rule against an answer worked out by hand."""

import math
import statistics
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction as F
from random import Random
from typing import Any

import pytest
import sympy
from sympy.parsing.sympy_parser import (
    implicit_multiplication_application,
    parse_expr,
    rationalize,
    standard_transformations,
)

from synth.answers import Answer
from synth.mal_rule import Task
from synth.mal_rules import ALL_RULES, ALL_TASKS
from synth.procedural import generate_procedural

TASKS = {task.slug: task for task in ALL_TASKS}
DRAWS = 8
Exact = Any  # a number, a sympy expression, or a tuple of them


def shown_value(text: str) -> Exact:
    """Read an answer's LaTeX back, knowing nothing of how it was written."""
    if "hour" in text or "minute" in text:
        words = text.split()
        return sum(
            int(n) * (60 if unit.startswith("hour") else 1) for n, unit in zip(words[::2], words[1::2], strict=True)
        )
    assert text.startswith(r"\( ") and text.endswith(r" \)")
    latex = text[3:-3]
    for unit in (
        r" \mathrm{~cm}^{2}",
        r" \mathrm{~cm}^{3}",
        r" \mathrm{~cm}",
        r"^{\circ}",
        r" \%",
        r" \pi",
        "£ ",
        "x = ",
    ):
        latex = latex.replace(unit, "")
    if latex.startswith("(") and "," in latex:
        return tuple(algebra(part) for part in latex[1:-1].split(","))
    if latex[:4] in ("x < ", "x > "):
        return (latex[2], algebra(latex[4:]))
    return algebra(latex)


def algebra(latex: str) -> sympy.Expr:
    plain = latex.replace(r"\frac{", "FRAC{")
    while "FRAC{" in plain:
        head, _, rest = plain.partition("FRAC{")
        top, _, rest = rest.partition("}{")
        bottom, _, rest = rest.partition("}")
        plain = f"{head}(({top})/({bottom})){rest}"
    plain = plain.replace(r"\sqrt{", "sqrt(").replace("^{", "**(").replace("}", ")")
    return parse_expr(
        plain, transformations=(*standard_transformations, implicit_multiplication_application, rationalize)
    )


def exact_value(answer: Answer) -> Exact:
    """Return an answer's exact value in the same form as `shown_value`."""
    value: Any = answer.value
    if isinstance(value, F):
        return sympy.Rational(value.numerator, value.denominator)
    if value and value[0] == "root":
        return sympy.sqrt(value[1])
    if value and value[0] in ("<", ">", "="):
        x = sympy.Rational(value[1].numerator, value[1].denominator)
        return x if value[0] == "=" else (value[0], x)
    if value and isinstance(value[0], F):
        return tuple(sympy.Rational(x.numerator, x.denominator) for x in value)
    return sum((k * (algebra(letters) if letters else sympy.Integer(1)) for letters, k in value), sympy.Integer(0))


def same(left: Exact, right: Exact) -> bool:
    if isinstance(left, tuple) or isinstance(right, tuple):
        return isinstance(left, tuple) and isinstance(right, tuple) and all(map(same, left, right))
    if isinstance(left, str):
        return bool(left == right)
    return sympy.expand(sympy.sympify(left) - sympy.sympify(right)) == 0


def solve(left: Exact, right: Exact) -> Exact:
    (x,) = sympy.solve(sympy.Eq(left, right), X)
    return x


def rat(x: F) -> Exact:
    return sympy.Rational(F(x).numerator, F(x).denominator)


def solve_inequality(a: int, b: int, c: int) -> tuple[str, Any]:
    edge = solve(b - a * X, c)
    return ("<" if b - a * (edge - 1) > c else ">", edge)


def minutes_between(h: int, m: int, hours: int, minutes: int) -> int:
    return int((datetime(2024, 1, 1, hours, minutes) - datetime(2024, 1, 1, h, m)).total_seconds()) // 60


def both_black(a: int, n: int) -> F:
    return F(math.comb(a, 2), math.comb(n, 2))


X, Y, M, N = sympy.symbols("x y m n")
ORACLES: dict[str, Callable[..., Any]] = {
    "priority-with-square": lambda a, b, c: parse_expr(f"{a}+{b}*{c}**2"),
    "priority-with-subtraction": lambda a, b, c, d: parse_expr(f"{a}-{b}+{c}*{d}"),
    "round-to-hundred": lambda n: min(range(0, 10_100, 100), key=lambda h: abs(h - n) - 0.1 * (h > n)),
    "subtract-negative": lambda a, b: parse_expr(f"{a}-({b})"),
    "highest-common-factor": lambda a, b: sympy.igcd(a, b),
    "lowest-common-multiple": lambda a, b: sympy.ilcm(a, b),
    "column-subtraction": lambda a, b: a - b,
    "column-addition": lambda a, b: a + b,
    "evaluate-power": lambda a, b: math.prod([a] * b),
    "negative-power": lambda a, b: sympy.Integer(a) ** -b,
    "multiply-number-powers": lambda n, a, b: n**a * n**b,
    "multiply-algebraic-powers": lambda p, q, a, b, y, s, t: p * sympy.Symbol(y) ** a * q * sympy.Symbol(y) ** b,
    "power-of-bracket": lambda k, a, b, y, s: sympy.expand((k * sympy.Symbol(y) ** a) ** b),
    "add-unlike-fractions": lambda a, b, c, d: F(a, b) + F(c, d),
    "multiply-like-fractions": lambda a, c, b: F(a, b) * F(c, b),
    "divide-fractions": lambda a, b, c, d: F(a, b) / F(c, d),
    "whole-times-fraction": lambda k, a, b: k * F(a, b),
    "fraction-of-amount": lambda a, b, n: F(a, b) * n,
    "mixed-to-improper": lambda w, a, b: w + F(a, b),
    "multiply-by-power-of-ten": lambda x, p: x * p,
    "multiply-decimals": lambda x, y: x * y,
    "add-decimals": lambda x, y: x + y,
    "fraction-to-decimal": lambda a, b: F(a, b),
    "divide-by-decimal": lambda a, x: a / x,
    "largest-fraction": lambda *f: max(F(a, b) for a, b in zip(f[::2], f[1::2], strict=True)),
    "largest-decimal": lambda *values: max(values),
    "percentage-of-amount": lambda p, n: F(p, 100) * n,
    "percentage-increase": lambda p, n: F(100 + p, 100) * n,
    "reverse-percentage": lambda p, s: solve(X * (1 - rat(F(p, 100))), s),
    "one-as-percentage-of-other": lambda a, b: solve(X / 100 * b, a),
    "percentage-change": lambda a, b: solve(a * (1 + X / 100), b),
    "share-in-ratio": lambda n, a, b: solve(X + X * rat(F(b, a)), n),
    "ratio-as-fraction": lambda a, b: 1 - F(b, a + b),
    "scale-recipe": lambda p, g, q: solve(X * p, g * q),
    "inverse-proportion": lambda m, d, k: solve(X * k, m * d),
    "area-of-enlargement": lambda s, k: s * k**2,
    "expand-single-bracket": lambda k, a, b: sympy.expand(k * (a * X + b)),
    "expand-negative-bracket": lambda k, a, b: sympy.expand(-k * (a * X + b)),
    "collect-like-terms": lambda a, b, c, d: a * X - b - c * X + d,
    "substitute-into-square": lambda a, n: (a * Y**2).subs(Y, n),
    "substitute-negative": lambda a, b, n: (a - b * Y).subs(Y, n),
    "expand-two-brackets": lambda p, q: sympy.expand((X + p) * (X + q)),
    "square-a-bracket": lambda y, a: sympy.expand((sympy.Symbol(y) + a) ** 2),
    "factorise-quadratic": lambda b, c: X**2 + b * X + c,
    "write-formula": lambda a, b: a + b * M,
    "solve-two-step": lambda a, b, c: solve(a * X + b, c),
    "solve-unknown-both-sides": lambda a, b, c, d: solve(a * X + b, c * X + d),
    "solve-with-division": lambda a, b, c: solve(X / a + b, c),
    "solve-inequality": solve_inequality,
    "perimeter-of-rectangle": lambda a, b: sympy.Polygon((0, 0), (a, 0), (a, b), (0, b)).perimeter,
    "area-of-triangle": lambda a, b, c: sympy.Triangle((0, 0), (a, 0), (0, b)).area,
    "area-of-circle": lambda d: sympy.Circle((0, 0), rat(F(d, 2))).area / sympy.pi,
    "circumference-of-circle": lambda d: sympy.Circle((0, 0), rat(F(d, 2))).circumference / sympy.pi,
    "pythagoras-hypotenuse": lambda a, b, c: sympy.Point(0, 0).distance(sympy.Point(a, b)),
    "pythagoras-shorter-side": lambda a, b, c: max(sympy.solve(X**2 + a**2 - c**2, X)),
    "volume-of-cuboid": lambda a, b, c: a * b * c,
    "isosceles-base-angle": lambda a: solve(2 * X + a, 180),
    "isosceles-apex-angle": lambda a: solve(X + 2 * a, 180),
    "co-interior-angles": lambda a: solve(X + a, 180),
    "polygon-angle-sum": lambda n: n * 180 - 360,
    "regular-polygon-angle": lambda n: 180 - F(360, n),
    "midpoint": lambda a, b, c, d: tuple(sympy.Point(a, b).midpoint(sympy.Point(c, d)).args),
    "reflect-in-y-axis": lambda a, b: tuple(sympy.Point(a, b).reflect(sympy.Line((0, 0), (0, 1))).args),
    "gradient-from-points": lambda a, b, c, d: sympy.Line((a, b), (c, d)).slope,
    "gradient-from-equation": lambda k, m, c: sympy.diff((m * X + c) / k, X),
    "square-metres-to-square-centimetres": lambda a: a * 100 * 100,
    "kilograms-to-grams": lambda a: a * 1000,
    "length-of-time": minutes_between,
    "decimal-hours": lambda x: x * 60,
    "distance-from-speed": lambda v, h, m: F(v, 60) * (60 * h + m),
    "speed-from-distance": lambda a, u, b, v: statistics.mean([F(u)] * a + [F(v)] * b),
    "nth-term": lambda a, b, c, d, k: sympy.interpolate([(1, a), (2, b), (3, c), (4, d)], N),
    "later-term": lambda a, b, c, d, e, k: sympy.interpolate([(1, a), (2, b), (3, c), (4, d), (5, e)], N).subs(N, 10),
    "next-geometric-term": lambda a, b, c: F(c, b) * c,
    "term-of-quadratic": lambda a, c, k: (a * N**2 + c).subs(N, k),
    "mean-of-list": lambda values: statistics.mean(map(F, values)),
    "median-of-list": statistics.median,
    "range-of-list": lambda values: sorted(values)[-1] - sorted(values)[0],
    "mean-from-table": lambda *f: statistics.mean(F(x) for x, n in enumerate(f, 1) for _ in range(n)),
    "pie-chart-angle": lambda f, n: solve(X * n, 360 * f),
    "single-event": lambda a, b, c: F(list("a" * a + "b" * b + "c" * c).count("a"), a + b + c),
    "two-draws": both_black,
    "expected-frequency": lambda a, b, n: F(a, b) * n,
}


def drawn(task: Task, seed: int) -> tuple[Any, ...]:
    rng = Random(seed)
    while True:
        parameters = task.draw(rng)
        if task.keep(*parameters):
            return parameters


def test_every_task_has_an_oracle() -> None:
    assert set(ORACLES) == set(TASKS)


@pytest.mark.parametrize("task", ALL_TASKS, ids=lambda task: task.slug)
def test_the_right_answer_is_right(task: Task) -> None:
    for seed in range(DRAWS):
        parameters = drawn(task, seed)
        answer = task.right(*parameters)
        if answer is None:
            continue
        expected = ORACLES[task.slug](*parameters)
        expected = rat(expected) if isinstance(expected, F) else expected
        assert same(shown_value(answer.text), expected), (parameters, answer)
        assert same(
            exact_value(answer) if not answer.text.endswith(("hours", "hour", "minutes")) else answer.value, expected
        )


@pytest.mark.parametrize("task", ALL_TASKS, ids=lambda task: task.slug)
def test_every_answer_shows_its_value(task: Task) -> None:
    for seed in range(DRAWS):
        parameters = drawn(task, seed)
        for procedure in (*(apply for _, apply in task.wrong), *task.slips):
            answer = procedure(*parameters)
            if answer is None:
                continue
            value = answer.value if "minute" in answer.text or "hour" in answer.text else exact_value(answer)
            assert same(shown_value(answer.text), value), (parameters, answer)


# Worked out by hand: task, parameters, rule, what a student with this belief writes.
BY_HAND = (
    ("priority-with-square", (3, 4, 5), "left-to-right", r"\( 175 \)"),
    ("priority-with-square", (3, 4, 5), "index-covers-product", r"\( 403 \)"),
    ("priority-with-square", (3, 4, 5), "doubles-for-square", r"\( 43 \)"),
    ("priority-with-square", (3, 4, 5), "times-as-plus", r"\( 32 \)"),
    ("priority-with-subtraction", (20, 5, 3, 2), "left-to-right", r"\( 36 \)"),
    ("priority-with-subtraction", (20, 5, 3, 2), "adds-before-subtracting", r"\( 9 \)"),
    ("column-subtraction", (542, 267), "smaller-from-larger", r"\( 325 \)"),
    ("column-subtraction", (542, 267), "exchange-not-paid", r"\( 385 \)"),
    ("column-subtraction", (503, 267), "borrows-from-zero", r"\( 336 \)"),
    ("column-subtraction", (503, 267), "zero-take-n-is-n", r"\( 366 \)"),
    ("column-subtraction", (540, 267), "zero-take-n-is-n", r"\( 287 \)"),
    ("column-addition", (47, 38), "carry-dropped", r"\( 75 \)"),
    ("column-addition", (47, 38), "column-sum-written-out", r"\( 715 \)"),
    ("column-addition", (47, 38), "carries-units", r"\( 121 \)"),
    ("round-to-hundred", (2346,), "rounds-step-by-step", r"\( 2400 \)"),
    ("round-to-hundred", (2371,), "always-rounds-down", r"\( 2300 \)"),
    ("round-to-hundred", (2371,), "rounds-to-next-place", r"\( 2370 \)"),
    ("round-to-hundred", (2371,), "rounding-loses-zeros", r"\( 24 \)"),
    ("subtract-negative", (-9, -5), "minus-minus-is-minus", r"\( -14 \)"),
    ("subtract-negative", (-9, -5), "two-minuses-make-plus", r"\( 14 \)"),
    ("subtract-negative", (-9, -5), "negative-sign-dropped", r"\( 4 \)"),
    ("highest-common-factor", (24, 36), "hcf-must-be-prime", r"\( 3 \)"),
    ("highest-common-factor", (24, 36), "any-common-factor", r"\( 2 \)"),
    ("highest-common-factor", (24, 36), "lcm-for-hcf", r"\( 72 \)"),
    ("lowest-common-multiple", (6, 8), "lcm-is-product", r"\( 48 \)"),
    ("lowest-common-multiple", (6, 8), "hcf-for-lcm", r"\( 2 \)"),
    ("evaluate-power", (2, 5), "base-times-index", r"\( 10 \)"),
    ("evaluate-power", (2, 5), "base-index-swapped", r"\( 25 \)"),
    ("evaluate-power", (2, 5), "base-plus-index", r"\( 7 \)"),
    ("negative-power", (5, 2), "negative-index-negative-value", r"\( -25 \)"),
    ("negative-power", (5, 2), "negative-index-ignored", r"\( 25 \)"),
    ("multiply-number-powers", (3, 4, 2), "multiplies-indices", r"\( 3^{8} \)"),
    ("multiply-number-powers", (3, 4, 2), "multiplies-bases", r"\( 9^{6} \)"),
    ("multiply-algebraic-powers", (2, 5, 3, 1, "x", "x^{3}", "x"), "hidden-index-zero", r"\( 10x^{3} \)"),
    ("multiply-algebraic-powers", (2, 5, 3, 4, "x", "x^{3}", "x^{4}"), "multiplies-indices", r"\( 10x^{12} \)"),
    ("multiply-algebraic-powers", (2, 5, 3, 4, "x", "x^{3}", "x^{4}"), "adds-coefficients", r"\( 7x^{7} \)"),
    ("power-of-bracket", (3, 4, 2, "y", "y^{4}"), "coefficient-not-raised", r"\( 3y^{8} \)"),
    ("power-of-bracket", (3, 4, 2, "y", "y^{4}"), "coefficient-times-index", r"\( 6y^{8} \)"),
    ("power-of-bracket", (3, 4, 2, "y", "y^{4}"), "adds-indices-of-nested-power", r"\( 9y^{6} \)"),
    ("add-unlike-fractions", (1, 2, 2, 3), "adds-tops-and-bottoms", r"\( \frac{3}{5} \)"),
    ("add-unlike-fractions", (1, 2, 2, 3), "numerators-not-scaled", r"\( \frac{3}{6} \)"),
    ("add-unlike-fractions", (1, 2, 2, 3), "keeps-larger-denominator", r"\( \frac{3}{3} \)"),
    ("multiply-like-fractions", (2, 3, 7), "product-keeps-denominator", r"\( \frac{6}{7} \)"),
    ("multiply-like-fractions", (2, 3, 7), "cross-multiplies-product", r"\( \frac{14}{21} \)"),
    ("divide-fractions", (2, 3, 4, 5), "inverts-first-fraction", r"\( \frac{6}{5} \)"),
    ("divide-fractions", (2, 3, 4, 5), "divides-without-inverting", r"\( \frac{8}{15} \)"),
    ("divide-fractions", (2, 3, 4, 5), "inverts-both-fractions", r"\( \frac{15}{8} \)"),
    ("whole-times-fraction", (4, 2, 9), "whole-times-top-and-bottom", r"\( \frac{8}{36} \)"),
    ("whole-times-fraction", (4, 2, 9), "whole-added-to-numerator", r"\( \frac{6}{9} \)"),
    ("fraction-of-amount", (2, 3, 12), "swaps-roles-in-fraction-of", r"\( 18 \)"),
    ("fraction-of-amount", (2, 3, 12), "unit-fraction-only", r"\( 4 \)"),
    ("fraction-of-amount", (2, 3, 12), "divides-by-numerator", r"\( 6 \)"),
    ("mixed-to-improper", (2, 3, 5), "whole-times-numerator", r"\( \frac{11}{5} \)"),
    ("mixed-to-improper", (2, 3, 5), "whole-and-numerator-joined", r"\( \frac{23}{5} \)"),
    ("mixed-to-improper", (2, 3, 5), "mixed-number-as-product", r"\( \frac{6}{5} \)"),
    ("largest-fraction", (2, 3, 5, 9, 1, 11, 4, 7), "largest-denominator-largest", r"\( \frac{1}{11} \)"),
    ("largest-fraction", (2, 3, 5, 9, 1, 11, 4, 7), "largest-numerator-largest", r"\( \frac{5}{9} \)"),
    ("largest-fraction", (2, 5, 5, 9, 1, 3, 7, 8), "smallest-gap-largest", r"\( \frac{7}{8} \)"),
    ("largest-decimal", (F(4, 10), F(345, 1000), F(7, 100), F(62, 100)), "longer-decimal-larger", r"\( 0.345 \)"),
    ("largest-decimal", (F(4, 10), F(345, 1000), F(7, 100), F(62, 100)), "shorter-decimal-larger", r"\( 0.4 \)"),
    ("largest-decimal", (F(4, 10), F(345, 1000), F(7, 100), F(62, 100)), "zero-after-point-ignored", r"\( 0.07 \)"),
    ("multiply-by-power-of-ten", (F("3.4"), 100), "appends-zeros", r"\( 3.400 \)"),
    ("multiply-by-power-of-ten", (F("3.4"), 100), "scales-whole-part-only", r"\( 300.4 \)"),
    ("multiply-by-power-of-ten", (F("3.4"), 100), "moves-digits-wrong-way", r"\( 0.034 \)"),
    ("multiply-decimals", (F("0.3"), F("0.4")), "product-keeps-places", r"\( 1.2 \)"),
    ("add-decimals", (F("3.4"), F("2.15")), "right-aligns-decimals", r"\( 2.49 \)"),
    ("add-decimals", (F("3.4"), F("2.15")), "decimal-sides-separate", r"\( 5.19 \)"),
    ("add-decimals", (F("3.8"), F("2.75")), "carry-dropped", r"\( 5.55 \)"),
    ("fraction-to-decimal", (3, 8), "fraction-bar-as-point", r"\( 3.8 \)"),
    ("fraction-to-decimal", (3, 8), "denominator-after-point", r"\( 0.8 \)"),
    ("fraction-to-decimal", (3, 8), "fraction-digits-after-point", r"\( 0.38 \)"),
    ("divide-by-decimal", (12, F("0.4")), "division-makes-smaller", r"\( 0.3 \)"),
    ("divide-by-decimal", (12, F("0.4")), "decimal-point-left-out", r"\( 3 \)"),
    ("percentage-of-amount", (20, 80), "divides-by-percent", r"\( £ 4 \)"),
    ("percentage-of-amount", (5, 80), "one-digit-percent-as-tenths", r"\( £ 40 \)"),
    ("percentage-of-amount", (20, 80), "ten-percent-and-stop", r"\( £ 8 \)"),
    ("percentage-increase", (15, 60), "percent-as-plain-amount", r"\( £ 75 \)"),
    ("percentage-increase", (15, 60), "change-without-original", r"\( £ 9 \)"),
    ("reverse-percentage", (20, 80), "reverses-with-same-percent", r"\( £ 96 \)"),
    ("reverse-percentage", (20, 80), "reduced-value-as-the-percent", r"\( £ 400 \)"),
    ("one-as-percentage-of-other", (12, 40), "loss-from-hundred", r"\( 72 \% \)"),
    ("one-as-percentage-of-other", (12, 40), "raw-score-as-percent", r"\( 12 \% \)"),
    ("percentage-change", (40, 50), "change-over-new-value", r"\( 20 \% \)"),
    ("percentage-change", (40, 50), "new-as-percent-of-old", r"\( 125 \% \)"),
    ("share-in-ratio", (30, 2, 3), "divides-total-by-own-part", r"\( £ 15 \)"),
    ("share-in-ratio", (30, 2, 3), "one-part-as-share", r"\( £ 6 \)"),
    ("share-in-ratio", (30, 2, 3), "part-to-part", r"\( £ 20 \)"),
    ("ratio-as-fraction", (2, 5), "part-to-part", r"\( \frac{2}{5} \)"),
    ("ratio-as-fraction", (2, 5), "other-share", r"\( \frac{5}{7} \)"),
    ("scale-recipe", (4, 200, 6), "additive-scaling", r"\( 202 \)"),
    ("inverse-proportion", (6, 4, 3), "direct-for-inverse", r"\( 2 \)"),
    ("inverse-proportion", (6, 4, 3), "additive-scaling", r"\( 7 \)"),
    ("area-of-enlargement", (5, 3), "area-scales-like-length", r"\( 15 \mathrm{~cm}^{2} \)"),
    ("expand-single-bracket", (3, 2, 5), "first-term-only", r"\( 6x + 5 \)"),
    ("expand-single-bracket", (3, 2, 5), "adds-outer-number", r"\( 5x + 8 \)"),
    ("expand-single-bracket", (3, 2, 5), "conjoins-terms", r"\( 21x \)"),
    ("expand-negative-bracket", (3, 2, -5), "negative-not-distributed", r"\( -6x - 15 \)"),
    ("collect-like-terms", (7, 4, 2, 9), "subtracted-term-added", r"\( 9x + 13 \)"),
    ("collect-like-terms", (7, 4, 2, 9), "sign-from-the-right", r"\( -5x + 5 \)"),
    ("collect-like-terms", (7, 4, 2, 9), "like-terms-squared", r"\( 5x^{2} + 5 \)"),
    ("substitute-into-square", (3, 4), "substitution-as-digits", r"\( 316 \)"),
    ("substitute-into-square", (3, 4), "substitution-as-sum", r"\( 19 \)"),
    ("substitute-negative", (10, 2, -3), "minus-minus-is-minus", r"\( 4 \)"),
    ("substitute-negative", (10, 2, -3), "left-to-right", r"\( -24 \)"),
    ("expand-two-brackets", (2, 5), "first-and-last-only", r"\( x^{2} + 10 \)"),
    ("expand-two-brackets", (2, 5), "sum-and-product-swapped", r"\( x^{2} + 10x + 7 \)"),
    ("expand-two-brackets", (2, 5), "letter-times-itself-doubled", r"\( 9x + 10 \)"),
    ("square-a-bracket", ("x", 3), "middle-term-once", r"\( x^{2} + 3x + 9 \)"),
    ("factorise-quadratic", (7, 12), "factor-signs-flipped", r"\( (x - 4)(x - 3) \)"),
    ("factorise-quadratic", (8, 12), "factors-match-middle-only", r"\( (x + 4)(x + 4) \)"),
    ("factorise-quadratic", (7, 12), "factors-match-constant-only", r"\( (x + 1)(x + 12) \)"),
    ("write-formula", (4, 3), "fixed-and-rate-swapped", r"\( 4m + 3 \)"),
    ("write-formula", (4, 3), "everything-added-in-formula", r"\( m + 7 \)"),
    ("solve-two-step", (3, 4, 19), "subtracts-coefficient", r"\( x = 12 \)"),
    ("solve-two-step", (3, 4, 19), "same-operation-not-inverse", r"\( x = \frac{23}{3} \)"),
    ("solve-two-step", (3, 4, 19), "coefficient-over-number", r"\( x = \frac{1}{5} \)"),
    ("solve-unknown-both-sides", (5, 2, 3, 10), "letter-term-keeps-sign", r"\( x = 1 \)"),
    ("solve-with-division", (3, 2, 8), "divides-again", r"\( x = 2 \)"),
    ("solve-with-division", (3, 2, 8), "divides-one-side-partly", r"\( x = 22 \)"),
    ("solve-inequality", (2, 3, 11), "inequality-not-reversed", r"\( x > -4 \)"),
    ("solve-inequality", (2, 3, 11), "divisor-sign-lost", r"\( x > 4 \)"),
    ("perimeter-of-rectangle", (8, 3), "adjacent-sides-only", r"\( 11 \)"),
    ("area-of-triangle", (3, 4, 5), "slant-as-height", r"\( 7.5 \mathrm{~cm}^{2} \)"),
    ("area-of-triangle", (3, 4, 5), "perimeter-for-area", r"\( 12 \mathrm{~cm}^{2} \)"),
    ("area-of-circle", (10,), "diameter-as-radius", r"\( 100 \pi \)"),
    ("area-of-circle", (10,), "radius-not-squared", r"\( 5 \pi \)"),
    ("circumference-of-circle", (10,), "radius-as-diameter", r"\( 5 \pi \)"),
    ("pythagoras-hypotenuse", (3, 4, 5), "hypotenuse-as-sum", r"\( 7 \mathrm{~cm} \)"),
    ("pythagoras-hypotenuse", (3, 4, 5), "squares-subtracted-for-longest", r"\( \sqrt{7} \mathrm{~cm} \)"),
    ("pythagoras-shorter-side", (3, 4, 5), "always-adds-squares", r"\( \sqrt{34} \mathrm{~cm} \)"),
    ("pythagoras-shorter-side", (3, 4, 5), "square-root-forgotten", r"\( 16 \mathrm{~cm} \)"),
    ("volume-of-cuboid", (2, 3, 4), "surface-for-volume", r"\( 52 \mathrm{~cm}^{3} \)"),
    ("isosceles-base-angle", (40,), "triangle-sum-360", r"\( 160^{\circ} \)"),
    ("isosceles-base-angle", (40,), "forgets-to-halve-base-angles", r"\( 140^{\circ} \)"),
    ("co-interior-angles", (70,), "pair-sums-to-right-angle", r"\( 20^{\circ} \)"),
    ("polygon-angle-sum", (6,), "sides-times-180", r"\( 1080^{\circ} \)"),
    ("regular-polygon-angle", (6,), "exterior-for-interior", r"\( 60^{\circ} \)"),
    ("midpoint", (1, 2, 5, 10), "midpoint-half-difference", r"\( (2, 4) \)"),
    ("midpoint", (1, 2, 5, 10), "coordinates-swapped", r"\( (6, 3) \)"),
    ("reflect-in-y-axis", (3, 5), "reflects-in-wrong-axis", r"\( (3, -5) \)"),
    ("gradient-from-points", (1, 2, 3, 8), "gradient-upside-down", r"\( \frac{1}{3} \)"),
    ("gradient-from-points", (1, 2, 3, 8), "gradient-inconsistent-order", r"\( -3 \)"),
    ("gradient-from-equation", (2, 6, 5), "y-coefficient-ignored", r"\( 6 \)"),
    ("square-metres-to-square-centimetres", (F(3),), "length-factor-for-area", r"\( 300 \)"),
    ("length-of-time", (10, 45, 12, 20), "hundred-minutes-in-hour", "1 hour 75 minutes"),
    ("length-of-time", (10, 45, 12, 20), "smaller-from-larger", "2 hours 25 minutes"),
    ("length-of-time", (10, 45, 12, 20), "exchange-not-paid", "2 hours 35 minutes"),
    ("decimal-hours", (F("2.4"),), "decimal-hour-digit-as-minutes", "2 hours 4 minutes"),
    ("decimal-hours", (F("2.4"),), "hundred-minutes-in-hour", "2 hours 40 minutes"),
    ("distance-from-speed", (40, 2, 30), "minutes-after-the-point", r"\( 92 \)"),
    ("speed-from-distance", (2, 30, 3, 40), "averages-the-speeds", r"\( 35 \)"),
    ("speed-from-distance", (2, 30, 3, 40), "divides-by-stages", r"\( 90 \)"),
    ("nth-term", (5, 8, 11, 14, 3), "difference-as-added-number", r"\( n + 3 \)"),
    ("nth-term", (5, 8, 11, 14, 3), "first-term-as-constant", r"\( 3n + 5 \)"),
    ("nth-term", (5, 8, 11, 14, 3), "step-and-start-swapped", r"\( 5n + 3 \)"),
    ("later-term", (5, 8, 11, 14, 17, 3), "scales-an-earlier-term", r"\( 34 \)"),
    ("next-geometric-term", (2, 6, 18), "geometric-as-linear", r"\( 30 \)"),
    ("next-geometric-term", (2, 6, 18), "first-difference-repeated", r"\( 22 \)"),
    ("term-of-quadratic", (2, 3, 5), "index-covers-product", r"\( 103 \)"),
    ("mean-of-list", ((2, 9, 4, 7, 8),), "median-for-mean", r"\( 7 \)"),
    ("median-of-list", ((2, 9, 4, 7, 8),), "middle-of-unordered-list", r"\( 4 \)"),
    ("median-of-list", ((2, 9, 4, 7, 8),), "midpoint-of-extremes", r"\( 5.5 \)"),
    ("range-of-list", ((2, 9, 4, 7, 8),), "range-of-ends-of-list", r"\( 6 \)"),
    ("mean-from-table", (2, 6, 8, 4), "divides-by-rows", r"\( 13.5 \)"),
    ("mean-from-table", (2, 6, 8, 4), "mean-of-frequencies", r"\( 5 \)"),
    ("pie-chart-angle", (9, 36), "percentage-as-degrees", r"\( 25^{\circ} \)"),
    ("single-event", (2, 3, 4), "part-to-part", r"\( \frac{2}{7} \)"),
    ("single-event", (2, 3, 4), "equally-likely-colours", r"\( \frac{1}{3} \)"),
    ("two-draws", (3, 10), "second-draw-unchanged", r"\( \frac{9}{100} \)"),
    ("two-draws", (3, 10), "second-total-unchanged", r"\( \frac{3}{50} \)"),
    ("expected-frequency", (2, 5, 20), "chance-of-the-opposite", r"\( 12 \)"),
)


@pytest.mark.parametrize(("task", "parameters", "rule", "expected"), BY_HAND)
def test_a_rule_gives_what_a_student_with_this_belief_writes(
    task: str, parameters: tuple[Any, ...], rule: str, expected: str
) -> None:
    procedure = {found.slug: apply for found, apply in TASKS[task].wrong}[rule]
    answer = procedure(*parameters)
    assert answer is not None
    assert answer.text == expected


def test_there_are_many_rules_and_each_is_one_of_a_kind() -> None:
    assert len(ALL_RULES) >= 60
    assert len({rule.name.casefold() for rule in ALL_RULES}) == len(ALL_RULES)
    assert len({rule.explanation.casefold() for rule in ALL_RULES}) == len(ALL_RULES)
    assert len({task.slug for task in ALL_TASKS}) == len(ALL_TASKS)
    assert all(len(task.wordings) > 1 for task in ALL_TASKS)


def test_one_slug_is_one_rule() -> None:
    rules: dict[str, set[int]] = {}
    for task in ALL_TASKS:
        for rule, _ in task.wrong:
            rules.setdefault(rule.slug, set()).add(id(rule))
    assert [slug for slug, objects in rules.items() if len(objects) > 1] == []


def test_every_rule_shows_in_every_task_that_names_it() -> None:
    made = generate_procedural(5_000, seed=11, ids={})
    met = Counter((one.task, slug) for one in made for slug in one.rules if slug)
    assert [
        (task.slug, rule.slug) for task in ALL_TASKS for rule, _ in task.wrong if not met[task.slug, rule.slug]
    ] == []
