"""Explanations of misconceptions, written by a language model: what each is, and when it shows."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.chat_writer import ChatMessage
from core.records import Misconception
from core.text import normalise
from synth.asking import Request
from synth.ledger import Asked
from synth.reasons import NOT_PARSED, REFUSED, SAYS_NOTHING, TOO_LONG, TOO_SHORT
from synth.replies import ReplyError, is_refusal, object_schema, read_object, restored_latex

TASK = "explain"

EXPLAIN_INSTRUCTION = (
    "You are an expert mathematics teacher who explains to colleagues how students go wrong. You are given the name of "
    "one misconception. Explain it for a colleague who has to recognise it in a student's answer.\n"
    "what: what the student believes or does, and what would be right instead; two or three sentences.\n"
    "when: in which kinds of questions it shows and what wrong answer it gives there, with one or two short examples "
    "in numbers; two or three sentences.\n"
    "Say what is particular to this misconception and tells it from similar ones. Use the words that questions on this "
    'topic use. Reply with one JSON object and nothing else: {"what": "...", "when": "..."}.'
)
EXPLAIN_TEMPLATE = "Misconception: {name}{similar}"
PLACEHOLDERS = ("name", "similar")
_SIMILAR = "\n\nSimilar misconceptions, which are not meant:\n"
EXPLAIN_SCHEMA = object_schema(what={"type": "string"}, when={"type": "string"})


def template_fault(template: str) -> str | None:
    """Return what is wrong with a user's template, or None.

    Args:
        template: Text with `{name}`, which it must have, and `{similar}`; other braces are doubled.
    """
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        return f"expected {{name}} and {{similar}}, other braces doubled: {error}"
    unknown = [name for name in fields if name not in PLACEHOLDERS]
    if unknown:
        return f"there is no placeholder {{{unknown[0]}}}; there are {{name}} and {{similar}}, other braces are doubled"
    return None if "name" in fields else "expected {name} somewhere, or every entry is asked the same"


@dataclass(frozen=True, kw_only=True)
class Explaining:
    """Asks for explanations and reads them.

    Attributes:
        bank: The misconceptions by id.
        similar: Ids of each misconception's neighbours, most alike first, for `{similar}`; may be empty.
        instruction: The system message; it must ask for the same JSON object.
        template: The user's message, see `template_fault`.
        max_tokens: Longest answer.
        temperature: 0 is greedy; further attempts at an entry then change nothing.
        seed: Of the sampling; the attempt is added to it.
        shortest: Fewest characters of an explanation.
        longest: Most characters of an explanation.
        guided: Give the engine the JSON schema.
    """

    bank: Mapping[int, Misconception]
    similar: Mapping[int, Sequence[int]] = field(default_factory=dict)
    instruction: str = EXPLAIN_INSTRUCTION
    template: str = EXPLAIN_TEMPLATE
    max_tokens: int = 400
    temperature: float = 0.3
    seed: int = 0
    shortest: int = 60
    longest: int = 2000
    guided: bool = True

    def requests(self, entries: Sequence[Misconception], attempt: int = 0) -> list[Request]:
        """Return a request an entry; another attempt is asked with another seed."""
        return [
            Request(
                task=TASK,
                row=str(entry.id),
                messages=self.messages(entry),
                max_tokens=self.max_tokens,
                temperature=self.temperature,
                seed=self.seed + attempt,
                schema=EXPLAIN_SCHEMA if self.guided else None,
            )
            for entry in entries
        ]

    def messages(self, entry: Misconception) -> tuple[ChatMessage, ...]:
        """Return the prompt of an entry; of the bank it shows names only."""
        names = [self.bank[id].name.strip() for id in self.similar.get(entry.id, ())]
        similar = _SIMILAR + "\n".join(f"- {name}" for name in names) if names else ""
        text = self.template.format(name=entry.name.strip(), similar=similar)
        return (ChatMessage(role="system", text=self.instruction), ChatMessage(role="user", text=text))

    def read(self, entry: Misconception, asked: Asked) -> str:
        """Return the explanation that was written of an entry.

        Raises:
            ReplyError: The answer cannot be used, for one of `synth.reasons.EXPLANATION_REASONS`.
        """
        value = read_object(asked, ("what", "when"))
        if not all(isinstance(text, str) for text in value.values()):
            raise ReplyError(NOT_PARSED, f"expected two texts: {asked.text[:160]}")
        what, when = (" ".join(restored_latex(str(value[key])).split()) for key in ("what", "when"))
        if is_refusal(what) or is_refusal(when):
            raise ReplyError(REFUSED, what[:160])
        text = f"{what}\n\nWhen it shows: {when}"
        if not what or not when or len(what) + len(when) < self.shortest:
            raise ReplyError(TOO_SHORT, f"{len(what)} and {len(when)} characters: {what[:160]}")
        if len(text) > self.longest:
            raise ReplyError(TOO_LONG, f"{len(text)} characters, at most {self.longest}")
        if _bare(entry.name) in (_bare(what), _bare(when)) or _bare(what) == _bare(when):
            raise ReplyError(SAYS_NOTHING, what[:160])
        return text


def _bare(text: str) -> str:
    return normalise(text).rstrip(".!? ")
