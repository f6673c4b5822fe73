import csv
import os
from pathlib import Path

import pytest

from eval.latex import to_html


def test_text_is_escaped_and_lines_kept() -> None:
    assert to_html('Is 1 < 2 & "so"?\n<script>x</script>') == (
        "Is 1 &lt; 2 &amp; &quot;so&quot;?<br>&lt;script&gt;x&lt;/script&gt;"
    )


def test_inline_and_display() -> None:
    assert to_html(r"a \( x \) b") == "a <math><mrow><mi>x</mi></mrow></math> b"
    assert to_html("\\[\nx\n\\]") == '<math display="block"><mrow><mi>x</mi></mrow></math>'
    assert to_html("$$x$$") == '<math display="block"><mrow><mi>x</mi></mrow></math>'
    assert to_html("costs $5 or $6") == "costs $5 or $6"


def test_an_unreadable_formula_shows_its_source() -> None:
    assert to_html(r"\( \frac{<b> \)") == r"<code>\( \frac{&lt;b&gt; \)</code>"


def test_tables() -> None:
    source = r"\begin{tabular}{|c|c|} \hline\( r \) & 1 \\\( f \) & \multicolumn{2}{c}{<i>} \\ \hline \end{tabular}"
    assert to_html(source) == (
        '<table class="tabular"><tr><td><math><mrow><mi>r</mi></mrow></math></td><td>1</td></tr>'
        '<tr><td><math><mrow><mi>f</mi></mrow></math></td><td colspan="2">&lt;i&gt;</td></tr></table>'
    )


def test_images_become_their_words() -> None:
    assert to_html(r"See ![A line at \( x \), <b>]() now") == (
        'See <span class="image">Image: A line at <math><mrow><mi>x</mi></mrow></math>, &lt;b&gt;</span> now'
    )


@pytest.mark.eedi
def test_every_real_text_is_read() -> None:
    path = Path(os.environ.get("EEDI_DIR", "../shared/data/eedi")) / "train.csv"
    if not path.exists():
        pytest.skip(f"no Eedi files at {path}: set EEDI_DIR")
    with path.open(encoding="utf-8-sig", newline="") as file:
        texts = [row[name] for row in csv.DictReader(file) for name in row if name.endswith("Text")]
    assert len(texts) > 7000
    assert [text for text in texts if "<code>" in to_html(text)] == []
