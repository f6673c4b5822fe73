import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is  Two\nplus two?", "what is two plus two?"),
        (r"\( 3 \times 2 \)", r"\(3\times2\)"),
        (r"\[ 3 \times a \]", r"\( 3 \times  a\)"),
        (r"Add \(5~\mathrm{cm}\)", r"add\( 5 \, \mathrm{cm} \) "),
        (r"\(\left( x \right)\)", r"\((x)\)"),
        (r"$$ 1\quad 2 $$", r"\(1 2\)"),
    ],
)
def test_spacing_and_case_make_no_difference(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\( 12 \)", r"\( 1+2 \)"),
        ("x²", "x2"),
        ("a b", "ab"),
        (r"\(\times a\)", r"\(\timesa\)"),
        (r"\(\leftarrow\)", r"\(\)"),
    ],
)
def test_other_questions_stay_apart(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_the_form_is_readable() -> None:
    assert normalise("Work out \\[\n 3 \\times b\n\\] NOW") == r"work out \(3\times b\) now"


@given(
    st.lists(st.sampled_from(["A", "b", "7", r"\(x + 1\)", "?", "+"])), st.lists(st.sampled_from([" ", "\n", "\t "]))
)
def test_more_white_space_between_words_changes_nothing(words: list[str], gaps: list[str]) -> None:
    padded = "".join(word + " " + "".join(gaps) for word in words)
    assert normalise(padded) == normalise(" ".join(words))
    assert normalise(normalise(padded)) == normalise(padded)
