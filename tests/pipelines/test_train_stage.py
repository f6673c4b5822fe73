import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import pipelines.train_stage as train_stage
from core.models import locate_model
from core.records import Question
from pipelines.job import Job, fingerprints
from pipelines.loading import load_encoder
from pipelines.stages import Stages
from pipelines.train_stage import fitted_on, told_losses, trained_retriever, training_manifest
from retrieval.train import TrainingResult

TinyJob = Callable[..., Job]


def labels_of(questions: tuple[Question, ...]) -> int:
    return sum(len(labels) for question in questions for labels in question.labels)


@pytest.mark.parametrize(
    ("override", "differs"),
    [
        ("training.epochs=7", {"training"}),
        ("training.seed=7", {"training"}),
        ("training.models=2", {"training"}),
        ("retriever.max_length=32", {"max_length"}),
        ("retriever.query_prompt=query: ", {"encoder"}),
        ("text.latex=keep", {"template_hash", "pairs_hash"}),
        ("retriever.dtype=float32", {"device_dtype"}),
        # What changes no weight changes no manifest.
        ("training.refit=true", set()),
        ("training.parallel=2", set()),
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
    # What it knows, a model that is trained on from it knows too.
    on = tiny_job(f'retriever.model="{folder}"')
    manifest = training_manifest(on, job.train[20:30], job.train[30:32])
    assert manifest["fitted_on"] == fingerprints(job.train[:30])
    assert manifest["scored_on"] == fingerprints(job.train[30:32])
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


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_several_models_are_averaged_alone_or_side_by_side(tiny_job: TinyJob, tmp_path: Path) -> None:
    questions = tiny_job().train[:20]
    one = [
        trained_retriever(
            tiny_job("training.epochs=1", f"training.seed={seed}"), Stages(folder=tmp_path / f"{seed}"), "m", questions
        )
        for seed in (0, 1)
    ]
    first, second = (weights(folder) for folder in one)
    made = []
    for parallel in (1, 2):
        job = tiny_job("training.epochs=1", "training.models=2", f"training.parallel={parallel}", "threads=1")
        stages = Stages(folder=tmp_path / f"mean{parallel}")
        made.append(trained_retriever(job, stages, "m", questions))
        assert not (stages.folder / "m.members").exists()
        assert trained_retriever(job, stages, "m", questions) == made[-1] and stages.records[-1].name == "m"
    for folder in made:
        found = weights(folder)
        assert found.keys() == first.keys()
        for name, value in found.items():
            torch.testing.assert_close(value, (first[name] + second[name]) / 2, atol=1e-6, rtol=0)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_under_a_launcher_models_are_not_trained_side_by_side(
    tiny_job: TinyJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*given: object, **named: object) -> None:
        raise AssertionError("the launcher's processes train each model together")

    monkeypatch.setattr("pipelines.train_stage.side_by_side", refused)
    monkeypatch.setattr("pipelines.train_stage.launched_processes", lambda: 2)
    job = tiny_job("training.epochs=1", "training.models=2", "training.parallel=2", "threads=1")
    assert trained_retriever(job, Stages(folder=tmp_path), "m", job.train[:20]).is_dir()


def test_members_that_were_finished_before_a_kill_are_not_trained_again(
    tiny_job: TinyJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_job("training.epochs=1", "training.models=2")
    trained: list[int] = []
    real = train_stage.train_by_recipe

    def train(of_member: Job, *arguments: Any) -> TrainingResult:
        trained.append(of_member.settings.training.seed)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(of_member, *arguments)

    monkeypatch.setattr(train_stage, "train_by_recipe", train)
    stages = Stages(folder=tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        trained_retriever(job, stages, "m", job.train[:20])
    assert (tmp_path / "out" / "m.members" / "0" / "model.safetensors").is_file()
    trained_retriever(job, stages, "m", job.train[:20])
    assert trained == [0, 1, 1]


def test_what_a_training_says_at_its_end() -> None:
    assert told_losses([1.5, 0.25], [], 2) == "1.5000, 0.2500"
    assert told_losses([1.5, 0.25], [0.3, 0.2], 1) == "1.5000, 0.2500; validation MAP@25 0.3000, 0.2000, epoch 1 kept"
