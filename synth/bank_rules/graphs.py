"""Translations and reflections of graphs."""

from synth.answers import pair
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

GRAPHS = "Transformations of graphs"

TASKS = (
    Task(
        slug="graph-shift-up",
        construct="Translate graphs vertically",
        subject=GRAPHS,
        wordings=(
            r"\( (<p>, <q>) \) lies on \( y = f(x) \). Which point lies on \( y = f(x) + <a> \) ?",
            r"The graph of \( y = f(x) \) has the point \( (<p>, <q>) \). Where does this point go on "
            r"\( y = f(x) + <a> \) ?",
        ),
        parameters="p q a",
        draw=lambda r: (r.randint(1, 9), r.randint(1, 9), r.randint(2, 9)),
        keep=lambda p, q, a: p != q and a not in (p, q),
        right=lambda p, q, a: pair(p, q + a),
        wrong=(
            (
                rule("outside-plus-moves-right", "Moves a graph to the right for a constant added outside"),
                lambda p, q, a: pair(p + a, q),
            ),
        ),
        slips=(lambda p, q, a: pair(p - a, q), lambda p, q, a: pair(p, q - a), lambda p, q, a: pair(p, q * a)),
    ),
    Task(
        slug="graph-shift-down",
        construct="Translate graphs vertically",
        subject=GRAPHS,
        wordings=(
            r"\( (<p>, <q>) \) lies on \( y = f(x) \). Which point lies on \( y = f(x) - <a> \) ?",
            r"The graph of \( y = f(x) \) has the point \( (<p>, <q>) \). Where does this point go on "
            r"\( y = f(x) - <a> \) ?",
        ),
        parameters="p q a",
        draw=lambda r: (r.randint(1, 9), r.randint(1, 9), r.randint(2, 9)),
        keep=lambda p, q, a: p != q and a not in (p, q),
        right=lambda p, q, a: pair(p, q - a),
        wrong=(
            (
                rule("outside-minus-moves-right", "Moves a graph to the right for a constant subtracted outside"),
                lambda p, q, a: pair(p + a, q),
            ),
            (
                rule("outside-minus-moves-up", "Moves a graph up for a constant subtracted outside"),
                lambda p, q, a: pair(p, q + a),
            ),
        ),
        slips=(lambda p, q, a: pair(p - a, q), lambda p, q, a: pair(p, q * a)),
    ),
    Task(
        slug="graph-shift-left",
        construct="Translate graphs horizontally",
        subject=GRAPHS,
        wordings=(
            r"\( (<p>, <q>) \) lies on \( y = f(x) \). Which point lies on \( y = f(x + <a>) \) ?",
            r"The graph of \( y = f(x) \) has the point \( (<p>, <q>) \). Where does this point go on "
            r"\( y = f(x + <a>) \) ?",
        ),
        parameters="p q a",
        draw=lambda r: (r.randint(1, 9), r.randint(1, 9), r.randint(2, 9)),
        keep=lambda p, q, a: p != q and a not in (p, q),
        right=lambda p, q, a: pair(p - a, q),
        wrong=(
            (
                rule("inside-plus-moves-up", "Moves a graph up for a constant added inside"),
                lambda p, q, a: pair(p, q + a),
            ),
            (
                rule("inside-plus-moves-right", "Moves a graph to the right for a constant added inside"),
                lambda p, q, a: pair(p + a, q),
            ),
        ),
        slips=(lambda p, q, a: pair(p, q - a), lambda p, q, a: pair(p * a, q)),
    ),
    Task(
        slug="graph-shift-right",
        construct="Translate graphs horizontally",
        subject=GRAPHS,
        wordings=(
            r"\( (<p>, <q>) \) lies on \( y = f(x) \). Which point lies on \( y = f(x - <a>) \) ?",
            r"The graph of \( y = f(x) \) has the point \( (<p>, <q>) \). Where does this point go on "
            r"\( y = f(x - <a>) \) ?",
        ),
        parameters="p q a",
        draw=lambda r: (r.randint(1, 9), r.randint(1, 9), r.randint(2, 9)),
        keep=lambda p, q, a: p != q and a not in (p, q),
        right=lambda p, q, a: pair(p + a, q),
        wrong=(
            (
                rule("inside-minus-moves-up", "Moves a graph up for a constant subtracted inside"),
                lambda p, q, a: pair(p, q + a),
            ),
            (
                rule("inside-minus-moves-down", "Moves a graph down for a constant subtracted inside"),
                lambda p, q, a: pair(p, q - a),
            ),
        ),
        slips=(lambda p, q, a: pair(p - a, q), lambda p, q, a: pair(p * a, q)),
    ),
    Task(
        slug="graph-negated",
        construct="Reflect graphs",
        subject=GRAPHS,
        wordings=(
            r"\( (<p>, <q>) \) lies on \( y = f(x) \). Which point lies on \( y = -f(x) \) ?",
            r"The graph of \( y = f(x) \) has the point \( (<p>, <q>) \). Where does this point go on "
            r"\( y = -f(x) \) ?",
        ),
        parameters="p q",
        draw=lambda r: (r.randint(1, 12), r.randint(1, 12)),
        keep=lambda p, q: p != q,
        right=lambda p, q: pair(p, -q),
        wrong=(
            (
                rule("minus-outside-across", "Reflects in the y-axis for a minus before the function"),
                lambda p, q: pair(-p, q),
            ),
            (
                rule("minus-outside-diagonal", "Reflects in y = x for a minus before the function"),
                lambda p, q: pair(q, p),
            ),
            (
                rule("minus-outside-falling-diagonal", "Reflects in y = -x for a minus before the function"),
                lambda p, q: pair(-q, -p),
            ),
        ),
    ),
    Task(
        slug="graph-of-negated-argument",
        construct="Reflect graphs",
        subject=GRAPHS,
        wordings=(
            r"\( (<p>, <q>) \) lies on \( y = f(x) \). Which point lies on \( y = f(-x) \) ?",
            r"The graph of \( y = f(x) \) has the point \( (<p>, <q>) \). Where does this point go on "
            r"\( y = f(-x) \) ?",
        ),
        parameters="p q",
        draw=lambda r: (r.randint(1, 12), r.randint(1, 12)),
        keep=lambda p, q: p != q,
        right=lambda p, q: pair(-p, q),
        wrong=(
            (rule("minus-inside-upside-down", "Reflects in the x-axis for a minus before x"), lambda p, q: pair(p, -q)),
            (rule("minus-inside-diagonal", "Reflects in y = x for a minus before x"), lambda p, q: pair(q, p)),
            (
                rule("minus-inside-falling-diagonal", "Reflects in y = -x for a minus before x"),
                lambda p, q: pair(-q, -p),
            ),
        ),
    ),
)
