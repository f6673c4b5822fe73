"""Leak check: a made row that repeats a validation or test question, or was made with one in sight, is left out."""

from collections.abc import Iterator, Sequence

from core.fingerprint import fingerprint
from core.records import Question
from core.text import normalise
from synth.duplicates import TextVectors, form_key
from synth.nearness import check_vectors, most_similar
from synth.reasons import HELD_OUT_NEAR, HELD_OUT_TEXT, HELD_OUT_WORDS, SHOWN
from synth.rows import SyntheticRow
from synth.verdicts import Verdict, passed, rejected


def leak_verdicts(
    rows: Sequence[SyntheticRow],
    held_out: Sequence[Question],
    *,
    vectors: TextVectors | None = None,
    near: float = 0.95,
    words: int = 20,
) -> list[Verdict]:
    """Return for each row whether it keeps clear of the questions that something is measured on.

    Args:
        rows: n made rows.
        held_out: Validation and test questions; m of them, with or without labels.
        vectors: Embeddings of both (`known` is the held-out questions'); None leaves out what is merely near.
        near: The lowest cosine that counts as near; a clean row that is lost costs less than a leak that stays.
        words: So many words of the text in a row in common are a leak, whatever stands around them; of a shorter text
            only the whole is compared. Of the real Eedi questions 8 % share 20 words in a row with another one.

    Raises:
        ValueError: Vectors do not fit the rows, `near` is not between 0 and 1, or `words` is below 2.
    """
    if not 0.0 < near <= 1.0 or words < 2:
        raise ValueError(f"expected a cosine over 0 and up to 1 and at least 2 words, got {near} and {words}")
    texts: dict[str, int] = {}
    runs: dict[tuple[str, ...], int] = {}
    shown: dict[str, int] = {}
    for question in held_out:
        shown.setdefault(fingerprint(question), question.id)
        texts.setdefault(form_key(question.text), question.id)
        for run in _runs(question, words):
            runs.setdefault(run, question.id)
    verdicts = [_by_text(row, shown, texts, runs, words) for row in rows]
    return verdicts if vectors is None else _by_vector(verdicts, held_out, vectors, near)


def _by_text(
    row: SyntheticRow,
    shown: dict[str, int],
    texts: dict[str, int],
    runs: dict[tuple[str, ...], int],
    words: int,
) -> Verdict:
    for parent in row.parents:
        if parent in shown:
            return rejected(SHOWN, detail=f"question {shown[parent]}")
    same = texts.get(form_key(row.question.text))
    if same is not None:
        return rejected(HELD_OUT_TEXT, detail=f"of question {same}")
    for run in _runs(row.question, words):
        if run in runs:
            return rejected(HELD_OUT_WORDS, detail=f"of question {runs[run]}: {' '.join(run)}")
    return passed()


def _runs(question: Question, words: int) -> Iterator[tuple[str, ...]]:
    """Yield all runs of so many words of a question's text; LaTeX commands and numbers count as words."""
    said = normalise(question.text).split()
    for start in range(len(said) - words + 1):
        yield tuple(said[start : start + words])


def _by_vector(
    verdicts: Sequence[Verdict], held_out: Sequence[Question], vectors: TextVectors, near: float
) -> list[Verdict]:
    check_vectors("vectors.rows", vectors.rows, len(verdicts))
    check_vectors("vectors.known", vectors.known, len(held_out))
    nearest, cosines = most_similar(vectors.rows, vectors.known)
    found = []
    for verdict, row, cosine in zip(verdicts, nearest.tolist(), cosines.tolist(), strict=True):
        if verdict.accepted and cosine >= near - 1e-6:
            told = f"question {held_out[row].id}, cosine {cosine:.4f}"
            verdict = rejected(HELD_OUT_NEAR, detail=told, score=cosine)
        found.append(verdict)
    return found
