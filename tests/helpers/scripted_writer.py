"""A chat writer that answers by a script: for each reason that a row can be rejected for, and for what engines do."""

import json
import math
from collections.abc import Callable

from core.language_model import Generation

Told = str | Exception | Generation


def made(text: str, *, reason: str = "stop", error: str | None = None) -> Generation:
    return Generation(text=text, finish_reason=reason, prompt_tokens=10, output_tokens=len(text) // 4, error=error)


def failed(error: str) -> Generation:
    return made("", reason="error", error=error)


def question(number: int = 0, **changes) -> str:
    """A good row as a model writes it: adds the bottoms of two fractions."""
    told = {
        "subject": "Fractions",
        "construct": "Add fractions",
        "question": f"What is the sum of \\( \\frac{{1}}{{{number + 3}}} \\) and \\( \\frac{{1}}{{{number + 5}}} \\)?",
        "rationale": "The denominators are added.",
        "answers": {
            "A": f"\\( \\frac{{1}}{{{2 * number + 8}}} \\)",
            "B": f"\\( \\frac{{{2 * number + 8}}}{{{(number + 3) * (number + 5)}}} \\)",
            "C": f"\\( \\frac{{2}}{{{2 * number + 8}}} \\)",
            "D": f"\\( {number + 1} \\)",
        },
        "correct": "B",
        "misconception_answer": "C",
    }
    return json.dumps({key: value for key, value in {**told, **changes}.items() if value is not ...})


class ScriptedWriter:
    """Answers each chat by a function of it; keeps what it was asked."""

    def __init__(self, answer: Callable[[list], str | Generation]) -> None:
        self.answer = answer
        self.asked: list = []
        self.calls: list[dict] = []

    def write(self, chats, *, max_tokens, temperature, seed, schema):
        self.calls.append(
            {"chats": len(chats), "max_tokens": max_tokens, "temperature": temperature, "seed": seed, "schema": schema}
        )
        found = []
        for chat in chats:
            self.asked.append(list(chat))
            told = self.answer(list(chat))
            found.append(told if isinstance(told, Generation) else made(told))
        return found

    def count_tokens(self, text: str) -> int:
        return math.ceil(len(text) / 4)


def in_turn(*answers):
    """Return a writer that gives these answers in turn, then the last one."""
    left = list(answers)
    return ScriptedWriter(lambda _: left.pop(0) if len(left) > 1 else left[0])
