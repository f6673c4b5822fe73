"""Place value, written methods, vectors."""

from synth.answers import number
from synth.bank_rules.parts import rule, shown
from synth.mal_rule import Task

PLACES = "Place value"

TASKS = (
    Task(
        slug="value-of-a-digit",
        construct="Understand place value of whole numbers",
        subject=PLACES,
        wordings=(
            r"What is the value of the digit \( <d> \) in \( <n> \) ?",
            r"In the number \( <n> \), what does the \( <d> \) stand for?",
        ),
        parameters="d n place",
        draw=lambda r: (
            chosen := r.sample(range(1, 10), 5),
            place := r.randint(1, 3),
            (chosen[place], sum(digit * 10**i for i, digit in enumerate(chosen)), place),
        )[2],
        right=lambda d, n, place: number(d * 10**place),
        wrong=(
            (
                rule("digit-for-value", "Gives the digit itself when its value is asked for"),
                lambda d, n, place: number(d),
            ),
            (
                rule("digit-value-tenfold", "Gives a digit ten times its value"),
                lambda d, n, place: number(d * 10 ** (place + 1)),
            ),
            (
                rule("digit-value-tenth", "Gives a digit a tenth of its value"),
                lambda d, n, place: number(d * 10 ** (place - 1)) if place > 1 else None,
            ),
        ),
        slips=(lambda d, n, place: number(d * 10**place + n % 10**place),),
    ),
    Task(
        slug="read-number-words",
        construct="Write numbers given in words",
        subject=PLACES,
        wordings=(
            "Write in figures: <words> thousand and <small>",
            "<person> reads aloud '<words> thousand and <small>'. Which number is it?",
        ),
        parameters="words small t s",
        draw=lambda r: (
            pick := r.choice((("two", 2), ("four", 4), ("six", 6), ("seven", 7), ("eight", 8), ("nine", 9))),
            low := r.choice((("three", 3), ("five", 5), ("twelve", 12), ("forty", 40), ("sixty-one", 61))),
            (pick[0], low[0], pick[1], low[1]),
        )[2],
        right=lambda words, small, t, s: number(1000 * t + s),
        wrong=(
            (
                rule("only-nonzero-digits", "Leaves out the zeros of a number given in words"),
                lambda words, small, t, s: number(int(f"{t}{s}")),
            ),
        ),
        slips=(
            lambda words, small, t, s: number(10_000 * t + s),
            lambda words, small, t, s: number(100 * t + s),
            lambda words, small, t, s: number(int(f"{1000 * t}{s}")),
        ),
    ),
    Task(
        slug="column-addition-lined-up",
        construct="Add whole numbers of different lengths",
        subject="Written addition and subtraction",
        wordings=(
            r"Work out \[ <a> + <b> \]",
            r"Use a column method: \( <a> + <b> \)",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(211, 489), r.randint(21, 48)),
        right=lambda a, b: number(a + b),
        wrong=(
            (
                rule("whole-numbers-left-aligned", "Lines up numbers of different lengths by their first digits"),
                lambda a, b: number(a + 10 * b),
            ),
        ),
        slips=(lambda a, b: number(a + b + 10), lambda a, b: number(a + b - 100), lambda a, b: number(a - b)),
    ),
    Task(
        slug="column-subtraction-lined-up",
        construct="Subtract whole numbers of different lengths",
        subject="Written addition and subtraction",
        wordings=(
            r"Work out \[ <a> - <b> \]",
            r"Use a column method: \( <a> - <b> \)",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(611, 989), r.randint(21, 58)),
        right=lambda a, b: number(a - b),
        wrong=(
            (
                rule("subtrahend-left-aligned", "Lines up a shorter number by its first digit when subtracting"),
                lambda a, b: number(a - 10 * b),
            ),
            (rule("ten-out-when-subtracting", "Is ten out in a subtraction"), lambda a, b: number(a - b + 10)),
        ),
        slips=(lambda a, b: number(a - b + 100), lambda a, b: number(a + b)),
    ),
    Task(
        slug="multiply-multiples-of-ten",
        construct="Multiply multiples of ten",
        subject=PLACES,
        wordings=(
            r"Calculate \[ <x> \times <y> \]",
            r"\( <x> \times <y> = \)",
        ),
        parameters="a b x y",
        draw=lambda r: (a := r.randint(2, 9), b := r.randint(3, 9), (a, b, 10 * a, 10 * b))[2],
        keep=lambda a, b, x, y: a != b,
        right=lambda a, b, x, y: number(100 * a * b),
        wrong=(
            (
                rule("tens-zeros-dropped", "Multiplies the digits of multiples of ten and ignores their zeros"),
                lambda a, b, x, y: number(a * b),
            ),
            (
                rule("tens-product-tenfold-small", "Leaves one zero out of a product of multiples of ten"),
                lambda a, b, x, y: number(10 * a * b),
            ),
            (
                rule("tens-product-tenfold-big", "Writes one zero too many behind a product of multiples of ten"),
                lambda a, b, x, y: number(1000 * a * b),
            ),
            (
                rule("tens-added", "Adds where multiples of ten should be multiplied"),
                lambda a, b, x, y: number(10 * (a + b)),
            ),
        ),
    ),
    Task(
        slug="divide-multiple-of-ten",
        construct="Divide multiples of ten",
        subject=PLACES,
        wordings=(
            r"Calculate \[ <x> \div <y> \]",
            r"\( <x> \div <y> = \)",
        ),
        parameters="k b x y",
        draw=lambda r: (k := r.randint(3, 9), b := r.randint(2, 9), (k, b, 100 * k * b, 10 * b))[2],
        right=lambda k, b, x, y: number(10 * k),
        wrong=(
            (
                rule("tens-quotient-tenfold-small", "Gives a quotient by a multiple of ten a tenth of its size"),
                lambda k, b, x, y: number(k),
            ),
            (
                rule("tens-quotient-tenfold-big", "Gives a quotient by a multiple of ten ten times too large"),
                lambda k, b, x, y: number(100 * k),
            ),
        ),
        slips=(lambda k, b, x, y: number(1000 * k), lambda k, b, x, y: number(10 * (k + 1))),
    ),
    Task(
        slug="multiply-a-vector",
        construct="Multiply a vector by an integer",
        subject="Vectors",
        wordings=(
            r"Work out \[ <k> \begin{pmatrix} <a> \\ <b> \end{pmatrix} \]",
            r"\( \mathbf{v} = \begin{pmatrix} <a> \\ <b> \end{pmatrix} \). What is \( <k> \mathbf{v} "
            r"\) ?",
        ),
        parameters="k a b",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 9), r.randint(2, 9)),
        keep=lambda k, a, b: len({k, a, b}) == 3,
        right=lambda k, a, b: shown(rf"\begin{{pmatrix}} {k * a} \\ {k * b} \end{{pmatrix}}"),
        wrong=(
            (
                rule("vector-digits-joined", "Writes a multiplier as a digit before each part of a vector"),
                lambda k, a, b: shown(rf"\begin{{pmatrix}} {k}{a} \\ {k}{b} \end{{pmatrix}}"),
            ),
            (
                rule("vector-top-only", "Multiplies only one part of a vector"),
                lambda k, a, b: shown(rf"\begin{{pmatrix}} {k * a} \\ {b} \end{{pmatrix}}"),
            ),
        ),
        slips=(lambda k, a, b: shown(rf"\begin{{pmatrix}} {k + a} \\ {k + b} \end{{pmatrix}}"),),
    ),
    Task(
        slug="add-vectors",
        construct="Add column vectors",
        subject="Vectors",
        wordings=(
            r"Work out \[ \begin{pmatrix} <a> \\ <b> \end{pmatrix} + \begin{pmatrix} <c> \\ <d> "
            r"\end{pmatrix} \]",
            r"Add \( \begin{pmatrix} <a> \\ <b> \end{pmatrix} \) and \( \begin{pmatrix} <c> \\ <d> "
            r"\end{pmatrix} \).",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9), r.randint(3, 9), r.randint(3, 9)),
        right=lambda a, b, c, d: shown(rf"\begin{{pmatrix}} {a + c} \\ {b + d} \end{{pmatrix}}"),
        wrong=(
            (
                rule("vectors-multiplied", "Multiplies the parts of vectors that should be added"),
                lambda a, b, c, d: shown(rf"\begin{{pmatrix}} {a * c} \\ {b * d} \end{{pmatrix}}"),
            ),
            (
                rule("vectors-subtracted", "Takes the direction of a vector the other way round in a sum"),
                lambda a, b, c, d: shown(rf"\begin{{pmatrix}} {a - c} \\ {b - d} \end{{pmatrix}}"),
            ),
        ),
        slips=(lambda a, b, c, d: shown(rf"\begin{{pmatrix}} {a + d} \\ {b + c} \end{{pmatrix}}"),),
    ),
)
