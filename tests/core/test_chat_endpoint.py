import threading

import pytest
from fake_chat import FakeChat, completion
from fake_vllm import serving

from core.chat_endpoint import EndpointChatWriter, read_answer
from core.chat_writer import ChatMessage
from core.errors import ModelError

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def chat(text):
    return [ChatMessage(role="system", text="Be brief."), ChatMessage(role="user", text=text)]


def asked(writer, *texts, schema=None):
    return writer.write([chat(text) for text in texts], max_tokens=9, temperature=0.5, seed=4, schema=schema)


def test_messages_go_as_text_and_answers_come_in_order():
    with serving(FakeChat()) as fake:
        writer = EndpointChatWriter.connect(fake.url, api_key="s3cret")
        one, two = asked(writer, "a", "b", schema=SCHEMA)
        assert (one.text, two.text, one.finish_reason, one.prompt_tokens, one.output_tokens) == (
            "A",
            "B",
            "stop",
            11,
            7,
        )
        body = next(body for body in fake.asked if body["messages"][1]["content"] == "a")
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("base", 9, 0.5, 4)
        assert body["response_format"]["json_schema"]["schema"] == SCHEMA
        assert fake.headers[-1]["Authorization"] == "Bearer s3cret"
        assert writer.model == "base" and asked(writer) == []


@pytest.mark.parametrize(("guide", "key"), [("guided_json", "guided_json"), ("none", None)])
def test_a_schema_goes_as_the_server_knows_it(guide, key):
    with serving(FakeChat()) as fake:
        asked(EndpointChatWriter.connect(fake.url, guide=guide), "a", schema=SCHEMA)
        assert "response_format" not in fake.asked[-1]
        assert key is None or fake.asked[-1][key] == SCHEMA


def test_requests_in_flight_are_bounded():
    three = threading.Barrier(3, timeout=60)
    with serving(FakeChat(write=lambda _: str(three.wait()))) as fake:
        asked(EndpointChatWriter.connect(fake.url, concurrency=3), *"abcdefghi")
        assert fake.most_at_once == 3


def test_a_busy_server_is_asked_again_and_a_refused_request_is_one_error():
    busy = (429, {"Retry-After": "0"}, {})
    with serving(FakeChat(script=[busy, busy])) as fake:
        (made,) = asked(EndpointChatWriter.connect(fake.url, retries=3), "a")
        assert made.text == "A" and len(fake.asked) == 3
        fake.script = [(400, {}, {"error": {"message": "schema cannot be compiled"}})]
        bad, good = asked(EndpointChatWriter.connect(fake.url, retries=0, concurrency=1), "a", "b")
    assert bad.error is not None and "schema cannot be compiled" in bad.error and bad.finish_reason == "error"
    assert good.text == "B"


def test_a_slow_server_is_an_error_not_a_hang():
    gate = threading.Event()
    with serving(FakeChat(write=lambda _: str(gate.wait(60)))) as fake:
        (made,) = asked(EndpointChatWriter.connect(fake.url, timeout_seconds=1.5, retries=0), "a")
        gate.set()
    assert made.error is not None and "timed out" in made.error.lower()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"choices": []}, "not an answer"),
        ({"nothing": 1}, "not an answer"),
        (completion(None), "no text"),
        (completion(None, refusal="I cannot help"), "refused: I cannot help"),
        (completion("x", reason="content_filter"), "content_filter"),
        (completion("x", reason="tool_calls"), "tool_calls"),
    ],
)
def test_an_answer_of_another_form_is_an_error(answer, message):
    made = read_answer(answer)
    assert made.text == "" and message in made.error


def test_a_cut_answer_says_so_and_usage_may_be_absent():
    cut = completion("half", reason="length")
    del cut["usage"]
    made = read_answer(cut)
    assert (made.text, made.finish_reason, made.output_tokens, made.error) == ("half", "length", 0, None)


def test_a_wrong_address_key_or_name_is_told_before_any_cost():
    with pytest.raises(ModelError, match="Is it running"):
        EndpointChatWriter.connect("http://127.0.0.1:9/v1", retries=0, timeout_seconds=1)
    with serving(FakeChat(models=("a", "b"))) as fake:
        with pytest.raises(ModelError, match=r"expected one model.*there is a, b"):
            EndpointChatWriter.connect(fake.url)
        with pytest.raises(ModelError, match="does not serve 'c'"):
            EndpointChatWriter.connect(fake.url, model="c")
        assert EndpointChatWriter.connect(fake.url, model="b").model == "b"


def test_tokens_are_counted_or_estimated_from_above(byte_tokenizer):
    with serving(FakeChat()) as fake:
        assert EndpointChatWriter.connect(fake.url, tokenizer=byte_tokenizer).count_tokens("Yes!") == 2
        assert EndpointChatWriter.connect(fake.url).count_tokens("12345678") == 4  # 8 bytes at 2.5 a token


def test_the_estimate_is_from_above_for_mathematics(smollm2_tokenizer):
    text = "What is \\( \\frac{3}{4} \\times 12 \\)? A student thinks that the answer is larger."
    writer = EndpointChatWriter(None, model="x")
    assert writer.count_tokens(text) >= len(smollm2_tokenizer.encode_text(text))
