"""Written addition and subtraction in columns.

The bugs of column subtraction are those of Brown and Burton's BUGGY (1978) and VanLehn's "Mind Bugs" (1990).
"""

from synth.answers import number
from synth.mal_rule import MalRule, Task

SMALLER_FROM_LARGER = MalRule(
    slug="smaller-from-larger",
    name="Takes the smaller digit from the larger in every column, whichever is on top",
    explanation="Avoids exchanging by turning a column upside down when its top digit is the smaller one.",
)
EXCHANGE_NOT_PAID = MalRule(
    slug="exchange-not-paid",
    name="When exchanging, forgets to reduce the column that was borrowed from",
    explanation="Adds ten (or sixty minutes) to a column that is too small but leaves its left neighbour unchanged.",
)
ZERO_TAKE_N_IS_N = MalRule(
    slug="zero-take-n-is-n",
    name="Thinks zero take away a digit leaves that digit",
    explanation="Copies the lower digit into the answer wherever the upper digit is 0, since there is nothing to "
    "take from.",
)
BORROWS_FROM_ZERO = MalRule(
    slug="borrows-from-zero",
    name="Turns a zero into nine when exchanging but does not go on to the next column",
    explanation="Borrowing across a zero stops halfway: the 0 becomes 9 and the column to its left stays as it was.",
)
CARRY_DROPPED = MalRule(
    slug="carry-dropped",
    name="Leaves out the carried digit in a column addition",
    explanation="Writes the units of each column's sum and never adds the ten to the next column.",
)
COLUMN_SUM_WRITTEN_OUT = MalRule(
    slug="column-sum-written-out",
    name="Writes two digits in one place when a column adds up to more than nine",
    explanation="Each column's whole sum is set down side by side, so the answer has too many digits.",
)
CARRIES_UNITS = MalRule(
    slug="carries-units",
    name="Writes the ten of a column sum and carries the units",
    explanation="Swaps the roles of the two digits of a column's sum: the tens digit is set down, the units digit "
    "goes to the next column.",
)


def _columns(a: int) -> tuple[int, int, int]:
    """Return hundreds, tens and units of a number below 1,000."""
    return a // 100, a // 10 % 10, a % 10


def _joined(columns: list[int]) -> int:
    return int("".join(map(str, columns)))


def _zero_copies(a: int, b: int) -> int | None:
    """Subtract with exchanging, but write the lower digit under each upper 0."""
    result, borrow, met = 0, 0, False
    for place, (top, low) in enumerate(zip(_columns(a)[::-1], _columns(b)[::-1], strict=True)):
        if top == 0 and low:
            met, digit, borrow = True, low, 0
        else:
            top -= borrow
            borrow = int(top < low)
            digit = top + 10 * borrow - low
        result += digit * 10**place
    return result if met and not borrow else None


def _borrow_stops_at_zero(a: int, b: int) -> int | None:
    """Borrow for the units across a 0 in the tens: the 0 becomes 9, the hundreds stay."""
    (h, t, u), (i, v, w) = _columns(a), _columns(b)
    return (h - i) * 100 + (9 - v) * 10 + u + 10 - w if t == 0 and u < w else None


def _units_carried(a: int, b: int) -> int:
    """Add two two-digit numbers, carrying the wrong digit of the units' sum."""
    units = a % 10 + b % 10
    down, carry = (units // 10, units % 10) if units > 9 else (units, 0)
    return (a // 10 + b // 10 + carry) * 10 + down


TASKS = (
    Task(
        slug="column-subtraction",
        construct="Subtract three-digit whole numbers with a written method",
        subject="Written addition and subtraction",
        wordings=(
            r"What is the answer to this calculation? \[ <a> - <b> \]",
            r"Use a column method to work out \( <a> - <b> \)",
            r"A theatre has \( <a> \) seats. \( <b> \) tickets have been sold. How many seats are still free?",
        ),
        parameters="a b",
        draw=lambda r: (r.choice((r.randint(301, 999), r.randint(3, 9) * 100 + r.randint(0, 9))), r.randint(112, 299)),
        keep=lambda a, b: a % 10 < b % 10,
        right=lambda a, b: number(a - b),
        wrong=(
            (
                SMALLER_FROM_LARGER,
                lambda a, b: number(_joined([abs(x - y) for x, y in zip(_columns(a), _columns(b), strict=True)])),
            ),
            (
                EXCHANGE_NOT_PAID,
                lambda a, b: number(_joined([(x - y) % 10 for x, y in zip(_columns(a), _columns(b), strict=True)])),
            ),
            (ZERO_TAKE_N_IS_N, lambda a, b: None if (n := _zero_copies(a, b)) is None else number(n)),
            (BORROWS_FROM_ZERO, lambda a, b: None if (n := _borrow_stops_at_zero(a, b)) is None else number(n)),
        ),
        slips=(lambda a, b: number(a - b + 10), lambda a, b: number(a - b - 1)),
    ),
    Task(
        slug="column-addition",
        construct="Add two-digit whole numbers with a written method",
        subject="Written addition and subtraction",
        wordings=(
            r"Work out \[ <a> + <b> \]",
            r"<person> has \( <a> \) stickers and is given \( <b> \) more. How many stickers is that altogether?",
            r"Complete the calculation: \( <a> + <b> = \)",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(15, 89), r.randint(15, 89)),
        keep=lambda a, b: a % 10 + b % 10 > 10,
        right=lambda a, b: number(a + b),
        wrong=(
            (CARRY_DROPPED, lambda a, b: number(a + b - 10)),
            (COLUMN_SUM_WRITTEN_OUT, lambda a, b: number(_joined([a // 10 + b // 10, a % 10 + b % 10]))),
            (CARRIES_UNITS, lambda a, b: number(_units_carried(a, b))),
        ),
        slips=(lambda a, b: number(a + b + 1),),
    ),
)
