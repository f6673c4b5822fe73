"""The prompt that asks why a student would give a wrong answer. It is made of the question alone: no label, no bank."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.artifacts import content_hash
from core.chat_writer import ChatMessage
from core.errors import ConfigError, did_you_mean
from core.records import LETTERS, Query
from synth.hint_parsing import Form

FIELDS = ("construct", "subject", "question", "correct", "incorrect", "answers")
"""What a template may show; `answers` are all four with their letters. There is no field for a label."""

_ROLE = "You are an experienced mathematics teacher who knows how wrong answers come about."
_QUESTION = """\
Skill: {construct}
Topic: {subject}
Question: {question}
Correct answer: {correct}
A student's answer: {incorrect}
"""
_PLAIN_TASK = """
What does this student seem to believe, or to do wrong? Name the mathematical idea in one or two sentences, without \
solving the question and without talking to the student."""
_JSON_TASK = """
Find out how the student's answer came about. Reply with a JSON object that holds two texts:
"reasoning": the steps that lead to this very answer, in at most 120 words;
"hint": what the student seems to believe or to do wrong, naming the mathematical idea, in one or two sentences."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_]+)\}")
_SECTION = re.compile(r"^\[([^\]\n]*)\][ \t]*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class HintPrompt:
    """A template of the prompt.

    Placeholders are `{name}` with a name of `FIELDS`; `{{` and `}}` are plain braces. A line that shows a field which a
    question lacks (skill and topic may be missing) is left out.

    Attributes:
        system: The system message; empty: none.
        user: The user's message; shows at least the question and the wrong answer.

    Raises:
        ConfigError: A placeholder is unknown, or question or wrong answer are not shown; lists every fault.
    """

    system: str
    user: str

    def __post_init__(self) -> None:
        shown = [match for text in (self.system, self.user) for match in _PLACEHOLDER.findall(text) if match]
        faults = [
            f"hint template: {{{name}}}: no such field{did_you_mean(name, FIELDS)}; there is {', '.join(FIELDS)} "
            f"(write {{{{{name}}}}} for the characters)"
            for name in dict.fromkeys(shown)
            if name not in FIELDS
        ]
        in_user = set(_PLACEHOLDER.findall(self.user))
        faults += [
            f"hint template: expected {{{name}}} in the user's message, came none"
            for name in ("question", "incorrect")
            if name not in in_user
        ]
        if faults:
            raise ConfigError(faults)

    def messages(self, query: Query) -> tuple[ChatMessage, ...]:
        """Return the chat that asks about a wrong answer; nothing of its label or hint is in it."""
        question = query.question
        values = {
            "construct": question.construct,
            "subject": question.subject,
            "question": question.text,
            "correct": query.correct_answer,
            "incorrect": query.wrong_answer,
            "answers": "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, question.answers, strict=True)),
        }
        chat = [ChatMessage(role="system", text=_filled(self.system, values))] if self.system else []
        return (*chat, ChatMessage(role="user", text=_filled(self.user, values)))

    def hash(self) -> str:
        """Return what pins the prompt, for manifests: a reasoner is asked as it was taught."""
        return content_hash([self.system, self.user])

    def to_text(self) -> str:
        """Return the template as an editable file; `parse_template` reads it."""
        head = f"[system]\n{self.system}\n\n" if self.system else ""
        return f"{head}[user]\n{self.user}\n"


def default_prompt(form: Form) -> HintPrompt:
    """Return the template that is used where none is given; `json` asks for the reasoning too."""
    return HintPrompt(system=_ROLE, user=_QUESTION + (_JSON_TASK if form == "json" else _PLAIN_TASK))


def parse_template(text: str) -> HintPrompt:
    """Read a template: a section `[user]` and, if wanted, one `[system]` before it, each name on a line of its own.

    Raises:
        ConfigError: A section is missing, unknown or there twice, or see `HintPrompt`.
    """
    pieces = _SECTION.split(text)
    names, bodies = pieces[1::2], [body.strip() for body in pieces[2::2]]
    faults = []
    if pieces[0].strip():
        faults.append(
            f"hint template: expected the line [system] or [user] at the head, came {pieces[0].strip()[:60]!r}"
        )
    if sorted(set(names)) != sorted(names) or "user" not in names or set(names) - {"system", "user"}:
        came = ", ".join(f"[{name}]" for name in names) or "none"
        faults.append(f"hint template: expected the section [user] and at most one [system], came {came}")
    if faults:
        raise ConfigError(faults)
    sections = dict(zip(names, bodies, strict=True))
    return HintPrompt(system=sections.get("system", ""), user=sections["user"])


def _filled(template: str, values: Mapping[str, str | None]) -> str:
    def replaced(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else (values[match[1]] or "").strip()

    kept = [
        _PLACEHOLDER.sub(replaced, line)
        for line in template.split("\n")
        if all(values[name] for name in _PLACEHOLDER.findall(line) if name)
    ]
    return "\n".join(kept)
