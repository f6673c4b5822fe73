"""Measures: units of length, area and mass, time, distance and speed."""

from fractions import Fraction

from synth.answers import duration, measure
from synth.mal_rule import MalRule, Task
from synth.mal_rules.number import DOUBLES_FOR_SQUARE
from synth.mal_rules.written_methods import EXCHANGE_NOT_PAID, SMALLER_FROM_LARGER

CONVERTS_WRONG_WAY = MalRule(
    slug="converts-wrong-way",
    name="Divides by the conversion factor when changing to a smaller unit",
    explanation="Thinks a smaller unit needs a smaller number, so the factor is used the wrong way.",
)
WRONG_METRIC_FACTOR = MalRule(
    slug="wrong-metric-factor",
    name="Remembers the wrong power of ten between two metric units",
    explanation="The prefixes kilo, centi and milli are confused, for example a hundred used for a thousand.",
)
LENGTH_FACTOR_FOR_AREA = MalRule(
    slug="length-factor-for-area",
    name="Converts square units with the factor for lengths",
    explanation="The area is multiplied by a hundred once, although both dimensions have to be converted.",
)
HUNDRED_MINUTES_IN_HOUR = MalRule(
    slug="hundred-minutes-in-hour",
    name="Calculates with times as if an hour had a hundred minutes",
    explanation="The column method for whole numbers is used on clock times, or a decimal of an hour is read in "
    "hundredths.",
)
DECIMAL_HOUR_DIGIT_AS_MINUTES = MalRule(
    slug="decimal-hour-digit-as-minutes",
    name="Reads the digits behind the point of a number of hours as minutes",
    explanation="2.4 hours is taken to be 2 hours and 4 minutes.",
)
MINUTES_AFTER_THE_POINT = MalRule(
    slug="minutes-after-the-point",
    name="Writes minutes behind a decimal point to express a time in hours",
    explanation="1 hour 30 minutes becomes 1.3 hours in a calculation.",
)
DIVIDES_FOR_DISTANCE = MalRule(
    slug="divides-for-distance",
    name="Divides speed by time to find how far something travels",
    explanation="The relation of speed, distance and time is rearranged wrongly.",
)
WHOLE_HOURS_ONLY = MalRule(
    slug="whole-hours-only",
    name="Leaves the minutes out of a calculation with hours and minutes",
    explanation="Only the full hours are used.",
)
AVERAGES_THE_SPEEDS = MalRule(
    slug="averages-the-speeds",
    name="Takes the mean of two speeds as the speed of the whole journey",
    explanation="The different times or distances of the parts are not taken into account.",
)
ADDS_THE_SPEEDS = MalRule(
    slug="adds-the-speeds",
    name="Adds the speeds of the stages of a journey",
    explanation="A rate is combined by addition, as distances or times are.",
)
DIVIDES_BY_STAGES = MalRule(
    slug="divides-by-stages",
    name="Divides the distance of a journey by the number of its parts",
    explanation="For an average speed the total distance is found and then shared among the stages, not the hours.",
)


def _difference(h: int, m: int, hours: int, minutes: int) -> tuple[int, int]:
    """Return the differences of the hours and of the minutes, later less earlier."""
    return hours - h, minutes - m


TASKS = (
    Task(
        slug="square-metres-to-square-centimetres",
        construct="Convert between metric units of area",
        subject="Metric units",
        wordings=(
            r"How many \( \mathrm{cm}^{2} \) are there in \( <a> \mathrm{~m}^{2} \) ?",
            r"Change \( <a> \mathrm{~m}^{2} \) into \( \mathrm{cm}^{2} \)",
            r"A carpet covers \( <a> \mathrm{~m}^{2} \). What is this area in square centimetres?",
        ),
        parameters="a",
        draw=lambda r: (Fraction(r.randint(2, 99), r.choice((1, 10))),),
        right=lambda a: measure(a * 10_000),
        wrong=(
            (LENGTH_FACTOR_FOR_AREA, lambda a: measure(a * 100)),
            (DOUBLES_FOR_SQUARE, lambda a: measure(a * 200)),
            (CONVERTS_WRONG_WAY, lambda a: measure(a / 10_000)),
            (WRONG_METRIC_FACTOR, lambda a: measure(a * 1000)),
        ),
    ),
    Task(
        slug="kilograms-to-grams",
        construct="Convert between metric units of mass and length",
        subject="Metric units",
        wordings=(
            r"How many grams are \( <a> \mathrm{~kg} \) ?",
            r"<person> runs \( <a> \mathrm{~km} \). How many metres is that?",
            r"A bottle holds \( <a> \) litres. How many millilitres does it hold?",
        ),
        parameters="a",
        draw=lambda r: (Fraction(r.randint(11, 199), 10),),
        keep=lambda a: a.denominator > 1,
        right=lambda a: measure(a * 1000),
        wrong=(
            (WRONG_METRIC_FACTOR, lambda a: measure(a * 100)),
            (CONVERTS_WRONG_WAY, lambda a: measure(a / 1000)),
        ),
        slips=(lambda a: measure(a * 10_000),),
    ),
    Task(
        slug="length-of-time",
        construct="Find the length of time between two clock times",
        subject="Time",
        wordings=(
            r"A film starts at \( <h>:<m> \) and ends at \( <hours>:<minutes> \). How long does it last?",
            r"A train leaves at \( <h>:<m> \) and arrives at \( <hours>:<minutes> \). How long is the journey?",
            r"<person> works from \( <h>:<m> \) until \( <hours>:<minutes> \). How much time is that?",
        ),
        parameters="h m hours minutes",
        draw=lambda r: (h := r.randint(10, 18), r.randint(5, 11) * 5, h + r.randint(2, 5), r.randint(2, 8) * 5),
        keep=lambda h, m, hours, minutes: m > minutes,
        right=lambda *t: duration(_difference(*t)[0] - 1, _difference(*t)[1] + 60),
        wrong=(
            (HUNDRED_MINUTES_IN_HOUR, lambda *t: duration(_difference(*t)[0] - 1, _difference(*t)[1] + 100)),
            (SMALLER_FROM_LARGER, lambda *t: duration(_difference(*t)[0], -_difference(*t)[1])),
            (EXCHANGE_NOT_PAID, lambda *t: duration(_difference(*t)[0], _difference(*t)[1] + 60)),
        ),
        slips=(lambda *t: duration(_difference(*t)[0] - 1, _difference(*t)[1] + 50),),
    ),
    Task(
        slug="decimal-hours",
        construct="Convert decimal hours to hours and minutes",
        subject="Time",
        wordings=(
            r"How long is \( <x> \) hours, in hours and minutes?",
            r"A calculator shows that a journey takes \( <x> \) hours. What is this in hours and minutes?",
            r"Write \( <x> \) hours in hours and minutes.",
        ),
        parameters="x",
        draw=lambda r: (Fraction(r.randint(11, 99), 10),),
        keep=lambda x: x.denominator > 1,
        right=lambda x: duration(x // 1, x % 1 * 60),
        wrong=(
            (DECIMAL_HOUR_DIGIT_AS_MINUTES, lambda x: duration(x // 1, x % 1 * 10)),
            (HUNDRED_MINUTES_IN_HOUR, lambda x: duration(x // 1, x % 1 * 100)),
        ),
        slips=(lambda x: duration(x // 1, x % 1 * 60 + 5), lambda x: duration(x // 1 + 1, x % 1 * 60)),
    ),
    Task(
        slug="distance-from-speed",
        construct="Calculate distance from speed and time",
        subject="Speed, distance and time",
        wordings=(
            r"A car drives at \( <v> \mathrm{~km} / \mathrm{h} \) for \( <h> \) hours \( <m> \) minutes. How far does "
            r"it go, in \( \mathrm{km} \) ?",
            r"<person> cycles for \( <h> \) hours and \( <m> \) minutes at a steady \( <v> \mathrm{~km} / "
            r"\mathrm{h} \). How many kilometres is that?",
            r"At \( <v> \) kilometres per hour, how many kilometres does a boat travel in \( <h> \) hours \( <m> \) "
            r"minutes?",
        ),
        parameters="v h m",
        draw=lambda r: (r.randint(3, 30) * 4, r.randint(2, 5), r.choice((15, 30, 45))),
        right=lambda v, h, m: measure(v * (h + Fraction(m, 60))),
        wrong=(
            (MINUTES_AFTER_THE_POINT, lambda v, h, m: measure(v * Fraction(f"{h}.{m}"))),
            (DIVIDES_FOR_DISTANCE, lambda v, h, m: measure(v / (h + Fraction(m, 60)))),
            (WHOLE_HOURS_ONLY, lambda v, h, m: measure(v * h)),
        ),
    ),
    Task(
        slug="speed-from-distance",
        construct="Calculate average speed over a journey in two parts",
        subject="Speed, distance and time",
        wordings=(
            r"A van travels \( <a> \) hours at \( <u> \mathrm{~km} / \mathrm{h} \) and then \( <b> \) hours at "
            r"\( <v> \mathrm{~km} / \mathrm{h} \). What is its average speed in \( \mathrm{km} / \mathrm{h} \) ?",
            r"<person> drives at \( <u> \mathrm{~km} / \mathrm{h} \) for \( <a> \) hours, then at "
            r"\( <v> \mathrm{~km} / \mathrm{h} \) for \( <b> \) hours. Find the average speed in km per hour.",
        ),
        parameters="a u b v",
        draw=lambda r: (r.randint(1, 4), r.randint(5, 12) * 5, r.randint(1, 6), r.randint(6, 24) * 5),
        keep=lambda a, u, b, v: a > 1 and b > 1 and a != b and u != v,
        right=lambda a, u, b, v: measure(Fraction(a * u + b * v, a + b)),
        wrong=(
            (AVERAGES_THE_SPEEDS, lambda a, u, b, v: measure(Fraction(u + v, 2))),
            (ADDS_THE_SPEEDS, lambda a, u, b, v: measure(u + v)),
            (DIVIDES_BY_STAGES, lambda a, u, b, v: measure(Fraction(a * u + b * v, 2))),
        ),
    ),
)
