r"""School maths in LaTeX to sympy, by a grammar of its own: what a language model wrote is never evaluated as code.

Read are numbers, letters, the four operations, brackets, fractions, mixed numbers, powers, roots and percentages.
Whatever else stands there, or can be read in two ways (`6 \div 2(1+2)`, `2^{10}` written `2^10`, `3 x 4`), is refused:
a formula that is not understood for sure is not checked. Sizes are bounded, so that no text can keep sympy busy.
"""

import math
import re
from typing import Any

from core.errors import InputError

Formula = Any
"""A sympy expression; sympy is loaded by the functions that need it."""

_LONGEST = 200
_DEEPEST = 20
_DIGITS = 12
_LARGEST_EXPONENT = 20
_LARGEST_POWER = 2_000
"""Bits of a power of numbers."""
_LARGEST_DEGREE = 64
_MOST_TERMS = 500
"""Of a formula that is multiplied out, above and below one fraction bar: sympy takes seconds for more."""
_TOKEN = re.compile(
    r"\s+|(?P<number>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)|(?P<letter>[a-zA-Z])"
    r"|(?P<command>\\(?:[a-zA-Z]+|[%,;:! ]))|(?P<mark>[-+*/^(){}\[\]%×÷−–·])"
)
_SILENT = {"left", "right", "displaystyle", "quad", ",", ";", ":", "!", " "}
_SAME = {"times": "*", "cdot": "*", "div": "/", "%": "%", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"}
_FRACTIONS = {"\\frac", "\\dfrac", "\\tfrac"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class FormulaError(ValueError):
    """A formula that is not understood, is ambiguous, undefined or too large; the message says which."""


def sympy_fault() -> str | None:
    """Return what to do where sympy is not installed, else None."""
    try:
        import sympy  # noqa: F401 - only whether it is there
    except ImportError:
        return "sympy is not installed: pip install 'misconception-mining[synth]', or do without the check"
    return None


def read_formula(latex: str) -> Formula:
    r"""Return what LaTeX without `\( \)` says, as an exact sympy expression.

    Args:
        latex: One expression, without a relation.

    Raises:
        FormulaError: See there.
        InputError: sympy is not installed.
    """
    if fault := sympy_fault():
        raise InputError(fault)
    return _Reader(latex).formula()


def bounded(value: Formula) -> Formula:
    """Return a value that sympy multiplies out in little time.

    Args:
        value: A sympy expression, not multiplied out.

    Raises:
        FormulaError: It may have too many terms.
    """
    if max(_terms(value)) > _MOST_TERMS:
        raise FormulaError(f"more than {_MOST_TERMS} terms where it is multiplied out")
    return value


def _terms(value: Formula) -> tuple[int, int]:
    """Return at most how many terms a value has above and below one fraction bar, multiplied out; 501 is many."""
    most = _MOST_TERMS + 1
    above, below = 1, 1
    if value.is_Add:
        above = 0
        for part in value.args:
            top, bottom = _terms(part)
            above, below = min(most, above * bottom + top * below), min(most, below * bottom)
    elif value.is_Mul:
        for part in value.args:
            top, bottom = _terms(part)
            above, below = min(most, above * top), min(most, below * bottom)
    elif value.is_Pow and value.exp.is_Integer:
        power = abs(int(value.exp))
        above, below = (min(most, math.comb(power + terms - 1, power)) for terms in _terms(value.base))
        if value.exp < 0:
            above, below = below, above
    return above, below


class _Reader:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, latex: str) -> None:
        self._tokens = _tokens(latex)
        self._place = 0
        self._depth = 0
        self._degree = 1

    def formula(self) -> Formula:
        value = self._sum()
        if self._place < len(self._tokens):
            raise FormulaError(f"unexpected {self._tokens[self._place]!r}")
        return bounded(value)

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise FormulaError(f"expected {expected or 'more'}, came {token or 'the end'}")
        self._place += 1
        return token

    def _sum(self) -> Formula:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FormulaError("nested too deep")
        value = self._product()
        while self._peek() in ("+", "-"):
            value = value + self._product() if self._take() == "+" else value - self._product()
        self._depth -= 1
        return value

    def _product(self) -> Formula:
        value = self._signed()
        divided = False
        while token := self._peek():
            if token in ("*", "/"):
                self._take()
                other = self._signed()
                divided = token == "/"
                value = _quotient(value, other) if divided else value * other
            elif token.isalpha() or token in ("(", "[", "\\sqrt"):
                if divided:
                    raise FormulaError("a product without a sign after a division can be read in two ways")
                value = value * self._power()
            else:
                break
        return value

    def _signed(self) -> Formula:
        if self._peek() == "-":
            self._take()
            return -self._power()
        if self._peek() == "+":
            self._take()
        return self._power()

    def _power(self) -> Formula:
        base = self._atom()
        if self._peek() == "^":
            self._take()
            base = self._raised(base, self._exponent())
            if self._peek() == "^":
                raise FormulaError("a power of a power without brackets")
        if self._peek() == "%":
            self._take()
            base = base / 100
        return base

    def _exponent(self) -> Formula:
        if self._peek() == "{":
            return self._bracketed()
        token = self._take()
        if not (len(token) == 1 and token.isdigit()):
            raise FormulaError(f"an exponent without braces: {token}")
        return _number(token)

    def _raised(self, base: Formula, exponent: Formula) -> Formula:
        if not exponent.is_Rational or max(abs(exponent.p), exponent.q) > _LARGEST_EXPONENT:
            raise FormulaError(f"an exponent that is no small number: {exponent}")
        if base.free_symbols:
            self._degree *= max(1, abs(int(exponent.p)))
        elif base.is_Rational:
            if base == 0 and exponent <= 0:
                raise FormulaError("a power of zero that is not defined")
            if max(abs(base.p), base.q).bit_length() * abs(exponent.p) > _LARGEST_POWER:
                raise FormulaError("a power that is too large")
        elif exponent.q != 1:
            raise FormulaError("a root of a root")
        if self._degree > _LARGEST_DEGREE:
            raise FormulaError("powers that are too large")
        return _real(base**exponent)

    def _atom(self) -> Formula:
        token = self._peek()
        if token in _CLOSING:
            return self._bracketed()
        if token in _FRACTIONS:
            return self._fraction()
        if token == "\\sqrt":
            return self._root()
        self._take()
        if token[0].isdigit() or token[0] == ".":
            return self._mixed(_number(token))
        if token.isalpha() and len(token) == 1:
            import sympy

            return sympy.Symbol(token)
        raise FormulaError(f"not understood: {token}")

    def _mixed(self, number: Formula) -> Formula:
        r"""Return a number, with the fraction that follows where it is a mixed number: `2 \frac{1}{5}` is 11/5."""
        if self._peek() not in _FRACTIONS:
            return number
        fraction = self._fraction()
        if not (number.is_Integer and fraction.is_Rational and 0 < fraction < 1):
            raise FormulaError("a number before a fraction that is no mixed number")
        return number + fraction

    def _fraction(self) -> Formula:
        self._take()
        above = self._braced()
        return _quotient(above, self._braced())

    def _root(self) -> Formula:
        import sympy

        self._take()
        index = self._bracketed() if self._peek() == "[" else sympy.Integer(2)
        inside = self._braced()
        if not index.is_Integer or not 2 <= index <= _LARGEST_EXPONENT:
            raise FormulaError("a root whose index is no small number")
        if inside.is_Rational and inside < 0 and index % 2:
            return -sympy.root(-inside, index)
        if not inside.free_symbols and not inside.is_Rational:
            raise FormulaError("a root of a root")
        return _real(sympy.root(inside, index))

    def _braced(self) -> Formula:
        if self._peek() != "{":
            raise FormulaError("expected { … } after a fraction or root")
        return self._bracketed()

    def _bracketed(self) -> Formula:
        closing = _CLOSING[self._take()]
        value = self._sum()
        self._take(closing)
        return value


def _tokens(latex: str) -> list[str]:
    if len(latex) > _LONGEST:
        raise FormulaError(f"longer than {_LONGEST} characters")
    tokens: list[str] = []
    place = 0
    while place < len(latex):
        found = _TOKEN.match(latex, place)
        if found is None:
            raise FormulaError(f"not understood: {latex[place : place + 20]!r}")
        place = found.end()
        if command := found["command"]:
            name = command[1:]
            if name not in _SILENT:
                tokens.append(_SAME.get(name, command))
        elif token := found["number"] or found["letter"] or found["mark"]:
            tokens.append(_SAME.get(token, token))
    return tokens


def _number(token: str) -> Formula:
    import sympy

    digits = token.replace(",", "")
    if len(digits) > _DIGITS:
        raise FormulaError(f"a number of more than {_DIGITS} digits")
    return sympy.Rational(digits if digits[0] != "." else f"0{digits}")


def _quotient(above: Formula, below: Formula) -> Formula:
    import sympy

    if below.is_zero or (below.free_symbols and sympy.expand(bounded(below)).is_zero):
        raise FormulaError("a division by zero")
    return above / below


def _real(value: Formula) -> Formula:
    if not value.free_symbols and value.is_real is not True:
        raise FormulaError("not a real number")
    return value
