"""Averages from frequency tables, quartiles."""

from fractions import Fraction as F

from synth.answers import lowest, number
from synth.bank_rules.parts import round_table, rule, skewed_table, table_draw
from synth.mal_rule import Task

TABLES = "Frequency tables"
TABLE = (
    r" \begin{tabular}{|l|c|c|c|} \hline Goals & \( <a> \) & \( <b> \) & \( <c> \) \\ \hline "
    r"Matches & \( <f> \) & \( <g> \) & \( <h> \) \\ \hline \end{tabular}"
)
CHARTS = "Charts"

TASKS = (
    Task(
        slug="mode-from-table",
        construct="Find the mode from a frequency table",
        subject=TABLES,
        wordings=(
            "The table shows the goals of some matches. What is the mode?" + TABLE,
            "What is the modal number of goals?" + TABLE,
        ),
        parameters="a b c f g h",
        draw=table_draw,
        keep=lambda a, b, c, f, g, h: max(f, g, h) > c and h != max(f, g, h),
        right=lambda a, b, c, f, g, h: number((a, b, c)[(f, g, h).index(max(f, g, h))]),
        wrong=(
            (
                rule("mode-is-frequency", "Gives the highest frequency as the mode"),
                lambda a, b, c, f, g, h: number(max(f, g, h)),
            ),
            (
                rule("mode-is-largest-value", "Gives the largest value as the mode of a table"),
                lambda a, b, c, f, g, h: number(c),
            ),
        ),
        slips=(lambda a, b, c, f, g, h: number(min(f, g, h)), lambda a, b, c, f, g, h: number(f + g + h)),
    ),
    Task(
        slug="total-frequency",
        construct="Find the total frequency from a table",
        subject=TABLES,
        wordings=(
            "The table shows the goals of some matches. How many matches were there?" + TABLE,
            "How many matches does the table cover?" + TABLE,
        ),
        parameters="a b c f g h",
        draw=table_draw,
        keep=lambda a, b, c, f, g, h: a > 0 and f + g + h not in (a + b + c, 3),
        right=lambda a, b, c, f, g, h: number(f + g + h),
        wrong=(
            (
                rule("values-added-for-frequency", "Adds the values instead of the frequencies"),
                lambda a, b, c, f, g, h: number(a + b + c),
            ),
            (
                rule("rows-counted-for-frequency", "Counts the columns of a table for the total frequency"),
                lambda a, b, c, f, g, h: number(3),
            ),
            (
                rule("weighted-total-for-frequency", "Gives the total of the data for the total frequency"),
                lambda a, b, c, f, g, h: number(a * f + b * g + c * h),
            ),
        ),
    ),
    Task(
        slug="median-from-table",
        construct="Find the median from a frequency table",
        subject=TABLES,
        wordings=(
            "The table shows the goals of some matches. What is the median number of goals?" + TABLE,
            "Find the median of the goals." + TABLE,
        ),
        parameters="a b c f g h",
        draw=skewed_table,
        right=lambda a, b, c, f, g, h: number(a if f > g + h else c),
        wrong=(
            (
                rule("middle-category-as-median", "Takes the middle category for the median"),
                lambda a, b, c, f, g, h: number(b),
            ),
            (
                rule("frequency-of-middle-category", "Gives the frequency of the middle category as the median"),
                lambda a, b, c, f, g, h: number(g),
            ),
            (
                rule("median-of-frequencies", "Gives the median of the frequencies"),
                lambda a, b, c, f, g, h: number(sorted((f, g, h))[1]),
            ),
        ),
        slips=(lambda a, b, c, f, g, h: number(c if f > g + h else a), lambda a, b, c, f, g, h: number(f + g + h)),
    ),
    Task(
        slug="mean-from-table-further",
        construct="Find the mean from a frequency table",
        subject=TABLES,
        wordings=(
            "The table shows the goals of some matches. What is the mean number of goals?" + TABLE,
            "Find the mean of the goals." + TABLE,
        ),
        parameters="a b c f g h",
        draw=round_table,
        right=lambda a, b, c, f, g, h: number(F(a * f + b * g + c * h, f + g + h)),
        wrong=(
            (
                rule("mean-over-rows", "Divides by the number of columns of a frequency table"),
                lambda a, b, c, f, g, h: number(F(a * f + b * g + c * h, 3)),
            ),
            (
                rule("mean-over-sum-of-values", "Divides by the sum of the values of a frequency table"),
                lambda a, b, c, f, g, h: number(F(a * f + b * g + c * h, a + b + c)),
            ),
            (
                rule("mean-of-the-frequencies", "Divides the total frequency by the number of columns"),
                lambda a, b, c, f, g, h: lowest(f + g + h, 3),
            ),
            (
                rule("mean-frequency-over-values", "Divides the total frequency by the sum of the values"),
                lambda a, b, c, f, g, h: lowest(f + g + h, a + b + c),
            ),
        ),
        slips=(
            lambda a, b, c, f, g, h: number(b),
            lambda a, b, c, f, g, h: number(f + g + h),
            lambda a, b, c, f, g, h: number(a * f + b * g + c * h),
        ),
    ),
    Task(
        slug="interquartile-range",
        construct="Find the interquartile range",
        subject=CHARTS,
        wordings=(
            r"A box plot shows: lowest \( <a> \), lower quartile \( <b> \), median \( <c> \), upper "
            r"quartile \( <d> \), highest \( <e> \). What is the interquartile range?",
            r"Lowest value \( <a> \), lower quartile \( <b> \), median \( <c> \), upper quartile \( "
            r"<d> \), highest value \( <e> \). Find the interquartile range.",
        ),
        parameters="a b c d e",
        draw=lambda r: tuple(sorted(r.sample(range(3, 60), 5))),
        keep=lambda a, b, c, d, e: len({d - b, e - a, d + b, d - a, c}) == 5,
        right=lambda a, b, c, d, e: number(d - b),
        wrong=(
            (
                rule("iqr-adds-quartiles", "Adds the quartiles for the interquartile range"),
                lambda a, b, c, d, e: number(d + b),
            ),
            (
                rule("iqr-from-minimum", "Subtracts the lowest value from a quartile"),
                lambda a, b, c, d, e: number(d - a),
            ),
            (rule("iqr-as-range", "Gives the range as the interquartile range"), lambda a, b, c, d, e: number(e - a)),
        ),
    ),
    Task(
        slug="range-from-box-plot",
        construct="Find the range from a box plot",
        subject=CHARTS,
        wordings=(
            r"A box plot shows: lowest \( <a> \), lower quartile \( <b> \), median \( <c> \), upper "
            r"quartile \( <d> \), highest \( <e> \). What is the range?",
            r"Lowest value \( <a> \), lower quartile \( <b> \), median \( <c> \), upper quartile \( "
            r"<d> \), highest value \( <e> \). Find the range.",
        ),
        parameters="a b c d e",
        draw=lambda r: tuple(sorted(r.sample(range(3, 60), 5))),
        keep=lambda a, b, c, d, e: len({d - b, e - a, e, c, e + a}) == 5,
        right=lambda a, b, c, d, e: number(e - a),
        wrong=(
            (rule("range-as-iqr", "Gives the interquartile range as the range"), lambda a, b, c, d, e: number(d - b)),
            (
                rule("box-range-highest", "Gives the highest value of a box plot as the range"),
                lambda a, b, c, d, e: number(e),
            ),
            (rule("box-range-sum", "Adds the ends of a box plot for the range"), lambda a, b, c, d, e: number(e + a)),
        ),
    ),
)
