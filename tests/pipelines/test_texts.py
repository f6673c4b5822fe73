import pytest

from core.records import Misconception, Query, Question
from pipelines.settings import TextSettings
from pipelines.texts import text_forms
from retrieval.text import misconception_text, query_text

QUESTION = Question(id=1, text="What is 2?", answers=("1", "2", "3", "4"), correct="B", construct="Count")
QUERY = Query(question=QUESTION, letter="A", hint="Starts at one")
ENTRY = Misconception(id=1, name="Miscounts", explanation="Begins too early")


def test_a_hint_in_the_text_stands_first() -> None:
    forms = text_forms(TextSettings(fields=("construct", "incorrect"), hint="text"))
    lines = query_text(QUERY, forms.query).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "Why a student might answer this",
        "Construct",
        "Incorrect answer",
    ]
    assert forms.hint_view is None


def test_the_config_may_place_the_hint() -> None:
    forms = text_forms(TextSettings(fields=("incorrect", "hint"), hint="text"))
    assert forms.query.fields == ("incorrect", "hint")


@pytest.mark.parametrize("how", ["off", "view"])
def test_a_hint_that_is_no_text_is_not_in_it(how: str) -> None:
    forms = text_forms(TextSettings(fields=("hint", "incorrect"), hint=how))  # type: ignore[arg-type]
    assert "Starts" not in query_text(QUERY, forms.query)
    assert (forms.hint_view is not None) == (how == "view")
    if forms.hint_view is not None:
        assert query_text(QUERY, forms.hint_view) == "Why a student might answer this: Starts at one"


def test_an_explanation_is_text_view_or_nothing() -> None:
    text, view, off = (text_forms(TextSettings(explanation=how)) for how in ("text", "view", "off"))  # type: ignore[arg-type]
    assert misconception_text(ENTRY, text.entry) == "Miscounts\nBegins too early"
    assert misconception_text(ENTRY, view.entry) == misconception_text(ENTRY, off.entry) == "Miscounts"
    assert view.explanation_view is not None
    assert misconception_text(ENTRY, view.explanation_view) == "Begins too early"
    assert text.explanation_view is off.explanation_view is None


def test_the_hash_tells_texts_apart_and_nothing_else() -> None:
    plain = text_forms(TextSettings(hint="off", explanation="off"))
    assert plain.hash() == text_forms(TextSettings(hint="off", explanation="off", view_weight=3.0)).hash()
    others = [
        TextSettings(hint="text", explanation="off"),
        TextSettings(hint="view", explanation="off"),
        TextSettings(hint="view", explanation="off", view_weight=3.0),
        TextSettings(hint="off", explanation="view"),
        TextSettings(hint="off", explanation="text"),
        TextSettings(hint="off", explanation="off", latex="keep"),
        TextSettings(hint="off", explanation="off", instruction="Find: "),
        TextSettings(hint="off", explanation="off", fields=("question",)),
    ]
    assert len({plain.hash(), *(text_forms(other).hash() for other in others)}) == len(others) + 1
