"""Decimals and percentages converted."""

from fractions import Fraction as F

from synth.answers import number
from synth.bank_rules.parts import fraction_shown, percent, rule
from synth.mal_rule import Task

CONVERTING = "Converting decimals, fractions and percentages"

TASKS = (
    Task(
        slug="decimal-to-percentage",
        construct="Convert decimals to percentages",
        subject=CONVERTING,
        wordings=(
            r"Write \( <x> \) as a percentage.",
            r"Which percentage is equal to \( <x> \) ?",
        ),
        parameters="x",
        draw=lambda r: (F(r.randint(11, 98), 100),),
        keep=lambda x: x.denominator > 10,
        right=lambda x: percent(100 * x),
        wrong=(
            (
                rule("decimal-times-ten-percent", "Multiplies a decimal by ten to make a percentage"),
                lambda x: percent(10 * x),
            ),
            (
                rule("decimal-times-thousand-percent", "Multiplies a decimal by a thousand to make a percentage"),
                lambda x: percent(1000 * x),
            ),
            (rule("percent-sign-on-decimal", "Puts a per cent sign behind a decimal"), lambda x: percent(x)),
            (rule("decimal-divided-for-percent", "Divides a decimal to make a percentage"), lambda x: percent(x / 100)),
        ),
    ),
    Task(
        slug="one-place-decimal-to-percentage",
        construct="Convert decimals to percentages",
        subject=CONVERTING,
        wordings=(
            r"Write \( <x> \) as a percentage.",
            r"\( <x> = \square \% \). What goes in the box?",
        ),
        parameters="x",
        draw=lambda r: (F(r.choice((r.randint(1, 9), r.randint(11, 29))), 10),),
        keep=lambda x: x.denominator > 1,
        right=lambda x: percent(100 * x),
        wrong=(
            (
                rule("point-removed-for-percent", "Removes the decimal point to make a percentage"),
                lambda x: percent(10 * x),
            ),
            (rule("sign-added-to-decimal", "Leaves a decimal as it is and adds a per cent sign"), lambda x: percent(x)),
        ),
        slips=(lambda x: percent(1000 * x), lambda x: percent(x / 10)),
    ),
    Task(
        slug="percentage-to-decimal",
        construct="Convert percentages to decimals",
        subject=CONVERTING,
        wordings=(
            r"Write \( <p> \% \) as a decimal.",
            r"Which decimal is equal to \( <p> \% \) ?",
        ),
        parameters="p",
        draw=lambda r: (r.choice((r.randint(2, 9), r.randint(11, 98), r.randint(111, 189))),),
        keep=lambda p: p % 10 > 0,
        right=lambda p: number(F(p, 100)),
        wrong=(
            (
                rule("percent-over-ten", "Divides a percentage by ten to make a decimal"),
                lambda p: number(F(p, 10)) if 10 < p < 100 else None,
            ),
            (
                rule("percent-over-thousand", "Divides a percentage by a thousand to make a decimal"),
                lambda p: number(F(p, 1000)),
            ),
            (
                rule("percent-times-hundred", "Multiplies a percentage by a hundred to make a decimal"),
                lambda p: number(100 * p),
            ),
            (rule("percent-sign-removed", "Removes the per cent sign to make a decimal"), lambda p: number(p)),
            (
                rule("percent-digits-behind-point", "Writes all digits of a percentage behind a decimal point"),
                lambda p: number(F(p, 10 ** len(str(p)))) if not 10 < p < 100 else None,
            ),
        ),
    ),
    Task(
        slug="percentage-to-fraction",
        construct="Convert percentages to fractions",
        subject=CONVERTING,
        wordings=(
            r"Write \( <p> \% \) as a fraction.",
            r"Which fraction is equal to \( <p> \% \) ?",
        ),
        parameters="p",
        draw=lambda r: (
            r.choice((13, 17, 19, 21, 23, 27, 29, 31, 33, 37, 39, 41, 43, 47, 49, 57, 59, 67, 69, 79, 89)),
        ),
        right=lambda p: fraction_shown(p, 100),
        wrong=(
            (
                rule("percent-over-denominator-ten", "Uses ten as the denominator of a percentage"),
                lambda p: fraction_shown(p, 10),
            ),
            (
                rule("percent-digits-as-fraction", "Writes one digit of a percentage over the other"),
                lambda p: fraction_shown(p // 10, p % 10),
            ),
            (
                rule("percent-over-itself", "Writes a percentage both above and below the bar"),
                lambda p: fraction_shown(p, p),
            ),
            (rule("one-over-percent", "Writes one over the percentage"), lambda p: fraction_shown(1, p)),
        ),
    ),
    Task(
        slug="decimal-to-fraction",
        construct="Convert decimals to fractions",
        subject=CONVERTING,
        wordings=(
            r"Write \( <x> \) as a fraction.",
            r"Which fraction is equal to \( <x> \) ?",
        ),
        parameters="x n places",
        draw=lambda r: (
            places := r.randint(1, 2),
            n := r.choice((3, 7, 9))
            if places == 1
            else r.choice((13, 17, 19, 21, 27, 33, 37, 43, 57, 63, 71, 77, 83, 91)),
            (F(n, 10**places), n, places),
        )[2],
        right=lambda x, n, places: fraction_shown(n, 10**places),
        wrong=(
            (
                rule("one-over-decimal-digits", "Writes one over the digits of a decimal"),
                lambda x, n, places: fraction_shown(1, n),
            ),
            (
                rule("decimal-over-wrong-power", "Puts the digits of a decimal over the wrong power of ten"),
                lambda x, n, places: fraction_shown(n, 10 ** (3 - places)),
            ),
        ),
        slips=(lambda x, n, places: fraction_shown(n, 10 ** (places + 2)), lambda x, n, places: fraction_shown(10, n)),
    ),
)
