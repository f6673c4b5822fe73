"""Rules that a written question must keep, whatever a model says of it: each has its own reason, so that it is counted.

How often each rule would reject the 1,495 real Eedi questions is told beside it: that is its price.
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import gcd

from core.records import LETTERS, Misconception
from core.text import normalise
from synth.languages import other_language
from synth.parsing import Written
from synth.reasons import (
    BROKEN_LATEX,
    EQUAL_ANSWERS,
    LANGUAGE,
    LEAKED,
    NAMED,
    OPTIONS,
    PICTURE,
    SAME_LETTER,
    TOO_LONG,
)
from synth.verdicts import Verdict, passed, rejected

LONGEST_QUESTION = 1500
LONGEST_ANSWER = 400
_PICTURE = re.compile(
    r"!\[|\b(?:diagram|picture|image|drawing|(?<!significant )figure|photo)\b|"
    r"\b(?:shape|graph|triangle|rectangle|angle|chart)s? (?:shown|below|above|drawn)\b",
    re.IGNORECASE,
)
_ESCAPED_BRACE = re.compile(r"\\[{}]")
_OPTION = re.compile(r"(?m)(?:^|\s)\(?([A-D])[).:]\s")
_GIVEAWAY = re.compile(r"\b(?:correct|right) answer is\b|\(correct\)|✓|✔|\bmisconception\b", re.IGNORECASE)
_ROUNDING = re.compile(r"\b(?:round|significant|decimal place|nearest|estimate)", re.IGNORECASE)
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}|(-?)(\d+)/(\d+)")


def check_rules(written: Written, misconception: Misconception, *, language: str | None) -> Verdict:
    """Return whether a written question keeps every rule; the first that is broken is told.

    Args:
        written: The question.
        misconception: What it was written for.
        language: One of `synth.languages.LANGUAGES`; None does not check it.
    """
    rules: tuple[Callable[[Written], Verdict | None], ...] = (
        _letters,
        _lengths,
        _latex,
        _equal,
        _leak,
        _options,
        _picture,
    )
    for rule in rules:
        found = rule(written)
        if found is not None:
            return found
    name = normalise(misconception.name).rstrip(".")
    if name in normalise(written.question):
        return rejected(NAMED)
    told = other_language(written.question, language) if language is not None else None
    return rejected(LANGUAGE, detail=told) if told else passed()


def _letters(written: Written) -> Verdict | None:
    return rejected(SAME_LETTER, detail=written.letter) if written.letter == written.correct else None


def _lengths(written: Written) -> Verdict | None:
    """0 % of the real questions, 0.5 % for their answers."""
    if len(written.question) > LONGEST_QUESTION:
        return rejected(TOO_LONG, detail=f"question: {len(written.question)} characters")
    longest = max(map(len, written.answers))
    return rejected(TOO_LONG, detail=f"answer: {longest} characters") if longest > LONGEST_ANSWER else None


def _latex(written: Written) -> Verdict | None:
    for text in (_ESCAPED_BRACE.sub("", text) for text in (written.question, *written.answers)):
        for one, two in (("\\(", "\\)"), ("\\[", "\\]"), ("{", "}")):
            if text.count(one) != text.count(two):
                return rejected(BROKEN_LATEX, detail=f"{one} without {two}: {text[:60]}")
    return None


def _equal(written: Written) -> Verdict | None:
    # 0.5 and 0.50 are one number, and two answers where rounding is the point.
    as_text = _ROUNDING.search(written.question) is not None
    values = [_bare(answer) if as_text else answer_value(answer) for answer in written.answers]
    for place, value in enumerate(values):
        if value in values[:place]:
            other = LETTERS[values.index(value)]
            return rejected(EQUAL_ANSWERS, detail=f"{other} and {LETTERS[place]}: {written.answers[place][:60]}")
    return None


def _leak(written: Written) -> Verdict | None:
    correct = written.answers[LETTERS.index(written.correct)]
    if told := _GIVEAWAY.search(written.question):
        return rejected(LEAKED, detail=told.group())
    bare, text = _bare(correct), normalise(written.question)
    said = re.search(rf"(?:=|\banswer(?: is|:)?)\s*(?:\\\()?\s*{re.escape(bare)}(?![\w.{{}}^/+*-])", text)
    if said and not any(_holds(text, other) for other in written.answers if other != correct):
        return rejected(LEAKED, detail=said.group()[:60])
    if len(bare.split()) >= 4 and _holds(text, correct) and sum(_holds(text, a) for a in written.answers) == 1:
        return rejected(LEAKED, detail=bare[:60])
    return None


def _options(written: Written) -> Verdict | None:
    letters = _OPTION.findall(written.question)
    return rejected(OPTIONS, detail="".join(letters)) if set(letters) >= set("ABC") else None


def _picture(written: Written) -> Verdict | None:
    """35 % of the real questions, which have their pictures described."""
    told = picture_in(written.question, written.answers)
    return rejected(PICTURE, detail=told) if told else None


def picture_in(text: str, answers: Sequence[str] = ()) -> str | None:
    """Return the words of a question that speak of a picture, or the mark of one among its answers, or None."""
    told = _PICTURE.search(text)
    if told is None and any("![" in answer for answer in answers):
        return "an answer is a picture"
    return told.group() if told else None


def _bare(text: str) -> str:
    """Return a normalised text without the marks of maths around it."""
    return re.sub(r"^\s*\\\(\s*|\s*\\\)\s*$", "", normalise(text)).strip()


def _holds(text: str, answer: str) -> bool:
    bare = _bare(answer)
    return bool(bare) and re.search(rf"(?<![\w.\\{{}}]){re.escape(bare)}(?![\w.{{}}])", text) is not None


def answer_value(text: str) -> str | Fraction:
    """Return what an answer is worth where it is a plain number, else its normalised text: equal values are one answer.

    A fraction that is not cancelled is its own answer: `2/4` beside `1/2` can be the point of a question. A cancelled
    one is the number that it is: `1/2` and `0.5` are one answer (no real question has both).
    """
    bare = _bare(text)
    if found := _FRACTION.fullmatch(bare):
        sign, top, bottom = found.group(1, 2, 3) if found.group(3) else found.group(4, 5, 6)
        cancelled = int(bottom) > 1 and gcd(int(top), int(bottom)) == 1
        return Fraction(f"{sign or ''}{top}/{bottom}") if cancelled else f"{sign or ''}{int(top)}/{int(bottom)}"
    try:
        return Fraction(bare.replace(",", "") if _THOUSANDS.fullmatch(bare) else bare) if "/" not in bare else bare
    except ValueError:
        return bare
