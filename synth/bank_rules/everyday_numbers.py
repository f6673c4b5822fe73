"""Words for operations, Roman numerals, remainders, money."""

from fractions import Fraction as F
from math import ceil

from synth.answers import money, number
from synth.bank_rules.parts import roman, rule, shown
from synth.mal_rule import Task

WORDS = "Words for operations"

TASKS = (
    Task(
        slug="read-roman-numerals",
        construct="Read Roman numerals",
        subject="Roman numerals",
        wordings=(
            r"Which number is \( \mathrm{<letters>} \) in Roman numerals?",
            r"What is the value of the Roman numeral \( \mathrm{<letters>} \) ?",
        ),
        parameters="n letters",
        draw=lambda r: (n := r.choice((4, 9)) + 10 * r.randint(0, 12), roman(n)),
        right=lambda n, letters: number(n),
        wrong=(
            (
                rule("roman-adds-all", "Adds the values of all Roman letters, wherever they stand"),
                lambda n, letters: number(sum({"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}[x] for x in letters)),
            ),
        ),
        slips=(lambda n, letters: number(n + 1), lambda n, letters: number(n - 2), lambda n, letters: number(n + 10)),
    ),
    Task(
        slug="write-roman-numerals",
        construct="Write Roman numerals",
        subject="Roman numerals",
        wordings=(
            r"Write \( <n> \) in Roman numerals.",
            r"How is \( <n> \) written in Roman numerals?",
        ),
        parameters="n",
        draw=lambda r: (r.choice((4, 9)) + 10 * r.randint(1, 3) + 50 * r.randint(0, 1),),
        right=lambda n: shown(rf"\mathrm{{{roman(n)}}}"),
        wrong=(
            (
                rule("roman-four-strokes", "Writes four equal Roman letters instead of one before a larger one"),
                lambda n: shown(rf"\mathrm{{{roman(n).replace('IV', 'IIII').replace('IX', 'VIIII')}}}"),
            ),
        ),
        slips=(lambda n: shown(rf"\mathrm{{{roman(n + 1)}}}"), lambda n: shown(rf"\mathrm{{{roman(n + 2)}}}")),
    ),
    Task(
        slug="meaning-of-product",
        construct="Understand words for operations",
        subject=WORDS,
        wordings=(
            r"What is the product of \( <a> \) and \( <b> \) ?",
            r"Find the product of \( <a> \) and \( <b> \).",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(6, 20), r.randint(3, 5)),
        right=lambda a, b: number(a * b),
        wrong=((rule("product-as-sum", "Adds when the product is asked for"), lambda a, b: number(a + b)),),
        slips=(lambda a, b: number(a - b), lambda a, b: number(F(a, b)), lambda a, b: number(int(f"{a}{b}"))),
    ),
    Task(
        slug="meaning-of-triple",
        construct="Understand words for operations",
        subject=WORDS,
        wordings=(
            r"Triple \( <a> \).",
            r"<person> has \( <a> \) stickers. A friend has triple that. How many has the friend?",
        ),
        parameters="a",
        draw=lambda r: (r.randint(4, 9),),
        right=lambda a: number(3 * a),
        wrong=(
            (rule("triple-adds-three", "Adds three to triple a number"), lambda a: number(a + 3)),
            (rule("triple-writes-thrice", "Writes a digit three times to triple it"), lambda a: number(111 * a)),
        ),
        slips=(lambda a: number(a**3), lambda a: number(2 * a)),
    ),
    Task(
        slug="how-many-more",
        construct="Solve worded problems with addition and subtraction",
        subject=WORDS,
        wordings=(
            r"<person> has \( <a> \) cards. A friend has \( <b> \) cards. How many more cards has "
            "<person> than the friend?",
            r"A red rope is \( <a> \) metres long and a blue one \( <b> \) metres. How many metres "
            "more is the red one?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(16, 40), r.randint(4, 15)),
        right=lambda a, b: number(a - b),
        wrong=(
            (rule("more-as-total", "Finds the total when the difference is asked for"), lambda a, b: number(a + b)),
            (rule("states-one-value", "Repeats a given number instead of comparing the two"), lambda a, b: number(a)),
        ),
        slips=(lambda a, b: number(a * b), lambda a, b: number(b)),
    ),
    Task(
        slug="less-than-in-words",
        construct="Understand words for operations",
        subject=WORDS,
        wordings=(
            r"What is \( <b> \) less than \( <a> \) ?",
            r"<person> scores \( <a> \) points. A friend scores \( <b> \) less than that. What is the "
            "friend's score?",
        ),
        parameters="a b",
        draw=lambda r: ((b := r.randint(2, 9)) * r.randint(3, 9), b),
        keep=lambda a, b: a != 2 * b,
        right=lambda a, b: number(a - b),
        wrong=(
            (rule("less-than-as-division", "Divides when asked for so many less"), lambda a, b: number(a // b)),
            (
                rule("less-than-reversed", "Subtracts the numbers in the order in which they are read"),
                lambda a, b: number(b - a),
            ),
        ),
        slips=(lambda a, b: number(a + b), lambda a, b: number(a * b)),
    ),
    Task(
        slug="n-times-bigger",
        construct="Understand words for operations",
        subject=WORDS,
        wordings=(
            r"What number is \( <k> \) times as big as \( <a> \) ?",
            r"<person>'s tower has \( <a> \) bricks. Another is \( <k> \) times bigger. How many "
            "bricks has it?",
        ),
        parameters="a k",
        draw=lambda r: (r.randint(5, 30), r.randint(3, 9)),
        keep=lambda a, k: a != k,
        right=lambda a, k: number(a * k),
        wrong=((rule("times-bigger-adds", "Adds n to make something n times bigger"), lambda a, k: number(a + k)),),
        slips=(lambda a, k: number(F(a, k)), lambda a, k: number(a * k + 10), lambda a, k: number(2 * a)),
    ),
    Task(
        slug="divide-with-remainder",
        construct="Divide whole numbers and write the answer as a decimal",
        subject="Written division",
        wordings=(
            r"Calculate \( <n> \div <d> \), as a decimal.",
            r"\( <n> \div <d> = \)",
        ),
        parameters="n d",
        draw=lambda r: (r.randint(21, 99), r.choice((4, 5, 8))),
        keep=lambda n, d: n % d and F(n, d) != n // d + F(n % d, 10),
        right=lambda n, d: number(F(n, d)),
        wrong=(
            (
                rule("remainder-as-decimal", "Writes the remainder behind the decimal point"),
                lambda n, d: number(n // d + F(n % d, 10)),
            ),
            (rule("remainder-dropped", "Leaves the remainder of a division out"), lambda n, d: number(n // d)),
        ),
        slips=(lambda n, d: number(n // d + F(d, 10)), lambda n, d: number(n // d + 1)),
    ),
    Task(
        slug="coaches-needed",
        construct="Interpret a remainder in context",
        subject="Written division",
        wordings=(
            r"A coach takes \( <c> \) people. How many coaches do \( <n> \) people need?",
            r"Eggs are packed in boxes of \( <c> \). How many boxes are needed for \( <n> \) eggs?",
        ),
        parameters="n c",
        draw=lambda r: (r.randint(50, 300), r.choice((4, 8, 10, 20, 25, 40))),
        keep=lambda n, c: n % c > 0,
        right=lambda n, c: number(ceil(F(n, c))),
        wrong=(
            (rule("context-rounded-down", "Rounds the wrong way for the situation"), lambda n, c: number(n // c)),
            (
                rule("context-not-rounded", "Gives a fraction of a thing where only whole ones make sense"),
                lambda n, c: number(F(n, c)),
            ),
        ),
        slips=(lambda n, c: number(n % c), lambda n, c: number(n - c)),
    ),
    Task(
        slug="change-from-note",
        construct="Calculate change",
        subject="Money",
        wordings=(
            r"<person> pays \( £ <p>.<c> \) with a \( £ <n> \) note. How much change is due?",
            r"What is \( £ <n> - £ <p>.<c> \) ?",
        ),
        parameters="n p c",
        draw=lambda r: (r.choice((10, 20, 50)), r.randint(2, 8), r.randint(11, 98)),
        right=lambda n, p, c: money(n - p - F(c, 100)),
        wrong=(
            (
                rule("change-pound-out", "Is one pound out when giving change"),
                lambda n, p, c: money(n - p + 1 - F(c, 100)),
            ),
        ),
        slips=(lambda n, p, c: money(n - p + F(c, 100)), lambda n, p, c: money(n - p - F(c - 10, 100))),
    ),
    Task(
        slug="zero-one-and-self",
        construct="Multiply and divide by special numbers",
        subject="Facts about zero and one",
        wordings=(
            r"\( <shown> = \)",
            r"Work out \[ <shown> \]",
        ),
        parameters="a kind shown",
        draw=lambda r: (
            a := r.randint(3, 99),
            kind := r.choice(("zero", "one", "self", "fraction")),
            {
                "zero": rf"{a} \times 0",
                "one": rf"{a} \times 1",
                "self": rf"{a} \div {a}",
                "fraction": rf"\frac{{{a}}}{{{a}}}",
            }[kind],
        ),
        right=lambda a, kind, shown: number({"zero": 0, "one": a, "self": 1, "fraction": 1}[kind]),
        wrong=(
            (
                rule("times-zero-unchanged", "Leaves a number as it is when it is multiplied by zero"),
                lambda a, kind, shown: number(a) if kind == "zero" else None,
            ),
            (
                rule("times-one-is-one", "Gives one as the result of multiplying by one"),
                lambda a, kind, shown: number(1) if kind == "one" else None,
            ),
            (
                rule("self-quotient-unchanged", "Thinks a number divided by itself stays the same"),
                lambda a, kind, shown: number(a) if kind in ("self", "fraction") else None,
            ),
            (
                rule("self-quotient-zero", "Thinks a number divided by itself leaves nothing"),
                lambda a, kind, shown: number(0) if kind in ("self", "fraction") else None,
            ),
        ),
        slips=(
            lambda a, kind, shown: number(1) if kind == "zero" else number(a + 1) if kind == "one" else number(2 * a),
            lambda a, kind, shown: number(10 * a) if kind == "zero" else number(0) if kind == "one" else number(a * a),
            lambda a, kind, shown: number(10 * a),
        ),
    ),
)
