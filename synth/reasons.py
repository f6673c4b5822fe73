"""Why an answer or a made row is left out: every reason, in one place for ledger, counts, help and tests.

A reason stands beside the check that found it (`rejected_by` and `reason` in the ledger of rows, `check: reason` in the
counts), so it does not name the check itself.
"""

from collections.abc import Mapping
from textwrap import fill

# Any answer of a model.
FAILED = "request failed"
REFUSED = "refused"
CUT_OFF = "answer cut off"
EMPTY = "empty answer"
NOT_PARSED = "answer not parsed"
TOO_SHORT = "too short"
TOO_LONG = "too long"

# A written question: its form.
NOT_JSON = "not JSON"
MISSING = "missing field"
UNKNOWN = "unknown field"
WRONG_TYPE = "field of the wrong type"
NO_LETTER = "no letter A to D"

# Its rules.
SAME_LETTER = "misconception leads to the correct answer"
EQUAL_ANSWERS = "equal answers"
LEAKED = "answer leaked in the question"
NAMED = "misconception named in the question"
PICTURE = "needs a picture"
OPTIONS = "answers repeated in the question"
BROKEN_LATEX = "broken LaTeX"
LANGUAGE = "wrong language"

# Its checks.
WRONG = "the stated answer is wrong"
TWO_RIGHT = "two answers are right"
SHOWN = "a held-out question was shown as an example"
HELD_OUT_TEXT = "the text of a held-out question"
HELD_OUT_WORDS = "many words in a row of a held-out question"
HELD_OUT_NEAR = "near a held-out question"
SOLVED_OTHERWISE = "solved otherwise"
MISLED_OTHERWISE = "the misconception leads elsewhere"
BELOW = "judged below the threshold"
EXACT = "exact"
NORMALISED = "but for form"
NEAR = "near"
OF_TRAINING = " (training)"
"""Put behind the three before it where the other is a training question."""

# Hints and explanations.
REPEATS = "repeats itself"
SAYS_NOTHING = "repeats the name only"

_UNREAD = (FAILED, REFUSED, CUT_OFF)
ROW_REASONS: Mapping[str, tuple[str, ...]] = {
    "parse": (*_UNREAD, NOT_JSON, EMPTY, MISSING, UNKNOWN, WRONG_TYPE, NO_LETTER),
    "rules": (SAME_LETTER, EQUAL_ANSWERS, LEAKED, NAMED, PICTURE, OPTIONS, BROKEN_LATEX, TOO_LONG, LANGUAGE),
    "arithmetic": (WRONG, TWO_RIGHT),
    "leak": (SHOWN, HELD_OUT_TEXT, HELD_OUT_WORDS, HELD_OUT_NEAR),
    "solve": (*_UNREAD, NOT_PARSED, SOLVED_OTHERWISE),
    "solve-under": (*_UNREAD, NOT_PARSED, MISLED_OTHERWISE),
    "judge": (*_UNREAD, NOT_PARSED, BELOW),
    "duplicate": tuple(kind + of for kind in (EXACT, NORMALISED, NEAR) for of in ("", OF_TRAINING)),
}
"""Check -> reasons for which it rejects a made row; the checks in the order in which a row passes them."""

HINT_REASONS = (*_UNREAD, EMPTY, NOT_PARSED, TOO_SHORT, TOO_LONG, REPEATS)
EXPLANATION_REASONS = (*_UNREAD, NOT_PARSED, TOO_SHORT, TOO_LONG, SAYS_NOTHING)


def row_reasons_text() -> str:
    """Return the reasons of each check as lines for a terminal."""
    lines = [
        fill("; ".join(reasons), 100, initial_indent=f"  {check:<12}", subsequent_indent=" " * 14)
        for check, reasons in ROW_REASONS.items()
    ]
    return "\n".join(lines)


def counted(check: str, reason: str | None) -> str:
    """Return the name under which a rejection is counted."""
    return f"{check}: {reason}"
