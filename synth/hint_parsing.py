"""What a language model answered becomes a hint, or is rejected for a stated reason.

Nothing is mended but LaTeX whose backslashes are not doubled (`synth.replies`).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.hint_table import Hint
from synth.reasons import EMPTY, NOT_PARSED, REFUSED, REPEATS, TOO_LONG, TOO_SHORT
from synth.replies import is_refusal, load_json, object_schema, restored_latex
from synth.verdicts import Verdict, rejected

Form = Literal["plain", "json"]
"""`plain`: the whole answer is the hint; `json`: an object with the texts `reasoning` and `hint`, in this order."""

SCHEMA: Mapping[str, Any] = object_schema(reasoning={"type": "string"}, hint={"type": "string"})
_REPEATED = 3
_SENTENCE = re.compile(r"[^.!?\n]+")
_LEAST_SENTENCE = 12
"""Shorter stretches (`1`, `x = 2`) come again in sound texts."""


@dataclass(frozen=True, kw_only=True)
class HintLimits:
    """Lengths that a hint must keep, in characters.

    Attributes:
        shortest: Of the hint, at least 1.
        longest: Of the hint.
        longest_reasoning: Of the reasoning.

    Raises:
        ValueError: A limit is out of range.
    """

    shortest: int = 20
    longest: int = 800
    longest_reasoning: int = 4000

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest or self.longest_reasoning < 1:
            raise ValueError(
                f"expected 1 <= shortest <= longest and longest_reasoning of at least 1; got {self.shortest}, "
                f"{self.longest}, {self.longest_reasoning}"
            )


def parse_hint(text: str, *, form: Form, limits: HintLimits) -> Hint | Verdict:
    """Return the hint in an answer that came to its end, or why there is none.

    Args:
        text: The answer, without thoughts (`synth.replies.read_text`).
        form: What was asked for.
        limits: Lengths.

    Returns:
        The hint, white space at its ends taken off; else a rejection with one of `synth.reasons.HINT_REASONS`.
    """
    stripped = text.strip()
    if not stripped:
        return rejected(EMPTY)
    if is_refusal(stripped):
        return rejected(REFUSED, detail=stripped[:120])
    found = Hint(hint=stripped) if form == "plain" else _from_json(stripped)
    return found if isinstance(found, Verdict) else _checked(found, limits)


def answer_text(hint: Hint, form: Form) -> str:
    """Return a hint as a model should write it: what `parse_hint` reads back.

    Raises:
        ValueError: The form is `json` and the hint has no reasoning.
    """
    if form == "plain":
        return hint.hint.strip()
    if hint.reasoning is None:
        raise ValueError("form json: expected a hint with its reasoning, got one without")
    return json.dumps({"reasoning": hint.reasoning.strip(), "hint": hint.hint.strip()}, ensure_ascii=False)


def first_paragraph(hint: Hint) -> Hint:
    """Return the hint without what follows its first blank line, and without a bracket that was never opened.

    Teachers that were told to stop at a mark trail off into a solution behind it (28 % of the real hints).
    """
    text = re.split(r"\n[ \t]*\n", hint.hint.strip(), maxsplit=1)[0].rstrip()
    if text.endswith("]") and "[" not in text:
        text = text[:-1].rstrip()
    return replace(hint, hint=text) if text else hint


def _from_json(text: str) -> Hint | Verdict:
    try:
        value = load_json(text)
    except (ValueError, RecursionError) as error:
        return rejected(NOT_PARSED, detail=f"{error}: {text[:80]!r}")
    if not isinstance(value, dict) or set(value) != {"reasoning", "hint"}:
        keys = sorted(value) if isinstance(value, dict) else type(value).__name__
        return rejected(NOT_PARSED, detail=f"expected reasoning and hint, came {keys}")
    hint, reasoning = value["hint"], value["reasoning"]
    if not isinstance(hint, str) or not isinstance(reasoning, str):
        return rejected(NOT_PARSED, detail="expected two texts")
    hint, reasoning = restored_latex(hint), restored_latex(reasoning)
    if not hint.strip():
        return rejected(EMPTY)
    if is_refusal(hint):
        return rejected(REFUSED, detail=hint[:120])
    return Hint(hint=hint.strip(), reasoning=reasoning.strip() or None)


def _checked(found: Hint, limits: HintLimits) -> Hint | Verdict:
    size, reasoning = len(found.hint), len(found.reasoning or "")
    if size < limits.shortest:
        return rejected(TOO_SHORT, detail=f"{size} characters, at least {limits.shortest}: {found.hint!r}")
    if size > limits.longest or reasoning > limits.longest_reasoning:
        return rejected(TOO_LONG, detail=f"hint {size}, reasoning {reasoning} characters")
    if again := _repeated(found.hint):
        return rejected(REPEATS, detail=again[:120])
    return found


def _repeated(text: str) -> str | None:
    """Return a sentence that stands there three times or more: small models run in circles."""
    seen: dict[str, int] = {}
    for match in _SENTENCE.finditer(text):
        sentence = " ".join(match[0].casefold().split())
        if len(sentence) >= _LEAST_SENTENCE:
            seen[sentence] = seen.get(sentence, 0) + 1
            if seen[sentence] == _REPEATED:
                return sentence
    return None
