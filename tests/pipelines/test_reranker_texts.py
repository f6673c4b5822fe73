from collections.abc import Callable
from dataclasses import replace

from core.records import Misconception
from pipelines.job import Job
from pipelines.plan import make_plan
from pipelines.reranker_texts import reranker_candidate_text, reranker_query_text, reranker_texts_hash


def test_texts_of_a_cross_encoder(tiny_job: Callable[..., Job]) -> None:
    job = tiny_job("text.hint=view")
    query = replace(make_plan(job, job.train).queries[0], hint="forgets the sign")
    written = reranker_query_text(job)(query)
    assert "forgets the sign" in written.splitlines()[0]
    assert written.splitlines()[-1].startswith("Incorrect answer: ")
    assert reranker_candidate_text(job)(Misconception(id=1, name="adds both", explanation="long")) == "adds both"
    assert reranker_texts_hash(job) != reranker_texts_hash(tiny_job("text.hint=off"))
