"""Averages, spread, frequency tables and pie charts."""

from fractions import Fraction
from random import Random

from synth.answers import DEGREES, measure, number
from synth.mal_rule import MalRule, Task

MEDIAN_FOR_MEAN = MalRule(
    slug="median-for-mean",
    name="Picks the middle value when asked for the mean",
    explanation="The names of the averages are mixed up: the values are put in order and the middle one is given.",
)
MEAN_FOR_MEDIAN = MalRule(
    slug="mean-for-median",
    name="Adds and divides when asked for the median",
    explanation="The names of the averages are mixed up: the values are shared out equally.",
)
TOTAL_WITHOUT_DIVIDING = MalRule(
    slug="total-without-dividing",
    name="Gives the total of the values as their mean",
    explanation="The values are added and the division by their number is left out.",
)
RANGE_FOR_AVERAGE = MalRule(
    slug="range-for-average",
    name="Gives the spread of the data as an average",
    explanation="The difference between the largest and the smallest value is taken for a typical one.",
)
MIDDLE_OF_UNORDERED_LIST = MalRule(
    slug="middle-of-unordered-list",
    name="Takes the value in the middle of the list without sorting it",
    explanation="The median is read off from the order in which the data happen to be written.",
)
MIDPOINT_OF_EXTREMES = MalRule(
    slug="midpoint-of-extremes",
    name="Finds the median halfway between the smallest and the largest value",
    explanation="Middle is understood as the middle of the scale, not of the ordered values.",
)
RANGE_OF_ENDS_OF_LIST = MalRule(
    slug="range-of-ends-of-list",
    name="Subtracts the first listed value from the last to find the spread",
    explanation="The range is read from the ends of a list that is not in order.",
)
RANGE_IS_LARGEST = MalRule(
    slug="range-is-largest",
    name="Thinks the range is the highest value reached",
    explanation="The largest value is given and the smallest is not subtracted.",
)
RANGE_COUNTS_VALUES = MalRule(
    slug="range-counts-values",
    name="Counts how many data there are to give the range",
    explanation="The number of values is mistaken for the distance between the extremes.",
)
DIVIDES_BY_ROWS = MalRule(
    slug="divides-by-rows",
    name="Divides by the number of rows of a frequency table",
    explanation="The total is right, but the mean is formed as though each row were one observation.",
)
FREQUENCIES_IGNORED = MalRule(
    slug="frequencies-ignored",
    name="Averages the listed values and pays no attention to how often each occurs",
    explanation="The column of frequencies is not used for the mean.",
)
MEAN_OF_FREQUENCIES = MalRule(
    slug="mean-of-frequencies",
    name="Averages the frequencies rather than the data",
    explanation="The wrong column of the table is added up and divided by the number of rows.",
)
FREQUENCY_AS_DEGREES = MalRule(
    slug="frequency-as-degrees",
    name="Draws one degree of a pie chart for each person or item",
    explanation="The frequency itself is used as the angle whatever the total is.",
)
PERCENTAGE_AS_DEGREES = MalRule(
    slug="percentage-as-degrees",
    name="Works out a sector as if a circle had a hundred degrees",
    explanation="The percentage of the total is given as the angle of the sector.",
)
PIE_CHART_OF_180 = MalRule(
    slug="pie-chart-of-180",
    name="Shares out a half turn among the sectors of a pie chart",
    explanation="The angles of the sectors are made to add to 180 degrees.",
)


def _list(r: Random, least: int, most: int) -> tuple[int, ...]:
    return tuple(r.randint(least, most) for _ in range(r.choice((5, 7))))


def _sorted_middle(values: tuple[int, ...]) -> int:
    return sorted(values)[len(values) // 2]


TABLE = (
    r"\begin{tabular}{|c|c|} \hline <KIND> & Frequency \\ \hline 1 & <f1> \\ \hline 2 & <f2> \\ \hline 3 & <f3> \\ "
    r"\hline 4 & <f4> \\ \hline \end{tabular}"
)

TASKS = (
    Task(
        slug="mean-of-list",
        construct="Calculate the mean of a list of data",
        subject="Averages",
        wordings=(
            r"What is the mean of these numbers? \[ <values> \]",
            r"<person> scores \( <values> \) in a game. What is the mean score?",
            r"The masses of some parcels in \( \mathrm{kg} \) are \( <values> \). Calculate the mean mass in "
            r"\( \mathrm{kg} \).",
        ),
        parameters="values",
        draw=lambda r: (_list(r, 2, 25),),
        keep=lambda values: sum(values) % len(values) == 0 and len(set(values)) > 3,
        right=lambda values: number(Fraction(sum(values), len(values))),
        wrong=(
            (MEDIAN_FOR_MEAN, lambda values: number(_sorted_middle(values))),
            (TOTAL_WITHOUT_DIVIDING, lambda values: number(sum(values))),
            (RANGE_FOR_AVERAGE, lambda values: number(max(values) - min(values))),
        ),
    ),
    Task(
        slug="median-of-list",
        construct="Find the median of a list of data",
        subject="Averages",
        wordings=(
            r"What is the median of this data? \[ <values> \]",
            r"The ages of the members of a team are \( <values> \). What is the median age?",
            r"Find the median of \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (_list(r, 2, 30),),
        keep=lambda values: list(values) != sorted(values) and sum(values) % len(values) == 0,
        right=lambda values: number(_sorted_middle(values)),
        wrong=(
            (MIDDLE_OF_UNORDERED_LIST, lambda values: number(values[len(values) // 2])),
            (MEAN_FOR_MEDIAN, lambda values: number(Fraction(sum(values), len(values)))),
            (MIDPOINT_OF_EXTREMES, lambda values: number(Fraction(max(values) + min(values), 2))),
            (RANGE_FOR_AVERAGE, lambda values: number(max(values) - min(values))),
        ),
    ),
    Task(
        slug="range-of-list",
        construct="Find the range of a list of data",
        subject="Spread of data",
        wordings=(
            r"What is the range of these values? \[ <values> \]",
            r"<person> notes the temperatures at noon, in degrees: \( <values> \). What is their range?",
            r"Work out the range of \( <values> \)",
        ),
        parameters="values",
        draw=lambda r: (_list(r, 3, 40),),
        keep=lambda values: values[-1] > values[0],
        right=lambda values: number(max(values) - min(values)),
        wrong=(
            (RANGE_OF_ENDS_OF_LIST, lambda values: number(values[-1] - values[0])),
            (RANGE_IS_LARGEST, lambda values: number(max(values))),
            (RANGE_COUNTS_VALUES, lambda values: number(len(values))),
        ),
    ),
    Task(
        slug="mean-from-table",
        construct="Calculate the mean from a frequency table",
        subject="Frequency tables",
        wordings=(
            "The table shows how many goals were scored in some matches. What is the mean number of goals?\n"
            + TABLE.replace("<KIND>", "Goals"),
            "<person> asks some people how many pets they have. Calculate the mean number of pets.\n"
            + TABLE.replace("<KIND>", "Pets"),
        ),
        parameters="f1 f2 f3 f4",
        draw=lambda r: (r.randint(1, 12), r.randint(1, 12), r.randint(1, 12), r.randint(1, 12)),
        keep=lambda *f: sum(f) in (20, 25, 40),
        right=lambda *f: number(Fraction(sum(x * n for x, n in enumerate(f, 1)), sum(f))),
        wrong=(
            (DIVIDES_BY_ROWS, lambda *f: number(Fraction(sum(x * n for x, n in enumerate(f, 1)), 4))),
            (FREQUENCIES_IGNORED, lambda *f: number(Fraction(10, 4))),
            (MEAN_OF_FREQUENCIES, lambda *f: number(Fraction(sum(f), 4))),
        ),
    ),
    Task(
        slug="pie-chart-angle",
        construct="Calculate the angle of a sector of a pie chart",
        subject="Pie charts",
        wordings=(
            r"\( <f> \) of \( <n> \) people chose tea. What angle of a pie chart shows them?",
            r"In a survey of \( <n> \) pupils \( <f> \) come by bus. The results are drawn as a pie chart. What is the "
            r"angle of the sector for bus?",
            r"A pie chart stands for \( <n> \) books, of which \( <f> \) are novels. How large is the angle for "
            r"novels?",
        ),
        parameters="f n",
        draw=lambda r: (r.randint(3, 99), r.choice((20, 24, 30, 40, 60, 72, 80, 120, 180, 200))),
        keep=lambda f, n: 2 * f < n and 360 * f % n == 0,
        right=lambda f, n: measure(Fraction(360 * f, n), DEGREES),
        wrong=(
            (FREQUENCY_AS_DEGREES, lambda f, n: measure(f, DEGREES)),
            (PERCENTAGE_AS_DEGREES, lambda f, n: measure(Fraction(100 * f, n), DEGREES)),
            (PIE_CHART_OF_180, lambda f, n: measure(Fraction(180 * f, n), DEGREES)),
        ),
        slips=(lambda f, n: measure(n - f, DEGREES),),
    ),
)
