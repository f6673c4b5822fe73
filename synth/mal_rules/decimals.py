"""Decimals: place value, the four operations, fractions as decimals."""

from fractions import Fraction

from synth.answers import digits, number, written
from synth.mal_rule import MalRule, Task
from synth.mal_rules.number import TIMES_AS_PLUS
from synth.mal_rules.written_methods import CARRY_DROPPED

APPENDS_ZEROS = MalRule(
    slug="appends-zeros",
    name="Multiplies a decimal by a power of ten by writing zeros at its end",
    explanation="Extends the shortcut for whole numbers to decimals, where trailing zeros change nothing.",
)
MOVES_DIGITS_WRONG_WAY = MalRule(
    slug="moves-digits-wrong-way",
    name="Shifts the digits the wrong way for a power of ten",
    explanation="Multiplying makes the number smaller, dividing larger: direction and operation are mixed up.",
)
SCALES_WHOLE_PART_ONLY = MalRule(
    slug="scales-whole-part-only",
    name="Multiplies only what stands before the decimal point",
    explanation="The decimal part is copied unchanged behind the multiplied whole part.",
)
MOVES_ONE_PLACE_ONLY = MalRule(
    slug="moves-one-place-only",
    name="Shifts by a single place whatever the power of ten",
    explanation="Multiplying by a hundred or a thousand is done like multiplying by ten.",
)
PRODUCT_KEEPS_PLACES = MalRule(
    slug="product-keeps-places",
    name="Gives a product of decimals as many places as one factor has",
    explanation="Lines the point up as in addition, so tenths times tenths are left as tenths.",
)
DECIMAL_POINT_LEFT_OUT = MalRule(
    slug="decimal-point-left-out",
    name="Calculates as if the numbers had no decimal point and does not put it back",
    explanation="The digits are handled as whole numbers and the answer is never rescaled.",
)
RIGHT_ALIGNS_DECIMALS = MalRule(
    slug="right-aligns-decimals",
    name="Lines decimals up by their last digits instead of by place value",
    explanation="When decimals of different length are added, tenths are put under hundredths.",
)
DECIMAL_SIDES_SEPARATE = MalRule(
    slug="decimal-sides-separate",
    name="Adds the parts on either side of the point as two separate whole numbers",
    explanation="The digits after the point are summed without regard to their places.",
)
FRACTION_BAR_AS_POINT = MalRule(
    slug="fraction-bar-as-point",
    name="Replaces the fraction bar by a decimal point",
    explanation="The numerator is written before the point and the denominator after it.",
)
DENOMINATOR_AFTER_POINT = MalRule(
    slug="denominator-after-point",
    name="Turns a fraction into a decimal by putting its denominator after the point",
    explanation="Only the bottom number is used: the fraction becomes nought point that number.",
)
FRACTION_DIGITS_AFTER_POINT = MalRule(
    slug="fraction-digits-after-point",
    name="Lists the fraction's two numbers as the digits of a decimal",
    explanation="Numerator and denominator are written one after the other behind the point.",
)
DIVISION_MAKES_SMALLER = MalRule(
    slug="division-makes-smaller",
    name="Expects every division to give less than one started with",
    explanation="When dividing by a number below one, the point is placed so that the answer is smaller than the "
    "number divided.",
)
MULTIPLIES_FOR_DIVISION = MalRule(
    slug="multiplies-for-division",
    name="Multiplies where the numbers should be divided",
    explanation="The two quantities are combined by multiplication although a quotient is asked for.",
)


def _tail(x: Fraction) -> str:
    """Return the digits after the point."""
    shown = digits(x)
    return shown.partition(".")[2] if shown else ""


TASKS = (
    Task(
        slug="multiply-by-power-of-ten",
        construct="Multiply decimals by powers of ten",
        subject="Place value",
        wordings=(
            r"Work out \[ <x> \times <p> \]",
            r"\( <x> \times <p> = \)",
            r"One paper clip weighs \( <x> \mathrm{~g} \). What do \( <p> \) of them weigh, in grams?",
        ),
        parameters="x p",
        draw=lambda r: (Fraction(r.randint(21, 979), r.choice((10, 100))), r.choice((100, 1000))),
        keep=lambda x, p: x.denominator > 1 and x > 1,
        right=lambda x, p: number(x * p),
        wrong=(
            (APPENDS_ZEROS, lambda x, p: written(f"{digits(x)}{str(p)[1:]}", x)),
            (MOVES_DIGITS_WRONG_WAY, lambda x, p: number(x / p)),
            (SCALES_WHOLE_PART_ONLY, lambda x, p: number(x // 1 * p + x % 1)),
            (MOVES_ONE_PLACE_ONLY, lambda x, p: number(x * 10)),
        ),
    ),
    Task(
        slug="multiply-decimals",
        construct="Multiply two decimals",
        subject="Calculating with decimals",
        wordings=(
            r"Calculate \[ <x> \times <y> \]",
            r"What is \( <x> \times <y> \) ?",
            r"A label is \( <x> \mathrm{~m} \) long and \( <y> \mathrm{~m} \) wide. What is its area in square metres?",
        ),
        parameters="x y",
        draw=lambda r: (Fraction(r.randint(2, 9), 10), Fraction(r.randint(2, 12), 10)),
        keep=lambda x, y: x != y and y != 1 and (x * y * 100) % 10,
        right=lambda x, y: number(x * y),
        wrong=(
            (PRODUCT_KEEPS_PLACES, lambda x, y: number(x * y * 10)),
            (DECIMAL_POINT_LEFT_OUT, lambda x, y: number(x * y * 100)),
            (TIMES_AS_PLUS, lambda x, y: number(x + y)),
        ),
    ),
    Task(
        slug="add-decimals",
        construct="Add decimals with different numbers of places",
        subject="Calculating with decimals",
        wordings=(
            r"Work out \[ <x> + <y> \]",
            r"\( <x> + <y> = \)",
            r"<person> walks \( <x> \mathrm{~km} \) and then a further \( <y> \mathrm{~km} \). How many kilometres is "
            r"that?",
        ),
        parameters="x y",
        draw=lambda r: (Fraction(r.randint(12, 98), 10), Fraction(r.randint(111, 989), 100)),
        keep=lambda x, y: x.denominator > 1 and y.denominator > 10,
        right=lambda x, y: number(x + y),
        wrong=(
            (RIGHT_ALIGNS_DECIMALS, lambda x, y: number((x * 10 + y * 100) / 100)),
            (
                DECIMAL_SIDES_SEPARATE,
                lambda x, y: number(x // 1 + y // 1 + Fraction(f"0.{int(_tail(x)) + int(_tail(y))}")),
            ),
            (CARRY_DROPPED, lambda x, y: number(x + y - 1) if x % 1 + y % 1 >= 1 else None),
            (DECIMAL_POINT_LEFT_OUT, lambda x, y: number(x * 10 + y * 100)),
        ),
    ),
    Task(
        slug="fraction-to-decimal",
        construct="Convert fractions to decimals",
        subject="Fractions, decimals and percentages",
        wordings=(
            r"Write \( \frac{<a>}{<b>} \) as a decimal.",
            r"Which decimal is equal to \( \frac{<a>}{<b>} \) ?",
            r"<person> keys \( <a> \div <b> \) into a calculator to turn \( \frac{<a>}{<b>} \) into a decimal. What is "
            r"shown?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(1, 24), r.choice((4, 5, 8, 16, 20, 25, 40, 50))),
        keep=lambda a, b: a < b and Fraction(a, b).denominator == b,
        right=lambda a, b: number(Fraction(a, b)),
        wrong=(
            (FRACTION_BAR_AS_POINT, lambda a, b: number(Fraction(f"{a}.{b}"))),
            (DENOMINATOR_AFTER_POINT, lambda a, b: number(Fraction(f"0.{b}"))),
            (FRACTION_DIGITS_AFTER_POINT, lambda a, b: number(Fraction(f"0.{a}{b}"))),
        ),
    ),
    Task(
        slug="divide-by-decimal",
        construct="Divide by a decimal less than one",
        subject="Calculating with decimals",
        wordings=(
            r"Calculate \[ <a> \div <x> \]",
            r"\( <a> \div <x> = \)",
            r"A rope of \( <a> \mathrm{~m} \) is cut into pieces of \( <x> \mathrm{~m} \). How many pieces are there?",
        ),
        parameters="a x",
        draw=lambda r: ((d := r.randint(2, 9)) * r.randint(2, 30), Fraction(d, 10)),
        right=lambda a, x: number(a / x),
        wrong=(
            (DECIMAL_POINT_LEFT_OUT, lambda a, x: number(a / (x * 10))),
            (DIVISION_MAKES_SMALLER, lambda a, x: number(a / x / 100)),
            (MULTIPLIES_FOR_DIVISION, lambda a, x: number(a * x)),
        ),
    ),
)
