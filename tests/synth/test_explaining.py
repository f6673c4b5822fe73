import json

import pytest
from made_rows import BANK, asked

from synth.explaining import Explaining, template_fault
from synth.replies import ReplyError

WHAT = "The student adds from left to right and multiplies later, instead of multiplying first."
WHEN = "In sums such as 3 + 4 x 2, which becomes 14 instead of 11."


def told(what: object = WHAT, when: object = WHEN) -> str:
    return json.dumps({"what": what, "when": when})


def test_a_prompt_shows_names_only() -> None:
    explaining = Explaining(bank=BANK, similar={1: [2, 3]})
    text = explaining.messages(BANK[1])[1].text
    assert text == (
        "Misconception: Adds before multiplying\n\nSimilar misconceptions, which are not meant:\n"
        "- Adds numerators and denominators\n- Believes a square has five sides"
    )
    assert explaining.messages(BANK[2])[1].text == "Misconception: Adds numerators and denominators"


def test_another_attempt_is_another_seed_and_the_template_is_the_users() -> None:
    explaining = Explaining(bank=BANK, seed=5, instruction="Kurz.", template="{{json}} {name}!", guided=False)
    first, second = explaining.requests([BANK[1]]), explaining.requests([BANK[1]], attempt=1)
    assert [message.text for message in first[0].messages] == ["Kurz.", "{json} Adds before multiplying!"]
    assert (first[0].seed, second[0].seed, first[0].schema) == (5, 6, None)
    assert (first[0].task, first[0].row) == ("explain", "1")


def test_what_and_when_become_one_text() -> None:
    text = Explaining(bank=BANK).read(BANK[1], asked(told(what=f" {WHAT}\n")))
    assert text == f"{WHAT}\n\nWhen it shows: {WHEN}"


def test_latex_that_json_has_eaten_is_put_back() -> None:
    answer = told(what=rf"{WHAT} So \frac{{1}}{{2}} is lost.").replace("\\\\", "\\")
    assert r"\frac{1}{2} is lost" in answer
    text = Explaining(bank=BANK).read(BANK[1], asked(answer))
    assert text.startswith(rf"{WHAT} So \frac{{1}}{{2}} is lost.")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (told(what=""), "too short"),
        (told(what="Adds.", when="Sums."), "too short"),
        (told(what="x" * 3000), "too long"),
        (told(what="adds before MULTIPLYING", when=WHEN), "repeats the name only"),
        (told(what=WHAT, when=WHAT), "repeats the name only"),
        (told(what="I'm sorry, I cannot explain this one, for it is not clear to me."), "refused"),
        (told(what=["a", "list"]), "answer not parsed"),
        ("I cannot do that.", "refused"),
        (WHAT, "answer not parsed"),
    ],
)
def test_what_explains_nothing_is_refused_with_a_reason(answer: str, reason: str) -> None:
    with pytest.raises(ReplyError) as caught:
        Explaining(bank=BANK, shortest=60, longest=2000).read(BANK[1], asked(answer))
    assert caught.value.reason == reason


@pytest.mark.parametrize("template", ["{nme}", "no place for it", "{name", "{}", "{name} {similar} {explanation}"])
def test_a_template_that_cannot_work_is_told(template: str) -> None:
    assert template_fault(template) is not None


def test_a_template_that_works() -> None:
    assert template_fault("{similar}{name}{{}}") is None
