"""Percentages."""

from fractions import Fraction as F

from synth.answers import money, number
from synth.bank_rules.parts import percent, rule
from synth.bank_rules.shared import PERCENT_AS_AMOUNT
from synth.mal_rule import Task
from synth.mal_rules.percentages import TEN_PERCENT_AND_STOP

PERCENTAGES = "Percentages of an amount"
CHANGE = "Percentage change"

TASKS = (
    Task(
        slug="ten-percent",
        construct="Find simple percentages of an amount",
        subject=PERCENTAGES,
        wordings=(
            r"What is \( 10 \% \) of \( <n> \) ?",
            r"Find \( 10 \% \) of \( £ <n> \), in pounds.",
        ),
        parameters="n",
        draw=lambda r: (10 * r.randint(3, 95),),
        right=lambda n: number(n // 10),
        wrong=(
            (
                rule("hundredth-for-ten-percent", "Divides by a hundred to find ten per cent"),
                lambda n: number(F(n, 100)),
            ),
            (PERCENT_AS_AMOUNT, lambda n: number(10) if n != 100 else None),
        ),
        slips=(lambda n: number(n - 10), lambda n: number(F(n, 20)), lambda n: number(10 * n)),
    ),
    Task(
        slug="one-percent",
        construct="Find simple percentages of an amount",
        subject=PERCENTAGES,
        wordings=(
            r"What is \( 1 \% \) of \( <n> \) ?",
            r"Find \( 1 \% \) of \( £ <n> \), in pounds.",
        ),
        parameters="n",
        draw=lambda r: (100 * r.randint(2, 60),),
        right=lambda n: number(n // 100),
        wrong=((rule("tenth-for-one-percent", "Divides by ten to find one per cent"), lambda n: number(n // 10)),),
        slips=(lambda n: number(n - 1), lambda n: number(F(n, 1000)), lambda n: number(n + 1)),
    ),
    Task(
        slug="thirty-percent",
        construct="Find percentages of an amount without a calculator",
        subject=PERCENTAGES,
        wordings=(
            r"What is \( 30 \% \) of \( <n> \) ?",
            r"\( 30 \% \) of the \( <n> \) pupils of a school come by bus. How many are that?",
        ),
        parameters="n",
        draw=lambda r: (30 * r.randint(2, 30),),
        right=lambda n: number(n * 3 // 10),
        wrong=(
            (rule("thirty-percent-is-a-third", "Takes thirty per cent for a third"), lambda n: number(n // 3)),
            (TEN_PERCENT_AND_STOP, lambda n: number(n // 10)),
            (rule("divided-by-thirty", "Divides by thirty to find thirty per cent"), lambda n: number(n // 30)),
            (rule("multiplied-by-thirty", "Multiplies by the number of per cent"), lambda n: number(30 * n)),
        ),
    ),
    Task(
        slug="percentage-multiples-of-ten",
        construct="Find percentages of an amount without a calculator",
        subject=PERCENTAGES,
        wordings=(
            r"Find \( <p> \% \) of \( <n> \).",
            r"What is \( <p> \% \) of \( <n> \mathrm{~kg} \), in \( \mathrm{kg} \) ?",
        ),
        parameters="p n",
        draw=lambda r: (r.choice((20, 40, 60, 70, 80)), 10 * r.randint(3, 40)),
        keep=lambda p, n: n not in (100, p),
        right=lambda p, n: number(F(p * n, 100)),
        wrong=(
            (
                rule("percentage-only-over-ten", "Divides the percentage by ten but not the amount before multiplying"),
                lambda p, n: number(F(p * n, 10)),
            ),
            (PERCENT_AS_AMOUNT, lambda p, n: number(p)),
            (
                rule("percent-added-to-tenth", "Adds the percentage to a tenth of the amount"),
                lambda p, n: number(n // 10 + p),
            ),
            (
                rule("amount-raised-by-percent", "Increases by the percentage instead of finding it"),
                lambda p, n: number(n + F(p * n, 100)),
            ),
        ),
    ),
    Task(
        slug="percentage-decrease",
        construct="Decrease an amount by a percentage",
        subject=CHANGE,
        wordings=(
            r"Decrease \( £ <n> \) by \( <p> \% \).",
            r"A coat costs \( £ <n> \). In a sale it is reduced by \( <p> \% \). What is the sale "
            "price?",
        ),
        parameters="n p",
        draw=lambda r: (10 * r.randint(3, 40), r.choice((5, 15, 20, 25, 30, 35, 40))),
        keep=lambda n, p: n != 100 and n > p,
        right=lambda n, p: money(n - F(n * p, 100)),
        wrong=(
            (
                rule("decrease-by-raising", "Multiplies by one plus the percentage to decrease"),
                lambda n, p: money(n + F(n * p, 100)),
            ),
            (
                rule("decrease-by-percentage-alone", "Multiplies by the percentage itself to decrease by it"),
                lambda n, p: money(F(n * p, 100)),
            ),
            (PERCENT_AS_AMOUNT, lambda n, p: money(n - p)),
        ),
    ),
    Task(
        slug="increase-above-hundred",
        construct="Increase an amount by a percentage over one hundred",
        subject=CHANGE,
        wordings=(
            r"Increase \( £ <n> \) by \( <p> \% \).",
            r"A price of \( £ <n> \) rises by \( <p> \% \). What is the new price?",
        ),
        parameters="n p",
        draw=lambda r: (10 * r.randint(3, 40), r.choice((110, 120, 150, 160, 180, 250))),
        keep=lambda n, p: n != 100,
        right=lambda n, p: money(n + F(n * p, 100)),
        wrong=(
            (
                rule(
                    "original-left-out-above-hundred",
                    "Leaves out the original when increasing by over a hundred per cent",
                ),
                lambda n, p: money(F(n * p, 100)),
            ),
            (PERCENT_AS_AMOUNT, lambda n, p: money(n + p)),
        ),
        slips=(lambda n, p: money(n + F(n * p, 1000)), lambda n, p: money(n + F(n * (p - 100), 100))),
    ),
    Task(
        slug="repeated-change",
        construct="Use repeated percentage change",
        subject=CHANGE,
        wordings=(
            r"\( £ <n> \) is increased by \( <p> \% \), and the result by \( <q> \% \). What is the "
            "final amount?",
            r"A price of \( £ <n> \) goes up by \( <p> \% \) one year and by \( <q> \% \) the next. "
            "What is it then?",
        ),
        parameters="n p q",
        draw=lambda r: (100 * r.randint(1, 9), r.choice((10, 20, 30)), r.choice((10, 20, 40, 50))),
        right=lambda n, p, q: money(F(n * (100 + p) * (100 + q), 10_000)),
        wrong=(
            (
                rule("changes-added", "Adds repeated percentage changes into a single one"),
                lambda n, p, q: money(n + F(n * (p + q), 100)),
            ),
            (
                rule("second-change-of-first", "Takes the second percentage of the first change alone"),
                lambda n, p, q: money(F(n * p * (100 + q), 10_000)),
            ),
        ),
        slips=(lambda n, p, q: money(F(n * (100 + p), 100)), lambda n, p, q: money(n + p + q)),
    ),
    Task(
        slug="large-percentage-change",
        construct="Calculate a percentage change",
        subject=CHANGE,
        wordings=(
            r"The number of members of a club rises from \( <a> \) to \( <b> \). What is the "
            "percentage increase?",
            r"A value changes from \( <a> \) to \( <b> \). By what percentage has it grown?",
        ),
        parameters="a b",
        draw=lambda r: (a := r.choice((20, 25, 40, 50, 80)), a * r.choice((F(9, 4), F(5, 2), 3, F(7, 2), 5))),
        keep=lambda a, b: F(b).denominator == 1,
        right=lambda a, b: percent(F(100 * (b - a), a)),
        wrong=(
            (
                rule("original-over-change", "Divides the original by the change for a percentage change"),
                lambda a, b: percent(F(100 * a) / (b - a)),
            ),
            (
                rule("change-over-hundred", "Divides the change by a hundred for a percentage change"),
                lambda a, b: percent(F(b - a) / 100),
            ),
            (
                rule("change-as-percentage", "Gives the change in value as the percentage change"),
                lambda a, b: percent(b - a),
            ),
        ),
        slips=(lambda a, b: percent(F(100 * b, a)),),
    ),
    Task(
        slug="reverse-increase",
        construct="Find the original after a percentage increase",
        subject=CHANGE,
        wordings=(
            r"After an increase of \( <p> \% \) a price is \( £ <s> \). What was it before?",
            r"A number is increased by \( <p> \% \). The result is \( <s> \). What was the number?",
        ),
        parameters="p s",
        draw=lambda r: (p := r.choice((10, 20, 25, 50)), (100 + p) * r.randint(1, 6)),
        right=lambda p, s: number(F(100 * s, 100 + p)),
        wrong=(
            (
                rule(
                    "increase-undone-by-same-decrease", "Undoes a percentage increase by the same percentage decrease"
                ),
                lambda p, s: number(s - F(s * p, 100)),
            ),
            (
                rule("percent-number-subtracted", "Subtracts the number of per cent to undo an increase"),
                lambda p, s: number(s - p),
            ),
        ),
        slips=(lambda p, s: number(F(s * p, 100)), lambda p, s: number(s + F(s * p, 100))),
    ),
)
