"""Teachers: what one is asked to rank, what it may know of it, and its rankings as a student's training reads them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.artifacts import read_manifest
from core.errors import InputError
from core.models import LocalModel
from core.records import Query, Question, Ranking, queries_of
from core.tables import read_rankings
from pipelines.job import Job, fingerprints
from pipelines.plan import split_training
from pipelines.synthetic_rows import synthetic_rows
from pipelines.train_stage import fitted_on

logger = logging.getLogger(__name__)

FILE = "teacher.parquet"
_STEP = 1e-3
"""By how much an entry that is put behind a list scores less than the one before it."""


def shown_to_teacher(queries: Sequence[Query], candidates: Sequence[Ranking], *, depth: int) -> list[Ranking]:
    """Return the lists that a teacher ranks: the first candidates, and the labels that are not among them.

    A student is shown the truth in every list, so a teacher without a score of it could teach none of a query's lists.
    Labels that stage 1 ranked deeper, or missed, take the last places; the list gets no longer by it.

    Args:
        queries: The queries.
        candidates: Their candidates, in the same order.
        depth: Entries a list.
    """
    made = []
    for query, ranking in zip(queries, candidates, strict=True):
        head = ranking.top(depth)
        missing = [label for label in query.labels if label not in head.ids]
        if not missing:
            made.append(head)
            continue
        kept = ranking.top(max(depth - len(missing), 0))
        lowest = float(kept.scores[-1]) if len(kept) else 0.0
        scores = [*kept.scores, *(lowest - _STEP * place for place in range(1, len(missing) + 1))]
        made.append(Ranking.from_scores(ranking.key, [*kept.ids.tolist(), *missing], scores))
    return made


def as_found(ranked: Sequence[Ranking], candidates: Sequence[Ranking]) -> list[Ranking]:
    """Return a teacher's rankings without the labels that were put in, to be measured beside stage 1.

    Args:
        ranked: Its rankings.
        candidates: Stage 1's, in the same order, as far down as the teacher's are long.
    """
    left = [np.isin(one.ids, found.ids) for one, found in zip(ranked, candidates, strict=True)]
    return [
        Ranking(key=one.key, ids=one.ids[mask], scores=one.scores[mask]) for one, mask in zip(ranked, left, strict=True)
    ]


def check_unseen(models: Sequence[LocalModel], questions: Sequence[Question], *, spec: str, allowed: bool) -> None:
    """Refuse a teacher that was fitted on the questions which it is to teach, as far as its manifests tell.

    Such a teacher has their labels by heart: its rankings tell a student what the labels tell it anyway, and look as
    if they told more.

    Args:
        models: Its models and adapters.
        questions: The questions.
        spec: What it is called.
        allowed: Warn only.

    Raises:
        InputError: It was fitted on some of them.
    """
    asked = set(fingerprints(questions))
    for model in models:
        overlap = len(asked & fitted_on(model))
        if not overlap:
            continue
        told = f"{model.name} was fitted on {overlap} of the {len(asked)} questions that it is to rank"
        if not allowed:
            raise InputError(
                f"--reranker {spec}: {told} (its manifest says so), so it has their labels by heart and tells a "
                "student little besides; name a teacher that was not, or say --seen-teacher"
            )
        logger.warning("warning: %s: its rankings are too good to be true of new questions", told)


def taught_by(path: str | None) -> frozenset[str]:
    """Return the fingerprints of the questions that the maker of a file of rankings was fitted on; none where unknown.

    Args:
        path: The file; None where there is no teacher.
    """
    manifest = read_manifest(Path(path)) if path is not None else None
    return frozenset((manifest or {}).get("fitted_on") or ())


def check_teacher(job: Job) -> None:
    """Refuse a teacher that lacks queries which it is to teach, before stage 1 costs anything.

    Made rows that come first are trained on without it; those that are mixed in must be known to it.

    Raises:
        InputError: It lacks some, or cannot be read.
    """
    path = job.settings.lm_training.teacher
    if path is None:
        return
    questions = split_training(job.train, job.settings.split).train
    queries = job.queries(questions, labelled_only=True)
    if job.synthetic and job.settings.synthetic.mode == "mixed":
        queries += queries_of(synthetic_rows(job, questions), labelled_only=True)
    read_teacher(path, queries)


def read_teacher(path: str | None, queries: Sequence[Query]) -> list[Ranking] | None:
    """Return a teacher's rankings in the order of the queries.

    Args:
        path: The file; None where there is no teacher.
        queries: What the student is trained on.

    Raises:
        InputError: The file cannot be read, or lacks a query.
    """
    if path is None:
        return None
    by_key = {ranking.key: ranking for ranking in read_rankings(Path(path))}
    missing = [query.key for query in queries if query.key not in by_key]
    if missing:
        raise InputError(
            f"lm_training.teacher {path}: lacks {len(missing)} of {len(queries)} queries to train on, for example "
            f"{missing[0]}; let pipelines/teacher_rankings.py rank the out-of-fold candidates of the same --train "
            "(and --synthetic), with the same [split]; with synthetic.mode=first made questions need no teacher"
        )
    return [by_key[query.key] for query in queries]


def warn_of_gaps(teacher: Sequence[Ranking], candidates: Sequence[Ranking], *, window: int) -> None:
    """Say where a teacher ranks fewer candidates than its student draws from: such lists learn from the label alone.

    Args:
        teacher: Its rankings.
        candidates: The student's, in the same order.
        window: How many of them it draws from.
    """
    lacking = [
        int((~np.isin(found.ids[:window], ranked.ids)).sum()) for ranked, found in zip(teacher, candidates, strict=True)
    ]
    # One or two are labels that took the last places (`shown_to_teacher`).
    short = sum(count > 2 for count in lacking)
    if short:
        logger.warning(
            "warning: of the first %d candidates, which lists are drawn from, the teacher lacks more than two in %d of "
            "%d queries: lists with one of those learn from the label alone; lower lm_training.window and "
            "largest_list, or let the teacher rank as many of the same candidates",
            window,
            short,
            len(lacking),
        )
