import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.mathml import UnreadableError, to_mathml


def bare(source: str) -> str:
    """MathML without grouping rows, which do not change what is seen."""
    return re.sub(r"</?mrow>|</?math>", "", to_mathml(source, display=False))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"\frac{1}{2}", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"),
        (r"\frac12 3", "<mfrac><mn>12</mn><mn>3</mn></mfrac>"),
        (r"x^{2}", "<msup><mi>x</mi><mn>2</mn></msup>"),
        (r"a_1^2", "<msubsup><mi>a</mi><mn>1</mn><mn>2</mn></msubsup>"),
        (r"\sqrt{9}", "<msqrt><mn>9</mn></msqrt>"),
        (r"\sqrt[3]{8}", "<mroot><mn>8</mn><mn>3</mn></mroot>"),
        (r"3 \times 2-1", "<mn>3</mn><mo>×</mo><mn>2</mn><mo>−</mo><mn>1</mn>"),
        (r"5 \mathrm{~cm}", "<mn>5</mn><mtext>\u00a0cm</mtext>"),
        (r"90^{\circ}", "<mn>90</mn><mi>°</mi>"),
        (r"3,506,212", "<mn>3,506,212</mn>"),
        (r"(3,5)", "<mo>(</mo><mn>3</mn><mo>,</mo><mn>5</mn><mo>)</mo>"),
        (r"\left(\begin{array}{c}2 \\ 3\end{array}\right)", "<mo>(</mo><mtable><mtr><mtd><mn>2</mn></mtd></mtr>"
         "<mtr><mtd><mn>3</mn></mtd></mtr></mtable><mo>)</mo>"),
        (r"\left\{x\right.", "<mo>{</mo><mi>x</mi>"),
        (r"50 \%", "<mn>50</mn><mo>%</mo>"),
        (r"=___", "<mo>=</mo><mtext>___</mtext>"),
        (r"\color{gold}\bigstar", "<mi>★</mi>"),
        (r"\text{a < b}", "<mtext>a\u00a0&lt;\u00a0b</mtext>"),
        (r"\unheardof x", r"<mtext>\unheardof</mtext><mi>x</mi>"),
        (r"x<2", "<mi>x</mi><mo>&lt;</mo><mn>2</mn>"),
    ],
)  # fmt: skip
def test_what_becomes_of_school_maths(source: str, expected: str) -> None:
    assert bare(source) == expected


def test_display_is_marked() -> None:
    assert to_mathml("x", display=True).startswith('<math display="block">')


@pytest.mark.parametrize(
    "source",
    ["{", "}", r"\frac{1}", r"\sqrt", "x^", r"\begin{array}{c}1", r"\left(1", "{" * 5000, r"\hat" * 5000, "1 & 2"],
)
def test_unreadable_sources_say_so(source: str) -> None:
    with pytest.raises(UnreadableError):
        to_mathml(source, display=False)


PIECES = [r"\frac", "{", "}", "x", "12", "^", "_", r"\begin{array}{c}", r"\end{array}", "&", r"\\", "<script>",
          r"\text", r"\left", r"\right", "(", "[", "]", " ", r"\sqrt", "~", '"', "\\"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_any_source_gives_balanced_tags_or_is_refused(pieces: list[str]) -> None:
    try:
        html = to_mathml("".join(pieces), display=False)
    except UnreadableError:
        return
    assert "<script" not in html
    open_tags: list[str] = []
    for closing, name, empty in re.findall(r"<(/?)(\w+)[^<>]*?(/?)>", html):
        if closing:
            assert open_tags.pop() == name
        elif not empty:
            open_tags.append(name)
    assert not open_tags
