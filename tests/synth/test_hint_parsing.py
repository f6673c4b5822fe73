"""Answers that are hints, and every reason for which one is not."""

import json

import pytest

from core.hint_table import Hint
from synth.hint_parsing import SCHEMA, HintLimits, answer_text, first_paragraph, parse_hint
from synth.verdicts import Verdict

LIMITS = HintLimits(shortest=10, longest=60, longest_reasoning=40)
GOOD = "Adds the denominators as well."


def reason_of(text: str, form: str = "plain") -> str | None:
    made = parse_hint(text, form=form, limits=LIMITS)  # type: ignore[arg-type]
    return made.reason if isinstance(made, Verdict) else None


def as_json(**values: object) -> str:
    return json.dumps(values)


def test_a_plain_answer_is_the_hint() -> None:
    assert parse_hint(f"\n {GOOD} ", form="plain", limits=LIMITS) == Hint(hint=GOOD)


def test_an_object_holds_both_texts() -> None:
    wanted = Hint(hint=GOOD, reasoning="1/2 + 1/3 = 2/5")
    text = as_json(reasoning=" 1/2 + 1/3 = 2/5", hint=f"{GOOD} ")
    assert parse_hint(text, form="json", limits=LIMITS) == wanted
    assert parse_hint(f"```json\n{text}\n```", form="json", limits=LIMITS) == wanted
    assert parse_hint(answer_text(wanted, "json"), form="json", limits=LIMITS) == wanted
    assert list(json.loads(answer_text(wanted, "json"))) == list(SCHEMA["properties"])  # it thinks before it says


@pytest.mark.parametrize(
    ("text", "form", "reason"),
    [
        ("   ", "plain", "empty answer"),
        ("Wrong.", "plain", "too short"),
        ("x" * 61, "plain", "too long"),
        ("I'm sorry, but I can't help with that.", "plain", "refused"),
        ("As an AI, I have no students.", "plain", "refused"),
        ("Sorry, I cannot say.", "plain", "refused"),
        ("It adds them. It adds them. It adds them.", "plain", "repeats itself"),
        (GOOD, "json", "answer not parsed"),
        (f"Here it is: {as_json(hint=GOOD, reasoning='r')}", "json", "answer not parsed"),
        (as_json(hint=GOOD), "json", "answer not parsed"),
        (as_json(hint=GOOD, reasoning="r", label=3), "json", "answer not parsed"),
        (as_json(hint=[GOOD], reasoning="r"), "json", "answer not parsed"),
        ("[1, 2]", "json", "answer not parsed"),
        (as_json(hint=" ", reasoning="r"), "json", "empty answer"),
        (as_json(hint="I cannot answer this question", reasoning="r"), "json", "refused"),
        (as_json(hint=GOOD, reasoning="r" * 41), "json", "too long"),
    ],
)
def test_reasons(text: str, form: str, reason: str) -> None:
    assert reason_of(text, form) == reason


def test_latex_in_an_object_may_stand_with_single_backslashes() -> None:
    text = r'{"reasoning": "r", "hint": "Takes \( 1 \div 2 \) for 2."}'
    assert parse_hint(text, form="json", limits=LIMITS) == Hint(hint=r"Takes \( 1 \div 2 \) for 2.", reasoning="r")


@pytest.mark.parametrize("command", ["frac{1}{2}", "times 2", "beta", "rightarrow"])
def test_latex_that_json_took_for_a_control_character_is_put_back(command: str) -> None:
    """A form feed and `rac{1}{2}` is no hint that anybody should learn from."""
    meant = Hint(hint=rf"Takes \( x \{command} \) for 2.", reasoning="r")
    spoilt = rf'{{"reasoning": "r", "hint": "Takes \( x \{command} \) for 2."}}'
    assert parse_hint(spoilt, form="json", limits=LIMITS) == meant
    sound = spoilt.replace("\\", "\\\\")
    assert parse_hint(sound, form="json", limits=LIMITS) == meant


def test_a_sound_hint_may_begin_like_a_refusal_or_repeat_short_pieces() -> None:
    assert reason_of("I can see that 2 was added. 2. 2. 2.") is None
    assert reason_of("As an angle it is too large.") is None


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="shortest"):
        HintLimits(shortest=5, longest=4)


def test_a_hint_without_reasoning_has_no_json_form() -> None:
    with pytest.raises(ValueError, match="reasoning"):
        answer_text(Hint(hint=GOOD), "json")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Adds both.]\n\nLet us see:\n1. x", "Adds both."),
        ("Adds both.\n \nLet us see", "Adds both."),
        ("Adds both.\nSecond line.", "Adds both.\nSecond line."),
        ("Takes the interval [1, 2]\n\nx", "Takes the interval [1, 2]"),
        ("]\n\nx", "]\n\nx"),
    ],
)
def test_a_teacher_that_trails_off_is_cut_at_the_first_blank_line(text: str, kept: str) -> None:
    assert first_paragraph(Hint(hint=text, reasoning="r")) == Hint(hint=kept, reasoning="r")
