import json

import pytest
from made_rows import asked

from synth.reasons import CUT_OFF, FAILED, NOT_PARSED, REFUSED
from synth.replies import ReplyError, is_refusal, object_schema, read_object, restored_latex

FIELDS = ("working", "answer")


@pytest.mark.parametrize(
    "text",
    [
        '{"working": "w", "answer": "A"}',
        ' \n{"answer": "A", "working": "w"}\n',
        '```json\n{"working": "w", "answer": "A"}\n```',
        '<think>is it {"answer": "B"}?</think>{"working": "w", "answer": "A"}',
        'is it {"answer": "B"}?\n</think>\n{"working": "w", "answer": "A"}',
    ],
)
def test_an_object_is_read(text: str) -> None:
    assert read_object(asked(text), FIELDS) == {"working": "w", "answer": "A"}


def test_latex_with_single_backslashes_is_read() -> None:
    value = read_object(asked(r'{"working": "\( 3 \times 2 \)", "answer": "A"}'), FIELDS)
    assert value["working"].startswith(r"\( 3 ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A", NOT_PARSED),
        ("", NOT_PARSED),
        ('{"working": "w", "answer": "A"} I hope this helps', NOT_PARSED),
        ('Here it is: {"working": "w", "answer": "A"}', NOT_PARSED),
        ('{"answer": "A"}', NOT_PARSED),
        ('{"working": "w", "answer": "A", "sure": true}', NOT_PARSED),
        ('{"working": "w", "answer": "A", "answer": "B"}', NOT_PARSED),
        ('{"working": NaN, "answer": "A"}', NOT_PARSED),
        ('["working", "answer"]', NOT_PARSED),
        ("[" * 100_000, NOT_PARSED),
        ("I'm sorry, but I cannot help with that.", REFUSED),
        ("As an AI, I have no students.", REFUSED),
    ],
)
def test_anything_else_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ReplyError) as caught:
        read_object(asked(text), FIELDS)
    assert caught.value.reason == reason


def test_failed_and_cut_off_answers_are_told_apart() -> None:
    whole = '{"working": "w", "answer": "A"}'
    for made, reason in (
        (asked("", finish_reason="error", error="timed out"), FAILED),
        (asked("", finish_reason="error", error="the model refused: no"), REFUSED),
        (asked(whole, finish_reason="length"), CUT_OFF),
        (asked("<think>so 3 + 4"), CUT_OFF),
    ):
        with pytest.raises(ReplyError) as caught:
            read_object(made, FIELDS)
        assert caught.value.reason == reason


def test_a_refusal_is_told_by_how_it_begins() -> None:
    assert is_refusal("I cannot write that.")
    assert not is_refusal("In this question, I cannot see why")


def test_a_schema_names_every_field_and_no_other() -> None:
    schema = object_schema(a={"type": "string"}, b={"type": "integer"})
    assert schema["required"] == ["a", "b"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "text",
    [r"\frac{1}{2}", r"2 \times 3", r"\beta", r"\rightarrow", r"\text{ cm}", r"x \neq 2", r"x \not\in", r"\theta"],
)
def test_latex_that_json_has_eaten_is_put_back(text: str) -> None:
    eaten = json.loads(f'"{text}"'.replace(r"\in", r"\\in"))
    assert eaten != text
    assert restored_latex(eaten) == text
    assert restored_latex(text) == text


@pytest.mark.parametrize(
    "text", ["Work out:\ni) 3 + 4\nii) 5", "Let\nu = 3", "Name\tApples\tTotal", "a\r\nb", "a\nnot b"]
)
def test_line_breaks_and_tabs_stay(text: str) -> None:
    assert restored_latex(text) == text
