"""Vectors of the job's texts, over the tiny files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core.errors import InputError
from core.models import locate_model
from core.records import Question
from pipelines import view_vectors
from pipelines.job import Job
from pipelines.view_vectors import ViewVectors
from retrieval.text import MisconceptionTemplate, QueryTemplate, misconception_text, query_text

TinyJob = Callable[..., Job]
QUERIES = {"answers": QueryTemplate(fields=("correct", "incorrect")), "hint": QueryTemplate(fields=("hint",))}


def vectors_of(job: Job, model: Path, folder: Path | None = None) -> ViewVectors:
    bank = {"name": MisconceptionTemplate()}
    return ViewVectors(job, locate_model(str(model)), queries=QUERIES, bank=bank, folder=folder, name="some")


def test_they_are_the_encoders(tiny_job: TinyJob, tiny_model: Path) -> None:
    from pipelines.loading import load_encoder

    job = tiny_job()
    vectors = vectors_of(job, tiny_model)
    asked = [*job.queries(job.test)[:3], *job.queries(job.train, labelled_only=True)[:2]]
    with load_encoder(job, tiny_model, beside=True) as encoder:
        queries = encoder.encode_queries([query_text(query, QUERIES["answers"]) for query in asked])
        bank = encoder.encode_documents([misconception_text(entry, MisconceptionTemplate()) for entry in job.bank])
    assert np.allclose(vectors.of_queries(asked)["answers"], queries, atol=1e-5)
    assert np.allclose(vectors.of_bank["name"], bank, atol=1e-5)


def test_a_query_without_the_view_is_a_row_of_noughts(tiny_job: TinyJob, tiny_model: Path) -> None:
    job = tiny_job()
    (query, *_) = job.queries(job.test)
    found = vectors_of(job, tiny_model).of_queries([query])
    assert not found["hint"].any() and np.linalg.norm(found["answers"]) == pytest.approx(1.0, abs=1e-5)


def test_texts_are_embedded_once_and_kept(
    tiny_job: TinyJob, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_job()

    def ask(job: Job) -> list[np.ndarray]:
        vectors = vectors_of(job, tiny_model, tmp_path)
        return [vectors.of_queries(job.queries(job.test)[:2])["answers"], vectors.of_bank["name"]]

    first = ask(job)
    assert {path.name for path in tmp_path.glob("*.safetensors")} == {
        "some-bank.safetensors",
        "some-queries.safetensors",
    }
    opened: list[str] = []
    plain = view_vectors.load_encoder
    monkeypatch.setattr(view_vectors, "load_encoder", lambda *a, **k: opened.append("opened") or plain(*a, **k))
    again = ask(job)
    assert opened == [] and all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    ask(tiny_job("retriever.max_length=9"))  # other vectors: embedded again
    assert opened == ["opened", "opened"]


def test_another_model_embeds_again(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    job = tiny_job()
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    weights = load_file(other / "model.safetensors")
    save_file({name: tensor * 1.5 for name, tensor in weights.items()}, other / "model.safetensors")
    first, second = (vectors_of(job, model, tmp_path / "kept").of_bank["name"] for model in (tiny_model, other))
    assert np.abs(first - second).max() > 1e-3


def test_a_query_of_other_files_is_named(tiny_job: TinyJob, tiny_model: Path) -> None:
    job = tiny_job()
    known = job.queries(job.test)[0].question
    strange = Question(id=987654, text="Never seen?", answers=("never", "seen", "any", "where"), correct=known.correct)
    with pytest.raises(InputError, match=r"987654_.*none of the files' queries"):
        vectors_of(job, tiny_model).of_queries(job.queries([strange])[:1])
