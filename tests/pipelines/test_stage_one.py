import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from core.models import LocalModel, locate_model
from core.records import Query, Question
from pipelines.job import Job
from pipelines.stage_one import StageOne
from pipelines.stage_one_weights import StageOneRuns, StageOneWeights, fuse
from retrieval.encoder_pool import EncoderPool, PooledEncoder
from retrieval.ensemble import JoinedEncoder
from retrieval.lexical import TfidfRetriever

TinyJob = Callable[..., Job]
MODEL = LocalModel(name="words", folder=Path("words"), revision="1")


class WordEncoder:
    """Vectors of word counts; like a real encoder's, their last bits depend on the company a text is encoded in."""

    def __init__(self, noise: float = 0.0) -> None:
        self.noise = noise
        self.calls: list[int] = []

    def fingerprint(self) -> str:
        return "words"

    def encode_queries(self, texts: Sequence[str]) -> Any:
        self.calls.append(len(texts))
        rows = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                rows[row, hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        rows[:, 0] += 1 + self.noise * len(texts)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    encode_documents = encode_queries


def stage_one(job: Job, folder: Path, noise: float = 0.0) -> StageOne:
    one = StageOne(job, MODEL, folder)
    one.__dict__["encoder"] = WordEncoder(noise)
    return one


def test_dense_rankings_are_those_of_brute_force(tiny_job: TinyJob, tmp_path: Path) -> None:
    one = stage_one(tiny_job(), tmp_path)
    queries = one.job.queries(one.job.test)
    (bank,) = one.embed_bank()
    scores = one.embed_queries(queries) @ bank.embeddings.T
    for ranking, row in zip(one.dense(queries, top_n=7), scores, strict=True):
        assert sorted(ranking.scores, reverse=True) == pytest.approx(np.sort(row)[::-1][:7], abs=1e-6)
        for id, score in zip(ranking.ids, ranking.scores, strict=True):
            assert row[bank.ids.tolist().index(id)] == pytest.approx(score, abs=1e-6)


def test_neighbours_at_weight_0_leave_the_dense_order(tiny_job: TinyJob, tmp_path: Path) -> None:
    one = stage_one(tiny_job(), tmp_path)
    queries = one.job.queries(one.job.test)
    runs = one.runs(queries, one.job.train, thresholds=(0.3,), lexical=True)
    off = StageOneWeights(threshold=0.3, neighbours=0.0, lexical=0.0)
    assert fuse(runs, off, method="scores", top=30) == one.dense(queries, top_n=30)
    on = StageOneWeights(threshold=0.3, neighbours=2.0, lexical=0.0)
    assert fuse(runs, on, method="scores", top=30) != one.dense(queries, top_n=30)


def test_what_is_not_asked_for_is_not_run(tiny_job: TinyJob, tmp_path: Path) -> None:
    one = stage_one(tiny_job(), tmp_path)
    queries = one.job.queries(one.job.test)
    runs = one.runs(queries, one.job.train, thresholds=(), lexical=False)
    assert runs.neighbours == {} and runs.lexical is None
    assert one.encoder.calls == [len(queries), len(one.job.bank)], "no training query was embedded"


def votes(one: StageOne, query: Query, memory: Sequence[Question]) -> dict[int, float]:
    """Return the entries that any neighbour voted for."""
    runs = one.runs([query], memory, thresholds=(-1.0,), lexical=False)
    ranking = runs.neighbours[-1.0][0]
    return {int(id): float(score) for id, score in zip(ranking.ids, ranking.scores, strict=True) if score > 0}


def test_a_query_never_finds_its_own_answer(tiny_job: TinyJob, tmp_path: Path) -> None:
    """Neither in the memory itself, nor in the same text under another id."""
    job = tiny_job()
    asked, other = job.train[0], job.train[1]
    query = job.queries([asked], labelled_only=True)[0]
    repeated = replace(asked, id=90_000, text=f" {asked.text.upper()}")
    changed = replace(asked, id=90_001, text=f"{asked.text} Explain.")
    one = stage_one(replace(job, inputs=job.inputs), tmp_path)
    own, others = set(query.labels), {label for labels in other.labels for label in labels}
    assert not own & others
    assert set(votes(one, query, [asked, other])) == others
    assert set(votes(one, query, [repeated, other])) == others
    assert own < set(votes(one, query, [changed, other])), "another question may vote"


def test_an_entry_scores_by_its_most_similar_voter(tiny_job: TinyJob, tmp_path: Path) -> None:
    job = tiny_job()
    one = stage_one(job, tmp_path)
    query = job.queries(job.test)[0]
    threshold = 0.2
    runs = one.runs([query], job.train, thresholds=(threshold,), lexical=False)
    voters = job.queries(job.train, labelled_only=True)
    similar = one.embed_queries(voters) @ one.embed_queries([query])[0]
    for id, score in zip(runs.neighbours[threshold][0].ids, runs.neighbours[threshold][0].scores, strict=True):
        best = max((found for voter, found in zip(voters, similar, strict=True) if id in voter.labels), default=0.0)
        assert score == pytest.approx(max(0.0, best - threshold), abs=1e-5)


def test_a_run_that_goes_on_ranks_as_one_that_was_never_stopped(tiny_job: TinyJob, tmp_path: Path) -> None:
    """What was embedded before must not change what comes after, to the last bit."""
    job = tiny_job()
    held_out, rest, test = job.queries(job.train[:15], labelled_only=True), job.train[15:], job.queries(job.test)
    whole, resumed = stage_one(job, tmp_path / "a", noise=1e-3), stage_one(job, tmp_path / "b", noise=1e-3)
    whole.runs(held_out, rest, thresholds=(0.3,), lexical=False)
    first = whole.runs(test, job.train, thresholds=(0.3,), lexical=False)
    second = resumed.runs(test, job.train, thresholds=(0.3,), lexical=False)
    assert first.dense == second.dense
    assert first.neighbours == second.neighbours


def test_no_list_is_encoded_twice(tiny_job: TinyJob, tmp_path: Path) -> None:
    job = tiny_job()
    one = stage_one(job, tmp_path)
    held_out, test = job.queries(job.train[:15], labelled_only=True), job.queries(job.test)
    for queries, memory in ((held_out, job.train[15:]), (test, job.train), (test, job.train)):
        one.runs(queries, memory, thresholds=(0.3,), lexical=False)
    everything = len(job.queries(job.train, labelled_only=True))
    assert sorted(one.encoder.calls) == sorted([len(held_out), len(job.bank), everything, len(test)])


def test_bm25_scores_are_shares_of_the_best(tiny_job: TinyJob, tmp_path: Path) -> None:
    one = stage_one(tiny_job(), tmp_path)
    runs = one.runs(one.job.queries(one.job.test), (), thresholds=(), lexical=True)
    assert runs.lexical is not None
    assert {ranking.scores[0] for ranking in runs.lexical} <= {1.0, 0.0}
    assert all(ranking.scores[-1] >= 0 for ranking in runs.lexical)


def test_views_are_embedded_apart(tiny_job: TinyJob, tmp_path: Path) -> None:
    plain = stage_one(tiny_job("text.explanation=off"), tmp_path / "a")
    view = stage_one(tiny_job("text.explanation=view", explanations=True), tmp_path / "b")
    none = stage_one(tiny_job("text.explanation=view", "text.view_weight=0", explanations=True), tmp_path / "c")
    queries = plain.job.queries(plain.job.test)
    assert len(view.embed_bank()) == 2 and len(plain.embed_bank()) == 1
    dense = plain.dense(queries, top_n=20)
    assert view.dense(queries, top_n=20) != dense
    for first, second in zip(none.dense(queries, top_n=20), dense, strict=True):
        assert first.ids.tolist() == second.ids.tolist()


@pytest.mark.parametrize(
    "override", ["retriever.max_length=32", "index.kind=hnsw", "text.latex=keep", "retriever.query_prompt=q: "]
)
def test_the_manifest_tells_other_rankings_apart(tiny_job: TinyJob, tmp_path: Path, override: str) -> None:
    first, second = (StageOne(tiny_job(*given), MODEL, tmp_path).made_from() for given in ((), (override,)))
    assert first != second
    assert StageOne(tiny_job(), replace(MODEL, revision="2"), tmp_path).made_from() != first
    assert StageOne(tiny_job("training.epochs=9"), MODEL, tmp_path).made_from() == first


def test_a_second_encoder_is_put_beside_the_first(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    model = locate_model(str(tiny_model))
    plain = StageOne(tiny_job(), model, tmp_path / "plain")
    joined = StageOne(tiny_job(f'retriever.also=["{tiny_model.as_posix()}"]'), model, tmp_path / "joined")
    queries = plain.job.queries(plain.job.test)[:5]
    assert joined.embed_queries(queries).shape[1] == 2 * plain.embed_queries(queries).shape[1]
    for one, two in zip(plain.dense(queries, top_n=5), joined.dense(queries, top_n=5), strict=True):
        assert two.scores == pytest.approx(one.scores, abs=1e-5)  # the mean of a cosine with itself
    assert joined.made_from() != plain.made_from()
    assert StageOne(joined.job, model, tmp_path / "zero", joined=False).made_from()["also"] == []


def test_tfidf_scores_are_cosines_of_its_own(tiny_job: TinyJob, tmp_path: Path) -> None:
    one = stage_one(tiny_job("lexical.kind=tfidf"), tmp_path)
    queries = one.job.queries(one.job.test)
    runs = one.runs(queries, (), thresholds=(), lexical=True)
    alone = TfidfRetriever(one.job.bank, one.job.forms.query, one.job.forms.entry)
    found = alone.retrieve(queries, top_n=len(one.job.bank))
    assert runs.lexical is not None
    assert [ranking.ids.tolist() for ranking in runs.lexical] == [ranking.ids.tolist() for ranking in found]
    assert 0 < max(ranking.scores[0] for ranking in runs.lexical) < 1


class Watched(WordEncoder):
    """Counts how many of its kind are open."""

    open_now: ClassVar[list[str]] = []
    opened: ClassVar[list[str]] = []
    most: ClassVar[int] = 0

    def __init__(self, name: str) -> None:
        super().__init__(noise=float(len(name)) / 100)
        self.name = name
        Watched.open_now.append(name)
        Watched.opened.append(name)
        Watched.most = max(Watched.most, len(Watched.open_now))

    def fingerprint(self) -> str:
        return self.name

    def close(self) -> None:
        Watched.open_now.remove(self.name)


def test_an_ensemble_holds_one_model_at_a_time_and_ranks_as_one_that_holds_all(
    tiny_job: TinyJob, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    also = [tmp_path / "b-model", tmp_path / "long-c-model"]
    for folder in also:
        shutil.copytree(tiny_model, folder)
    monkeypatch.setattr("pipelines.stage_one.load_encoder", lambda job, folder, **named: Watched(folder.name))
    monkeypatch.setattr(Watched, "open_now", [])
    monkeypatch.setattr(Watched, "opened", [])
    monkeypatch.setattr(Watched, "most", 0)
    job = tiny_job(f"retriever.also={json.dumps([folder.as_posix() for folder in also])}")
    queries = job.queries(job.test)

    def runs(one: StageOne) -> StageOneRuns:
        return one.runs(queries, job.train, thresholds=(0.3,), lexical=False)

    model = locate_model(str(tiny_model))
    names = [tiny_model.name, *(folder.name for folder in also)]
    first = runs(StageOne(job, model, tmp_path / "bank"))
    assert Watched.most == 1
    # Queries, bank and training queries: each list finds the last model open.
    assert Counter(Watched.opened) == {names[0]: 3, names[1]: 2, names[2]: 2}  # 0 1 2, 2 0 1, 1 0 2

    Watched.opened.clear()
    Watched.open_now.clear()
    again = runs(StageOne(job, model, tmp_path / "bank"))  # the bank's vectors are stored: queries alone
    assert Watched.most == 1 and len(Watched.opened) == 3 + 2

    Watched.open_now.clear()
    together = StageOne(job, model, tmp_path / "bank")
    together.__dict__["encoder"] = JoinedEncoder([Watched(name) for name in names], [1.0, 1.0, 1.0])
    assert runs(together).dense == first.dense == again.dense
    assert runs(together).neighbours == first.neighbours == again.neighbours


def test_retrievers_of_one_run_take_turns(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    """The fitted, the refitted and the folds' retrievers: one of them is in memory."""
    job = tiny_job()
    pool, model = EncoderPool(), locate_model(str(tiny_model))
    one, two = (StageOne(job, model, tmp_path / name, pool=pool) for name in "ab")
    queries = job.queries(job.test)[:3]
    found = one.dense(queries, top_n=5)
    assert two.dense(queries, top_n=5) == found
    assert isinstance(one.encoder, PooledEncoder) and isinstance(two.encoder, PooledEncoder)
    assert (one.encoder.is_open, two.encoder.is_open) == (False, True)
