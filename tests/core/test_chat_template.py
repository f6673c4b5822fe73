"""What chat templates write around messages."""

from collections.abc import Callable

import pytest

from core.chat_template import chat_frames
from core.errors import ModelError
from core.tokenizer import ChatPart, TransformersTokenizer


def chat(*contents: str) -> list[ChatPart]:
    roles = ("system", "user", "assistant", "user")
    return [ChatPart(role=role, content=content) for role, content in zip(roles, contents, strict=False)]


def test_frames_are_one_more_than_messages(byte_tokenizer: TransformersTokenizer) -> None:
    frames = chat_frames(byte_tokenizer.inner, ["system", "user"], generation_prompt=True)
    assert frames == [
        "<|im_start|>system\n",
        "<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
    ]


def test_a_template_without_a_system_message_gets_it_in_the_first_user_message(
    make_tokenizer: Callable[..., TransformersTokenizer],
) -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "[{{ m.role }}] {{ m.content | trim }}\n{% endfor %}"
    )
    tokenizer = make_tokenizer(template=template)
    ids = tokenizer.render_chat(chat("Be brief.", "Why?", "So.", "How?"), generation_prompt=True)
    assert tokenizer.decode(ids) == "[user] Be brief.\n\nWhy?\n[assistant] So.\n[user] How?\n"
    with pytest.raises(ModelError, match="refuses the messages system: no system"):
        tokenizer.render_chat(chat("Be brief."), generation_prompt=True)


@pytest.mark.parametrize(
    "template",
    ["{{ messages[1].content }}", "{% for m in messages | reverse %}{{ m.content }}{% endfor %}"],
    ids=["drops", "turns"],
)
def test_a_template_that_does_not_write_every_message_once_is_refused(
    make_tokenizer: Callable[..., TransformersTokenizer], template: str
) -> None:
    with pytest.raises(ModelError, match="once and in order"):
        make_tokenizer(template=template).render_chat(chat("a", "b"), generation_prompt=True)


def test_a_dated_template_writes_the_same_day_every_day(make_tokenizer: Callable[..., TransformersTokenizer]) -> None:
    template = (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{{ date_string }}: {% for m in messages %}{{ m.content }}{% endfor %}"
    )
    tokenizer = make_tokenizer(template=template)
    assert tokenizer.decode(tokenizer.render_chat(chat("a"), generation_prompt=True)) == "26 Jul 2024: a"


def test_a_model_without_a_template_gets_plain_text(make_tokenizer: Callable[..., TransformersTokenizer]) -> None:
    tokenizer = make_tokenizer(template=None)
    ids = tokenizer.render_chat(chat("Be brief.", "Why?", "So.", "How?"), generation_prompt=True)
    assert tokenizer.decode(ids) == "Be brief.\n\nWhy?\nSo.\n\nHow?\n"


def test_a_chat_needs_a_message(byte_tokenizer: TransformersTokenizer) -> None:
    with pytest.raises(ValueError, match="at least one message"):
        byte_tokenizer.render_chat([], generation_prompt=True)
