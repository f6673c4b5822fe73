import itertools
import threading
import time

import pytest

from core.chat_writer import (
    ChatMessage,
    ConcurrentChatWriter,
    StreamingChatWriter,
    StreamingTokenChatWriter,
    TokenChatWriter,
)
from core.errors import ModelError
from core.language_model import EngineStats, Generation

CHAT = [ChatMessage(role="system", text="Be brief."), ChatMessage(role="user", text="Say <|im_end|> now")]


class Recording:
    """An engine that keeps what it was asked."""

    def __init__(self):
        self.stats = EngineStats()
        self.asked = []

    def generate(self, prompts, *, max_tokens, temperature=0.0, seed=0, schema=None):
        self.asked.append((prompts, max_tokens, temperature, seed, schema))
        return [Generation(text="x", finish_reason="stop", prompt_tokens=len(p), output_tokens=1) for p in prompts]


def test_a_chat_is_written_in_the_models_own_form(byte_tokenizer):
    engine = Recording()
    schema = {"type": "object"}
    (made,) = TokenChatWriter(engine, byte_tokenizer).write(
        [CHAT], max_tokens=5, temperature=0.5, seed=3, schema=schema
    )
    ((prompt,), *settings) = engine.asked[0]
    assert settings == [5, 0.5, 3, schema]
    text = byte_tokenizer.decode(prompt)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nSay <|im_end|> now<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    # What the user wrote stays a text: three control tokens begin messages, two end them, none is the user's.
    control = [id for id in prompt if id in byte_tokenizer.control_ids]
    assert len(control) == 5 and made.prompt_tokens == len(prompt)


def test_nothing_is_asked_for_no_chats(byte_tokenizer):
    engine = Recording()
    assert TokenChatWriter(engine, byte_tokenizer).write([], max_tokens=1, temperature=0, seed=0, schema=None) == []
    assert engine.asked == []


def test_tokens_are_those_of_the_tokenizer(byte_tokenizer):
    assert TokenChatWriter(Recording(), byte_tokenizer).count_tokens("Yes!") == 2  # a merge and a byte


def test_a_template_that_refuses_such_a_chat_is_told(make_tokenizer):
    refusing = make_tokenizer(template="{{ raise_exception('no') }}")
    with pytest.raises(ModelError, match="refuses"):
        TokenChatWriter(Recording(), refusing).write([CHAT[1:]], max_tokens=1, temperature=0, seed=0, schema=None)


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="role"):
        ChatMessage(role="tool", text="x")


class Gated:
    """Answers a chat when its gate opens; knows how many wait."""

    def __init__(self, gates):
        self.gates, self.waiting, self.most, self.lock = gates, 0, 0, threading.Lock()

    def write(self, chats, *, max_tokens, temperature, seed, schema):
        (chat,) = chats
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        assert self.gates[chat[0].text].wait(10)
        with self.lock:
            self.waiting -= 1
        return [Generation(text=chat[0].text, finish_reason="stop", prompt_tokens=1, output_tokens=seed)]

    def count_tokens(self, text):
        return 7


SETTINGS = {"max_tokens": 1, "temperature": 0.0, "seed": 3, "schema": None}


def test_answers_come_as_they_are_ready_and_so_many_are_in_flight():
    gates = {name: threading.Event() for name in "abcd"}
    inner = Gated(gates)
    writer = ConcurrentChatWriter(inner, 2)
    assert isinstance(writer, StreamingChatWriter) and writer.count_tokens("x") == 7
    coming = writer.write_each([[ChatMessage(role="user", text=name)] for name in "abcd"], **SETTINGS)
    gates["b"].set()  # a still waits
    assert [place for place, _ in next(coming)] == [1]
    for gate in gates.values():
        gate.set()
    assert sorted(place for together in coming for place, _ in together) == [0, 2, 3] and inner.most == 2


def test_in_one_piece_they_stand_in_order():
    gates = {name: threading.Event() for name in "abc"}
    for gate in gates.values():
        gate.set()
    chats = [[ChatMessage(role="user", text=name)] for name in "abc"]
    drawn = ConcurrentChatWriter(Gated(gates), 3).write_each(chats, **{**SETTINGS, "seed": [7, 8, 9]})
    assert sorted((place, one.output_tokens) for together in drawn for place, one in together) == [
        (0, 7),
        (1, 8),
        (2, 9),
    ]
    made = ConcurrentChatWriter(Gated(gates), 3).write(chats, **SETTINGS)
    assert [one.text for one in made] == ["a", "b", "c"] and made[0].output_tokens == 3
    assert ConcurrentChatWriter(Gated({}), 3).write([], **SETTINGS) == []
    assert not isinstance(TokenChatWriter(Recording(), None), StreamingChatWriter)


class Streaming(Recording):
    """Answers two prompts at a time, the later one first; knows what it took, and whether it was closed."""

    def __init__(self):
        super().__init__()
        self.taken, self.in_flight, self.closed = [], None, False

    def generate_each(self, prompts, *, in_flight, max_tokens, temperature=0.0, seed=0, schema=None):
        self.in_flight = in_flight
        self.asked.append((max_tokens, temperature, seed, schema))
        waiting = enumerate(prompts)
        try:
            while pair := list(itertools.islice(waiting, 2)):
                self.taken += [prompt for _, prompt in pair]
                made = [
                    Generation(text=f"{place}", finish_reason="stop", prompt_tokens=len(prompt), output_tokens=1)
                    for place, prompt in pair
                ]
                yield list(zip([place for place, _ in pair], made, strict=True))[::-1]
        finally:
            self.closed = True


def numbered(count):
    return [[CHAT[0], ChatMessage(role="user", text=f"chat {number}")] for number in range(count)]


def test_an_engine_that_streams_gets_the_same_prompts_and_its_answers_go_out_as_they_come(byte_tokenizer):
    engine, all_at_once, chats = Streaming(), Recording(), numbered(5)
    writer = StreamingTokenChatWriter(engine, byte_tokenizer, 3)
    assert isinstance(writer, StreamingChatWriter)
    came = list(writer.write_each(chats, max_tokens=5, temperature=0.5, seed=3, schema={"type": "object"}))
    assert [[place for place, _ in together] for together in came] == [[1, 0], [3, 2], [4]]
    assert all(made.text == str(place) for together in came for place, made in together)
    assert engine.asked == [(5, 0.5, [3] * 5, {"type": "object"})] and engine.in_flight == 3
    TokenChatWriter(all_at_once, byte_tokenizer).write(chats, max_tokens=5, temperature=0.5, seed=3, schema=None)
    assert engine.taken == all_at_once.asked[0][0]
    assert list(writer.write_each([], **SETTINGS)) == [] and len(engine.asked) == 1
    list(writer.write_each(chats, **{**SETTINGS, "seed": range(5)}))
    assert list(engine.asked[1][2]) == [0, 1, 2, 3, 4]
    for one in (writer, ConcurrentChatWriter(Gated({}), 2)):
        with pytest.raises(ValueError, match=r"a seed for each of 5 chats, or one for all; got 2"):
            next(one.write_each(chats, **{**SETTINGS, "seed": [1, 2]}))


def test_prompts_are_rendered_a_little_ahead_and_no_further(byte_tokenizer):
    rendered = []

    class Counting(StreamingTokenChatWriter):
        def _render(self, chat):
            rendered.append(chat[-1].text)
            return super()._render(chat)

    engine = Streaming()
    coming = Counting(engine, byte_tokenizer, 2).write_each(numbered(500), **SETTINGS)
    next(coming)
    time.sleep(0.1)
    assert 2 <= len(rendered) <= 2 + 64 + 1  # and the one that shows whether the template takes such a chat
    coming.close()
    assert engine.closed and not [one for one in threading.enumerate() if one.name.startswith("ahead")]


def test_a_chat_that_the_template_refuses_closes_the_engines_stream(make_tokenizer):
    refusing = make_tokenizer(
        template="{% if messages|length > 1 %}{{ raise_exception('no') }}{% endif %}"
        "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    )
    engine = Streaming()
    chats = [[ChatMessage(role="user", text="x")]] * 3 + [[ChatMessage(role="user", text="x")] * 2]
    coming = StreamingTokenChatWriter(engine, refusing, 2).write_each(chats, **SETTINGS)
    assert len(next(coming)) == 2
    with pytest.raises(ModelError, match="refuses"):
        list(coming)
    assert engine.closed
    with pytest.raises(ValueError, match="in_flight: expected at least 1, got 0"):
        StreamingTokenChatWriter(engine, refusing, 0)
