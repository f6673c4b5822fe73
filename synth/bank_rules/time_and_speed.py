"""Clock times, parts of hours, speed."""

from fractions import Fraction as F

from synth.answers import fraction, number
from synth.bank_rules.parts import rule, words
from synth.mal_rule import Task

TIME = "Time"
SPEED = "Speed, distance and time"
MINUTES = rule("hundred-for-sixty", "Counts with a hundred where time counts with sixty")

TASKS = (
    Task(
        slug="afternoon-on-24-hour-clock",
        construct="Use the 24 hour clock",
        subject=TIME,
        wordings=(
            "How is <h>:<m> pm written on a 24 hour clock?",
            "A train leaves at <h>:<m> in the afternoon. Which time is that on a 24 hour clock?",
        ),
        parameters="h m",
        draw=lambda r: (r.randint(1, 8), r.choice((15, 20, 25, 30, 35, 40, 45))),
        right=lambda h, m: words(f"{h + 12}:{m}"),
        wrong=(
            (
                rule("midday-as-ten", "Counts afternoon hours from ten instead of twelve"),
                lambda h, m: words(f"{h + 10}:{m}"),
            ),
            (
                rule("afternoon-as-morning", "Writes an afternoon time as a morning time on a 24 hour clock"),
                lambda h, m: words(f"{h:02d}:{m}"),
            ),
        ),
        slips=(lambda h, m: words(f"{h + 11}:{m}"), lambda h, m: words(f"{h + 14}:{m}")),
    ),
    Task(
        slug="minutes-to-the-hour",
        construct="Write times given in words",
        subject=TIME,
        wordings=(
            "Which time is <words> to <next>, on a digital clock?",
            "<person> says 'it is <words> to <next>'. What does a digital clock show?",
        ),
        parameters="words next m h",
        draw=lambda r: (
            amount := r.choice((("five", 5), ("ten", 10), ("a quarter", 15), ("twenty", 20), ("twenty-five", 25))),
            hour := r.choice(
                (
                    ("two", 2),
                    ("three", 3),
                    ("four", 4),
                    ("five", 5),
                    ("seven", 7),
                    ("eight", 8),
                    ("nine", 9),
                    ("ten", 10),
                )
            ),
            (amount[0], hour[0], amount[1], hour[1]),
        )[2],
        right=lambda words_, next_, m, h: words(f"{h - 1}:{60 - m}"),
        wrong=(
            (
                rule("to-hour-not-changed", "Does not go back an hour for minutes to the hour"),
                lambda words_, next_, m, h: words(f"{h}:{60 - m}"),
            ),
            (
                rule("to-read-as-past", "Reads minutes to the hour as minutes past it"),
                lambda words_, next_, m, h: words(f"{h}:{m:02d}"),
            ),
            (
                rule("hours-and-minutes-swapped", "Writes minutes in the place of hours"),
                lambda words_, next_, m, h: words(f"{60 - m}:{h:02d}"),
            ),
        ),
    ),
    Task(
        slug="minutes-in-part-of-hour",
        construct="Convert hours to minutes",
        subject=TIME,
        wordings=(
            r"How many minutes are \( <x> \) hours?",
            r"Convert \( <x> \) hours to minutes.",
        ),
        parameters="x",
        draw=lambda r: (F(r.randint(11, 59), 10),),
        keep=lambda x: x.denominator > 1,
        right=lambda x: number(60 * x),
        wrong=(
            (MINUTES, lambda x: number(100 * x)),
            (
                rule("tenths-as-minutes", "Takes the digit behind the point for minutes"),
                lambda x: number(60 * (x.numerator // x.denominator) + 10 * (x % 1)),
            ),
            (
                rule("full-hours-only", "Counts only the full hours"),
                lambda x: number(60 * (x.numerator // x.denominator)),
            ),
        ),
    ),
    Task(
        slug="hours-from-minutes-as-decimal",
        construct="Convert minutes to hours",
        subject=TIME,
        wordings=(
            r"Write \( <h> \) hours \( <m> \) minutes in hours, as a decimal.",
            r"How many hours are \( <h> \) hours and \( <m> \) minutes?",
        ),
        parameters="h m",
        draw=lambda r: (r.randint(1, 5), r.choice((12, 15, 18, 24, 30, 36, 42, 45, 48, 54))),
        right=lambda h, m: number(h + F(m, 60)),
        wrong=((MINUTES, lambda h, m: number(h + F(m, 100))),),
        slips=(lambda h, m: number(h + F(m, 10)), lambda h, m: number(60 * h + m), lambda h, m: number(h + m)),
    ),
    Task(
        slug="find-a-speed",
        construct="Calculate speed",
        subject=SPEED,
        wordings=(
            r"A car travels \( <d> \) km in \( <t> \) hours. What is its average speed in km/h?",
            r"<person> cycles \( <d> \) miles in \( <t> \) hours. What is the average speed in miles "
            "per hour?",
        ),
        parameters="d t",
        draw=lambda r: (t := r.randint(2, 6), t * r.choice((12, 15, 20, 30, 40, 50, 60)))[::-1],
        right=lambda d, t: number(d // t),
        wrong=(
            (rule("speed-as-product", "Multiplies distance and time to find a speed"), lambda d, t: number(d * t)),
            (rule("speed-upside-down", "Divides time by distance to find a speed"), lambda d, t: fraction(t, d)),
        ),
        slips=(lambda d, t: number(d - t), lambda d, t: number(d + t)),
    ),
    Task(
        slug="find-a-distance",
        construct="Calculate distance from speed and time",
        subject=SPEED,
        wordings=(
            r"A bus drives at \( <v> \) km/h for \( <t> \) hours. How many km does it travel?",
            r"<person> walks for \( <t> \) hours at \( <v> \) km/h. How far is that, in km?",
        ),
        parameters="v t",
        draw=lambda r: (t := r.randint(2, 5), t * r.choice((2, 3, 10, 12, 15, 20)))[::-1],
        keep=lambda v, t: v != t,
        right=lambda v, t: number(v * t),
        wrong=(
            (rule("distance-as-sum", "Adds speed and time to find a distance"), lambda v, t: number(v + t)),
            (rule("distance-as-quotient", "Divides speed by time to find a distance"), lambda v, t: number(v // t)),
        ),
        slips=(lambda v, t: number(v - t), lambda v, t: number(v * t * 10)),
    ),
    Task(
        slug="find-a-time",
        construct="Calculate time from speed and distance",
        subject=SPEED,
        wordings=(
            r"How many hours does a train need for \( <d> \) km at \( <v> \) km/h?",
            r"A lorry drives \( <d> \) km at \( <v> \) km/h. How many hours does that take?",
        ),
        parameters="d v",
        draw=lambda r: (v := r.choice((20, 30, 40, 50, 60, 80)), v * r.randint(2, 6))[::-1],
        right=lambda d, v: number(d // v),
        wrong=((rule("time-as-product", "Multiplies speed and distance to find a time"), lambda d, v: number(d * v)),),
        slips=(lambda d, v: number(d - v), lambda d, v: number(d + v), lambda d, v: fraction(v, d)),
    ),
)
