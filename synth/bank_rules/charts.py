"""Histograms, pie charts, sampling."""

from fractions import Fraction as F

from synth.answers import DEGREES, lowest, measure, number
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

CHARTS = "Charts"
SAMPLES = "Sampling"

TASKS = (
    Task(
        slug="frequency-density",
        construct="Calculate frequency density",
        subject=CHARTS,
        wordings=(
            r"The class \( <a> < x \leq <b> \) has frequency \( <f> \). What is its frequency density?",
            r"A histogram is drawn. \( <f> \) values lie in \( <a> < x \leq <b> \). How high is the "
            "bar?",
        ),
        parameters="a b f",
        draw=lambda r: (
            a := 10 * r.randint(0, 5),
            w := r.choice((5, 10, 20)),
            (a, a + w, w * r.randint(1, 6) // r.choice((1, 2)) + 0),
        )[2],
        keep=lambda a, b, f: f % 5 == 0 and f > b - a,
        right=lambda a, b, f: number(F(f, b - a)),
        wrong=(
            (
                rule("density-as-product", "Multiplies class width and frequency for the frequency density"),
                lambda a, b, f: number(f * (b - a)),
            ),
            (
                rule("density-upside-down", "Divides class width by frequency for the frequency density"),
                lambda a, b, f: lowest(b - a, f),
            ),
            (rule("density-is-frequency", "Takes the frequency for the frequency density"), lambda a, b, f: number(f)),
            (
                rule("density-from-midpoint", "Multiplies midpoint and frequency for the frequency density"),
                lambda a, b, f: number(F((a + b) * f, 2)),
            ),
            (
                rule("density-is-width", "Takes the class width for the frequency density"),
                lambda a, b, f: number(b - a),
            ),
        ),
    ),
    Task(
        slug="pie-chart-angle-further",
        construct="Calculate the angle of a sector of a pie chart",
        subject=CHARTS,
        wordings=(
            r"\( <n> \) people were asked, \( <f> \) said yes. What is the angle of the sector for "
            "yes in a pie chart?",
            r"A pie chart shows \( <n> \) pupils. \( <f> \) of them walk to school. What angle has "
            "their sector?",
        ),
        parameters="n f",
        draw=lambda r: (r.choice((20, 24, 30, 36, 40, 60, 72, 90)), r.randint(3, 16)),
        keep=lambda n, f: f < n // 2 and f != 10 and 36 * 10 // n != f * 10 // n,
        right=lambda n, f: measure(F(360 * f, n), DEGREES),
        wrong=(
            (
                rule("sector-times-ten", "Multiplies the frequency by ten for the angle of a sector"),
                lambda n, f: measure(10 * f, DEGREES) if n != 36 else None,
            ),
            (
                rule("sector-frequency-times-total", "Multiplies the frequency by the total for the angle of a sector"),
                lambda n, f: measure(f * n, DEGREES),
            ),
            (
                rule("sector-360-over-frequency", "Divides 360 by the frequency for the angle of a sector"),
                lambda n, f: measure(F(360, f), DEGREES),
            ),
            (
                rule("sector-one-person", "Gives the degrees for one person only"),
                lambda n, f: measure(F(360, n), DEGREES),
            ),
            (
                rule("sector-is-frequency", "Takes the frequency for the angle of a sector"),
                lambda n, f: measure(f, DEGREES),
            ),
            (
                rule("sector-over-others", "Divides the frequency by the others instead of the total"),
                lambda n, f: measure(F(360 * f, n - f), DEGREES),
            ),
            (
                rule("sector-total-over-360", "Divides the total by 360 and multiplies by the frequency"),
                lambda n, f: measure(F(n * f, 360), DEGREES),
            ),
        ),
    ),
    Task(
        slug="frequency-from-sector",
        construct="Find a frequency from a pie chart",
        subject=CHARTS,
        wordings=(
            r"A pie chart shows \( <n> \) people. One sector has an angle of \( <t>^{\circ} \). How "
            "many people does it stand for?",
            r"\( <n> \) votes are shown in a pie chart. How many votes has a sector of \( <t>^{\circ} "
            r"\) ?",
        ),
        parameters="n t",
        draw=lambda r: (r.choice((20, 24, 30, 36, 40, 60, 72, 90, 120)), r.choice((30, 45, 60, 72, 90, 120, 150))),
        keep=lambda n, t: n * t % 360 == 0 and n * t // 360 != t,
        right=lambda n, t: number(n * t // 360),
        wrong=(
            (
                rule("sector-angle-over-total", "Divides the angle of a sector by the total for its frequency"),
                lambda n, t: number(F(t, n)),
            ),
            (
                rule("sector-angle-is-frequency", "Takes the angle of a sector for its frequency"),
                lambda n, t: number(t),
            ),
            (
                rule("sector-complement", "Gives the number outside of a sector"),
                lambda n, t: number(n - n * t // 360) if t != 180 else None,
            ),
        ),
        slips=(lambda n, t: number(F(360, t)), lambda n, t: number(F(n, 2))),
    ),
    Task(
        slug="stratified-sample",
        construct="Take a stratified sample",
        subject=SAMPLES,
        wordings=(
            r"A school has \( <a> \) pupils in Year 7 and \( <b> \) in Year 8. A stratified sample of "
            r"\( <s> \) is taken. How many of them are in Year 7?",
            r"A firm has \( <a> \) drivers and \( <b> \) clerks. In a stratified sample of \( <s> \), "
            "how many are drivers?",
        ),
        parameters="a b s",
        draw=lambda r: (10 * r.randint(6, 20), 10 * r.randint(6, 20), r.choice((20, 30, 40, 50))),
        keep=lambda a, b, s: a != b and a * s % (a + b) == 0 and (a * s) % b,
        right=lambda a, b, s: number(a * s // (a + b)),
        wrong=((rule("strata-evenly", "Splits a stratified sample evenly"), lambda a, b, s: number(s // 2)),),
        slips=(
            lambda a, b, s: number(b * s // (a + b)),
            lambda a, b, s: number(F(a, s)),
            lambda a, b, s: number(a - s),
        ),
    ),
    Task(
        slug="capture-recapture",
        construct="Estimate a population by capture and recapture",
        subject=SAMPLES,
        wordings=(
            r"\( <m> \) fish are caught, marked and released. Later \( <n> \) are caught; \( <k> \) "
            "of them are marked. Estimate the number of fish.",
            r"A ranger marks \( <m> \) birds. In a second catch of \( <n> \) birds \( <k> \) are "
            "marked. What is the best estimate of the number of birds?",
        ),
        parameters="m n k",
        draw=lambda r: (k := r.choice((4, 5, 6, 8, 10)), (5 * r.randint(4, 16), k * r.randint(3, 8), k))[1],
        keep=lambda m, n, k: m != n and m % k,
        right=lambda m, n, k: number(m * n // k),
        wrong=(
            (
                rule(
                    "recapture-first-times-marked",
                    "Multiplies the number marked first by the number marked in the second catch",
                ),
                lambda m, n, k: number(m * k),
            ),
            (
                rule("recapture-second-times-marked", "Multiplies the second catch by the marked ones in it"),
                lambda m, n, k: number(n * k),
            ),
            (
                rule("recapture-all-multiplied", "Multiplies all the numbers of a capture and recapture"),
                lambda m, n, k: number(m * n * k),
            ),
            (
                rule("recapture-all-added", "Adds all the numbers of a capture and recapture"),
                lambda m, n, k: number(m + n + k),
            ),
            (
                rule("recapture-second-over-marked", "Divides the second catch by the marked ones for the population"),
                lambda m, n, k: number(n // k),
            ),
            (
                rule(
                    "recapture-second-minus-marked",
                    "Subtracts the marked ones from the second catch for the population",
                ),
                lambda m, n, k: number(n - k),
            ),
            (
                rule("recapture-wrong-order", "Divides by the second catch instead of the marked ones in it"),
                lambda m, n, k: number(F(m * k, n)),
            ),
        ),
    ),
)
