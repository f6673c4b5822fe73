"""Averages and range of lists."""

from fractions import Fraction as F
from statistics import mode

from synth.answers import number
from synth.bank_rules.parts import average, middle, rule, spread, values_with_mode
from synth.mal_rule import Task
from synth.mal_rules.statistics import MEDIAN_FOR_MEAN

AVERAGES = "Averages and range"

TASKS = (
    Task(
        slug="mode-of-list",
        construct="Find the mode of a list",
        subject=AVERAGES,
        wordings=(
            r"What is the mode of these numbers? \[ <values> \]",
            r"Find the mode: \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (values_with_mode(r),),
        keep=lambda values: len({F(mode(values)), middle(values), average(values), F(spread(values))}) == 4,
        right=lambda values: number(mode(values)),
        wrong=(
            (
                rule("median-for-mode", "Gives the median when the mode is asked for"),
                lambda values: number(middle(values)),
            ),
            (
                rule("mean-for-mode", "Gives the mean when the mode is asked for"),
                lambda values: number(average(values)),
            ),
            (rule("largest-for-mode", "Gives the largest value as the mode"), lambda values: number(max(values))),
        ),
    ),
    Task(
        slug="median-of-list-further",
        construct="Find the median of a list",
        subject=AVERAGES,
        wordings=(
            r"What is the median of these numbers? \[ <values> \]",
            r"Find the median: \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (values_with_mode(r),),
        keep=lambda values: len({F(mode(values)), middle(values), average(values), F(values[2])}) == 4,
        right=lambda values: number(middle(values)),
        wrong=(
            (
                rule("mode-for-median", "Gives the mode when the median is asked for"),
                lambda values: number(mode(values)),
            ),
            (
                rule("mean-instead-of-median", "Gives the mean when the median is asked for"),
                lambda values: number(average(values)),
            ),
            (
                rule("list-not-ordered", "Does not order the data before finding the median"),
                lambda values: number(values[2]),
            ),
        ),
    ),
    Task(
        slug="median-of-even-list",
        construct="Find the median of a list",
        subject=AVERAGES,
        wordings=(
            r"What is the median of these numbers? \[ <values> \]",
            r"Find the median: \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (tuple(sorted(r.sample(range(1, 30), 6))),),
        keep=lambda values: (
            values[3] - values[2] > 1
            and len({average(values), middle(values), F(max(values) + min(values), 2), F(values[2])}) == 4
            and average(values).denominator < 3
        ),
        right=lambda values: number(middle(values)),
        wrong=(
            (
                rule("even-list-lower-middle", "Takes one of the two middle values of an even list"),
                lambda values: number(values[2]),
            ),
            (
                rule("median-midway-extremes", "Takes the middle between smallest and largest for the median"),
                lambda values: number(F(max(values) + min(values), 2)),
            ),
            (
                rule("median-position-given", "Gives the position of the median instead of its value"),
                lambda values: number(F(7, 2)),
            ),
            (
                rule("even-list-mean", "Gives the mean of an even list as its median"),
                lambda values: number(average(values)),
            ),
        ),
    ),
    Task(
        slug="range-of-list-further",
        construct="Find the range of a list",
        subject=AVERAGES,
        wordings=(
            r"What is the range of these numbers? \[ <values> \]",
            r"Find the range: \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (values_with_mode(r),),
        keep=lambda values: (
            len(
                {
                    F(mode(values)),
                    middle(values),
                    average(values),
                    F(spread(values)),
                    F(max(values)),
                    F(max(values) + min(values)),
                }
            )
            == 6
        ),
        right=lambda values: number(spread(values)),
        wrong=(
            (
                rule("mean-for-range", "Gives the mean when the range is asked for"),
                lambda values: number(average(values)),
            ),
            (
                rule("median-for-range", "Gives the median when the range is asked for"),
                lambda values: number(middle(values)),
            ),
            (rule("mode-for-range", "Gives the mode when the range is asked for"), lambda values: number(mode(values))),
            (
                rule("range-adds-extremes", "Adds the smallest and the largest value for the range"),
                lambda values: number(max(values) + min(values)),
            ),
            (
                rule("range-lowest-minus-highest", "Subtracts the highest value from the lowest"),
                lambda values: number(-spread(values)),
            ),
            (rule("range-highest-only", "Gives the highest value as the range"), lambda values: number(max(values))),
        ),
    ),
    Task(
        slug="range-with-negatives",
        construct="Find the range of a list with negative numbers",
        subject=AVERAGES,
        wordings=(
            r"What is the range of these temperatures? \[ <values> \]",
            r"Find the range: \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (
            tuple(
                r.sample([-r.randint(2, 4), -r.randint(5, 9), r.randint(1, 3), r.randint(4, 7), r.randint(8, 15)], 5)
            ),
        ),
        right=lambda values: number(spread(values)),
        wrong=(
            (
                rule("range-skips-negatives", "Leaves negative numbers out of a range"),
                lambda values: number(max(values) - min(x for x in values if x > 0)),
            ),
            (
                rule("range-sum-of-signed", "Adds the extremes with their signs for a range"),
                lambda values: number(max(values) + min(values)),
            ),
        ),
        slips=(lambda values: number(max(values)), lambda values: number(values[4] - values[0])),
    ),
    Task(
        slug="mean-of-list-further",
        construct="Find the mean of a list",
        subject=AVERAGES,
        wordings=(
            r"What is the mean of these numbers? \[ <values> \]",
            r"Find the mean: \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (values_with_mode(r),),
        keep=lambda values: len({F(mode(values)), middle(values), average(values)}) == 3,
        right=lambda values: number(average(values)),
        wrong=(
            (rule("mode-for-mean", "Gives the mode when the mean is asked for"), lambda values: number(mode(values))),
            (MEDIAN_FOR_MEAN, lambda values: number(middle(values))),
            (rule("mean-total-only", "Adds the data and does not divide"), lambda values: number(sum(values))),
        ),
    ),
    Task(
        slug="mean-with-zeros",
        construct="Find the mean of a list with zeros",
        subject=AVERAGES,
        wordings=(
            r"What is the mean of these numbers? \[ <values> \]",
            r"<person> counts the goals of five matches: \( <values> \). What is the mean?",
        ),
        parameters="values",
        draw=lambda r: (tuple(r.sample([0, *[r.randint(1, 12) for _ in range(4)]], 5)),),
        keep=lambda values: sum(values) % 20 == 0,
        right=lambda values: number(average(values)),
        wrong=(
            (
                rule("zeros-not-counted", "Does not count zeros among the data"),
                lambda values: number(F(sum(values), 4)),
            ),
            (rule("zero-list-total", "Gives the total of a list as its mean"), lambda values: number(sum(values))),
        ),
        slips=(lambda values: number(max(values)), lambda values: number(0)),
    ),
    Task(
        slug="total-from-mean",
        construct="Find a total from the mean",
        subject=AVERAGES,
        wordings=(
            r"The mean of \( <n> \) numbers is \( <m> \). What is their total?",
            r"\( <n> \) friends have a mean age of \( <m> \). What do their ages add up to?",
        ),
        parameters="n m",
        draw=lambda r: (r.randint(4, 9), r.randint(10, 30)),
        right=lambda n, m: number(n * m),
        wrong=(
            (rule("total-as-mean-plus-count", "Adds mean and count to find the total"), lambda n, m: number(n + m)),
            (
                rule("total-as-mean-over-count", "Divides the mean by the count to find the total"),
                lambda n, m: number(F(m, n)),
            ),
        ),
        slips=(lambda n, m: number(m - n), lambda n, m: number(m)),
    ),
)
