"""Squares, cubes and roots."""

from fractions import Fraction as F

from synth.answers import number
from synth.bank_rules.parts import rule
from synth.bank_rules.shared import CUBE_TIMES_THREE, EVEN_FOR_SQUARE, SQUARE_FOR_CUBE
from synth.mal_rule import Task
from synth.mal_rules.number import DOUBLES_FOR_SQUARE

POWERS = "Squares, cubes and roots"

TASKS = (
    Task(
        slug="cube-a-number",
        construct="Calculate the cube of a number",
        subject=POWERS,
        wordings=(
            r"What is \( <a>^{3} \) ?",
            r"Work out \( <a> \) cubed.",
            r"Calculate \[ <a>^{3} \]",
        ),
        parameters="a",
        draw=lambda r: (r.randint(2, 12),),
        keep=lambda a: a != 3,
        right=lambda a: number(a**3),
        wrong=(
            (CUBE_TIMES_THREE, lambda a: number(3 * a)),
            (rule("cube-digit-thrice", "Writes the digit three times to cube it"), lambda a: number(int(str(a) * 3))),
            (rule("cube-adds-three", "Adds three to cube a number"), lambda a: number(a + 3)),
            (SQUARE_FOR_CUBE, lambda a: number(a * a)),
            (rule("index-as-digit", "Reads an index as one more digit"), lambda a: number(10 * a + 3)),
            (rule("cube-times-ten", "Multiplies by ten to cube a number"), lambda a: number(10 * a)),
        ),
    ),
    Task(
        slug="square-a-number",
        construct="Calculate the square of a number",
        subject=POWERS,
        wordings=(
            r"What is \( <a>^{2} \) ?",
            r"Work out \( <a> \) squared.",
            r"\( <a>^{2} = \)",
        ),
        parameters="a",
        draw=lambda r: (r.randint(3, 20),),
        keep=lambda a: a != 4,
        right=lambda a: number(a * a),
        wrong=(
            (DOUBLES_FOR_SQUARE, lambda a: number(2 * a)),
            (rule("square-repeats-digit", "Writes a number twice to square it"), lambda a: number(int(str(a) * 2))),
            (rule("square-times-four", "Multiplies by four to square a number"), lambda a: number(4 * a)),
            (rule("square-adds-two", "Adds two to square a number"), lambda a: number(a + 2)),
            (rule("square-halves", "Halves a number that should be squared"), lambda a: number(F(a, 2))),
        ),
    ),
    Task(
        slug="square-root-of-number",
        construct="Find the square root of a square number",
        subject=POWERS,
        wordings=(
            r"What is \( \sqrt{<n>} \) ?",
            r"Find the square root of \( <n> \).",
            r"\( \sqrt{<n>} = \)",
        ),
        parameters="n",
        draw=lambda r: (r.choice((6, 8, 10, 12, 14, 16, 18, 20)) ** 2,),
        right=lambda n: number(round(n**0.5)),
        wrong=(
            (rule("root-halves", "Halves a number to find its square root"), lambda n: number(F(n, 2))),
            (rule("root-squares", "Squares a number when its square root is asked for"), lambda n: number(n * n)),
            (rule("root-quarters", "Divides by four to find a square root"), lambda n: number(F(n, 4))),
            (rule("root-doubles", "Doubles a number to find its square root"), lambda n: number(2 * n)),
        ),
    ),
    Task(
        slug="cube-root-of-number",
        construct="Find the cube root of a cube number",
        subject=POWERS,
        wordings=(
            r"What is \( \sqrt[3]{<n>} \) ?",
            r"Find the cube root of \( <n> \).",
            r"\( \sqrt[3]{<n>} = \)",
        ),
        parameters="n",
        draw=lambda r: (r.choice((27, 64, 216, 729, 1728, 4096, 15625)),),
        right=lambda n: number(round(n ** (1 / 3))),
        wrong=(
            (rule("cube-root-thirds", "Divides by three to find a cube root"), lambda n: number(F(n, 3))),
            (rule("cube-root-triples", "Multiplies by three to find a cube root"), lambda n: number(3 * n)),
            (rule("cube-root-halves", "Halves a number to find its cube root"), lambda n: number(F(n, 2))),
            (
                rule("square-root-for-cube-root", "Takes the square root when the cube root is asked for"),
                lambda n: number(round(n**0.5)) if round(n**0.5) ** 2 == n else None,
            ),
            (rule("cubes-for-cube-root", "Cubes a number whose cube root is asked for"), lambda n: number(n**3)),
        ),
    ),
    Task(
        slug="position-of-square-number",
        construct="Recognise square numbers",
        subject=POWERS,
        wordings=(
            r"What is square number \( <k> \) in the list of square numbers, counting from \( 1 \) ?",
            r"Which is the \( <k> \)th square number?",
        ),
        parameters="k",
        draw=lambda r: (r.randint(5, 15),),
        right=lambda k: number(k * k),
        wrong=(
            (EVEN_FOR_SQUARE, lambda k: number(2 * k)),
            (SQUARE_FOR_CUBE, lambda k: number(k**3)),
            (
                rule("triangular-for-square", "Takes the triangular numbers for the square numbers"),
                lambda k: number(k * (k + 1) // 2),
            ),
        ),
    ),
    Task(
        slug="position-of-cube-number",
        construct="Recognise cube numbers",
        subject=POWERS,
        wordings=(
            r"Which is the \( <k> \)th cube number?",
            r"The first cube number is \( 1 \). What is number \( <k> \) in the list of cube numbers?",
        ),
        parameters="k",
        draw=lambda r: (r.randint(4, 10),),
        right=lambda k: number(k**3),
        wrong=(
            (
                rule("cubes-are-multiples-of-three", "Takes the multiples of three for the cube numbers"),
                lambda k: number(3 * k),
            ),
            (SQUARE_FOR_CUBE, lambda k: number(k * k)),
            (
                rule("triangular-for-cube", "Takes the triangular numbers for the cube numbers"),
                lambda k: number(k * (k + 1) // 2),
            ),
        ),
    ),
    Task(
        slug="triangular-numbers",
        construct="Continue the triangular numbers",
        subject=POWERS,
        wordings=(
            r"Here are three triangular numbers in order: \( <a>, <b>, <c> \). Which one comes next?",
            r"The triangular numbers go on \( <a>, <b>, <c>, \ldots \) What is the next one?",
        ),
        parameters="a b c",
        draw=lambda r: (k := r.randint(2, 9), tuple(n * (n + 1) // 2 for n in (k, k + 1, k + 2)))[1],
        right=lambda a, b, c: number(c + (c - b) + 1),
        wrong=(
            (
                rule("triangular-as-fibonacci", "Adds the last two triangular numbers to get the next"),
                lambda a, b, c: number(b + c),
            ),
            (
                rule("triangular-same-gap", "Repeats the last gap to get the next triangular number"),
                lambda a, b, c: number(c + c - b),
            ),
            (
                rule("triangular-shrinking-gap", "Makes the gap between triangular numbers one smaller each time"),
                lambda a, b, c: number(c + c - b - 1),
            ),
        ),
    ),
)
