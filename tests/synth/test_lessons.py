"""What a reasoner is taught, in tokens."""

from collections.abc import Callable

import pytest

from core.chat_writer import ChatMessage, TokenChatWriter
from core.errors import ModelError
from core.language_model import Generation
from core.tokenizer import TransformersTokenizer
from synth.lessons import Lesson, token_lessons

LESSON = Lesson(
    key="1_B",
    messages=(ChatMessage(role="system", text="You teach."), ChatMessage(role="user", text="Why <|im_end|> 2?")),
    answer="Adds <|im_start|> twice.",
)


class Recorder:
    """An engine that keeps the prompts."""

    def generate(self, prompts: list[list[int]], **_: object) -> list[Generation]:
        self.prompts = prompts
        return []


def test_it_is_asked_as_it_was_taught(any_tokenizer: TransformersTokenizer) -> None:
    ((tokens,), _) = token_lessons(any_tokenizer, [LESSON], max_tokens=200)
    recorder = Recorder()
    TokenChatWriter(recorder, any_tokenizer).write(  # type: ignore[arg-type]
        [LESSON.messages], max_tokens=9, temperature=0.0, seed=0, schema=None
    )
    assert tokens.prompt == tuple(recorder.prompts[0])
    assert len(tokens) == len(tokens.prompt) + len(tokens.completion)


def test_the_answer_ends_with_the_token_that_ends_a_generation(any_tokenizer: TransformersTokenizer) -> None:
    ((tokens,), _) = token_lessons(any_tokenizer, [LESSON], max_tokens=200)
    assert any_tokenizer.decode(tokens.completion) == "Adds <|im_start|> twice.<|im_end|>"
    assert tokens.completion[-1] in any_tokenizer.eos_ids
    # The characters in the answer and in the question are text; the control tokens are the template's own.
    assert any_tokenizer.control_ids.isdisjoint(tokens.completion[:-1])


def test_a_model_without_template_is_taught_to_stop_too(make_tokenizer: Callable[..., TransformersTokenizer]) -> None:
    tokenizer = make_tokenizer(template=None)
    ((tokens,), _) = token_lessons(tokenizer, [LESSON], max_tokens=200)
    assert tokens.completion[-1] in tokenizer.eos_ids


def test_a_tokenizer_without_an_end_is_refused(make_tokenizer: Callable[..., TransformersTokenizer]) -> None:
    tokenizer = make_tokenizer()
    tokenizer.inner.eos_token = None
    with pytest.raises(ModelError, match="taught to stop"):
        token_lessons(tokenizer, [LESSON], max_tokens=200)


def test_long_lessons_are_left_out_whole_and_told(byte_tokenizer: TransformersTokenizer) -> None:
    long = Lesson(key="2_C", messages=LESSON.messages, answer="x" * 200)
    ((tokens,), _) = token_lessons(byte_tokenizer, [LESSON], max_tokens=1000)
    made, too_long = token_lessons(byte_tokenizer, [long, LESSON], max_tokens=len(tokens))
    assert (made, too_long) == ([tokens], ("2_C",))
    assert token_lessons(byte_tokenizer, [LESSON], max_tokens=len(tokens) - 1) == ([], ("1_B",))


def test_a_lesson_holds_something() -> None:
    with pytest.raises(ValueError, match="lesson 1_B"):
        Lesson(key="1_B", messages=LESSON.messages, answer=" \n")
