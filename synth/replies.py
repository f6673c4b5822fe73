"""Read what a language model answered, strictly: one JSON object with the fields asked for, or a reason why not."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from core.chat_writer import DECLINED
from synth.ledger import Asked
from synth.reasons import CUT_OFF, FAILED, NOT_PARSED, REFUSED

_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL)
_ESCAPE = re.compile(r'\\(\\|"|/|[bfnrt]|u[0-9a-fA-F]{4})|\\')
_T_NAMES = "imes|ext[a-z]*|an|anh|heta|au|o|riangle[a-z]*|frac|herefore|ilde|iny|hinspace|hickspace"
_EATEN = {  # the control characters that JSON makes of LaTeX, where what is left of a command's name stands behind them
    r"\\b": re.compile(r"\x08(?=[a-zA-Z])"),
    r"\\f": re.compile(r"\f(?=[a-zA-Z])"),
    r"\\r": re.compile(r"\r(?=[a-zA-Z])"),
    r"\\t": re.compile(rf"\t(?=(?:{_T_NAMES})(?![A-Za-z]))"),
    r"\\n": re.compile(r"\n(?=(?:eq|abla|otin|leq|geq)(?![A-Za-z])|ot\\[a-z])"),
}
_REFUSAL = re.compile(
    r"^\W*(?:(?:i['’]?m|i am) (?:really |very |so )?(?:sorry|unable|not able)|sorry\b|apologies\b"
    r"|i (?:can['’]?t|cannot|can ?not|won['’]?t|will not|must decline)|as an ai\b|unfortunately,? i\b)",
    re.IGNORECASE,
)


class ReplyError(ValueError):
    """An answer that cannot be used.

    Attributes:
        reason: One of `synth.reasons`, to be counted.
        detail: What came.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an object that has all of these properties, in this order, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_object(asked: Asked, fields: Collection[str]) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Thoughts in `<think>` tags and one code fence around the object go, and a backslash that JSON does not know is read
    as itself; nothing else is mended, and nothing may stand beside the object.

    Args:
        asked: A request and its answer.
        fields: The keys that the object must have, no more and no fewer.

    Raises:
        ReplyError: The request failed, the answer was cut off, is a refusal, or is not such an object.
    """
    text = read_text(asked)
    try:
        value = load_json(text)
    except (ValueError, RecursionError) as error:
        if _REFUSAL.match(text):
            raise ReplyError(REFUSED, _short(text)) from error
        raise ReplyError(NOT_PARSED, f"{error}: {_short(text)}") from error
    if not isinstance(value, dict) or set(value) != set(fields):
        raise ReplyError(NOT_PARSED, f"expected an object with {', '.join(fields)}: {_short(text)}")
    return value


def read_text(asked: Asked) -> str:
    """Return the text of an answer without its thoughts.

    Raises:
        ReplyError: The request failed, the endpoint told of a refusal, or the answer was cut off.
    """
    if asked.error is not None:
        raise ReplyError(REFUSED if asked.error.startswith(DECLINED) else FAILED, _short(asked.error))
    text = _THOUGHT.sub("", asked.text)
    # Some chat templates open the thoughts themselves: the answer then holds only their end.
    text = text.rpartition("</think>")[2].strip()
    if asked.finish_reason == "length" or "<think>" in text:
        raise ReplyError(CUT_OFF, f"after {asked.output_tokens} tokens: {_short(text)}")
    return text


def is_refusal(text: str) -> bool:
    """Return whether a text begins as models begin when they decline."""
    return bool(_REFUSAL.match(text))


def load_json(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    r"""Return what a text without thoughts holds, a fence around it or not; a lone `\(` is read as itself.

    Raises:
        ValueError: It is no JSON, or a key stands twice in an object.
        RecursionError: It is nested too deeply.
    """
    fenced = _FENCED.fullmatch(text)
    text = fenced[1] if fenced else text
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except json.JSONDecodeError:
        # Models write LaTeX (`\\(`) into strings without doubling the backslash.
        mended = _ESCAPE.sub(lambda found: found[0] if found[1] else r"\\", text)
        return json.loads(mended, object_pairs_hook=_distinct, parse_constant=_no_constant)


def restored_latex(text: str) -> str:
    r"""Put back the LaTeX commands that JSON's escapes have eaten: `\frac` is a valid escape with `rac` behind it.

    A tab or a line break stays one where no command's name follows.

    Args:
        text: A text out of a JSON object that a model wrote.
    """
    for command, eaten in _EATEN.items():
        text = eaten.sub(command, text)
    return text


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:  # noqa: ANN401 - as json asks for it
    raise ValueError(f"{name} is no JSON")


def _short(text: str, longest: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest]}…"
