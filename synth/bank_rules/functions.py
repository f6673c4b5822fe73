"""Quadratic equations, function machines, functions."""

from fractions import Fraction as F

from synth.answers import lowest, number
from synth.bank_rules.parts import roots, rule, shown
from synth.bank_rules.shared import ORDER_NOT_REVERSED
from synth.mal_rule import Task

SQUARES = "Solving quadratic equations"
X = "x = "
MACHINES = "Function machines"
FUNCTIONS = "Functions"
EQUATIONS = "Solving equations"

TASKS = (
    Task(
        slug="factorised-quadratic-roots",
        construct="Solve factorised quadratic equations",
        subject=SQUARES,
        wordings=(
            r"Solve \( (x + <p>)(x - <q>) = 0 \)",
            r"What are the solutions of \( (x + <p>)(x - <q>) = 0 \) ?",
        ),
        parameters="p q",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9)),
        keep=lambda p, q: p != q,
        right=lambda p, q: roots(-p, q),
        wrong=(
            (
                rule("roots-are-constants", "Takes the numbers in the brackets with their signs for the solutions"),
                lambda p, q: roots(p, -q),
            ),
            (
                rule("roots-all-positive", "Takes the sizes of the numbers in the brackets for the solutions"),
                lambda p, q: roots(p, q),
            ),
            (
                rule("roots-all-negative", "Makes both solutions of a factorised quadratic negative"),
                lambda p, q: roots(-p, -q),
            ),
        ),
    ),
    Task(
        slug="solve-a-square",
        construct="Solve simple quadratic equations",
        subject=SQUARES,
        wordings=(
            r"Solve \( x^{2} = <s> \)",
            r"Which values of \( x \) make \( x^{2} = <s> \) true?",
        ),
        parameters="k s",
        draw=lambda r: (k := r.randint(3, 12), k * k),
        right=lambda k, s: roots(-k, k),
        wrong=(
            (
                rule("positive-root-only", "Gives only the positive solution of a square"),
                lambda k, s: number(k, before=X),
            ),
            (rule("square-solved-by-halving", "Halves to undo a square"), lambda k, s: number(F(s, 2), before=X)),
            (
                rule("square-left-standing", "Gives the value of the square as the value of the unknown"),
                lambda k, s: number(s, before=X),
            ),
        ),
    ),
    Task(
        slug="machine-output",
        construct="Find the output of a function machine",
        subject=MACHINES,
        wordings=(
            r"A function machine first adds \( <b> \) and then multiplies by \( <a> \). What is the "
            r"output for the input \( <n> \) ?",
            r"Input \( \rightarrow + <b> \rightarrow \times <a> \rightarrow \) output. The input is "
            r"\( <n> \). What is the output?",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(2, 6), b := r.randint(2, 9), a * r.randint(2, 9) + b),
        keep=lambda a, b, n: n % a == b % a,
        right=lambda a, b, n: number((n + b) * a),
        wrong=(
            (
                rule("machine-order-changed", "Changes the order of a function machine's operations"),
                lambda a, b, n: number(n * a + b),
            ),
            (
                rule("machine-inverse-for-output", "Applies inverse operations to find an output"),
                lambda a, b, n: number((n - b) // a),
            ),
            (
                rule("machine-joined-operations", "Joins the operations of a function machine before applying them"),
                lambda a, b, n: number(n + a * b),
            ),
        ),
    ),
    Task(
        slug="machine-input",
        construct="Find the input of a function machine",
        subject=MACHINES,
        wordings=(
            r"A function machine multiplies by \( <a> \) and then adds \( <b> \). The output is \( "
            r"<n> \). What was the input?",
            r"Input \( \rightarrow \times <a> \rightarrow + <b> \rightarrow \) output. The output is "
            r"\( <n> \). What is the input?",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(2, 6), b := a * r.randint(1, 4), a * r.randint(2, 9) + b),
        keep=lambda a, b, n: n > a * b,
        right=lambda a, b, n: number((n - b) // a),
        wrong=(
            (
                rule("machine-forward-for-input", "Applies the operations of a machine to its output"),
                lambda a, b, n: number(n * a + b),
            ),
            (ORDER_NOT_REVERSED, lambda a, b, n: number(n // a - b)),
            (
                rule("machine-reversed-not-inverse", "Reverses the order of a machine but not its operations"),
                lambda a, b, n: number((n + b) * a),
            ),
        ),
    ),
    Task(
        slug="composite-function",
        construct="Evaluate composite functions",
        subject=FUNCTIONS,
        wordings=(
            r"\( f(x) = <a>x \) and \( g(x) = x + <b> \). What is \( fg(<n>) \) ?",
            r"Given \( f(x) = <a>x \) and \( g(x) = x + <b> \), find \( fg(<n>) \).",
        ),
        parameters="a b n",
        draw=lambda r: (r.randint(2, 6), r.randint(2, 9), r.randint(2, 9)),
        right=lambda a, b, n: number(a * (n + b)),
        wrong=(
            (rule("outer-into-inner", "Puts the outer function into the inner one"), lambda a, b, n: number(a * n + b)),
            (
                rule("functions-multiplied", "Multiplies two functions instead of composing them"),
                lambda a, b, n: number(a * n * (n + b)),
            ),
            (
                rule("functions-added", "Adds the values of two functions instead of composing them"),
                lambda a, b, n: number(a * n + n + b),
            ),
        ),
    ),
    Task(
        slug="inverse-function",
        construct="Evaluate inverse functions",
        subject=FUNCTIONS,
        wordings=(
            r"\( f(x) = <a>x + <b> \). What is \( f^{-1}(<n>) \) ?",
            r"Given \( f(x) = <a>x + <b> \), find \( f^{-1}(<n>) \).",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(2, 5), b := r.randint(1, 9), a * r.randint(2, 9) + b),
        right=lambda a, b, n: number((n - b) // a),
        wrong=(
            (
                rule("inverse-as-negative", "Takes the inverse of a function for its negative"),
                lambda a, b, n: number(-(a * n + b)),
            ),
            (
                rule("inverse-as-reciprocal", "Takes the inverse of a function for one over its value"),
                lambda a, b, n: lowest(1, a * n + b),
            ),
        ),
        slips=(lambda a, b, n: number(a * n + b), lambda a, b, n: number((n + b) * a)),
    ),
    Task(
        slug="simultaneous-sum-and-difference",
        construct="Solve simultaneous equations",
        subject="Simultaneous equations",
        wordings=(
            r"\( x + y = <s> \) and \( x - y = <d> \). What is the value of \( x \) ?",
            r"Solve \[ x + y = <s> \quad x - y = <d> \] and give the value of \( x \).",
        ),
        parameters="s d x y",
        draw=lambda r: (y := r.randint(2, 9), x := y + r.randint(2, 9), (x + y, x - y, x, y))[2],
        right=lambda s, d, x, y: number(x),
        wrong=(
            (
                rule("other-variable-given", "Gives the value of the other unknown of a pair"),
                lambda s, d, x, y: number(y),
            ),
            (
                rule("variables-taken-as-equal", "Assumes that both unknowns have one value"),
                lambda s, d, x, y: number(F(s, 2)),
            ),
        ),
        slips=(lambda s, d, x, y: number(s + d), lambda s, d, x, y: number(s - d)),
    ),
    Task(
        slug="formula-from-words",
        construct="Write equations from words",
        subject=EQUATIONS,
        wordings=(
            r"<person> thinks of a number \( n \), multiplies it by \( <a> \) and then adds \( <b> "
            r"\). Which expression shows the result?",
            r"A number \( n \) is multiplied by \( <a> \), and \( <b> \) is added to the outcome. "
            "Which expression is that?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9)),
        keep=lambda a, b: a != b,
        right=lambda a, b: shown(f"{a}n + {b}"),
        wrong=(
            (
                rule("formula-coefficient-constant-swapped", "Swaps coefficient and constant when writing a formula"),
                lambda a, b: shown(f"{b}n + {a}"),
            ),
            (
                rule("formula-letter-and-number-joined", "Joins the letter and the constant of a formula"),
                lambda a, b: shown(f"{a + b}n"),
            ),
            (
                rule("formula-order-mistaken", "Groups the steps of a described formula wrongly"),
                lambda a, b: shown(f"{a}(n + {b})"),
            ),
            (
                rule("formula-coefficient-ignored", "Leaves out the multiplier when writing a formula"),
                lambda a, b: shown(f"n + {b}"),
            ),
        ),
    ),
)
