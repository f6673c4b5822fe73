"""One reading of a question's text, so that copies that differ in spacing or case only are recognised."""

import re
import unicodedata

_MATHS = re.compile(r"\\\((.*?)\\\)|\\\[(.*?)\\\]|\$\$(.*?)\$\$", re.DOTALL)
_SPACING = re.compile(r"\\(?:[,;:! ]|(?:q?quad|space|thinspace|enspace)(?![a-z])|hspace\*?\{[^{}]*\})|~")
_SIZING = re.compile(r"\\(?:left|right|displaystyle|textstyle)(?![a-z])")
_COMMAND_GAP = re.compile(r"(\\[a-z]+)\s+(?=[a-z])")
_GAP = re.compile(r"\s+")
_MARK = "\x00"


def normalise(text: str) -> str:
    r"""Return the text in lower case, with white space and LaTeX spacing brought to one form.

    Two texts that differ in case, in line breaks, in LaTeX spacing (`\,`, `~`, `\quad`, `\left`), in spaces inside or
    around `\( … \)`, or in inline against displayed maths become equal. Superscripts and other letters that merely
    look alike stay different (`x²` is not `x2`).

    Args:
        text: Any text; LaTeX as the Eedi files write it.

    Returns:
        The normalised text; empty where `text` holds nothing but white space.
    """
    folded = unicodedata.normalize("NFC", text).casefold()
    return _GAP.sub(" ", _MATHS.sub(_normalise_maths, folded)).strip()


def _normalise_maths(match: re.Match[str]) -> str:
    source = next(group for group in match.groups() if group is not None)
    source = _SIZING.sub("", _SPACING.sub(" ", source))
    # `\times a` must not become `\timesa`: the gap after a command survives where a letter follows.
    source = _COMMAND_GAP.sub(rf"\1{_MARK}", source)
    return f" \\({_GAP.sub('', source).replace(_MARK, ' ')}\\) "
