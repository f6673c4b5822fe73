"""The prompt for hints: it is made of the question alone."""

from dataclasses import replace
from pathlib import Path

import pytest
from hint_toys import question

from core.errors import ConfigError
from core.records import Query, Question, queries_of
from core.tables import read_misconceptions, read_questions
from synth.hint_prompt import FIELDS, HintPrompt, default_prompt, parse_template

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
EVERYTHING = HintPrompt(system="{subject}", user="\n".join(f"{{{name}}}" for name in FIELDS))


def told(prompt: HintPrompt, query: Query) -> str:
    return "\n".join(message.text for message in prompt.messages(query))


@pytest.mark.parametrize("prompt", [default_prompt("plain"), default_prompt("json"), EVERYTHING])
def test_the_label_is_never_shown(prompt: HintPrompt) -> None:
    bank = {entry.id: entry for entry in read_misconceptions(SAMPLE / "misconceptions.csv")}
    queries = queries_of(read_questions(SAMPLE / "train.csv").questions, labelled_only=True)
    assert len(queries) > 100
    for query in queries:
        blind = replace(query.question, labels=((), (), (), ()))
        assert prompt.messages(query) == prompt.messages(Query(question=blind, letter=query.letter))
        assert not any(bank[label].name.casefold() in told(prompt, query).casefold() for label in query.labels)


def test_a_known_hint_is_not_shown_either() -> None:
    query = Query(question=question(7), letter="B", hint="puts the digits side by side")
    assert "side by side" not in told(EVERYTHING, query)


def test_the_default_prompts_show_question_and_answers_and_ask_for_their_form() -> None:
    query = Query(question=question(7), letter="B")
    for form in ("plain", "json"):
        text = told(default_prompt(form), query)
        for line in ("Skill: Add whole numbers", "Question: What is 7 + 7?", "Correct answer: 14"):
            assert line in text.splitlines()
        assert "A student's answer: 77" in text.splitlines()
    assert "JSON" in text
    assert "JSON" not in told(default_prompt("plain"), query)


def test_lines_of_missing_fields_are_left_out_and_latex_stays() -> None:
    bare = Question(id=1, text=r"\( \frac{1}{2} {question} \)", answers=("a", "b", "c", "d"), correct="A")
    prompt = HintPrompt(system="", user="Skill: {construct}\nQ: {question}\n{{x}} {incorrect}\n{answers}")
    (message,) = prompt.messages(Query(question=bare, letter="C"))
    assert message.text == "Q: \\( \\frac{1}{2} {question} \\)\n{x} c\nA. a\nB. b\nC. c\nD. d"


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_template_comes_back_from_its_file(form: str) -> None:
    prompt = default_prompt(form)  # type: ignore[arg-type]
    assert parse_template(prompt.to_text()) == prompt
    assert parse_template(prompt.to_text()).hash() == prompt.hash()
    only_user = parse_template("[user]\n{question} {incorrect}\n")
    assert (only_user.system, only_user.user) == ("", "{question} {incorrect}")
    assert only_user.hash() != prompt.hash()
    assert [m.role for m in only_user.messages(Query(question=question(1), letter="B"))] == ["user"]


def test_every_fault_of_a_template_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_template("[user]\n{questoin} {label}")
    faults = caught.value.faults
    assert len(faults) == 4
    assert "{questoin}: no such field (did you mean 'question'?)" in faults[0]
    assert "{label}: no such field" in faults[1]
    assert "expected {question}" in faults[2]
    assert "expected {incorrect}" in faults[3]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{question} {incorrect}", "expected the line [system] or [user] at the head, came '{question}"),
        ("[system]\nx\n", "came [system]"),
        ("[user]\na\n[user]\nb", "came [user], [user]"),
        ("[user]\na\n[assistant]\nb", "came [user], [assistant]"),
    ],
)
def test_sections_are_checked(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_template(text)
    assert fault in str(caught.value)
