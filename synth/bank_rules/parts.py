"""What the further mal-rules are written with: short constructors, and answers that count as they are written."""

from fractions import Fraction
from math import floor
from random import Random

from synth.answers import PERCENT, Answer, Rational, digits, inline, number
from synth.mal_rule import MalRule


def rule(slug: str, name: str, explanation: str = "") -> MalRule:
    """Return a mal-rule; where the name says it all, it is its own explanation."""
    return MalRule(slug=slug, name=name, explanation=explanation or name)


def shown(latex: str) -> Answer:
    """Return LaTeX that is worth what it looks like: two ways to write one number are two answers."""
    return Answer(text=inline(latex), value=("shown", latex))


def words(text: str) -> Answer:
    """Return an answer in words."""
    return Answer(text=text, value=("words", text))


def percent(x: Rational) -> Answer | None:
    """Return a percentage; None where it is not positive, or too long a decimal."""
    return number(x, after=PERCENT) if x > 0 else None


def ratio(a: int, b: int) -> Answer | None:
    """Return a ratio as it stands; None where a side is not positive."""
    return shown(f"{a}: {b}") if a > 0 and b > 0 else None


def fraction_shown(a: int, b: int) -> Answer | None:
    """Return a fraction whose way of writing counts; None where a part is not positive."""
    return shown(rf"\frac{{{a}}}{{{b}}}") if a > 0 and b > 0 else None


def mixed(whole: int, a: int, b: int) -> Answer | None:
    """Return a mixed number as it stands; None where a part is not positive."""
    return shown(rf"{whole} \frac{{{a}}}{{{b}}}") if min(whole, a, b) > 0 else None


def vector(x: Rational, y: Rational) -> Answer | None:
    """Return a column vector; None where a part is too long a decimal."""
    top, bottom = digits(x), digits(y)
    if top is None or bottom is None:
        return None
    latex = rf"\begin{{pmatrix}} {top} \\ {bottom} \end{{pmatrix}}"
    return Answer(text=inline(latex), value=("vector", Fraction(x), Fraction(y)))


def standard_form(front: Rational, index: int, base: int = 10) -> Answer | None:
    """Return `front × base^index` as it stands; None where the front is not positive or too long a decimal."""
    written = digits(front)
    return None if written is None or front <= 0 else shown(rf"{written} \times {base}^{{{index}}}")


def roots(p: int, q: int) -> Answer:
    """Return two solutions in words, the smaller first."""
    low, high = sorted((p, q))
    return Answer(text=rf"\( x = {low} \) or \( x = {high} \)", value=("roots", low, high))


def surd(factor: int, under: int) -> Answer | None:
    """Return `factor √under` as it stands; None where a part is not positive."""
    if factor <= 0 or under <= 0:
        return None
    return shown(rf"{'' if factor == 1 else factor}\sqrt{{{under}}}")


def primes(n: int) -> list[int]:
    """Return the prime factors of a whole number above 1, repeated as often as they divide it, rising."""
    found, p = [], 2
    while n > 1:
        while n % p == 0:
            found.append(p)
            n //= p
        p += 1
    return found


def roman(n: int) -> str:
    """Return a number from 1 to 399 in Roman numerals."""
    steps = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    made = ""
    for size, letters in steps:
        made, n = made + letters * (n // size), n % size
    return made


def linear(a: int, b: int, letter: str = "x") -> str:
    """Write `ax + b` in LaTeX."""
    front = {1: "", -1: "-"}.get(a, str(a))
    return f"{front}{letter} {'+' if b > 0 else '-'} {abs(b)}"


def signed(b: int) -> str:
    """Write a number with its sign as a further term."""
    return f" {'+' if b > 0 else '-'} {abs(b)}"


def values_with_mode(r: Random) -> tuple[int, ...]:
    """Draw five whole numbers, one of them twice, in no order."""
    chosen = r.sample(range(1, 30), 4)
    values = [*chosen, chosen[0]]
    r.shuffle(values)
    return tuple(values)


def middle(values: tuple[int, ...]) -> Fraction:
    """Return the median."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return Fraction(ordered[half]) if len(ordered) % 2 else Fraction(ordered[half - 1] + ordered[half], 2)


def average(values: tuple[int, ...]) -> Fraction:
    """Return the mean."""
    return Fraction(sum(values), len(values))


def spread(values: tuple[int, ...]) -> int:
    """Return the range."""
    return max(values) - min(values)


def table_draw(r: Random) -> tuple[int, ...]:
    """Draw three neighbouring values and three different frequencies."""
    a = r.randint(0, 3)
    return (a, a + 1, a + 2, *r.sample(range(2, 12), 3))


def skewed_table(r: Random) -> tuple[int, ...]:
    """Draw three neighbouring values, the first or the last of them more frequent than the others together."""
    a, middle_one, other = r.randint(0, 3), r.randint(6, 8), r.randint(9, 11)
    most = middle_one + other + r.randint(1, 5)
    frequencies = (most, middle_one, other) if r.randint(0, 1) else (other, middle_one, most)
    return (a, a + 1, a + 2, *frequencies)


def round_table(r: Random) -> tuple[int, ...]:
    """Draw three neighbouring values whose frequencies add to 10 or 20."""
    a, total, f, g = r.randint(1, 3), r.choice((10, 20)), r.randint(1, 4), r.randint(1, 5)
    return (a, a + 1, a + 2, f, g, total - f - g)


def near(x: Fraction | int, step: Fraction | int) -> Fraction:
    """Round a positive number to a multiple of a step, halves up."""
    return floor(Fraction(x) / step + Fraction(1, 2)) * Fraction(step)


def line(m: int, c: int) -> str:
    """Write `y = mx + c` in LaTeX."""
    return f"y = {m}x {'+' if c > 0 else '-'} {abs(c)}"
