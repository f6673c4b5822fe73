"""Percentages: of an amount, change, original value, one number as a percentage of another."""

from fractions import Fraction

from synth.answers import PERCENT, measure, money
from synth.mal_rule import MalRule, Task

DIVIDES_BY_PERCENT = MalRule(
    slug="divides-by-percent",
    name="Divides by the percentage itself, as one divides by ten for ten per cent",
    explanation="Over-extends the shortcut for 10%: to find 20% the amount is divided by 20.",
)
TEN_PERCENT_AND_STOP = MalRule(
    slug="ten-percent-and-stop",
    name="Finds a tenth of the amount for any percentage",
    explanation="Dividing by ten is taken as the way to find a percentage, whichever is asked for.",
)
ONE_DIGIT_PERCENT_AS_TENTHS = MalRule(
    slug="one-digit-percent-as-tenths",
    name="Converts a one-digit percentage to a decimal with that digit in the tenths",
    explanation="Five per cent becomes 0.5, so results for percentages below ten are ten times too large.",
)
COMPLEMENT_OF_PERCENT = MalRule(
    slug="complement-of-percent",
    name="Gives what is left over when the part itself is asked for",
    explanation="The part is worked out and then subtracted from the whole, though nothing is being reduced.",
)
PERCENT_AS_PLAIN_AMOUNT = MalRule(
    slug="percent-as-plain-amount",
    name="Adds or subtracts the percentage as if it were an amount",
    explanation="An increase of 15% is taken as an increase by 15 units.",
)
CHANGE_WITHOUT_ORIGINAL = MalRule(
    slug="change-without-original",
    name="Stops after finding the change and does not combine it with the starting amount",
    explanation="Gives the size of the increase or decrease where the new value is wanted.",
)
REVERSES_WITH_SAME_PERCENT = MalRule(
    slug="reverses-with-same-percent",
    name="Undoes a percentage decrease by increasing the result by the same percentage",
    explanation="The percentage is taken of the reduced amount rather than of the original.",
)
REDUCED_VALUE_AS_THE_PERCENT = MalRule(
    slug="reduced-value-as-the-percent",
    name="Takes the reduced price to be the percentage that was taken off",
    explanation="In a reverse problem the amount left is matched with the discount instead of with the rest of the "
    "hundred per cent.",
)
RAW_SCORE_AS_PERCENT = MalRule(
    slug="raw-score-as-percent",
    name="Writes a per cent sign after the count without relating it to the total",
    explanation="The number of marks, items or pounds is given as the percentage, whatever it is out of.",
)
LOSS_FROM_HUNDRED = MalRule(
    slug="loss-from-hundred",
    name="Takes each missing item as one per cent off a hundred",
    explanation="The number of marks that were lost is subtracted from 100, whatever the total was.",
)
PERCENT_UPSIDE_DOWN = MalRule(
    slug="percent-upside-down",
    name="Divides whole by part when writing a percentage",
    explanation="The fraction is formed the wrong way up, so a part of a whole comes out above one hundred per cent.",
)
CHANGE_OVER_NEW_VALUE = MalRule(
    slug="change-over-new-value",
    name="Works out a percentage change relative to the final amount",
    explanation="The change is divided by the value after it, not by the value before it.",
)
NEW_AS_PERCENT_OF_OLD = MalRule(
    slug="new-as-percent-of-old",
    name="Gives the new value as a percentage of the old one instead of the change",
    explanation="Compares the two values directly and forgets to take away the original hundred per cent.",
)

RISES = tuple(
    (a, b)
    for a in range(12, 401, 2)
    for b in range(a + 2, 2 * a, 2)
    if 100 * b % a == 0 and 1000 * a % b == 0 and b != a + 100 and a != 100
)
"""Old and new values whose change, relative to either, is a short decimal percentage."""

TASKS = (
    Task(
        slug="percentage-of-amount",
        construct="Find a percentage of an amount without a calculator",
        subject="Percentages of an amount",
        wordings=(
            r"What is \( <p> \% \) of \( £ <n> \) ?",
            r"Find \( <p> \% \) of \( £ <n> \)",
            r"<person> earns \( £ <n> \) and saves \( <p> \% \) of it. How much is saved?",
        ),
        parameters="p n",
        draw=lambda r: (r.choice((2, 4, 5, 8, 15, 20, 25, 30, 40, 60, 70)), r.randint(2, 48) * 20),
        keep=lambda p, n: n != 100,
        right=lambda p, n: money(Fraction(p * n, 100)),
        wrong=(
            (DIVIDES_BY_PERCENT, lambda p, n: money(Fraction(n, p))),
            (TEN_PERCENT_AND_STOP, lambda p, n: money(Fraction(n, 10))),
            (ONE_DIGIT_PERCENT_AS_TENTHS, lambda p, n: money(Fraction(p * n, 10)) if p < 10 else None),
            (COMPLEMENT_OF_PERCENT, lambda p, n: money(n - Fraction(p * n, 100))),
        ),
    ),
    Task(
        slug="percentage-increase",
        construct="Increase an amount by a percentage",
        subject="Percentage change",
        wordings=(
            r"A coat costs \( £ <n> \). Its price goes up by \( <p> \% \). What is the new price?",
            r"Increase \( £ <n> \) by \( <p> \% \)",
            r"<person> puts \( £ <n> \) into an account that pays \( <p> \% \) interest a year. How much is in the "
            r"account after one year?",
        ),
        parameters="p n",
        draw=lambda r: (r.choice((2, 4, 5, 6, 15, 20, 25, 30, 40)), r.randint(2, 48) * 20),
        keep=lambda p, n: n != 100,
        right=lambda p, n: money(n + Fraction(p * n, 100)),
        wrong=(
            (PERCENT_AS_PLAIN_AMOUNT, lambda p, n: money(n + p)),
            (CHANGE_WITHOUT_ORIGINAL, lambda p, n: money(Fraction(p * n, 100))),
            (ONE_DIGIT_PERCENT_AS_TENTHS, lambda p, n: money(n + Fraction(p * n, 10)) if p < 10 else None),
            (DIVIDES_BY_PERCENT, lambda p, n: money(n + Fraction(n, p))),
        ),
    ),
    Task(
        slug="reverse-percentage",
        construct="Find the original amount after a percentage change",
        subject="Percentage change",
        wordings=(
            r"In a sale all prices are cut by \( <p> \% \). A bag now costs \( £ <s> \). What did it cost before?",
            r"After a reduction of \( <p> \% \) a phone costs \( £ <s> \). What was the original price?",
            r"A car has lost \( <p> \% \) of its value and is now worth \( £ <s> \). What was it worth at first?",
        ),
        parameters="p s",
        draw=lambda r: (p := r.choice((10, 20, 25, 30, 40, 60, 75)), r.randint(1, 45) * (100 - p) // 5 * 2),
        keep=lambda p, s: s * 100 % (100 - p) == 0 and s > 10,
        right=lambda p, s: money(Fraction(100 * s, 100 - p)),
        wrong=(
            (REVERSES_WITH_SAME_PERCENT, lambda p, s: money(s + Fraction(p * s, 100))),
            (PERCENT_AS_PLAIN_AMOUNT, lambda p, s: money(s + p)),
            (REDUCED_VALUE_AS_THE_PERCENT, lambda p, s: money(Fraction(100 * s, p))),
            (CHANGE_WITHOUT_ORIGINAL, lambda p, s: money(Fraction(p * s, 100))),
        ),
    ),
    Task(
        slug="one-as-percentage-of-other",
        construct="Express one quantity as a percentage of another",
        subject="Fractions, decimals and percentages",
        wordings=(
            r"<person> scores \( <a> \) out of \( <b> \) in a test. What percentage is this?",
            r"Write \( <a> \) as a percentage of \( <b> \)",
            r"\( <a> \) of the \( <b> \) seats on a coach are taken. What percentage of the seats are taken?",
        ),
        parameters="a b",
        draw=lambda r: (
            r.choice((r.randint(3, 79), r.choice((5, 8, 10, 16, 20, 32)))),
            r.choice((20, 25, 40, 50, 60, 80)),
        ),
        keep=lambda a, b: a < b and 2 * a != b and (100 * a) % b == 0,
        right=lambda a, b: measure(Fraction(100 * a, b), PERCENT),
        wrong=(
            (RAW_SCORE_AS_PERCENT, lambda a, b: measure(a, PERCENT)),
            (LOSS_FROM_HUNDRED, lambda a, b: measure(100 - (b - a), PERCENT)),
            (PERCENT_UPSIDE_DOWN, lambda a, b: measure(Fraction(100 * b, a), PERCENT)),
            (COMPLEMENT_OF_PERCENT, lambda a, b: measure(100 - Fraction(100 * a, b), PERCENT)),
        ),
    ),
    Task(
        slug="percentage-change",
        construct="Calculate a percentage increase",
        subject="Percentage change",
        wordings=(
            r"The price of a ticket rises from \( £ <a> \) to \( £ <b> \). What is the percentage increase?",
            r"A plant grows from \( <a> \mathrm{~cm} \) to \( <b> \mathrm{~cm} \). By what percentage has its height "
            r"increased?",
            r"A club had \( <a> \) members last year and has \( <b> \) now. What is the percentage increase?",
        ),
        parameters="a b",
        draw=lambda r: r.choice(RISES),
        right=lambda a, b: measure(Fraction(100 * (b - a), a), PERCENT),
        wrong=(
            (CHANGE_OVER_NEW_VALUE, lambda a, b: measure(Fraction(100 * (b - a), b), PERCENT)),
            (RAW_SCORE_AS_PERCENT, lambda a, b: measure(b - a, PERCENT)),
            (NEW_AS_PERCENT_OF_OLD, lambda a, b: measure(Fraction(100 * b, a), PERCENT)),
        ),
        slips=(lambda a, b: measure(Fraction(100 * (b - a), a) + 10, PERCENT),),
    ),
)
