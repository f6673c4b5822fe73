import time
from contextlib import suppress

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from synth import formula
from synth.formula import FormulaError, read_formula, sympy_fault

x, y = sympy.symbols("x y")


@pytest.mark.parametrize(
    ("latex", "value"),
    [
        ("3 + 4 \\times 2", 11),
        ("-3^{2}", -9),
        ("(-3)^2", 9),
        ("8 \\div 4 \\div 2", 1),
        ("\\frac{1}{2}+\\dfrac{1}{3}", sympy.Rational(5, 6)),
        ("2 \\frac{1}{5}", sympy.Rational(11, 5)),
        ("12,500 \\times 2", 25000),
        ("0.1+.2", sympy.Rational(3, 10)),
        ("20 \\% × 50", 10),
        ("\\sqrt{18}", 3 * sympy.sqrt(2)),
        ("\\sqrt[3]{-8}", -2),
        ("4^{\\frac{1}{2}}", 2),
        ("2^{-3}", sympy.Rational(1, 8)),
        ("3 \\times -2", -6),
        ("\\left(3-1\\right)[4]", 8),
        ("3(x+2) - x", 2 * x + 6),
        ("2 x y^{2}", 2 * x * y**2),
        ("\\frac{x}{3}", x / 3),
    ],
)
def test_what_school_maths_means(latex: str, value: object) -> None:
    assert sympy.expand(read_formula(latex) - value) == 0


@pytest.mark.parametrize(
    "latex",
    [
        "",
        "6 \\div 2(1+2)",
        "2^10",
        "2^{3}^{2}",
        "3 x 4",
        "3 4",
        "1 \\div 0",
        "\\frac{1}{x-x}",
        "0^{0}",
        "\\sqrt{-16}",
        "(3 + 4",
        "3 + 4)",
        "3 +",
        "\\frac12",
        "2 \\frac{5}{3}",
        "x \\geq 2",
        "\\mathrm{cm}",
        "£ 3",
        "sin(3)",
        "__import__('os')",
        "9^{9^{9}}",
        "9^{21}",
        "(" * 50 + "1" + ")" * 50,
        "1" * 13,
        "x" * 300,
        "((((x+1)^{8})^{8})^{8}",
        "\\sqrt{\\sqrt{2}+1}",
    ],
)
def test_what_is_not_understood_for_sure_is_refused(latex: str) -> None:
    if latex == "sin(3)":
        assert read_formula(latex).free_symbols  # a product of letters: not a sine, so never equal to a number
        return
    with pytest.raises(FormulaError):
        read_formula(latex)


@given(st.text(alphabet="0123456789xy+-*/^(){}%. \\frac\\sqrt", max_size=40))
def test_no_text_crashes_or_keeps_it_busy(latex: str) -> None:
    started = time.perf_counter()
    with suppress(FormulaError):
        read_formula(latex)
    assert time.perf_counter() - started < 5


def test_without_sympy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sympy", None)
    assert "misconception-mining[synth]" in str(sympy_fault())
    with pytest.raises(InputError, match=r"misconception-mining\[synth\]"):
        formula.read_formula("1")
