r"""LaTeX maths to MathML, as far as school questions go: fractions, roots, powers, arrays, text, symbols."""

import re
from html import escape

from eval.symbols import ACCENTS, BLANK, BOLD, FENCES, FRACTIONS, FUNCTIONS, IGNORED, NAMES, OPERATORS, SPACES, TEXTS

_TOKENS = re.compile(r"\\[a-zA-Z]+\*?|\\.|_{2,}|\d+(?:[.]\d+|,\d{3}(?!\d))*|\s+|.", re.DOTALL)
_DEPTH = 40


class UnreadableError(Exception):
    """The source is no maths that this module reads; show it as it is."""


def to_mathml(source: str, *, display: bool) -> str:
    """Return a `<math>` element; all text in it is escaped.

    Args:
        source: LaTeX without its delimiters.
        display: On a line of its own.

    Raises:
        UnreadableError: A brace or environment is not closed, an argument is missing, or it nests too deeply.
    """
    parser = _Parser(_TOKENS.findall(source))
    body = parser.row(frozenset())
    if parser.peek() is not None:
        raise UnreadableError(source)
    return f"<math{' display=' + chr(34) + 'block' + chr(34) if display else ''}>{body}</math>"


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def peek(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def row(self, stops: frozenset[str]) -> str:
        """Read atoms with their scripts up to a stop (left unread), a closing brace or the end."""
        self._descend()
        items: list[str] = []
        while (token := self.peek()) is not None and token not in stops and token != "}":
            if token in "^_":
                items.append(self._scripts(items.pop() if items else "<mrow></mrow>"))
            else:
                items.append(self._atom())
        self._depth -= 1
        return "<mrow>" + "".join(items) + "</mrow>"

    def _next(self) -> str:
        token = self.peek()
        if token is None:
            raise UnreadableError("ends too early")
        self._place += 1
        return token

    def _skip_blanks(self) -> None:
        while (self.peek() or "x").isspace():
            self._place += 1

    def _argument(self) -> str:
        self._skip_blanks()
        self._descend()
        argument = self._atom()
        self._depth -= 1
        return argument

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH:
            raise UnreadableError("nested too deeply")

    def _scripts(self, base: str) -> str:
        scripts: dict[str, str] = {}
        while (token := self.peek()) is not None and token in ("^", "_") and token not in scripts:
            self._place += 1
            scripts[token] = self._argument()
        if len(scripts) == 2:
            return f"<msubsup>{base}{scripts['_']}{scripts['^']}</msubsup>"
        if re.sub("</?mrow>", "", scripts.get("^", "")) in ("<mo>∘</mo>", "<mi>°</mi>"):
            return f"<mrow>{base}<mi>°</mi></mrow>"  # the sign has its own height: raising it again makes a speck
        tag = "msup" if "^" in scripts else "msub"
        return f"<{tag}>{base}{''.join(scripts.values())}</{tag}>"

    def _atom(self) -> str:
        token = self._next()
        if token.startswith("__"):
            return f"<mtext>{token}</mtext>"  # a blank to fill in
        if token.isspace() or token in IGNORED:
            return ""
        if token == "{":
            body = self.row(frozenset())
            self._close()
            return body
        if token in ("}", "&", "\\\\"):
            raise UnreadableError(token)
        if token.startswith("\\"):
            return SPACES[token] if token in SPACES else self._command(token)
        if token[0].isdigit():
            return f"<mn>{escape(token)}</mn>"
        if token.isalpha():
            return f"<mi>{escape(token)}</mi>"
        return SPACES[token] if token in SPACES else _operator("−" if token == "-" else token)

    def _command(self, token: str) -> str:
        name = token[1:]
        if name in NAMES:
            return f"<mi>{NAMES[name]}</mi>"
        if name in OPERATORS:
            return _operator(OPERATORS[name])
        if name in FUNCTIONS:
            return f'<mi>{name}</mi><mspace width="0.17em"/>'
        if token in TEXTS:
            return self._text(bold=token == r"\textbf")
        if token in FRACTIONS:
            return f"<mfrac>{self._argument()}{self._argument()}</mfrac>"
        if token in ACCENTS:
            return f'<mover accent="true">{self._argument()}<mo>{ACCENTS[token]}</mo></mover>'
        return self._structure(token)

    def _structure(self, token: str) -> str:
        if token in BOLD:
            return f'<mrow class="bold">{self._argument()}</mrow>'
        if token == r"\sqrt":
            return self._root()
        if token == r"\left":
            return self._fenced()
        if token == r"\begin":
            return self._environment()
        if token in (r"\fbox", r"\boxed", r"\underline"):
            style = "under" if token == r"\underline" else "boxed"
            return f'<mrow class="{style}">{self._argument() if style == "under" else self._text(bold=False)}</mrow>'
        if token in (r"\color", r"\hspace", r"\textcolor"):
            self._raw()
            return BLANK if token == r"\hspace" else ""
        if not token[1:].isalpha():
            return _operator(token[1:])  # an escaped sign: \%, \{, \$
        return f"<mtext>{escape(token)}</mtext>"

    def _raw(self) -> str:
        """Read a braced argument (or one token) as source."""
        self._skip_blanks()
        if self.peek() != "{":
            return self._next()
        self._place += 1
        level, parts = 1, list[str]()
        while level:
            token = self._next()
            level += {"{": 1, "}": -1}.get(token, 0)
            parts.append(token)
        return "".join(parts[:-1])

    def _text(self, *, bold: bool) -> str:
        source = self._raw()
        if re.search(r"[\\^_{]", source):
            parser = _Parser(_TOKENS.findall(re.sub(r"\\[()]", "", source)))
            parser._depth = self._depth + 1
            body = parser.row(frozenset())
            if parser.peek() is not None:
                raise UnreadableError(source)
            return f'<mrow class="upright">{body}</mrow>'
        # MathML trims blanks at the ends of a text, so "5 cm" needs one that it keeps.
        words = escape(re.sub(r"[\s~]+", "\u00a0", source))
        return f"<mtext{' class=' + chr(34) + 'bold' + chr(34) if bold else ''}>{words}</mtext>"

    def _root(self) -> str:
        self._skip_blanks()
        if self.peek() != "[":
            return f"<msqrt>{self._argument()}</msqrt>"
        self._place += 1
        index = self.row(frozenset("]"))
        self._close("]")
        return f"<mroot>{self._argument()}{index}</mroot>"

    def _fenced(self) -> str:
        left = self._fence()
        body = self.row(frozenset((r"\right",)))
        self._close(r"\right")
        return f"<mrow>{left}{body}{self._fence()}</mrow>"

    def _fence(self) -> str:
        self._skip_blanks()
        token = self._next()
        name = token[1:] if token.startswith("\\") else token
        return "" if token == "." else _operator(OPERATORS.get(name, name))

    def _environment(self) -> str:
        name = self._raw().rstrip("*")
        if name in ("array", "tabular") and self.peek() == "{":
            self._raw()
        rows: list[list[str]] = [[]]
        stops = frozenset(("&", "\\\\", r"\end"))
        while True:
            rows[-1].append(self.row(stops))
            stop = self._next()
            if stop == r"\end":
                break
            if stop == "}":
                raise UnreadableError(name)
            if stop == "\\\\":
                rows.append([])
        if self._raw().rstrip("*") != name:
            raise UnreadableError(name)
        left, right = FENCES.get(name, ("", ""))
        body = "".join(_table_row(row) for row in rows if any(cell != "<mrow></mrow>" for cell in row))
        kind = ' class="ruled"' if name == "tabular" else ""
        fences = [_operator(sign) if sign else "" for sign in (left, right)]
        return f"<mrow>{fences[0]}<mtable{kind}>{body}</mtable>{fences[1]}</mrow>"

    def _close(self, wanted: str = "}") -> None:
        if self._next() != wanted:
            raise UnreadableError(f"expected {wanted}")


def _operator(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


def _table_row(cells: list[str]) -> str:
    return "<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in cells) + "</mtr>"
