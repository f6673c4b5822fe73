"""Factorising, completing the square, turning points."""

from math import gcd

from synth.bank_rules.parts import linear, rule, shown, signed
from synth.mal_rule import Task

FACTORISING = "Factorising"
QUADRATICS = "Quadratic expressions"

TASKS = (
    Task(
        slug="factorise-numbers",
        construct="Factorise into a single bracket",
        subject=FACTORISING,
        wordings=(
            r"Factorise fully \( <a>x + <b> \)",
            r"Which is the full factorisation of \( <a>x + <b> \) ?",
        ),
        parameters="a b",
        draw=lambda r: (g := r.choice((4, 6, 8, 9, 10)), (g * r.randint(2, 5), g * r.randint(2, 7)))[1],
        keep=lambda a, b: a != b and gcd(a, b) in (4, 6, 8, 9, 10) and b % a,
        right=lambda a, b: shown(f"{gcd(a, b)}({linear(a // gcd(a, b), b // gcd(a, b))})"),
        wrong=(
            (
                rule("factorise-first-term-only", "Divides only the first term when factorising"),
                lambda a, b: shown(f"{gcd(a, b)}({linear(a // gcd(a, b), b)})"),
            ),
            (
                rule(
                    "factorise-any-common-factor",
                    "Takes out a common factor that is not the greatest and calls it fully factorised",
                ),
                lambda a, b: shown(f"{(d := 3 if gcd(a, b) == 9 else 2)}({linear(a // d, b // d)})"),
            ),
            (
                rule("factorise-flips-sign", "Changes the sign in the bracket when factorising"),
                lambda a, b: shown(f"{gcd(a, b)}({linear(a // gcd(a, b), -b // gcd(a, b))})"),
            ),
            (
                rule("factorise-subtracts-second", "Subtracts the factor from the second term when factorising"),
                lambda a, b: shown(f"{gcd(a, b)}({linear(a // gcd(a, b), b - gcd(a, b))})"),
            ),
            (
                rule(
                    "factorise-first-coefficient",
                    "Takes out the whole first coefficient although the second term has not got it",
                ),
                lambda a, b: shown(f"{a}(x{signed(b)})"),
            ),
        ),
    ),
    Task(
        slug="factorise-letters",
        construct="Factorise into a single bracket",
        subject=FACTORISING,
        wordings=(
            r"Factorise fully \( <a>x^{2} + <b>x \)",
            r"Which is the full factorisation of \( <a>x^{2} + <b>x \) ?",
        ),
        parameters="a b",
        draw=lambda r: (g := r.choice((2, 3, 5)), (g * r.randint(2, 5), g * r.randint(2, 7)))[1],
        keep=lambda a, b: gcd(a, b) in (2, 3, 5) and a != b and a != gcd(a, b),
        right=lambda a, b: shown(f"{gcd(a, b)}x({linear(a // gcd(a, b), b // gcd(a, b))})"),
        wrong=(
            (
                rule("factorise-number-not-letter", "Takes out the common number but not the common letter"),
                lambda a, b: shown(f"{gcd(a, b)}({a // gcd(a, b)}x^{{2}} + {b // gcd(a, b)}x)"),
            ),
            (
                rule("factorise-letter-not-number", "Takes out the common letter but not the common number"),
                lambda a, b: shown(f"x({linear(a, b)})"),
            ),
            (
                rule("factorise-different-factors", "Takes a different factor out of each term"),
                lambda a, b: shown(f"{gcd(a, b)}x({linear(a // gcd(a, b), b)})"),
            ),
        ),
    ),
    Task(
        slug="difference-of-squares",
        construct="Factorise the difference of two squares",
        subject=FACTORISING,
        wordings=(
            r"Factorise \( x^{2} - <s> \)",
            r"Which of these is \( x^{2} - <s> \) in factorised form?",
        ),
        parameters="k s",
        draw=lambda r: (k := r.randint(2, 12), k * k),
        right=lambda k, s: shown(f"(x + {k})(x - {k})"),
        wrong=(
            (
                rule("squares-root-not-taken", "Puts the constant into both brackets without taking its root"),
                lambda k, s: shown(f"(x + {s})(x - {s})"),
            ),
            (
                rule("squares-same-sign", "Gives both brackets of a difference of squares one sign"),
                lambda k, s: shown(f"(x - {k})(x - {k})"),
            ),
            (
                rule("squares-single-bracket", "Takes the letter out of a difference of squares"),
                lambda k, s: shown(f"x(x - {s})"),
            ),
        ),
    ),
    Task(
        slug="factorise-without-constant",
        construct="Factorise quadratics without a constant term",
        subject=FACTORISING,
        wordings=(
            r"Factorise \( x^{2} + <b>x \)",
            r"Which of these is \( x^{2} + <b>x \) in factorised form?",
        ),
        parameters="b",
        draw=lambda r: (r.choice((4, 6, 8, 9, 10, 12, 14)),),
        right=lambda b: shown(f"x(x + {b})"),
        wrong=(
            (
                rule("no-constant-double-bracket", "Uses two brackets for a quadratic without a constant term"),
                lambda b: shown(f"(x + {b - 1})(x + 1)"),
            ),
            (
                rule("no-constant-no-factors", "Thinks that a quadratic without a constant term cannot be factorised"),
                lambda b: shown(r"\text{It cannot be factorised}"),
            ),
        ),
        slips=(lambda b: shown(f"x^{{2}}(1 + {b})"), lambda b: shown(f"x(x + {b}x)")),
    ),
    Task(
        slug="sum-of-squares",
        construct="Recognise what cannot be factorised",
        subject=FACTORISING,
        wordings=(
            r"Factorise \( x^{2} + <s> \), if possible.",
            r"Can \( x^{2} + <s> \) be factorised with whole numbers?",
        ),
        parameters="k s",
        draw=lambda r: (k := r.randint(2, 12), k * k),
        right=lambda k, s: shown(r"\text{It cannot be factorised}"),
        wrong=(
            (
                rule("sum-as-difference-of-squares", "Factorises a sum of squares like a difference"),
                lambda k, s: shown(f"(x + {k})(x - {k})"),
            ),
        ),
        slips=(lambda k, s: shown(f"(x + {k})(x + {k})"), lambda k, s: shown(f"x(x + {s})")),
    ),
    Task(
        slug="complete-the-square",
        construct="Complete the square",
        subject=QUADRATICS,
        wordings=(
            r"Write \( x^{2} + <b>x + <c> \) in the form \( (x + p)^{2} + q \).",
            r"Complete the square: \( x^{2} + <b>x + <c> \)",
        ),
        parameters="h b c",
        draw=lambda r: (h := r.randint(2, 7), 2 * h, h * h + r.choice((-1, 1)) * r.randint(1, 20)),
        keep=lambda h, b, c: c > 0 and c != h and c != b,
        right=lambda h, b, c: shown(f"(x + {h})^{{2}}{signed(c - h * h)}"),
        wrong=(
            (
                rule("square-keeps-coefficient", "Puts the whole coefficient of x into the bracket"),
                lambda h, b, c: shown(f"(x + {b})^{{2}}{signed(c - b * b)}"),
            ),
            (
                rule("square-keeps-constant", "Keeps the constant when completing the square"),
                lambda h, b, c: shown(f"(x + {h})^{{2}}{signed(c)}"),
            ),
            (
                rule("square-subtracts-half", "Takes the number in the bracket from the constant without squaring it"),
                lambda h, b, c: shown(f"(x + {h})^{{2}}{signed(c - h)}"),
            ),
            (
                rule("square-added-to-constant", "Adds the square to the constant when completing the square"),
                lambda h, b, c: shown(f"(x + {h})^{{2}}{signed(c + h * h)}"),
            ),
            (
                rule("square-forgets-constant", "Forgets the constant when completing the square"),
                lambda h, b, c: shown(f"(x + {h})^{{2}}{signed(-h * h)}"),
            ),
            (
                rule("square-doubles-coefficient", "Puts twice the coefficient of x into the bracket"),
                lambda h, b, c: shown(f"(x + {2 * b})^{{2}}{signed(c - 4 * b * b)}"),
            ),
        ),
    ),
    Task(
        slug="turning-point",
        construct="Find the turning point from the completed square",
        subject=QUADRATICS,
        wordings=(
            r"What are the coordinates of the turning point of \( y = (x + <p>)^{2} + <q> \) ?",
            r"A curve has the equation \( y = (x + <p>)^{2} + <q> \). Where is its turning point?",
        ),
        parameters="p q",
        draw=lambda r: (r.randint(2, 9), r.randint(2, 9)),
        keep=lambda p, q: p != q,
        right=lambda p, q: shown(f"(-{p}, {q})"),
        wrong=(
            (
                rule("turning-point-both-signs", "Changes both signs for the turning point"),
                lambda p, q: shown(f"(-{p}, -{q})"),
            ),
            (
                rule("turning-point-same-sign", "Gives the turning point the sign that stands in the bracket"),
                lambda p, q: shown(f"({p}, {q})"),
            ),
            (
                rule("turning-point-swapped", "Swaps the coordinates of the turning point"),
                lambda p, q: shown(f"({q}, -{p})"),
            ),
            (
                rule("turning-point-constant-sign", "Changes the sign of the constant for the turning point"),
                lambda p, q: shown(f"({p}, -{q})"),
            ),
        ),
    ),
    Task(
        slug="turning-point-of-shifted-square",
        construct="Find the turning point of a quadratic graph",
        subject=QUADRATICS,
        wordings=(
            r"What is the turning point of \( y = x^{2} + <c> \) ?",
            r"Where does the graph of \( y = x^{2} + <c> \) turn?",
        ),
        parameters="c",
        draw=lambda r: (r.randint(2, 12),),
        right=lambda c: shown(f"(0, {c})"),
        wrong=(
            (
                rule("shifted-square-left", "Moves the graph of a square to the left by an added constant"),
                lambda c: shown(f"(-{c}, 0)"),
            ),
            (
                rule("shifted-square-right", "Moves the graph of a square to the right by an added constant"),
                lambda c: shown(f"({c}, 0)"),
            ),
        ),
        slips=(lambda c: shown(f"(0, -{c})"), lambda c: shown("(0, 0)")),
    ),
)
