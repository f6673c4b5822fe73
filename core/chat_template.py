"""What a model's chat template writes around the messages of a chat, found by rendering it with placeholders."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import ModelError

logger = logging.getLogger(__name__)

Role = Literal["system", "user", "assistant"]

# What a template may do to a content: trim it, test that it is not empty. It must come back as it was.
_PLACEHOLDER = "qzxPART{}xzq"
# Templates that write a date write today's unless they are given one: the same prompt must be the same tomorrow.
_DATE = "26 Jul 2024"


@dataclass(frozen=True, kw_only=True)
class ChatPart:
    """One message of a chat.

    Attributes:
        role: Who speaks.
        content: What is said: a text of a user (tokenised without control tokens), or token ids that were made so.
    """

    role: Role
    content: str | tuple[int, ...]


def chat_frames(inner: Any, roles: Sequence[Role], *, generation_prompt: bool) -> list[str]:  # noqa: ANN401 - untyped
    """Return the texts before, between and after the messages of a chat: one more than there are messages.

    A template that refuses a system message gets it at the head of the first user message; a model without a template
    gets messages parted by blank lines, an answer on the line after its question.

    Args:
        inner: A transformers tokenizer.
        roles: Who speaks, message by message; at least one.
        generation_prompt: End with what stands before the assistant's next message.

    Raises:
        ModelError: The chat template refuses these roles, or does not write each message once, in order.
        ValueError: There is no message.
    """
    if not roles:
        raise ValueError("a chat has at least one message; got none")
    marks = [_PLACEHOLDER.format(number) for number in range(len(roles))]
    text = _rendered(inner, roles, marks, generation_prompt)
    places = [text.find(mark) for mark in marks]
    if any(text.count(mark) != 1 for mark in marks) or places != sorted(places):
        raise ModelError(
            f"the chat template does not write each of the messages {', '.join(roles)} once and in order; "
            "use a model whose template does, or set its tokenizer's chat_template"
        )
    frames = []
    for mark in marks:
        before, text = text.split(mark, 1)
        frames.append(before)
    return [*frames, text]


def _rendered(inner: Any, roles: Sequence[Role], marks: Sequence[str], generation_prompt: bool) -> str:  # noqa: ANN401
    if not inner.chat_template:
        return _start(inner) + _plain_chat(roles, marks, generation_prompt)
    from jinja2 import TemplateError

    messages = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
    try:
        return _templated(inner, messages, generation_prompt)
    except TemplateError as error:
        if roles[0] != "system" or len(roles) < 2:
            raise ModelError(f"the chat template refuses the messages {', '.join(roles)}: {error}") from error
    logger.info("the chat template has no system message: the instruction goes to the first user message")
    merged = {"role": roles[1], "content": f"{marks[0]}\n\n{marks[1]}"}
    try:
        return _templated(inner, [merged, *messages[2:]], generation_prompt)
    except TemplateError as error:
        raise ModelError(f"the chat template refuses the messages {', '.join(roles)}: {error}") from error


def _templated(inner: Any, messages: list[dict[str, str]], generation_prompt: bool) -> str:  # noqa: ANN401
    # Reasoning models would otherwise think before the label; other templates do not read the name.
    text: str = inner.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=generation_prompt, enable_thinking=False, date_string=_DATE
    )
    return text


def _start(inner: Any) -> str:  # noqa: ANN401
    """Return the token that a tokenizer puts before every text, or nothing."""
    first = inner("")["input_ids"][:1]
    return str(inner.bos_token) if first and first[0] == inner.bos_token_id else ""


def _plain_chat(roles: Sequence[Role], marks: Sequence[str], generation_prompt: bool) -> str:
    text = ""
    for place, (role, mark) in enumerate(zip(roles, marks, strict=True)):
        answered = role == "user" and (place + 1 < len(roles) or generation_prompt)
        text += mark + ("\n" if answered else "\n\n")
    return text
