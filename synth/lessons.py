"""What a reasoner is taught: a chat and the answer that it should give, as text and as tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.chat_writer import ChatMessage
from core.errors import ModelError
from core.tokenizer import ChatPart, Tokenizer

_HOLE = -1  # no token has this id


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One example.

    Attributes:
        key: Of the query that it is about.
        messages: The chat, as it is asked at inference.
        answer: What the model should write; not blank.

    Raises:
        ValueError: There is no message, or the answer is blank.
    """

    key: str
    messages: tuple[ChatMessage, ...]
    answer: str

    def __post_init__(self) -> None:
        if not self.messages or not self.answer.strip():
            raise ValueError(f"lesson {self.key}: expected a message and an answer")


@dataclass(frozen=True, kw_only=True)
class TokenLesson:
    """A lesson in tokens.

    Attributes:
        prompt: What is read, up to where the assistant begins to write; not empty.
        completion: What is to be written, the token that ends it included; the loss is on these alone.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


def token_lessons(
    tokenizer: Tokenizer, lessons: Sequence[Lesson], *, max_tokens: int
) -> tuple[list[TokenLesson], tuple[str, ...]]:
    """Return the lessons in tokens, and the keys of those left out because they are too long.

    A lesson is never cut: a shortened answer teaches to stop in the midst of one. The prompt is rendered as
    `core.chat_writer.TokenChatWriter` renders it, so that a reasoner is asked as it was taught.

    Args:
        tokenizer: The model's.
        lessons: The lessons.
        max_tokens: Longest lesson, prompt and answer together.

    Raises:
        ModelError: The chat template cannot write such a chat, or no token ends an answer.
    """
    made, too_long = [], []
    ends: dict[tuple[str, ...], int] = {}
    for lesson in lessons:
        parts = [ChatPart(role=message.role, content=message.text) for message in lesson.messages]
        roles = tuple(part.role for part in parts)
        if roles not in ends:
            ends[roles] = _end_of_answer(tokenizer, parts)
        tokens = TokenLesson(
            prompt=tuple(tokenizer.render_chat(parts, generation_prompt=True)),
            completion=(*tokenizer.encode_text(lesson.answer), ends[roles]),
        )
        if len(tokens) > max_tokens:
            too_long.append(lesson.key)
        else:
            made.append(tokens)
    return made, tuple(too_long)


def _end_of_answer(tokenizer: Tokenizer, parts: Sequence[ChatPart]) -> int:
    """Return the token that the template writes after an answer and that ends a generation."""
    whole = tokenizer.render_chat([*parts, ChatPart(role="assistant", content=(_HOLE,))], generation_prompt=False)
    behind = [token for token in whole[whole.index(_HOLE) + 1 :] if token in tokenizer.eos_ids]
    found = [*behind, *tokenizer.eos_ids]
    if not found:
        raise ModelError("the tokenizer names no token that ends an answer (eos_token): none could be taught to stop")
    return found[0]
