from fractions import Fraction

import pytest

from synth.answers import number
from synth.mal_rule import MalRule, Parameter, Task

RULE = MalRule(slug="adds-one", name="Adds one", explanation="Adds one too many.")


def task(wording: str, parameters: str = "a b", wrong: int = 1) -> Task:
    return Task(
        slug="t",
        construct="c",
        subject="s",
        wordings=(wording,),
        parameters=parameters,
        draw=lambda r: (r.randint(1, 2), r.randint(1, 2)),
        right=lambda a, b: number(a + b),
        wrong=((RULE, lambda a, b: number(a + b + 1)),) * wrong,
    )


@pytest.mark.parametrize(
    ("wording", "values", "expected"),
    [
        (r"\( <a>x <+b> \)", (3, -4), r"\( 3x  - 4 \)"),
        (r"\( <a*>x<+b> \)", (1, 4), r"\( x + 4 \)"),
        (r"\( <a*>x \)", (-1, 4), r"\( -x \)"),
        (r"\( <a*>x \)", (11, 4), r"\( 11x \)"),
        (r"\( y<+b*>x \)", (0, -1), r"\( y - x \)"),
        (r"\( <a> < <b> \)", (Fraction(5, 2), 3), r"\( 2.5 < 3 \)"),
        ("<a>; <b>", ((3, 1, 2), "p"), "3, 1, 2; p"),
        ("<person> has <a>", (3, 4), "Ada has 3"),
    ],
)
def test_placeholders(wording: str, values: tuple[Parameter, ...], expected: str) -> None:
    assert task(wording).worded(wording, values, "Ada") == expected


def test_a_wording_with_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="z"):
        task("What is <z>?")


def test_a_rule_bound_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        task("<a>", wrong=2)


def test_a_parameter_without_end_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="ending decimals"):
        task("<a>").worded("<a>", (Fraction(1, 3), 1), "Ada")


@pytest.mark.parametrize("slug", ["", "Adds", "adds one", "-adds", "adds--one"])
def test_malformed_slugs_are_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="slug"):
        MalRule(slug=slug, name="n", explanation="e")


@pytest.mark.parametrize(("name", "explanation"), [(" ", "e"), ("n", "")])
def test_blank_texts_are_refused(name: str, explanation: str) -> None:
    with pytest.raises(ValueError, match="blank"):
        MalRule(slug="s", name=name, explanation=explanation)
