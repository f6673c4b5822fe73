import json

import pytest
from made_rows import BANK, made_question
from scripted_writer import question

from core.errors import InputError
from synth.prompts import INSTRUCTION, SCHEMA, Example, Parts, QuestionPrompter, example_text


def example(number, label=1):
    text = f"What is {number} + 2?"
    return Example(question=made_question(text=text, id=number, label=label), letter="B", misconception=BANK[label])


def words(text):
    return len(text.split())


def prompter(**changes):
    return QuestionPrompter(**{"count_tokens": words, "max_tokens": 2000, **changes})


def test_a_prompt_says_all_that_is_needed():
    built = prompter().build(
        Parts(misconception=BANK[1], similar=(BANK[2], BANK[3]), examples=(example(5), example(6, label=2)))
    )
    system, user = built.messages
    assert (system.role, system.text, user.role) == ("system", INSTRUCTION, "user")
    assert user.text == (
        "Examples of good questions (their rationale is left out):\n"
        f"{example_text(example(5))}\n\n{example_text(example(6, label=2))}\n\n"
        "Similar misconceptions, which the answer must NOT fit:\n"
        "- Adds numerators and denominators\n- Believes a square has five sides\n\n"
        "Write one question for this misconception:\nAdds before multiplying\n(Works from left to right.)"
    )
    assert len(built.examples) == 2


def test_an_example_is_shown_in_the_form_of_an_answer():
    name, told = example_text(example(5)).split("\n")
    assert name == "Misconception: Adds before multiplying"
    shown = json.loads(told)
    assert shown["question"] == "What is 5 + 2?" and shown["correct"] == "A" and shown["misconception_answer"] == "B"
    assert shown["answers"]["A"] == r"\( 11 \)" and "\\\\( 11" in told  # a backslash is written twice
    assert set(shown) | {"rationale", "subject", "construct"} == set(SCHEMA["properties"])


def test_a_lone_misconception_is_enough():
    (_, user) = prompter().build(Parts(misconception=BANK[2])).messages
    assert user.text == "Write one question for this misconception:\nAdds numerators and denominators"


def test_what_is_shared_stands_at_the_head_of_every_prompt():
    made = prompter(shared=[example(n) for n in range(5)], max_tokens=4000)
    texts = [made.build(Parts(misconception=BANK[id], examples=(example(9),))).messages[1].text for id in (1, 2)]
    head = "".join(one for one, two in zip(*texts, strict=False) if one == two)
    assert head.count("Misconception:") >= 5 and head.count("What is 4 + 2?") == 1
    assert all("Further examples:\n" in text for text in texts)
    assert len(made.build(Parts(misconception=BANK[1], examples=(example(9),))).examples) == 6


def test_shared_examples_fill_their_part_of_the_budget_and_do_not_depend_on_the_rest():
    each = words(example_text(example(0)))
    room = words(INSTRUCTION) + 9 + 10 * each  # the title has 9 words
    made = prompter(shared=[example(n) for n in range(50)], max_tokens=2 * room)
    # Half of the budget is kept free for what differs.
    assert len(made.shared) == (2 * room - room - words(INSTRUCTION) - 9) // each
    assert made.shared == prompter(shared=[example(n) for n in range(60)], max_tokens=2 * room).shared
    assert len(prompter(shared=[example(n) for n in range(100)], max_tokens=20_000).shared) == 100


def test_a_long_prompt_loses_examples_then_similar_ones_and_never_its_task():
    bare = words(INSTRUCTION) + words("Write one question for this misconception: Adds numerators and denominators")
    parts = Parts(misconception=BANK[2], similar=(BANK[1], BANK[3]), examples=(example(5), example(6)))
    sizes = {}
    for room in range(bare, bare + 120):
        built = prompter(max_tokens=room).build(parts)
        assert words(built.messages[0].text) + words(built.messages[1].text) <= room
        sizes[room] = (len(built.examples), built.messages[1].text.count("\n- "))
        if len(built.examples) == 1:
            assert built.examples[0].question.id == 6  # the last is the most useful
    assert sizes[bare] == (0, 0) and sizes[bare + 119] == (2, 2)
    assert list(dict.fromkeys(sizes.values())) == [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2)]
    with pytest.raises(InputError, match=r"misconception 2: .* 1 tokens more.*max_prompt_tokens"):
        prompter(max_tokens=bare - 1).build(parts)


def test_the_schema_takes_a_good_answer_and_no_other():
    """Checked by hand: no validator is installed with the project."""
    good = json.loads(question())
    assert set(good) == set(SCHEMA["required"]) == set(SCHEMA["properties"]) and not SCHEMA["additionalProperties"]
    assert list(SCHEMA["properties"])[-3:] == ["answers", "correct", "misconception_answer"]  # after the working
    assert SCHEMA["properties"]["correct"]["enum"] == ["A", "B", "C", "D"]


def test_tokens_are_counted_only_where_the_bytes_do_not_settle_it():
    counted = []

    def count(text):
        counted.append(text)
        return len(text)

    parts = Parts(misconception=BANK[1], examples=(example(5),))
    roomy = prompter(count_tokens=count, max_tokens=10**5)
    del counted[:]  # instruction and head are counted once
    text = roomy.build(parts).messages[1].text
    assert counted == [] and len(text) == len(text.encode())
    for less, examples in ((0, 1), (1, 0)):
        tight = prompter(count_tokens=count, max_tokens=len(INSTRUCTION) + len(text) - less)
        del counted[:]
        assert len(tight.build(parts).examples) == examples and len(counted) == less
