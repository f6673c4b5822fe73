"""Made questions as training rows: none that tells of a held-out question, and as many as the config asks for."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.fingerprint import fingerprint
from core.records import Question
from core.synthetic_table import SyntheticQuestion, read_synthetic
from eval.splits import seen_labels
from pipelines.job import Job, fingerprints

logger = logging.getLogger(__name__)


def read_rows(job: Job, folder: Path, fitted: Sequence[Question]) -> list[Question]:
    """Return a folder's questions that may teach a model which is fitted on some real ones; see `allowed_rows`.

    Raises:
        InputError: A file is missing or wrong, or no row is left.
    """
    made = read_synthetic(folder, {entry.id for entry in job.bank})
    kept = allowed_rows(job, made, fitted)
    if not kept:
        raise InputError(
            f"{folder}: none of its {len(made)} questions may be trained on: each was written from, or repeats, a real "
            "question that is not fitted on"
        )
    return kept


def synthetic_rows(job: Job, fitted: Sequence[Question]) -> list[Question]:
    """Return the job's made questions that a model fitted on some real ones is trained on, as `[synthetic]` says.

    None may be left, where each tells of a held-out question: a warning says so.
    """
    settings = job.settings.synthetic
    kept = allowed_rows(job, job.synthetic, fitted)
    if settings.labels == "unseen":
        kept = _only_unseen(kept, fitted)
    if settings.mode == "mixed" and settings.share < 1:
        real = sum(len(found) for question in fitted for found in question.labels)
        kept = thinned(kept, most=int(settings.share / (1 - settings.share) * real), seed=settings.seed)
    if job.synthetic and not kept:
        logger.warning(
            "warning: none of the %d made questions may be trained on here: each was written from, or repeats, a "
            "question that is held out, or [synthetic] leaves it out; trained on real ones alone",
            len(job.synthetic),
        )
    return kept


def allowed_rows(job: Job, made: Sequence[SyntheticQuestion], fitted: Sequence[Question]) -> list[Question]:
    """Return the made questions that tell nothing of held-out ones.

    A question that was written with a real one as its example tells of it. Where that one is not fitted on, it may be
    held out to measure the model, so the made one is left out, and so is a copy of a held-out or test question; both
    counted.

    Args:
        job: Names all real questions.
        made: The made questions.
        fitted: The real questions that are fitted on.
    """
    allowed = set(fingerprints(fitted))
    held_out = set(fingerprints([*job.train, *job.test])) - allowed
    kept = [
        one.question for one in made if allowed.issuperset(one.parents) and fingerprint(one.question) not in held_out
    ]
    if made:
        logger.info(
            "%d synthetic questions, %d left out (written from, or copies of, questions that are not fitted on)",
            len(kept),
            len(made) - len(kept),
        )
    return kept


def thinned(questions: Sequence[Question], *, most: int, seed: int) -> list[Question]:
    """Leave out questions until at most `most` labels are left, those of the most frequent labels first.

    Args:
        questions: Labelled questions.
        most: Labels to keep, at least one question.
        seed: Which of equally frequent ones go first.

    Returns:
        The rest, in the given order.
    """
    counts = Counter(label for question in questions for found in question.labels for label in found)
    left = sum(counts.values())
    order = np.random.default_rng(seed).permutation(len(questions)).tolist()
    gone: set[int] = set()
    # A bound that falls: what is left over it goes, so that no label is thinned while another is more frequent.
    for bound in range(max(counts.values(), default=0), 0, -1):
        for row in order:
            if left <= most or len(gone) + 1 >= len(questions):
                return [question for place, question in enumerate(questions) if place not in gone]
            labels = [label for found in questions[row].labels for label in found]
            if row not in gone and labels and min(counts[label] for label in labels) >= bound:
                gone.add(row)
                counts.subtract(labels)
                left -= len(labels)
    return [question for place, question in enumerate(questions) if place not in gone]


def _only_unseen(questions: Sequence[Question], fitted: Sequence[Question]) -> list[Question]:
    seen = seen_labels(fitted)
    stripped = []
    for question in questions:
        a, b, c, d = (tuple(id for id in found if id not in seen) for found in question.labels)
        if any((a, b, c, d)):
            stripped.append(replace(question, labels=(a, b, c, d)))
    return stripped
