import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.models import locate_model
from core.records import Question
from pipelines.job import Job, fingerprints
from pipelines.stages import Stages
from pipelines.train_stage import (
    bank_texts,
    fitted_on,
    load_encoder,
    pairs_of,
    trained_retriever,
    training_manifest,
)
from retrieval.train import TrainingResult

TinyJob = Callable[..., Job]


def labels_of(questions: tuple[Question, ...]) -> int:
    return sum(len(labels) for question in questions for labels in question.labels)


def test_a_pair_a_label_with_and_without_its_hint(tiny_job: TinyJob, tmp_path: Path) -> None:
    plain = tiny_job()
    query = plain.queries(plain.train, labelled_only=True)[0]
    path = tmp_path / "hints.csv"
    path.write_text(f"QuestionId_Answer,Hint\n{query.key},Forgets the sign\n", encoding="utf-8")
    job = tiny_job(hints=[path])
    pairs = pairs_of(job, job.train)
    assert len(pairs) == labels_of(job.train)
    hinted = [pair for pair in pairs if pair.hinted_text]
    assert {pair.query_key for pair in hinted} == {query.key}
    assert "Forgets the sign" in (hinted[0].hinted_text or "") and "Forgets" not in hinted[0].query_text
    assert [pair.query_text for pair in pairs] == [pair.query_text for pair in pairs_of(plain, plain.train)]
    view = tiny_job("text.hint=view", hints=[path])
    assert not any(pair.hinted_text for pair in pairs_of(view, view.train))


def test_bank_texts_hold_explanations_where_they_are_text(tiny_job: TinyJob) -> None:
    with_them, without = tiny_job(explanations=True), tiny_job("text.explanation=view", explanations=True)
    entry = with_them.bank[0]
    assert bank_texts(with_them)[entry.id].count("\n") == 1
    assert "\n" not in bank_texts(without)[entry.id]
    assert len(bank_texts(without)) == len(without.bank)


@pytest.mark.parametrize(
    ("override", "differs"),
    [
        ("training.epochs=7", {"training"}),
        ("training.seed=7", {"training"}),
        ("retriever.max_length=32", {"max_length"}),
        ("retriever.query_prompt=query: ", {"encoder"}),
        ("text.latex=keep", {"template_hash", "pairs_hash"}),
        ("retriever.dtype=float32", {"device_dtype"}),
        # What changes no weight changes no manifest.
        ("training.refit=true", set()),
        ("candidates=60", set()),
        ("retriever.batch_size=7", set()),
        ("neighbours.enabled=false", set()),
    ],
)
def test_the_manifest_names_what_training_depends_on(tiny_job: TinyJob, override: str, differs: set[str]) -> None:
    first, second = (training_manifest(job, job.train, ()) for job in (tiny_job(), tiny_job(override)))
    assert {key for key in first if first[key] != second[key]} == differs


def test_the_manifest_names_the_questions(tiny_job: TinyJob) -> None:
    job = tiny_job()
    whole, part = training_manifest(job, job.train, ()), training_manifest(job, job.train[:-1], ())
    assert {key for key in whole if whole[key] != part[key]} == {"pairs_hash", "fitted_on"}
    assert whole["fitted_on"] == fingerprints(job.train)
    scored = training_manifest(job, job.train[:-9], job.train[-9:])
    relabelled = [replace(question, labels=((), (), (), ())) for question in job.train[-9:]]
    assert scored["scored"] != training_manifest(job, job.train[:-9], relabelled)["scored"]


def test_a_retriever_is_trained_once_and_knows_what_it_saw(tiny_job: TinyJob, tmp_path: Path, tiny_model: Path) -> None:
    job = tiny_job("training.epochs=1")
    results: list[TrainingResult] = []
    for _ in range(2):
        folder = trained_retriever(job, Stages(folder=tmp_path / "out"), "model", job.train[:20], report=results.append)
    assert len(results) == 1 and results[0].steps == -(-labels_of(job.train[:20]) // 16)
    assert folder == tmp_path / "out" / "model"
    assert fitted_on(locate_model(str(folder))) == set(fingerprints(job.train[:20]))
    assert fitted_on(None) == fitted_on(locate_model(str(tiny_model))) == frozenset()
    texts = ["adds the numbers", "doubles"]
    before, after = (load_encoder(job, model).encode_queries(texts) for model in (tiny_model, folder))
    assert before.shape == after.shape == (2, 32) and not np.allclose(before, after, atol=1e-3)
    again = trained_retriever(job, Stages(folder=tmp_path / "other"), "model", job.train[:20])
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_a_model_with_somebody_elses_manifest_was_fitted_on_nothing_known(tmp_path: Path, tiny_model: Path) -> None:
    model = replace(locate_model(str(tiny_model)), folder=tmp_path)
    for text in ("no json", json.dumps({"name": "web app"}), json.dumps([1])):
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        assert fitted_on(model) == frozenset()


def test_the_length_limit_of_the_config_is_the_encoders(tiny_job: TinyJob, tiny_model: Path) -> None:
    assert load_encoder(tiny_job("retriever.max_length=9"), tiny_model).model.max_seq_length == 9
