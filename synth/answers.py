"""Answers of procedural questions: an exact value beside the LaTeX that shows it.

Every function returns None where the value cannot be shown naturally (a division by zero, a decimal that does not
end, a length that is not positive): a wrong procedure that ends there makes no answer for these numbers.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

Rational = int | Fraction

CM = r" \mathrm{~cm}"
CM2 = r" \mathrm{~cm}^{2}"
CM3 = r" \mathrm{~cm}^{3}"
DEGREES = r"^{\circ}"
PERCENT = r" \%"
PI = r" \pi"

MOST_DECIMALS = 4
"""Longer decimals look like no answer that a teacher would offer."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    r"""One answer of a question.

    Attributes:
        text: The answer as Eedi writes it, LaTeX between `\(` and `\)`.
        value: What it is worth, exact: a Fraction for numbers, else a tuple. Two answers are the same answer exactly
            if their values are equal, however they are written.
    """

    text: str
    value: Hashable


def inline(latex: str) -> str:
    r"""Return LaTeX set inline as Eedi writes it: `\( … \)`."""
    return rf"\( {latex} \)"


def digits(x: Rational) -> str | None:
    """Return an integer or an ending decimal in digits, or None where it has over `MOST_DECIMALS` places."""
    scaled = Fraction(x) * 10**MOST_DECIMALS
    if scaled.denominator != 1:
        return None
    whole, part = divmod(abs(scaled.numerator), 10**MOST_DECIMALS)
    decimals = f"{part:0{MOST_DECIMALS}d}".rstrip("0")
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def number(x: Rational, *, before: str = "", after: str = "") -> Answer | None:
    """Return a number in digits, LaTeX `before` and `after` it; None where the decimal is too long."""
    shown = digits(x)
    return None if shown is None else Answer(text=inline(f"{before}{shown}{after}"), value=Fraction(x))


def measure(x: Rational, after: str = "") -> Answer | None:
    """Return a positive number with its unit; None where it is zero, negative or too long a decimal."""
    return number(x, after=after) if x > 0 else None


def money(x: Rational) -> Answer | None:
    """Return a positive sum in pounds, whole or with exactly two decimals; None where it has more."""
    pence = Fraction(x) * 100
    if pence.denominator != 1 or pence <= 0:
        return None
    pounds, rest = divmod(pence.numerator, 100)
    return Answer(text=inline(rf"£ {pounds}.{rest:02d}" if rest else rf"£ {pounds}"), value=Fraction(x))


def fraction(numerator: int, denominator: int) -> Answer | None:
    """Return a fraction as it stands, not cancelled; None where either part is not positive."""
    if numerator <= 0 or denominator <= 0:
        return None
    return Answer(text=inline(rf"\frac{{{numerator}}}{{{denominator}}}"), value=Fraction(numerator, denominator))


def lowest(numerator: Rational, denominator: Rational = 1, *, before: str = "") -> Answer | None:
    """Return a quotient in lowest terms, a whole number where it is one; None where the denominator is zero."""
    if denominator == 0:
        return None
    x = Fraction(numerator) / Fraction(denominator)
    if x.denominator == 1:
        return Answer(text=inline(f"{before}{x.numerator}"), value=x)
    sign = "-" if x < 0 else ""
    return Answer(text=inline(rf"{before}{sign}\frac{{{abs(x.numerator)}}}{{{x.denominator}}}"), value=x)


def power(base: int, index: int) -> Answer:
    """Return a power of whole numbers, left as a power; its value is worked out (index at least 0)."""
    return Answer(text=inline(f"{base}^{{{index}}}"), value=Fraction(base**index))


def raised(symbol: str, index: int) -> str:
    """Return a letter with its index as it stands in a term: nothing for 0, bare for 1."""
    if index == 0:
        return ""
    return symbol if index == 1 else f"{symbol}^{{{index}}}"


def expression(*terms: tuple[int, str]) -> Answer:
    """Return a sum of terms (coefficient, letters) in the order given, like terms collected.

    The letters of the constant term are an empty string. The value is the sorted tuple of (letters, coefficient).
    """
    collected: dict[str, int] = {}
    for coefficient, letters in terms:
        collected[letters] = collected.get(letters, 0) + coefficient
    kept = [(letters, coefficient) for letters, coefficient in collected.items() if coefficient]
    shown = ""
    for letters, coefficient in kept:
        sign = (" + " if coefficient > 0 else " - ") if shown else ("" if coefficient > 0 else "-")
        size = "" if abs(coefficient) == 1 and letters else str(abs(coefficient))
        shown += f"{sign}{size}{letters}"
    return Answer(text=inline(shown or "0"), value=tuple(sorted(kept)))


def brackets(p: int, q: int) -> Answer | None:
    """Return `(x + p)(x + q)`, the smaller number first; its value is the expanded expression's."""
    if p == 0 or q == 0:
        return None
    shown = "".join(f"(x {'+' if number > 0 else '-'} {abs(number)})" for number in sorted((p, q)))
    return Answer(text=inline(shown), value=expression((1, "x^{2}"), (p + q, "x"), (p * q, "")).value)


def pair(x: Rational, y: Rational) -> Answer | None:
    """Return the coordinates of a point; None where one is too long a decimal."""
    across, up = digits(x), digits(y)
    if across is None or up is None:
        return None
    return Answer(text=inline(f"({across}, {up})"), value=(Fraction(x), Fraction(y)))


def root(square: int, after: str = "") -> Answer | None:
    """Return a positive square root, worked out where it is whole; its value is ("root", the square)."""
    if square <= 0:
        return None
    whole = isqrt(square)
    shown = str(whole) if whole * whole == square else rf"\sqrt{{{square}}}"
    return Answer(text=inline(f"{shown}{after}"), value=("root", square))


def relation(sign: str, x: Rational) -> Answer | None:
    """Return `x` against a number: `sign` is `<`, `>` or `=`."""
    shown = digits(x)
    return None if shown is None else Answer(text=inline(f"x {sign} {shown}"), value=(sign, Fraction(x)))


def duration(hours: Rational, minutes: Rational) -> Answer | None:
    """Return hours and minutes in words; its value is in minutes. None where a part is negative or not whole."""
    h, m = Fraction(hours), Fraction(minutes)
    if h < 0 or m < 0 or h + m == 0 or h.denominator != 1 or m.denominator != 1:
        return None
    parts = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in ((h, "hour"), (m, "minute")) if n]
    return Answer(text=" ".join(parts), value=h * 60 + m)


def written(shown: str, x: Rational) -> Answer:
    """Return a number written in a way of its own, such as `3.400`."""
    return Answer(text=inline(shown), value=Fraction(x))
