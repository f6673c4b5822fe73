import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.latex import simplify_latex


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"\( \frac{3}{5} \)", "3/5"),
        (r"\( 2 \frac{1}{5} \)", "2 1/5"),
        (r"\( 2\frac{1}{5} \)", "2 1/5"),
        (r"\( \frac{m^{2}+2 m-3}{m-3} \)", "(m^2+2 m-3)/(m-3)"),
        (r"\( \frac{1}{x^{2}} \)", "1/(x^2)"),
        (r"\( \frac{\frac{1}{2}}{3} \)", "(1/2)/3"),
        (r"\frac12", "1/2"),
        (r"\( 3 \times 2+4-5 \)", "3 × 2+4-5"),
        (r"\( 24 \mathrm{~cm}, 17 \mathrm{~cm} \)", "24 cm, 17 cm"),
        (r"\( 210^{\circ} \)", "210°"),
        (r"\( \sqrt{89} \)", "√89"),
        (r"\( \sqrt[3]{x+1} \)", "3√(x+1)"),
        (r"\( \mathbf{4 1 7 5} \)", "4175"),
        (r"\( \left\{1, 2\right\} \)", "{1, 2}"),
        (r"\( 30 \% \)", "30 %"),
        (r"the \( 4^{\text {th }} \) term", "the 4th term"),
        (r"\( 120 \color{yellow}\bigstar \)", "120 star"),
        (r"\( a \unheardof b \)", "a unheardof b"),
        (r"What is \( x \) ?", "What is x?"),
        ("Who? ![A circle touching a sector]()", "Who? [A circle touching a sector]"),
        (
            "\\begin{tabular}{|c|c|}\n\\hline \\( 1 \\) & \\( 2 \\) \\\\\n\\hline a & b \\\\\n\\end{tabular}",
            "1 | 2\na | b",
        ),
        (r"\( \left(\begin{array}{c}3 \\ -1\end{array}\right) \)", "(\n3\n-1\n)"),
    ],
)
def test_worked_examples(latex: str, plain: str) -> None:
    assert simplify_latex(latex) == plain


def test_text_without_latex_keeps_its_words() -> None:
    text = "Tom & Katie: {2, 3} costs $5_a ^ 3   in  total\n\n\nWho is right?"
    assert simplify_latex(text) == "Tom & Katie: {2, 3} costs $5_a ^ 3 in total\nWho is right?"


@given(st.text(alphabet=r"\(){}[]^_&!frac sqrt times begin 12\n", max_size=60))
def test_broken_latex_neither_raises_nor_leaves_a_backslash(text: str) -> None:
    assert "\\" not in simplify_latex(text)


@given(st.text(max_size=80))
def test_a_second_pass_over_plain_text_changes_nothing(text: str) -> None:
    plain = text.replace("\\", "").replace("!", "")
    once = simplify_latex(plain)
    assert simplify_latex(once) == once
    assert once.split() == plain.split()
