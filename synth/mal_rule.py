"""The nouns of procedural questions: a mal-rule, and a task in which it shows.

A mal-rule is a misconception written as a wrong procedure beside the right one. Idea and term: Brown and Burton,
"Diagnostic models for procedural bugs in basic mathematical skills" (Cognitive Science 2, 1978: BUGGY); for algebra,
Sleeman, "An attempt to understand students' understanding of basic algebra" (Cognitive Science 8, 1984).

One belief goes wrong in several skills (doubling instead of squaring spoils a power, a formula and an area alike), so
the belief is a `MalRule`, and a `Task` binds it to the procedure that it makes of that skill.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from synth.answers import Answer, digits

Parameter = int | Fraction | str | tuple[int, ...]
Procedure = Callable[..., Answer | None]
"""Takes a task's parameters in order; returns the answer, or None where it makes none for these numbers."""

_PLACE = re.compile(r"<(\+?)([a-z]+\d?)(\*?)>")
PERSON = "person"
"""The placeholder that any wording may hold: a first name, drawn by the generator."""


@dataclass(frozen=True, kw_only=True)
class MalRule:
    """A misconception that can be applied as a wrong procedure.

    Attributes:
        slug: Stable key, lower case with hyphens.
        name: The misconception as it stands in the bank, one sentence.
        explanation: What it is and when it shows, one or two sentences.

    Raises:
        ValueError: The slug is malformed, or a text is blank.
    """

    slug: str
    name: str
    explanation: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.slug):
            raise ValueError(f"mal-rule slug {self.slug!r}: expected lower-case words joined by hyphens")
        if not self.name.strip() or not self.explanation.strip():
            raise ValueError(f"mal-rule {self.slug}: name and explanation must not be blank")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A skill with drawn numbers, its right procedure and the wrong ones.

    Attributes:
        slug: Stable key.
        construct: The skill, as the question's ConstructName.
        subject: The topic, as the question's SubjectName.
        wordings: Question texts with a placeholder for each parameter that is shown: `<a>` the value, `<+a>` the
            value with its sign as a further term (` + 3`), `<a*>` the value as a coefficient (1 is not written),
            `<person>` a first name. A Fraction is written as a decimal, a tuple as a list.
        parameters: The parameters' names, separated by spaces, in the order of the draw.
        draw: Draws one value per parameter from a seeded generator.
        right: The right procedure.
        wrong: Pairs of a mal-rule and the procedure that it makes of this skill.
        slips: Procedures of plausible wrong answers that no rule explains; used only where rules give too few.
        keep: Says whether drawn numbers are fit; refuses degenerate ones.

    Raises:
        ValueError: A wording names an unknown parameter, or a rule is bound twice.
    """

    slug: str
    construct: str
    subject: str
    wordings: tuple[str, ...]
    parameters: str
    draw: Callable[[Random], tuple[Parameter, ...]]
    right: Procedure
    wrong: tuple[tuple[MalRule, Procedure], ...]
    slips: tuple[Procedure, ...] = ()
    keep: Callable[..., bool] = lambda *_: True

    def __post_init__(self) -> None:
        known = {*self.parameters.split(), PERSON}
        for wording in self.wordings:
            unknown = {name for _, name, _ in _PLACE.findall(wording)} - known
            if unknown:
                raise ValueError(f"task {self.slug}: a wording names {sorted(unknown)}, known are {sorted(known)}")
        if len({rule.slug for rule, _ in self.wrong}) != len(self.wrong):
            raise ValueError(f"task {self.slug}: a mal-rule is bound twice")

    def worded(self, wording: str, values: tuple[Parameter, ...], person: str) -> str:
        """Return one wording with its placeholders filled."""
        filled: dict[str, Parameter] = dict(zip(self.parameters.split(), values, strict=True))
        filled[PERSON] = person
        return _PLACE.sub(lambda found: _shown(filled[found[2]], signed=bool(found[1]), factor=bool(found[3])), wording)


def _shown(value: Parameter, *, signed: bool, factor: bool) -> str:
    """Return one parameter as its placeholder asks."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    shown = digits(-value if signed and value < 0 else value)
    if shown is None:
        raise ValueError(f"the parameter {value} cannot be shown as a decimal: draw ending decimals only")
    if factor and value in (1, -1):
        shown = shown.removesuffix("1")
    return f" {'+' if value > 0 else '-'} {shown}" if signed else shown
