"""What a boosted reranker looks at, over the tiny files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.models import locate_model
from core.records import Question, Ranking
from pipelines.boosted_evidence import Evidence, evidence_plan
from pipelines.job import Job


def everything(job: Job, key: str) -> Ranking:
    return Ranking.from_scores(key, [entry.id for entry in job.bank], [float(-row) for row, _ in enumerate(job.bank)])


def evidence_of(job: Job, model: Path, memory: tuple[Question, ...], folder: Path | None = None) -> Evidence:
    return Evidence(job, locate_model(str(model)), evidence_plan(job), memory, folder)


def test_the_plan_follows_the_files(tiny_job: Callable[..., Job]) -> None:
    plain = evidence_plan(tiny_job())
    assert plain.pairs == (("question", "name"), ("skill", "name")) and plain.remembered == ("question",)
    explained = evidence_plan(tiny_job("text.explanation=text", explanations=True))
    assert ("question", "explanation") in explained.pairs
    assert ("question", "explanation") not in evidence_plan(tiny_job("text.explanation=off", explanations=True)).pairs
    assert len(explained.columns) == len(plain.columns) + 2  # the cosine and its distance to the best


def test_similarities_are_the_encoders_cosines(tiny_job: Callable[..., Job], tiny_model: Path) -> None:
    from pipelines.boosted_evidence import NAME, QUESTION, bank_templates, query_templates
    from pipelines.loading import load_encoder
    from retrieval.text import misconception_text, query_text

    job = tiny_job()
    evidence = evidence_of(job, tiny_model, job.train)
    queries = job.queries(job.test)[:3]
    found = evidence.features(queries, [everything(job, query.key) for query in queries])
    encoder = load_encoder(job, tiny_model, beside=True)
    texts = [query_text(query, query_templates(evidence.plan)[QUESTION]) for query in queries]
    entries = [misconception_text(entry, bank_templates(evidence.plan)[NAME]) for entry in job.bank]
    expected = encoder.encode_queries(texts) @ encoder.encode_documents(entries).T
    column = evidence.plan.columns.index("question to name")
    for matrix, row in zip(found, expected, strict=True):
        assert matrix[:, column].tolist() == pytest.approx(row.tolist(), abs=1e-5)


def test_a_question_never_finds_its_own_answer(tiny_job: Callable[..., Job], tiny_model: Path) -> None:
    job = tiny_job()
    query = next(q for q in job.queries(job.train, labelled_only=True) if q.labels)
    alone = tuple(question for question in job.train if question.id == query.question.id)
    rest = tuple(question for question in job.train if question.id != query.question.id)
    column = evidence_plan(job).columns.index("examples")

    def examples(memory: tuple[Question, ...]) -> list[float]:
        (found,) = evidence_of(job, tiny_model, memory).features([query], [everything(job, query.key)])
        return found[:, column].tolist()

    assert sum(examples(alone)) == 0
    assert examples(job.train) == examples(rest) and sum(examples(rest)) > 0
