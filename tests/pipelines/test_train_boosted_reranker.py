"""A boosted reranker from files to a folder that ranks, over the tiny files."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_questions import made_questions, with_made

from core.artifacts import folder_hash, read_manifest
from core.errors import ArtifactMismatchError, InputError, ModelError
from core.models import locate_model
from core.records import Misconception
from pipelines import train_boosted_reranker
from pipelines.job import Job, fingerprints
from pipelines.open_reranker import (
    check_reranker,
    looks_at_examples,
    open_reranker,
    reranker_made_from,
    reranker_models,
    resolve_reranker,
)
from pipelines.out_of_fold import out_of_fold_candidates
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.train_boosted_reranker import told_candidates, trained_boosted
from rerank.boosted import BoostedReranker

SETTINGS = (
    *("candidates=285", "boosted_training.candidates=200"),
    *("boosted_training.rounds=20", "boosted_training.min_rows=5", "boosted_training.models=2"),
)


def trained(job: Job, folder: Path, model: Path) -> tuple[StageOneRun, Path]:
    one = StageOneRun(job, Stages(folder=folder / "work"), job.train, given=locate_model(str(model)))
    return one, trained_boosted(one, out_of_fold_candidates(one), folder / "model", one.stages)


def with_base(tiny_job: Callable[..., Job], model: Path, *more: str) -> Job:
    return tiny_job(*SETTINGS, f"retriever.model={model}", *more)


def test_trained_reused_and_ranking(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> None:
    job = with_base(tiny_job, tiny_model)
    one, folder = trained(job, tmp_path, tiny_model)
    manifest = read_manifest(folder) or {}
    assert manifest["fitted_on"] == sorted(fingerprints(one.plan.fit)) and manifest["kind"] == "boosted"
    before = folder_hash(folder)
    again = StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))
    trained_boosted(again, out_of_fold_candidates(again), folder, again.stages)
    assert [record.reused for record in again.stages.records if record.name == "model"] == [True]
    assert folder_hash(folder) == before
    spec = f"boosted:{folder}"
    check_reranker(spec)(job.settings)
    chosen = resolve_reranker(spec, job.settings)
    assert chosen.candidates == 200 == told_candidates(str(folder)) and looks_at_examples(chosen, job.settings)
    assert [model.folder for model in reranker_models(chosen, job.settings)] == [folder]
    two = StageTwoRun(one, spec)
    queries = job.queries(job.test)
    ranked = two.reranked_test(queries)
    assert [len(ranking) for ranking in ranked] == [min(200, len(r)) for r in one.candidates(queries)]
    assert two.weights[None].temperature == 1.0
    assert len({tuple(r.ids.tolist()) for r in ranked}) > 1


def test_test_queries_see_held_out_examples_and_held_out_ones_do_not(
    tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import rerank_scores

    job = with_base(tiny_job, tiny_model)
    one, folder = trained(job, tmp_path, tiny_model)
    memories = []
    plain = rerank_scores.open_reranker

    def spy(*arguments, memory=(), **named):
        memories.append(memory)
        return plain(*arguments, memory=memory, **named)

    monkeypatch.setattr(rerank_scores, "open_reranker", spy)
    two = StageTwoRun(one, f"boosted:{folder}")
    two.reranked_validation()
    two.reranked_test(job.queries(job.test))
    assert memories == [one.plan.fit, one.questions]
    other = StageTwoRun(one, "identity")
    other.reranked_validation()
    assert len(memories) == 2


def test_other_examples_are_other_scores(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> None:
    job = with_base(tiny_job, tiny_model)
    one, folder = trained(job, tmp_path, tiny_model)
    chosen = resolve_reranker(f"boosted:{folder}", job.settings)
    queries = job.queries(job.test)
    candidates = [ranking.top(200) for ranking in one.candidates(queries)]
    with_all = open_reranker(job, chosen, memory=one.questions)
    without = open_reranker(job, chosen, memory=())
    assert isinstance(with_all, BoostedReranker)
    scores = [
        [ranking.scores.tolist() for ranking in made.rerank(queries, candidates, job.bank)]
        for made in (with_all, without)
    ]
    assert scores[0] != scores[1]


def test_made_questions_are_left_out(
    tiny_job: Callable[..., Job], tiny_bank: tuple[Misconception, ...], tiny_model: Path, tmp_path: Path
) -> None:
    plain = with_base(tiny_job, tiny_model)
    _, folder = trained(plain, tmp_path / "plain", tiny_model)
    job = with_made(plain, made_questions(tiny_bank, 12))
    _, other = trained(job, tmp_path / "made", tiny_model)
    assert (folder / "forest0.txt").read_text("utf-8") == (other / "forest0.txt").read_text("utf-8")


@pytest.mark.parametrize("change", ["boosted_training.rounds=21", "boosted_training.seed=3", "text.latex=keep"])
def test_what_makes_it_train_again(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path, change: str) -> None:
    _, folder = trained(with_base(tiny_job, tiny_model), tmp_path, tiny_model)
    before = (folder / "forest0.txt").read_text("utf-8")
    one, _ = trained(with_base(tiny_job, tiny_model, change), tmp_path, tiny_model)
    assert [record.reused for record in one.stages.records if record.name == "model"] == [False]
    assert change == "text.latex=keep" or (folder / "forest0.txt").read_text("utf-8") != before


def test_faults_are_told(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> None:
    job = with_base(tiny_job, tiny_model)
    _, folder = trained(job, tmp_path, tiny_model)
    chosen = RerankerSettings(kind="boosted", model=str(folder))
    with pytest.raises(ModelError, match="no such folder"):
        check_reranker(f"boosted:{tmp_path / 'gone'}")(job.settings)
    with pytest.raises(ModelError, match="expected a boosted reranker"):
        check_reranker(f"boosted:{tiny_model}")(job.settings)
    with pytest.raises(ArtifactMismatchError, match="texts"):
        open_reranker(with_base(tiny_job, tiny_model, "text.latex=keep"), chosen)
    about = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**about, "encoder_revision": "sha256:0"}), "utf-8")
    with pytest.raises(ModelError, match=r"was grown with .* train the reranker again"):
        check_reranker(f"boosted:{folder}")(job.settings)
    (folder / "config.json").write_text(json.dumps({**about, "pairs": about["pairs"][::-1]}), "utf-8")
    with pytest.raises(ModelError, match="not those that its views make"):
        open_reranker(job, chosen)
    trusting = with_base(tiny_job, tiny_model, "retriever.trust_remote_code=true")
    (folder / "config.json").write_text(json.dumps({**about, "encoder": "owner/other"}), "utf-8")
    with pytest.raises(ModelError, match=r"set boosted_training\.encoder=owner/other if you trust it"):
        check_reranker(f"boosted:{folder}")(trusting.settings)
    (folder / "config.json").write_text(json.dumps(about), "utf-8")
    (folder / "forest0.txt").write_text("damaged", "utf-8")
    with pytest.raises(ModelError, match=r"forest0\.txt: damaged"):
        check_reranker(f"boosted:{folder}")(job.settings)
    assert reranker_made_from(job, chosen)["kind"] == "boosted"


def test_constructs_are_looked_at_so_they_are_in_the_manifests(
    tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path
) -> None:
    job = with_base(tiny_job, tiny_model)
    trained(job, tmp_path, tiny_model)
    moved = tuple(replace(question, construct_id=(question.construct_id or 0) + 1000) for question in job.train)
    other = replace(job, inputs=replace(job.inputs, train=replace(job.inputs.train, questions=moved)))
    one, _ = trained(other, tmp_path, tiny_model)
    reused = {record.name: record.reused for record in one.stages.records}
    assert reused["out_of_fold.parquet"] and not reused["model"]  # stage 1 does not read ids, the trees do


def test_made_questions_can_be_ranked(
    tiny_job: Callable[..., Job], tiny_bank: tuple[Misconception, ...], tiny_model: Path, tmp_path: Path
) -> None:
    from pipelines.rerank_scores import TEACHER

    job = with_made(with_base(tiny_job, tiny_model), made_questions(tiny_bank, 6))
    one, folder = trained(job, tmp_path, tiny_model)
    found = out_of_fold_candidates(one)
    two = StageTwoRun(one, f"boosted:{folder}")
    ranked = two.scores.reranked(TEACHER, found.queries, found.candidates)
    assert len(ranked) == len(found.queries) > found.real


def test_another_fusion_of_stage_one_is_refused(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> None:
    _, folder = trained(with_base(tiny_job, tiny_model), tmp_path, tiny_model)
    check_reranker(f"boosted:{folder}")(with_base(tiny_job, tiny_model).settings)
    learned = with_base(tiny_job, tiny_model, "fusion.method=learned").settings
    with pytest.raises(ModelError, match=r"grown on a stage 1 with fusion.method=scores.*config says learned"):
        check_reranker(f"boosted:{folder}")(learned)


def test_it_must_be_the_first_stage_of_a_cascade(tiny_job: Callable[..., Job], tiny_model: Path) -> None:
    tables = ("rerankers.a.kind=boosted", f"rerankers.a.model={tiny_model}", "rerankers.c.kind=cascade")
    other = ("rerankers.b.kind=cross-encoder", f"rerankers.b.model={tiny_model}")
    first = '[{reranker="a",first=1,last=20},{reranker="b",first=1,last=5}]'
    assert tiny_job(*tables, *other, f"rerankers.c.stages={first}").settings.rerankers["c"].stages
    with pytest.raises(InputError, match="kind 'boosted' reads stage 1's scores, so it must be a cascade's first"):
        tiny_job(*tables, *other, 'rerankers.c.stages=[{reranker="b",first=1,last=20},{reranker="a",first=1,last=5}]')


def test_an_encoder_that_knows_the_questions_is_refused(
    tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = with_base(tiny_job, tiny_model)
    known = frozenset(fingerprints(job.train))
    monkeypatch.setattr(train_boosted_reranker, "fitted_on", lambda _: known)
    with pytest.raises(ModelError, match=r"boosted_training\.encoder .*: was fitted on \d+ of the questions"):
        trained(job, tmp_path, tiny_model)


def test_unknown_hints_are_warned_of(
    tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    explained = tiny_job(*SETTINGS, f"retriever.model={tiny_model}", explanations=True)
    _, folder = trained(explained, tmp_path, tiny_model)
    bare = replace(with_base(tiny_job, tiny_model), output=tmp_path / "bare")
    open_reranker(bare, RerankerSettings(kind="boosted", model=str(folder)))
    assert "grown with hints or explanations that are not given now: 2 of its" in caplog.text
