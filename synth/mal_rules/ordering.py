"""Order: which fraction, which decimal is the largest.

Longer-is-larger and shorter-is-larger thinking: Stacey and Steinle, "Refining the classification of students'
interpretations of decimal notation" (1998).
"""

from collections.abc import Callable
from fractions import Fraction
from random import Random

from synth.answers import Answer, Rational, digits, fraction, number
from synth.mal_rule import MalRule, Task
from synth.mal_rules.fractions import proper_fraction

LONGER_DECIMAL_LARGER = MalRule(
    slug="longer-decimal-larger",
    name="Reads the digits after the point as a whole number when comparing",
    explanation="A decimal with more digits is taken to be larger, since three hundred and something beats six.",
)
SHORTER_DECIMAL_LARGER = MalRule(
    slug="shorter-decimal-larger",
    name="Thinks a decimal with fewer places is larger because tenths are bigger than thousandths",
    explanation="Judges by the size of the last place and forgets how many of those parts there are.",
)
ZERO_AFTER_POINT_IGNORED = MalRule(
    slug="zero-after-point-ignored",
    name="Overlooks a zero that follows the decimal point",
    explanation="Hundredths are read as tenths because the place-holding zero is skipped.",
)
LARGEST_DENOMINATOR_LARGEST = MalRule(
    slug="largest-denominator-largest",
    name="Judges fractions by their denominators: the bigger the bottom, the bigger the fraction",
    explanation="Compares denominators as whole numbers and leaves the number of parts out of account.",
)
LARGEST_NUMERATOR_LARGEST = MalRule(
    slug="largest-numerator-largest",
    name="Judges fractions by their numerators alone",
    explanation="The fraction with the greatest top number is thought greatest, whatever the size of its parts.",
)
SMALLEST_GAP_LARGEST = MalRule(
    slug="smallest-gap-largest",
    name="Compares fractions by how far the numerator is from the denominator",
    explanation="Gap thinking: the fewer parts are missing from a whole, the larger the fraction is taken to be, "
    "whatever the size of the parts.",
)


def _chosen(fractions: tuple[int, ...], merit: Callable[[int, int], Rational]) -> Answer | None:
    """Return the fraction with the greatest merit among numerators and denominators in turn; None on a tie."""
    pairs = sorted(zip(fractions[::2], fractions[1::2], strict=True), key=lambda pair: merit(*pair), reverse=True)
    return None if merit(*pairs[0]) == merit(*pairs[1]) else fraction(*pairs[0])


def _tail(x: Fraction) -> str:
    """Return the digits after the point."""
    shown = digits(x)
    return shown.partition(".")[2] if shown else ""


def _of(values: tuple[Fraction, ...], merit: Callable[[Fraction], Rational]) -> Answer | None:
    """Return the decimal with the greatest merit; None on a tie."""
    best = sorted(values, key=merit, reverse=True)
    return None if merit(best[0]) == merit(best[1]) else number(best[0])


def _assorted(r: Random) -> tuple[Fraction, ...]:
    """Draw four decimals below 1: a short one, one with a leading zero, a long one and the largest, shuffled."""
    top = r.randint(55, 97)
    drawn = [
        Fraction(r.randint(1, 5), 10),
        Fraction(r.choice((r.randint(6, 9), r.randint(61, 99))), 100 if r.random() < 0.3 else 1000),
        Fraction(r.randint(111, 499), 1000),
        Fraction(top, 100),
    ]
    r.shuffle(drawn)
    return tuple(drawn)


TASKS = (
    Task(
        slug="largest-fraction",
        construct="Order fractions by size",
        subject="Comparing fractions",
        wordings=(
            r"Which of these fractions is the largest? \[ \frac{<a>}{<b>} \quad \frac{<c>}{<d>} \quad "
            r"\frac{<e>}{<f>} \quad \frac{<g>}{<h>} \]",
            r"\( \frac{<a>}{<b>}, \frac{<c>}{<d>}, \frac{<e>}{<f>} \) and \( \frac{<g>}{<h>} \) are put in order. "
            r"Which one is greatest?",
        ),
        parameters="a b c d e f g h",
        draw=lambda r: (*proper_fraction(r), *proper_fraction(r), *proper_fraction(r), *proper_fraction(r)),
        right=lambda *f: _chosen(f, lambda a, b: Fraction(a, b)),
        wrong=(
            (LARGEST_DENOMINATOR_LARGEST, lambda *f: _chosen(f, lambda a, b: b)),
            (LARGEST_NUMERATOR_LARGEST, lambda *f: _chosen(f, lambda a, b: a)),
            (SMALLEST_GAP_LARGEST, lambda *f: _chosen(f, lambda a, b: a - b)),
        ),
        slips=(lambda *f: _chosen(f, lambda a, b: -Fraction(a, b)),),
    ),
    Task(
        slug="largest-decimal",
        construct="Order decimals by size",
        subject="Ordering decimals",
        wordings=(
            r"Which of these numbers is the largest? \[ <a> \quad <b> \quad <c> \quad <d> \]",
            r"Four jumps measure \( <a> \mathrm{~m}, <b> \mathrm{~m}, <c> \mathrm{~m} \) and \( <d> \mathrm{~m} \). "
            r"How many metres is the longest?",
            r"<person> puts \( <a>, <b>, <c> \) and \( <d> \) in order. Which is greatest?",
        ),
        parameters="a b c d",
        draw=_assorted,
        keep=lambda *values: all(1 <= len(_tail(x)) <= 3 for x in values),
        right=lambda *values: _of(values, lambda x: x),
        wrong=(
            (LONGER_DECIMAL_LARGER, lambda *values: _of(values, lambda x: int(_tail(x)))),
            (SHORTER_DECIMAL_LARGER, lambda *values: _of(values, lambda x: -len(_tail(x)))),
            (ZERO_AFTER_POINT_IGNORED, lambda *values: _of(values, lambda x: Fraction("0." + _tail(x).lstrip("0")))),
        ),
        slips=(lambda *values: _of(values, lambda x: -x),),
    ),
)
