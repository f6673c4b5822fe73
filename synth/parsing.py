r"""A model's answer becomes a question, strictly: what is not exactly the asked form is rejected with a reason.

One liberty is taken, because models write LaTeX in JSON carelessly: a backslash that JSON does not know (`\(`, `\sqrt`)
is read as itself, and one that JSON takes for a control character (`\frac` for form feed, `\times` for a tab) is put
back. Nothing else is mended.
"""

from dataclasses import dataclass
from typing import Any

from core.records import LETTERS, Letter
from synth.ledger import Asked
from synth.reasons import EMPTY, MISSING, NO_LETTER, NOT_JSON, REFUSED, UNKNOWN, WRONG_TYPE
from synth.replies import ReplyError, is_refusal, load_json, read_text, restored_latex
from synth.verdicts import Verdict, rejected

_TEXTS = ("question", "rationale")
_OPTIONAL = ("subject", "construct")
_KEYS = ("subject", "construct", "question", "rationale", "answers", "correct", "misconception_answer")


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a model wrote, in the asked form; no rule has been checked yet.

    Attributes:
        subject: The topic, or None.
        construct: The skill that is tested, or None.
        question: The question; not blank.
        rationale: How the misconception leads to its answer; not blank.
        answers: A to D; none blank.
        correct: The letter of the correct answer.
        letter: The letter of the answer that the misconception leads to.
    """

    subject: str | None
    construct: str | None
    question: str
    rationale: str
    answers: tuple[str, str, str, str]
    correct: Letter
    letter: Letter


def parse_written(asked: Asked) -> Written | Verdict:
    """Return what a model wrote, or why it is not in the asked form.

    Thoughts in `<think>` tags before it and one code fence around it are taken off.

    Args:
        asked: The request and its answer.

    Returns:
        The question, or a rejection with one of `synth.reasons.ROW_REASONS["parse"]`.
    """
    try:
        text = read_text(asked)
    except ReplyError as error:
        return rejected(error.reason, detail=error.detail)
    try:
        value = load_json(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        reason = REFUSED if is_refusal(text) else NOT_JSON if text else EMPTY
        return rejected(reason, detail=text[:160])
    return _written(value)


def _written(value: dict[str, Any]) -> Written | Verdict:
    answers = value.get("answers")
    for where, known, held in (("", _KEYS, value), ("answers.", LETTERS, answers)):
        if not isinstance(held, dict):
            continue
        if unknown := [key for key in held if key not in known]:
            return rejected(UNKNOWN, detail=where + unknown[0][:40])
        if missing := [key for key in known if key not in held and key not in _OPTIONAL]:
            return rejected(MISSING, detail=where + missing[0])
    if not isinstance(answers, dict):
        return rejected(WRONG_TYPE, detail="answers")
    texts = {key: value.get(key) for key in (*_OPTIONAL, *_TEXTS)} | {f"answers.{k}": answers[k] for k in LETTERS}
    told: dict[str, str] = {}
    for key, found in texts.items():
        if found is None and key in _OPTIONAL:
            continue
        if not isinstance(found, str):
            return rejected(WRONG_TYPE, detail=key)
        told[key] = _mended(found)
        if not told[key] and key not in _OPTIONAL:
            return rejected(MISSING, detail=f"{key} is blank")
    letters: list[Letter] = []
    for key in ("correct", "misconception_answer"):
        found = next((letter for letter in LETTERS if value[key] == letter), None)
        if found is None:
            return rejected(NO_LETTER, detail=f"{key}: {str(value[key])[:40]}")
        letters.append(found)
    a, b, c, d = (told[f"answers.{letter}"] for letter in LETTERS)
    return Written(
        subject=told.get("subject") or None,
        construct=told.get("construct") or None,
        question=told["question"],
        rationale=told["rationale"],
        answers=(a, b, c, d),
        correct=letters[0],
        letter=letters[1],
    )


def _mended(text: str) -> str:
    """Put back the LaTeX commands that JSON's escapes have eaten; drop what no file can hold."""
    return restored_latex(text).encode("utf-8", errors="ignore").decode().replace("\x00", "").strip()
