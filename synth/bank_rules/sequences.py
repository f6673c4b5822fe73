"""Sequences."""

from synth.answers import expression, number
from synth.bank_rules.parts import rule
from synth.bank_rules.shared import DIFFERENCE_ONLY
from synth.mal_rule import Task

SEQUENCES = "Sequences"

TASKS = (
    Task(
        slug="next-linear-term",
        construct="Continue a linear sequence",
        subject=SEQUENCES,
        wordings=(
            r"What is the next term? \[ <a>, <b>, <c>, <d>, \ldots \]",
            r"A sequence begins \( <a>, <b>, <c>, <d> \). Which number comes next?",
        ),
        parameters="a b c d",
        draw=lambda r: (a := r.randint(2, 30), s := r.randint(3, 12), (a, a + s, a + 2 * s, a + 3 * s))[2],
        keep=lambda a, b, c, d: b - a != a,
        right=lambda a, b, c, d: number(2 * d - c),
        wrong=(
            (DIFFERENCE_ONLY, lambda a, b, c, d: number(d - c)),
            (rule("next-term-one-more", "Adds one to the last term to get the next"), lambda a, b, c, d: number(d + 1)),
            (rule("first-term-for-next", "Gives the first term instead of the next"), lambda a, b, c, d: number(a)),
            (rule("next-term-doubled", "Doubles the last term to get the next"), lambda a, b, c, d: number(2 * d)),
        ),
    ),
    Task(
        slug="next-falling-term",
        construct="Continue a decreasing linear sequence",
        subject=SEQUENCES,
        wordings=(
            r"What is the next term? \[ <a>, <b>, <c>, <d>, \ldots \]",
            r"A sequence begins \( <a>, <b>, <c>, <d> \). Which number comes next?",
        ),
        parameters="a b c d",
        draw=lambda r: (a := r.randint(50, 90), s := r.randint(3, 9), (a, a - s, a - 2 * s, a - 3 * s))[2],
        right=lambda a, b, c, d: number(2 * d - c),
        wrong=(
            (
                rule("next-term-one-less", "Subtracts one from the last term to get the next"),
                lambda a, b, c, d: number(d - 1),
            ),
            (rule("falling-sequence-rises", "Adds the step of a falling sequence"), lambda a, b, c, d: number(c)),
            (DIFFERENCE_ONLY, lambda a, b, c, d: number(c - d)),
        ),
    ),
    Task(
        slug="term-before",
        construct="Find an earlier term of a sequence",
        subject=SEQUENCES,
        wordings=(
            r"The first term is missing. What is it? \[ \square, <b>, <c>, <d>, \ldots \]",
            r"A linear sequence goes \( \ldots, <b>, <c>, <d> \). Which term stands before \( <b> \) ?",
        ),
        parameters="b c d",
        draw=lambda r: (b := r.randint(30, 80), s := r.randint(3, 9), (b, b - s, b - 2 * s))[2],
        right=lambda b, c, d: number(2 * b - c),
        wrong=(
            (
                rule("previous-term-subtracted", "Subtracts the step to find the term before in a falling sequence"),
                lambda b, c, d: number(2 * d - c),
            ),
            (rule("previous-term-one-more", "Adds one to find the term before"), lambda b, c, d: number(b + 1)),
        ),
        slips=(lambda b, c, d: number(b - c), lambda b, c, d: number(2 * b)),
    ),
    Task(
        slug="term-from-rule",
        construct="Find a term from the position-to-term rule",
        subject=SEQUENCES,
        wordings=(
            r"The \( n \)th term of a sequence is \( <a>n + <b> \). What is the \( <k> \)th term?",
            r"A sequence has the position-to-term rule \( <a>n + <b> \). Find term number \( <k> \).",
        ),
        parameters="a b k",
        draw=lambda r: (r.randint(3, 9), r.randint(2, 12), r.randint(4, 12)),
        keep=lambda a, b, k: len({a, b, k}) == 3,
        right=lambda a, b, k: number(a * k + b),
        wrong=(
            (
                rule("term-after", "Gives the term after the one that is asked for"),
                lambda a, b, k: number(a * (k + 1) + b),
            ),
            (
                rule("term-before-asked", "Gives the term before the one that is asked for"),
                lambda a, b, k: number(a * (k - 1) + b),
            ),
            (rule("position-for-term", "Gives the position of a term instead of its value"), lambda a, b, k: number(k)),
            (
                rule("constant-of-rule-dropped", "Multiplies position and step and leaves the constant out"),
                lambda a, b, k: number(a * k),
            ),
            (
                rule("rule-as-digits", "Reads the letter of a rule as a place for a digit"),
                lambda a, b, k: number(int(f"{a}{k}") + b),
            ),
        ),
    ),
    Task(
        slug="falling-nth-term",
        construct="Find the nth term of a decreasing sequence",
        subject=SEQUENCES,
        wordings=(
            r"Find the \( n \)th term of \[ <a>, <b>, <c>, <d>, \ldots \]",
            r"What is the rule for term number \( n \) of \( <a>, <b>, <c>, <d> \) ?",
        ),
        parameters="a b c d s",
        draw=lambda r: (a := r.randint(25, 60), s := r.randint(2, 7), (a, a - s, a - 2 * s, a - 3 * s, s))[2],
        right=lambda a, b, c, d, s: expression((-s, "n"), (a + s, "")),
        wrong=(
            (
                rule("falling-rule-positive", "Gives a falling sequence a positive multiple of n"),
                lambda a, b, c, d, s: expression((s, "n"), (a - s, "")),
            ),
            (
                rule("falling-rule-first-term", "Uses the first term as the constant of the rule"),
                lambda a, b, c, d, s: expression((-s, "n"), (a, "")),
            ),
            (
                rule("falling-rule-wrong-gap", "Takes the gap to the positive multiple for the constant"),
                lambda a, b, c, d, s: expression((-s, "n"), (a - s, "")),
            ),
            (
                rule("falling-rule-term-to-term", "Writes the step from term to term as the rule for n"),
                lambda a, b, c, d, s: expression((1, "n"), (-s, "")),
            ),
        ),
    ),
    Task(
        slug="rising-nth-term",
        construct="Find the nth term of a linear sequence",
        subject=SEQUENCES,
        wordings=(
            r"Find the \( n \)th term of \[ <a>, <b>, <c>, <d>, \ldots \]",
            r"Which rule gives term number \( n \) of \( <a>, <b>, <c>, <d> \) ?",
        ),
        parameters="a b c d s",
        draw=lambda r: (a := r.randint(6, 30), s := r.randint(2, 5), (a, a + s, a + 2 * s, a + 3 * s, s))[2],
        keep=lambda a, b, c, d, s: a != 2 * s,
        right=lambda a, b, c, d, s: expression((s, "n"), (a - s, "")),
        wrong=(
            (
                rule("step-as-index", "Uses the step as an index instead of a coefficient"),
                lambda a, b, c, d, s: expression((1, f"n^{{{s}}}"), (a - s, "")),
            ),
            (
                rule("step-as-constant", "Uses the step as the constant of the rule"),
                lambda a, b, c, d, s: expression((a - s, "n"), (s, "")),
            ),
            (
                rule("rule-from-first-term", "Finds a rule that fits the first term alone"),
                lambda a, b, c, d, s: expression((a, "n")),
            ),
            (rule("rule-adds-step", "Adds the step to n"), lambda a, b, c, d, s: expression((1, "n"), (s, ""))),
        ),
    ),
    Task(
        slug="quadratic-nth-term",
        construct="Find the nth term of a quadratic sequence",
        subject=SEQUENCES,
        wordings=(
            r"Find the \( n \)th term of the quadratic sequence \[ <p>, <q>, <s>, <t>, \ldots \]",
            r"What is the rule for term number \( n \) ? \[ <p>, <q>, <s>, <t>, \ldots \]",
        ),
        parameters="a c p q s t",
        draw=lambda r: (a := r.randint(2, 4), c := r.randint(1, 9), (a, c, a + c, 4 * a + c, 9 * a + c, 16 * a + c))[2],
        right=lambda a, c, p, q, s, t: expression((a, "n^{2}"), (c, "")),
        wrong=(
            (
                rule("second-difference-as-coefficient", "Uses the second difference as the coefficient of n squared"),
                lambda a, c, p, q, s, t: expression((2 * a, "n^{2}"), (c, "")),
            ),
            (
                rule("first-difference-as-coefficient", "Uses the first difference as the coefficient of n squared"),
                lambda a, c, p, q, s, t: expression((3 * a, "n^{2}"), (c, "")),
            ),
            (
                rule("quadratic-as-linear", "Treats a quadratic sequence as linear"),
                lambda a, c, p, q, s, t: expression((3 * a, "n"), (p - 3 * a, "")),
            ),
        ),
    ),
    Task(
        slug="double-position-term",
        construct="Find a later term of a linear sequence",
        subject=SEQUENCES,
        wordings=(
            r"The \( 5 \)th term of a linear sequence is \( <t> \) and the \( 6 \)th is \( <u> \). "
            r"What is the \( 10 \)th term?",
            r"A linear sequence has \( <t> \) in place \( 5 \) and \( <u> \) in place \( 6 \). What "
            r"stands in place \( 10 \) ?",
        ),
        parameters="t u",
        draw=lambda r: (t := r.randint(20, 40), t + r.randint(3, 9)),
        keep=lambda t, u: 5 * (u - t) != t,
        right=lambda t, u: number(t + 5 * (u - t)),
        wrong=(
            (rule("tenth-is-twice-fifth", "Doubles the term when the position doubles"), lambda t, u: number(2 * t)),
            (
                rule("step-times-place", "Multiplies the step by the position to get a term"),
                lambda t, u: number(10 * (u - t)),
            ),
            (rule("asked-place-one-further", "Goes one step too far"), lambda t, u: number(t + 6 * (u - t))),
        ),
    ),
)
