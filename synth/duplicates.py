"""Which made rows say again what another row, or a real question, says already: exactly, but for form, or nearly."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.records import Question
from core.text import normalise
from synth.nearness import Vectors, check_vectors, most_similar, similar_pairs
from synth.reasons import EXACT, NEAR, NORMALISED, OF_TRAINING
from synth.rows import SyntheticRow
from synth.verdicts import Verdict, passed, rejected

_TRAINING = "training question"
_GAPS = re.compile(r"\s+|\\[()\[\]]|[.?!:]+$")


@dataclass(frozen=True, kw_only=True)
class TextVectors:
    """Embeddings of `synth.question_text.shown_question`, length 1 each, float32.

    Attributes:
        rows: Shape (n, d), one a made row.
        known: Shape (m, d), one a real question.
    """

    rows: Vectors
    known: Vectors


def duplicate_verdicts(
    rows: Sequence[SyntheticRow],
    training: Sequence[Question] = (),
    *,
    vectors: TextVectors | None = None,
    near: float = 0.98,
    earlier: int = 0,
) -> list[Verdict]:
    """Return for each row whether it is new; of several that are the same, the first stays.

    Put the best rows first. Two questions are the same exactly where text and answers are, in whatever order the
    answers stand; the same but for form where they are equal without case, white space, LaTeX spacing and closing
    punctuation. A question with the same text but another wrong answer is a row of its own, unless it is near.

    Args:
        rows: n made rows.
        training: m real questions to train on beside them.
        vectors: Embeddings of both; None leaves out what is nearly the same.
        near: The lowest cosine that counts as nearly the same. Questions on one pattern with other numbers reach 0.95
            with MiniLM; 5 % of the real Eedi questions have another at 0.98 or above.
        earlier: So many rows at the front were accepted before: they stay, and the others are compared with them.

    Raises:
        ValueError: Vectors do not fit the rows, or `near` is not between 0 and 1.
    """
    if not 0.0 < near <= 1.0:
        raise ValueError(f"near: expected a cosine over 0 and up to 1, got {near}")
    verdicts = _by_text(rows, training, earlier)
    return verdicts if vectors is None else _by_vector(rows, training, verdicts, vectors, near, earlier)


def question_key(question: Question) -> str:
    """Return what two questions share that are the same but for form: text and answers, in any order."""
    return "\n".join([form_key(question.text), *sorted(map(form_key, question.answers))])


def form_key(text: str) -> str:
    """Return a text without case, white space, LaTeX spacing, the marks around maths and closing punctuation."""
    return _GAPS.sub("", _GAPS.sub("", normalise(text)))


def _by_text(rows: Sequence[SyntheticRow], training: Sequence[Question], earlier: int) -> list[Verdict]:
    exact: dict[str, str] = {}
    formal: dict[str, str] = {}

    def note(question: Question, name: str) -> None:
        exact.setdefault(_exact_key(question), name)
        formal.setdefault(question_key(question), name)

    for question in training:
        note(question, f"{_TRAINING} {question.id}")
    verdicts = []
    for place, row in enumerate(rows):
        same, alike = exact.get(_exact_key(row.question)), formal.get(question_key(row.question))
        if alike is None or place < earlier:
            note(row.question, f"row {row.key}")
            verdicts.append(passed())
        else:
            of = same or alike
            reason = (EXACT if same else NORMALISED) + (OF_TRAINING if of.startswith(_TRAINING) else "")
            verdicts.append(rejected(reason, detail=f"of {of}"))
    return verdicts


def _exact_key(question: Question) -> str:
    return "\n".join([question.text, *sorted(question.answers)])


def _by_vector(
    rows: Sequence[SyntheticRow],
    training: Sequence[Question],
    verdicts: Sequence[Verdict],
    vectors: TextVectors,
    near: float,
    earlier: int,
) -> list[Verdict]:
    check_vectors("vectors.rows", vectors.rows, len(rows))
    check_vectors("vectors.known", vectors.known, len(training))
    limit = near - 1e-6  # float noise must not make a limit of 1.0 miss equal texts
    real, cosines = most_similar(vectors.rows, vectors.known)
    pairs = similar_pairs(vectors.rows, limit)
    found: list[Verdict] = []
    for place, verdict in enumerate(verdicts):
        if place >= earlier and verdict.accepted:
            earlier_ones = [pair for pair in pairs.get(place, ()) if pair[0] < place and found[pair[0]].accepted]
            if cosines[place] >= limit:
                of, cosine = f"{_TRAINING} {training[int(real[place])].id}", float(cosines[place])
                verdict = rejected(NEAR + OF_TRAINING, detail=f"of {of}, cosine {cosine:.4f}", score=cosine)
            elif earlier_ones:
                other, cosine = max(earlier_ones, key=lambda pair: (pair[1], -pair[0]))
                verdict = rejected(NEAR, detail=f"of row {rows[other].key}, cosine {cosine:.4f}", score=cosine)
        found.append(verdict)
    return found
