"""Ratio."""

from fractions import Fraction as F
from math import gcd

from synth.answers import fraction, number
from synth.bank_rules.parts import ratio, rule
from synth.mal_rule import Task

RATIO = "Ratio"

TASKS = (
    Task(
        slug="share-given-total",
        construct="Share a quantity in a given ratio",
        subject=RATIO,
        wordings=(
            r"Share \( £ <n> \) in the ratio \( <a>: <b> \). What is the first share, in pounds?",
            r"\( <n> \) sweets are shared between <person> and a friend in the ratio \( <a>: <b> \). "
            "How many does <person> get?",
        ),
        parameters="n a b",
        draw=lambda r: (a := r.randint(1, 5), b := r.randint(2, 7), ((a + b) * r.choice((4, 6, 8, 10)), a, b))[2],
        keep=lambda n, a, b: gcd(a, b) == 1 and a != b,
        right=lambda n, a, b: number(n * a // (a + b)),
        wrong=(
            (rule("total-as-one-part", "Takes the total for one part of the ratio"), lambda n, a, b: number(n * a)),
            (rule("ratio-shared-equally", "Shares equally and ignores the ratio"), lambda n, a, b: number(F(n, 2))),
            (rule("ratio-number-as-share", "Takes a number of the ratio for the share"), lambda n, a, b: number(a)),
        ),
        slips=(lambda n, a, b: number(F(n, a)), lambda n, a, b: number(n - a)),
    ),
    Task(
        slug="other-side-of-ratio",
        construct="Solve ratio problems where one share is known",
        subject=RATIO,
        wordings=(
            r"<person> and a friend share money in the ratio \( <a>: <b> \). <person> gets \( £ <n> "
            r"\). How many pounds does the friend get?",
            r"Red and blue beads are in the ratio \( <a>: <b> \). There are \( <n> \) red beads. How "
            "many are blue?",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(2, 5), b := r.randint(2, 9), a * (a + b) * r.randint(1, 3)),
        keep=lambda a, b, n: gcd(a, b) == 1 and b > 1,
        right=lambda a, b, n: number(n // a * b),
        wrong=(
            (
                rule("known-share-as-total", "Treats the share that is known as the total"),
                lambda a, b, n: number(n * b // (a + b)),
            ),
            (
                rule("known-share-as-one-part", "Treats the share that is known as one part"),
                lambda a, b, n: number(n * b),
            ),
            (
                rule("ratio-difference-added", "Adds the difference of a ratio's numbers to the known share"),
                lambda a, b, n: number(n + b - a),
            ),
            (rule("ratio-one-part-found", "Finds one part of the ratio and stops"), lambda a, b, n: number(n // a)),
        ),
    ),
    Task(
        slug="ratio-with-difference",
        construct="Solve ratio problems where the difference is known",
        subject=RATIO,
        wordings=(
            r"<person> and a friend share sweets in the ratio \( <a>: <b> \). The friend gets \( <d> "
            r"\) more than <person>. How many does <person> get?",
            r"The ratio of cats to dogs is \( <a>: <b> \). There are \( <d> \) more dogs than cats. "
            "How many cats are there?",
        ),
        parameters="a b d",
        draw=lambda r: (a := r.randint(2, 4), b := a + r.randint(2, 4), (b - a) * (a + b)),
        keep=lambda a, b, d: gcd(a, b) == 1,
        right=lambda a, b, d: number(d // (b - a) * a),
        wrong=(
            (
                rule("difference-as-total", "Shares the difference as though it were the total"),
                lambda a, b, d: number(d * a // (a + b)),
            ),
            (rule("difference-as-one-side", "Takes the difference for one of the shares"), lambda a, b, d: number(d)),
            (rule("difference-as-one-part", "Takes the difference for a single part"), lambda a, b, d: number(d * a)),
        ),
        slips=(lambda a, b, d: number(d // (b - a)),),
    ),
    Task(
        slug="write-a-ratio",
        construct="Write ratios",
        subject=RATIO,
        wordings=(
            r"A box holds \( <a> \) red and \( <b> \) blue pens. What is the ratio of red to blue "
            "pens?",
            r"There are \( <a> \) girls and \( <b> \) boys in a club. Write the ratio of girls to "
            "boys.",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9)),
        keep=lambda a, b: gcd(a, b) == 1 and a != b,
        right=lambda a, b: ratio(a, b),
        wrong=(
            (rule("ratio-side-as-total", "Writes the total as one side of a ratio"), lambda a, b: ratio(a, a + b)),
            (rule("ratio-order-reversed", "Writes the sides of a ratio in the wrong order"), lambda a, b: ratio(b, a)),
            (rule("ratio-one-to-total", "Writes every ratio as one to the total"), lambda a, b: ratio(1, a + b)),
        ),
    ),
    Task(
        slug="simplify-a-ratio",
        construct="Simplify ratios",
        subject=RATIO,
        wordings=(
            r"Write \( <a>: <b> \) in its simplest form.",
            r"Simplify fully \[ <a>: <b> \]",
        ),
        parameters="a b",
        draw=lambda r: (g := r.choice((4, 6, 8, 10, 12)), (g * r.randint(2, 5), g * r.randint(3, 9)))[1],
        keep=lambda a, b: a < b and b - a < a + 1000 and gcd(a, b) in (4, 6, 8, 10, 12),
        right=lambda a, b: ratio(a // gcd(a, b), b // gcd(a, b)),
        wrong=(
            (
                rule("ratio-simplified-by-subtracting", "Subtracts one number from both sides to simplify a ratio"),
                lambda a, b: ratio(1, b - a + 1),
            ),
            (
                rule("ratio-simplified-part-way", "Stops simplifying a ratio too early"),
                lambda a, b: ratio(a // 2, b // 2),
            ),
            (rule("ratio-one-side-changed", "Changes only one side of a ratio"), lambda a, b: ratio(a // gcd(a, b), b)),
        ),
    ),
    Task(
        slug="equivalent-ratio",
        construct="Find equivalent ratios",
        subject=RATIO,
        wordings=(
            r"What goes in the box? \[ <a>: <b> = <c>: \square \]",
            r"\( <a>: <b> \) and \( <c>: x \) are equivalent ratios. What is \( x \) ?",
        ),
        parameters="a b c",
        draw=lambda r: (a := r.randint(2, 6), r.randint(2, 9), a * r.randint(2, 6)),
        keep=lambda a, b, c: gcd(a, b) == 1,
        right=lambda a, b, c: number(c // a * b),
        wrong=(
            (
                rule("equivalent-ratio-adds", "Adds the same amount to both sides for an equivalent ratio"),
                lambda a, b, c: number(b + c - a),
            ),
            (
                rule("equivalent-ratio-one-side", "Keeps one side of a ratio and still calls it equivalent"),
                lambda a, b, c: number(b),
            ),
        ),
        slips=(lambda a, b, c: number(b * c), lambda a, b, c: number(c + b)),
    ),
    Task(
        slug="ratio-as-fraction-further",
        construct="Write a part of a ratio as a fraction of the whole",
        subject="Ratio and fractions",
        wordings=(
            r"Red and green sweets are in the ratio \( <a>: <b> \). What fraction of the sweets is "
            "red?",
            r"Sand and cement are mixed in the ratio \( <a>: <b> \). What fraction of the mixture is "
            "sand?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 5), r.randint(4, 11)),
        keep=lambda a, b: gcd(a, b) == 1 and b - a > 1 and gcd(a, b - a) == 1,
        right=lambda a, b: fraction(a, a + b),
        wrong=(
            (
                rule("ratio-product-denominator", "Multiplies the sides of a ratio for the denominator"),
                lambda a, b: fraction(a, a * b),
            ),
            (
                rule("ratio-difference-denominator", "Subtracts the sides of a ratio for the denominator"),
                lambda a, b: fraction(a, b - a),
            ),
            (
                rule(
                    "ratio-other-side-denominator", "Writes one side of a ratio over the other as a part of the whole"
                ),
                lambda a, b: fraction(a, b),
            ),
            (rule("ratio-total-on-top", "Writes the total above the part"), lambda a, b: fraction(a + b, a)),
        ),
    ),
)
