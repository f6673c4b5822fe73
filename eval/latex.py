"""Questions as HTML: maths in LaTeX becomes MathML, tables become tables, all other text is escaped.

Covers what the Eedi files use. A formula that cannot be read is shown as its own source, in monospace.
"""

import re
from html import escape

from eval.mathml import UnreadableError, to_mathml

_PIECES = re.compile(
    r"!\[(?P<image>.*?)\]\([^()]*\)"
    r"|\\begin\{tabular\}(?P<columns>\{[^{}]*\})?(?P<table>.*?)\\end\{tabular\}"
    r"|\\\((?P<inline>.*?)\\\)|\\\[(?P<display>.*?)\\\]|\$\$(?P<dollars>.*?)\$\$",
    re.DOTALL,
)
_CELLS = re.compile(
    r"(?P<row>\\\\)|(?P<maths>\\\(.*?\\\))|(?P<line>\\hline\b|\\cline\{[^{}]*\})|(?P<cell>&)", re.DOTALL
)
_WIDE = re.compile(r"\s*\\multicolumn\{(\d{1,2})\}\{[^{}]*\}\{(.*)\}\s*", re.DOTALL)


def to_html(text: str) -> str:
    r"""Return safe HTML of a text with LaTeX as the Eedi files write it.

    `\( … \)`, `\[ … \]` and `$$ … $$` become MathML, `tabular` a table, `![words]()` a framed "Image: words"; line
    breaks are kept. Nothing of the text is ever read as HTML.
    """
    parts: list[str] = []
    end = 0
    for match in _PIECES.finditer(text):
        parts += [_plain(text[end : match.start()]), _piece(match)]
        end = match.end()
    return "".join([*parts, _plain(text[end:])])


def _plain(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _piece(match: re.Match[str]) -> str:
    if match["image"] is not None:
        return f'<span class="image">Image: {to_html(match["image"])}</span>'
    if match["table"] is not None:
        return _table(match["table"])
    display = match["inline"] is None
    source = next(match[name] for name in ("inline", "display", "dollars") if match[name] is not None)
    try:
        return to_mathml(source, display=display)
    except UnreadableError:
        return f"<code>{escape(match[0])}</code>"


def _table(source: str) -> str:
    rows: list[list[str]] = [[""]]
    end = 0
    for match in _CELLS.finditer(source):
        rows[-1][-1] += source[end : match.start()]
        end = match.end()
        if match["row"]:
            rows.append([""])
        elif match["cell"]:
            rows[-1].append("")
        elif match["maths"]:
            rows[-1][-1] += match["maths"]
    rows[-1][-1] += source[end:]
    body = "".join(
        f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows if any(cell.strip() for cell in row)
    )
    return f'<table class="tabular">{body}</table>'


def _cell(source: str) -> str:
    wide = _WIDE.fullmatch(source)
    if wide:
        return f'<td colspan="{int(wide[1])}">{to_html(wide[2].strip())}</td>'
    return f"<td>{to_html(source.strip())}</td>"
