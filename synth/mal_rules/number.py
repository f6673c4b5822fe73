"""Whole numbers: order of operations, rounding, negatives, factors and multiples."""

from math import gcd, lcm

from synth.answers import number
from synth.mal_rule import MalRule, Task

LEFT_TO_RIGHT = MalRule(
    slug="left-to-right",
    name="Carries out the operations of a calculation in the order they are read, ignoring priority",
    explanation="Takes each operation as it comes from the left, so an addition that stands first is done before a "
    "later multiplication or power.",
)
ADDS_BEFORE_SUBTRACTING = MalRule(
    slug="adds-before-subtracting",
    name="Thinks addition ranks above subtraction in the order of operations",
    explanation="Reads the mnemonic's letters as six ranks and so adds everything after the minus sign before taking "
    "it away.",
)
TIMES_AS_PLUS = MalRule(
    slug="times-as-plus",
    name="Adds where a product is asked for",
    explanation="Treats a multiplication sign as if it were a plus, so two numbers or fractions are summed.",
)
INDEX_COVERS_PRODUCT = MalRule(
    slug="index-covers-product",
    name="Applies a power to the multiplier in front as well as to its own base",
    explanation="Multiplies first and squares the outcome, as though the number in front stood inside a bracket with "
    "the base.",
)
DOUBLES_FOR_SQUARE = MalRule(
    slug="doubles-for-square",
    name="Reads 'squared' as 'times two'",
    explanation="Replaces a square by a double, wherever a small 2 is written above a number, letter or unit.",
)
ALWAYS_ROUNDS_DOWN = MalRule(
    slug="always-rounds-down",
    name="Rounds by cutting off the later digits",
    explanation="Replaces what follows the chosen place with zeros without looking at the next digit.",
)
ROUNDS_STEP_BY_STEP = MalRule(
    slug="rounds-step-by-step",
    name="Rounds in stages from the last digit, carrying each rounding forward",
    explanation="Rounds to the nearest ten first and rounds that result again, which can push a number just below "
    "halfway upwards.",
)
ROUNDS_TO_NEXT_PLACE = MalRule(
    slug="rounds-to-next-place",
    name="Mixes up neighbouring place values when rounding",
    explanation="Rounds to the tens when hundreds are wanted: the names of the columns are one place off.",
)
ROUNDING_LOSES_ZEROS = MalRule(
    slug="rounding-loses-zeros",
    name="Does not fill the empty columns with zeros after rounding",
    explanation="Keeps only the digits up to the chosen place, so the rounded number is a hundred times too small.",
)
MINUS_MINUS_IS_MINUS = MalRule(
    slug="minus-minus-is-minus",
    name="Treats taking away a negative as taking away a positive",
    explanation="One of two neighbouring minus signs is overlooked, so the number is subtracted instead of added.",
)
TWO_MINUSES_MAKE_PLUS = MalRule(
    slug="two-minuses-make-plus",
    name="Believes a sum with two minus signs in it must come out positive",
    explanation="Extends 'two negatives make a positive' to any two signs on the page: sizes are added and the "
    "answer made positive.",
)
NEGATIVE_SIGN_DROPPED = MalRule(
    slug="negative-sign-dropped",
    name="Works with the sizes and leaves the negative sign out of the result",
    explanation="The magnitude is found correctly but a negative sign is lost on the way.",
)
LCM_FOR_HCF = MalRule(
    slug="lcm-for-hcf",
    name="Gives the lowest common multiple when asked for the highest common factor",
    explanation="Factors and multiples are mixed up, so a number larger than both is given as their common factor.",
)
HCF_FOR_LCM = MalRule(
    slug="hcf-for-lcm",
    name="Gives the highest common factor when asked for the lowest common multiple",
    explanation="Factors and multiples are mixed up, so a divisor of both is given as their common multiple.",
)
ANY_COMMON_FACTOR = MalRule(
    slug="any-common-factor",
    name="Stops at the first shared factor instead of looking for the greatest",
    explanation="Finds a small number that divides both and does not check whether a larger one does.",
)
HCF_MUST_BE_PRIME = MalRule(
    slug="hcf-must-be-prime",
    name="Thinks the highest common factor has to be a prime number",
    explanation="Looks only at shared prime factors and names the largest, without multiplying them together.",
)
LCM_IS_PRODUCT = MalRule(
    slug="lcm-is-product",
    name="Believes the lowest common multiple is always found by multiplying the numbers",
    explanation="The product is a common multiple, but not the lowest when the numbers share a factor.",
)


def _nearest(n: int, place: int) -> int:
    """Round a number that is not negative to a place, halves up."""
    return (n + place // 2) // place * place


def _primes(n: int) -> list[int]:
    return [p for p in range(2, n + 1) if n % p == 0 and all(p % q for q in range(2, p))]


TASKS = (
    Task(
        slug="priority-with-square",
        construct="Evaluate expressions that combine several operations",
        subject="Order of operations",
        wordings=(
            r"Work out the value of \[ <a> + <b> \times <c>^{2} \]",
            r"\( <a> + <b> \times <c>^{2} = \)",
            r"<person> enters \( <a> + <b> \times <c>^{2} \) on a scientific calculator. What will the display show?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 20), r.randint(2, 9), r.randint(3, 10)),
        right=lambda a, b, c: number(a + b * c * c),
        wrong=(
            (LEFT_TO_RIGHT, lambda a, b, c: number((a + b) * c * c)),
            (INDEX_COVERS_PRODUCT, lambda a, b, c: number(a + (b * c) ** 2)),
            (DOUBLES_FOR_SQUARE, lambda a, b, c: number(a + b * 2 * c)),
            (TIMES_AS_PLUS, lambda a, b, c: number(a + b + c * c)),
        ),
    ),
    Task(
        slug="priority-with-subtraction",
        construct="Evaluate expressions that combine several operations",
        subject="Order of operations",
        wordings=(
            r"Calculate \[ <a> - <b> + <c> \times <d> \]",
            r"What is \( <a> - <b> + <c> \times <d> \) ?",
            r"<person> and a friend disagree about \( <a> - <b> + <c> \times <d> \). Which answer is correct?",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(20, 60), r.randint(2, 15), r.randint(2, 9), r.randint(2, 9)),
        right=lambda a, b, c, d: number(a - b + c * d),
        wrong=(
            (LEFT_TO_RIGHT, lambda a, b, c, d: number((a - b + c) * d)),
            (ADDS_BEFORE_SUBTRACTING, lambda a, b, c, d: number(a - (b + c * d))),
            (TIMES_AS_PLUS, lambda a, b, c, d: number(a - b + c + d)),
        ),
    ),
    Task(
        slug="round-to-hundred",
        construct="Round whole numbers to a given place",
        subject="Rounding and estimating",
        wordings=(
            r"Round \( <n> \) to the nearest hundred.",
            r"What is \( <n> \), correct to the nearest \( 100 \) ?",
            r"\( <n> \) people watched a match. A newspaper gives this number to the nearest hundred. What does it "
            r"print?",
        ),
        parameters="n",
        draw=lambda r: (
            r.choice(
                (r.randint(1101, 9899), r.randint(11, 98) * 100 + r.choice((r.randint(45, 49), r.randint(51, 94))))
            ),
        ),
        keep=lambda n: n % 100 and n % 10,
        right=lambda n: number(_nearest(n, 100)),
        wrong=(
            (ALWAYS_ROUNDS_DOWN, lambda n: number(n // 100 * 100)),
            (ROUNDS_STEP_BY_STEP, lambda n: number(_nearest(_nearest(n, 10), 100))),
            (ROUNDS_TO_NEXT_PLACE, lambda n: number(_nearest(n, 10))),
            (ROUNDING_LOSES_ZEROS, lambda n: number(_nearest(n, 100) // 100)),
        ),
        slips=(lambda n: number(_nearest(n, 1000)),),
    ),
    Task(
        slug="subtract-negative",
        construct="Add and subtract with negative integers",
        subject="Negative numbers",
        wordings=(
            r"Calculate \[ <a> - (<b>) \]",
            r"\( <a> - (<b>) = \)",
            r"What number goes in the box? \[ <a> - (<b>) = \square \]",
        ),
        parameters="a b",
        draw=lambda r: (-r.randint(3, 40), -r.randint(2, 30)),
        keep=lambda a, b: a != b and a < b,
        right=lambda a, b: number(a - b),
        wrong=(
            (MINUS_MINUS_IS_MINUS, lambda a, b: number(a + b)),
            (TWO_MINUSES_MAKE_PLUS, lambda a, b: number(-a - b)),
            (NEGATIVE_SIGN_DROPPED, lambda a, b: number(abs(a - b))),
        ),
    ),
    Task(
        slug="highest-common-factor",
        construct="Find the highest common factor of two numbers",
        subject="Factors, multiples and primes",
        wordings=(
            r"What is the highest common factor of \( <a> \) and \( <b> \) ?",
            r"Find the HCF of \( <a> \) and \( <b> \)",
            r"Ribbons of \( <a> \mathrm{~cm} \) and \( <b> \mathrm{~cm} \) are cut into equal pieces with nothing left "
            r"over. What is the greatest possible length of a piece, in \( \mathrm{cm} \) ?",
        ),
        parameters="a b",
        draw=lambda r: ((g := r.choice((6, 10, 12, 15, 18, 20))) * r.randint(2, 8), g * r.randint(2, 8)),
        keep=lambda a, b: a % b and b % a,
        right=lambda a, b: number(gcd(a, b)),
        wrong=(
            (LCM_FOR_HCF, lambda a, b: number(lcm(a, b))),
            (ANY_COMMON_FACTOR, lambda a, b: number(_primes(gcd(a, b))[0])),
            (HCF_MUST_BE_PRIME, lambda a, b: number(_primes(gcd(a, b))[-1])),
        ),
        slips=(lambda a, b: number(abs(a - b)),),
    ),
    Task(
        slug="lowest-common-multiple",
        construct="Find the lowest common multiple of two numbers",
        subject="Factors, multiples and primes",
        wordings=(
            r"What is the lowest common multiple of \( <a> \) and \( <b> \) ?",
            r"Find the LCM of \( <a> \) and \( <b> \)",
            r"One lamp flashes every \( <a> \) seconds, another every \( <b> \) seconds. They flash together now. "
            r"After how many seconds do they next flash together?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(4, 30), r.randint(4, 30)),
        keep=lambda a, b: gcd(a, b) > 1 and a % b and b % a,
        right=lambda a, b: number(lcm(a, b)),
        wrong=(
            (HCF_FOR_LCM, lambda a, b: number(gcd(a, b))),
            (LCM_IS_PRODUCT, lambda a, b: number(a * b)),
        ),
        slips=(lambda a, b: number(a + b),),
    ),
)
