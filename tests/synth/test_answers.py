from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.answers import (
    Answer,
    brackets,
    digits,
    duration,
    expression,
    fraction,
    lowest,
    measure,
    money,
    number,
    pair,
    power,
    raised,
    relation,
    root,
    written,
)


def text(answer: Answer | None) -> str | None:
    return None if answer is None else answer.text


@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_digits_read_back_give_the_number(n: int, places: int) -> None:
    x = F(n, 10**places)
    shown = digits(x)
    assert shown is not None
    assert F(shown) == x
    assert not shown.endswith(".") and ("." not in shown or not shown.endswith("0"))


@pytest.mark.parametrize("x", [F(1, 3), F(1, 7), F(1, 32 * 1000)])
def test_a_long_decimal_has_no_digits(x: F) -> None:
    assert digits(x) is None
    assert number(x) is None
    assert pair(x, 1) is None and pair(1, x) is None
    assert relation("<", x) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (number(F(-5, 2)), r"\( -2.5 \)"),
        (measure(12, r" \%"), r"\( 12 \% \)"),
        (measure(0), None),
        (measure(-1), None),
        (money(F(5, 2)), r"\( £ 2.50 \)"),
        (money(3), r"\( £ 3 \)"),
        (money(F(1, 8)), None),
        (money(0), None),
        (fraction(4, 6), r"\( \frac{4}{6} \)"),
        (fraction(0, 6), None),
        (fraction(1, 0), None),
        (lowest(4, 6), r"\( \frac{2}{3} \)"),
        (lowest(-4, 6), r"\( -\frac{2}{3} \)"),
        (lowest(6, 3), r"\( 2 \)"),
        (lowest(6, 0), None),
        (lowest(1, 2, before="x = "), r"\( x = \frac{1}{2} \)"),
        (power(3, 7), r"\( 3^{7} \)"),
        (expression((1, "x^{2}"), (-1, "x"), (-6, "")), r"\( x^{2} - x - 6 \)"),
        (expression((-1, "x"), (2, "")), r"\( -x + 2 \)"),
        (expression((2, "x"), (3, ""), (-2, "x")), r"\( 3 \)"),
        (expression((2, "x"), (-2, "x")), r"\( 0 \)"),
        (brackets(3, -5), r"\( (x - 5)(x + 3) \)"),
        (brackets(0, 2), None),
        (pair(F(1, 2), -3), r"\( (0.5, -3) \)"),
        (root(49), r"\( 7 \)"),
        (root(50), r"\( \sqrt{50} \)"),
        (root(0), None),
        (relation(">", -4), r"\( x > -4 \)"),
        (duration(1, 75), "1 hour 75 minutes"),
        (duration(2, 1), "2 hours 1 minute"),
        (duration(2, 0), "2 hours"),
        (duration(0, 0), None),
        (duration(1, -5), None),
        (duration(1, F(1, 2)), None),
        (written("3.400", F(34, 10)), r"\( 3.400 \)"),
    ],
)
def test_answers_are_written_as_a_test_paper_writes_them(answer: Answer | None, expected: str | None) -> None:
    assert text(answer) == expected


def test_answers_that_look_different_may_be_worth_the_same() -> None:
    half, two_quarters, decimal = lowest(1, 2), fraction(2, 4), number(F(1, 2))
    assert half and two_quarters and decimal
    assert half.value == two_quarters.value == decimal.value
    factored = brackets(2, 3)
    assert factored and factored.value == expression((6, ""), (1, "x^{2}"), (5, "x")).value
    long, short = duration(1, 75), duration(2, 15)
    assert long and short and long.value == short.value


@pytest.mark.parametrize(("index", "shown"), [(0, ""), (1, "y"), (2, "y^{2}")])
def test_raised(index: int, shown: str) -> None:
    assert raised("y", index) == shown
