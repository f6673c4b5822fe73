r"""Questions whose right answer a computer algebra system can find: is it the one that is stated, and the only one?

Checked is only what is understood for sure: "Work out \( 3 + 4 \times 2 \)", "Simplify …", "Expand …", "Solve …", a
percentage of a number. A question in words, one that asks for rounding or an estimate, or an answer with a unit is left
to the other checks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.records import LETTERS, Letter, Question
from synth.formula import Formula, FormulaError, bounded, read_formula
from synth.reasons import TWO_RIGHT, WRONG
from synth.verdicts import Verdict, passed, rejected

_MATHS = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]|\$\$(.+?)\$\$", re.DOTALL)
_ASKED = r"(?:calculate|work out|evaluate|compute|find|what is)"
_VALUE = re.compile(rf"(?:{_ASKED}(?: the (?:value|answer|result) (?:of|to))? ?:? ?)?# ?=? ?\??")
_PART = re.compile(rf"(?:{_ASKED} )?# of # ?=? ?\??")
_FORM = re.compile(
    r"(?:fully )?(?:simplify|expand|factorise|multiply out)(?: fully| completely)?(?: and (?:fully )?simplify)?"
    r"(?: the following)?(?: expression| fraction)?,?(?: if possible)? ?:? ?#"
)
_SOLVE = re.compile(r"(?:solve(?: the equation| for [a-z])?|what is the solution (?:of|to)(?: the equation)?) ?:? ?#")
_FORM_ASKED = re.compile(r"[.,]? (?:give|leave|write) your answer (?:as|in) [a-z ]+$")
_ROUNDED = ("round", "nearest", "place", "significant", "estimate", "percentage")
_OPEN = re.compile(r"\s*=\s*(?:\?|\\square|\\ldots|\\dots|_+)?\s*$")
_CHOICE = re.compile(r"\s*(?:,|\bor\b|\band\b)\s*")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a question asks, as far as it can be computed.

    Attributes:
        value: The right answer, or for an equation left side minus right side.
        is_equation: The answers are solutions.
        by_form: Answers of equal value may differ in form (simplify, expand), so that two may be equal.
    """

    value: Formula
    is_equation: bool = False
    by_form: bool = False


def arithmetic_verdict(question: Question) -> Verdict | None:
    """Return whether the stated answer of a question is right, and no other is; None where that cannot be computed.

    Args:
        question: The question; its labels are not looked at.

    Raises:
        InputError: sympy is not installed.
    """
    task = read_task(question.text)
    if task is None:
        return None
    right = {letter: _is_right(task, answer) for letter, answer in zip(LETTERS, question.answers, strict=True)}
    stated = right[question.correct]
    if stated is None:
        return None
    if not stated:
        told = f"{question.correct} says {question.answer(question.correct)}; sympy: {_told(task)}"
        return rejected(WRONG, detail=told)
    also: list[Letter] = [letter for letter in LETTERS if letter != question.correct and right[letter]]
    if also and not task.by_form:
        return rejected(TWO_RIGHT, detail=f"{question.correct} and {', '.join(also)}; sympy: {_told(task)}")
    return passed(detail=f"sympy: {_told(task)}")


def read_task(text: str) -> Task | None:
    """Return what a question asks, or None where it is not understood for sure."""
    formulas = [next(group for group in found.groups() if group) for found in _MATHS.finditer(text)]
    words = " ".join(_MATHS.sub(" # ", text).casefold().split()).rstrip(" .?!")
    if any(word in words for word in _ROUNDED):
        return None
    asked = _FORM_ASKED.sub("", words)
    try:
        task = _task(asked, formulas)
    except FormulaError:
        return None
    return replace(task, by_form=True) if task is not None and asked != words else task


def _task(words: str, formulas: Sequence[str]) -> Task | None:
    if _PART.fullmatch(words) and len(formulas) == 2:  # a bare # in the text is no formula
        whole, of = (_OPEN.sub("", formula) for formula in formulas)
        return _one_value(bounded(read_formula(whole) * read_formula(of)))
    if len(formulas) != 1:
        return None
    if _SOLVE.fullmatch(words):
        return _equation(formulas[0])
    latex = _OPEN.sub("", formulas[0])
    if _FORM.fullmatch(words):
        return Task(value=read_formula(latex), by_form=True)
    if _VALUE.fullmatch(words):
        return _one_value(read_formula(latex))
    return None


def _one_value(value: Formula) -> Task:
    return Task(value=value, by_form=bool(value.free_symbols))


def _equation(latex: str) -> Task | None:
    left, equals, right = latex.partition("=")
    if not equals or "=" in right:
        return None
    import sympy

    difference = sympy.expand(bounded(read_formula(left) - read_formula(right)))
    if len(difference.free_symbols) != 1 or not difference.is_polynomial() or sympy.degree(difference) > 4:
        return None
    if not all(
        coefficient.is_Rational for coefficient in sympy.Poly(difference, *difference.free_symbols).all_coeffs()
    ):
        return None  # sympy does not isolate the roots of a polynomial with surds in it
    return Task(value=difference, is_equation=True)


def _is_right(task: Task, answer: str) -> bool | None:
    """Return whether an answer is right, or None where it cannot be read."""
    try:
        bare = _bare(answer)
        if task.is_equation:
            return _solves(task.value, bare)
        return _equal(task.value, read_formula(bare))
    except FormulaError:
        return None


def _bare(answer: str) -> str:
    r"""Return an answer without `\(` and `\)`, several of them joined by `or`; other words are no formula."""
    words = _CHOICE.sub(" ", _MATHS.sub(" ", answer))
    if re.search(r"[a-zA-Z]{2}", words):
        raise FormulaError(f"an answer with words: {answer!r}")
    return _MATHS.sub(lambda found: next(group for group in found.groups() if group), answer).strip().rstrip(".")


def _solves(difference: Formula, answer: str) -> bool:
    """Return whether an answer such as `x = 3` or `x = 2 or x = -2` names all real solutions and nothing else."""
    import sympy

    symbol = next(iter(difference.free_symbols))
    named = []
    for part in _CHOICE.split(answer):
        value = read_formula(re.sub(rf"^\s*{symbol}\s*=", "", part))
        if value.free_symbols:
            raise FormulaError("a solution with a letter in it")
        named.append(value)
    solutions = set(sympy.real_roots(difference))
    if not all(any(_equal(value, solution) for value in named) for solution in solutions):
        return False
    return all(_equal(difference.subs(symbol, value), sympy.Integer(0)) for value in named)


def _equal(one: Formula, other: Formula) -> bool:
    import sympy

    difference = bounded(one - other)
    return bool((sympy.cancel if difference.free_symbols else sympy.simplify)(difference) == 0)


def _told(task: Task) -> str:
    import sympy

    if task.is_equation:
        return ", ".join(map(str, sorted(sympy.real_roots(task.value)))) or "no real solution"
    return str(sympy.expand(task.value))
