"""A learned fusion of stage 1, over the tiny files."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_runs import labelled, run
from safetensors.numpy import load_file, save_file

from core.artifacts import write_manifest
from core.errors import InputError, ModelError
from core.models import locate_model
from core.records import Ranking
from pipelines.job import Job, fingerprints
from pipelines.learned_fusion import fusion_made_from, fusion_views, with_channels
from pipelines.out_of_fold import out_of_fold_candidates
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_one_weights import DENSE_ONLY, StageOneRuns, StageOneWeights, fuse
from pipelines.stages import Stages
from retrieval.channels import Channels, Voters
from retrieval.encoder import SentenceEncoder

TinyJob = Callable[..., Job]
LEARNED = "fusion.method=learned"


def runs_of(*orders: Sequence[int], voted: Sequence[int] = (1, 1, 1, 2)) -> StageOneRuns:
    """Return dense runs of entries 1 to 3, and channels that know how many examples each entry has."""
    nothing = np.zeros((len(orders), 2), dtype=np.float32)
    voters = Voters(
        groups=np.arange(len(voted)) + 100,
        labels=[(label,) for label in voted],
        views={"skill": np.zeros((len(voted), 2), dtype=np.float32)},
    )
    channels = Channels(
        groups=np.arange(len(orders)), views={"skill": nothing}, voters=voters, bank_ids=np.array([1, 2, 3]), bank={}
    )
    return StageOneRuns(dense=run(*orders), neighbours={}, lexical=None, channels=channels)


def test_what_the_retriever_misses_and_the_examples_know_is_learned(tiny_job: TinyJob) -> None:
    job = tiny_job(LEARNED)
    runs = runs_of([3, 2, 1], [2, 3, 1], [3, 2, 1], [2, 3, 1])
    queries = labelled(1, 1, 1, 2)  # the retriever puts the frequent label last
    weights = with_channels(job, runs, DENSE_ONLY, range(4), queries, [False] * 4)
    assert weights.channels is not None and weights.channels["log examples"] > 0
    fused = fuse(runs, weights, method="learned", top=2, window=300)
    assert [ranking.ids[0] for ranking in fused] == [1, 1, 1, 1]
    assert [len(ranking) for ranking in fused] == [2, 2, 2, 2]
    assert [ranking.ids[0] for ranking in fuse(runs, DENSE_ONLY, method="learned", top=2)] == [3, 2, 3, 2]


def test_word_overlap_is_a_channel_of_its_own(tiny_job: TinyJob) -> None:
    words = [Ranking.from_scores(f"{row}_B", [1, 2, 3], [0.9, 0.1, 0.0]) for row in range(3)]
    runs = replace(runs_of([3, 2, 1], [2, 3, 1], [3, 2, 1], voted=[3, 3]), lexical=words)
    weights = with_channels(tiny_job(LEARNED), runs, DENSE_ONLY, range(3), labelled(1, 1, 1), [False] * 3)
    assert weights.channels is not None and weights.channels["word overlap"] > 0
    assert [found.ids[0] for found in fuse(runs, weights, method="learned", top=1, window=300)] == [1, 1, 1]


def test_only_the_rows_asked_for_count(tiny_job: TinyJob) -> None:
    job = tiny_job(LEARNED)
    runs, queries = runs_of([1, 2], [1, 2], [2, 1], [2, 1]), labelled(1, 1, 1, 1)
    agree, differ = (
        with_channels(job, runs, DENSE_ONLY, rows, queries, [False] * 4).channels for rows in ([0, 1], [2, 3])
    )
    assert agree is not None and differ is not None
    assert agree["fused"] > 0 > differ["fused"]


def test_it_is_fitted_for_the_share_of_unseen_labels_that_is_expected(tiny_job: TinyJob) -> None:
    """Three queries carry an entry with examples, the last one (unseen) an entry without."""
    runs, queries = runs_of([1, 3], [1, 3], [1, 3], [1, 3]), labelled(1, 1, 1, 3)
    found = {}
    for share in ("null", "0.9"):
        job = tiny_job(LEARNED, f"fusion.unseen_share={share}")
        weights = with_channels(job, runs, DENSE_ONLY, range(4), queries, [False, False, False, True])
        found[share] = fuse(runs, weights, method="learned", top=1, window=300)[0].ids[0]
    assert found == {"null": 1, "0.9": 3}


def test_nothing_to_fit_on_is_said(tiny_job: TinyJob) -> None:
    runs = runs_of([1, 2], [1, 2])
    with pytest.raises(InputError, match="none of 2 held-out queries has its label among 2 candidates"):
        with_channels(tiny_job(LEARNED), runs, DENSE_ONLY, range(2), labelled(3, 3), [False] * 2)
    with pytest.raises(ValueError, match="needs channels"):
        with_channels(
            tiny_job(LEARNED), replace(runs, channels=None), DENSE_ONLY, range(2), labelled(1, 1), [False] * 2
        )


def test_weights_of_other_channels_are_refused() -> None:
    weights = StageOneWeights(threshold=0.0, neighbours=0.0, lexical=0.0, channels={"fused": 1.0})
    with pytest.raises(ValueError, match=r"\['fused'\], but the runs have \['fused', 'log examples'"):
        fuse(runs_of([1, 2]), weights, method="learned", top=2)


def test_manifests_tell_what_it_reads(tiny_job: TinyJob) -> None:
    assert fusion_made_from(tiny_job()) == fusion_made_from(tiny_job("fusion.window=50")), "not in use, not compared"
    first = fusion_made_from(tiny_job(LEARNED))
    for other in ("fusion.window=50", "fusion.penalty=0.5", 'fusion.views=[["question"]]', "text.latex=keep"):
        assert fusion_made_from(tiny_job(LEARNED, other)) != first, other
    for other in ("retriever.query_prompt=why? ", "retriever.max_length=9", "candidates=301"):
        assert fusion_made_from(tiny_job(LEARNED, other)) != first, other
    assert fusion_made_from(tiny_job(LEARNED, "candidates=31")) == first, "fewer than the window"


def test_manifests_tell_which_model_reads(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    job = tiny_job(LEARNED)
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    weights = load_file(other / "model.safetensors")
    save_file({name: tensor * 1.5 for name, tensor in weights.items()}, other / "model.safetensors")
    retriever = job.settings.retriever.model_copy(update={"model": str(other)})
    changed = replace(job, settings=job.settings.model_copy(update={"retriever": retriever}))
    assert fusion_made_from(changed) != fusion_made_from(job)


def test_views_are_the_configs_fields(tiny_job: TinyJob) -> None:
    job = tiny_job('fusion.views=[["correct", "incorrect"], ["construct"]]')
    found = fusion_views(job, job.output).of_queries(job.queries(job.test)[:2])
    assert list(found) == ["correct + incorrect", "construct"]


def test_views_are_read_with_the_configs_prompts(tiny_job: TinyJob, tmp_path: Path) -> None:
    plain, prompted = tiny_job(LEARNED), tiny_job(LEARNED, "retriever.query_prompt=why? ")
    queries = plain.queries(plain.test)[:2]
    first = fusion_views(plain, tmp_path).of_queries(queries)["correct + incorrect"]
    other = fusion_views(prompted, tmp_path).of_queries(queries)["correct + incorrect"]
    assert np.abs(first - other).max() > 1e-3, "embedded again, with the prompt"


def test_as_many_are_scored_as_are_kept(tiny_job: TinyJob) -> None:
    """The right entry stands beyond the window: it is fitted on where it is scored."""
    job = tiny_job(LEARNED)
    narrow = job.settings.model_copy(update={"fusion": job.settings.fusion.model_copy(update={"window": 1})})
    runs, queries = runs_of([3, 2, 1], [2, 3, 1]), labelled(1, 1)
    with_channels(replace(job, settings=narrow), runs, DENSE_ONLY, range(2), queries, [False] * 2)


def test_a_config_without_its_model_says_why_it_is_read(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    job = tiny_job(LEARNED)
    retriever = job.settings.retriever.model_copy(update={"model": str(tmp_path / "nowhere")})
    job = replace(job, settings=job.settings.model_copy(update={"retriever": retriever}))
    one = StageOneRun(job, Stages(folder=tmp_path), job.train, given=locate_model(str(tiny_model)))
    with pytest.raises(ModelError, match=r"retriever.model: fusion.method learned reads .* --retriever"):
        one.candidates(job.queries(job.test))


def test_one_model_is_open_at_a_time(
    tiny_job: TinyJob, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[int] = []
    load, close = SentenceEncoder.load, SentenceEncoder.close
    monkeypatch.setattr(SentenceEncoder, "load", lambda *a, **k: (events.append(1), load(*a, **k))[1])
    monkeypatch.setattr(SentenceEncoder, "close", lambda self: (events.append(-1), close(self))[1])
    job = tiny_job(LEARNED)
    one = StageOneRun(job, Stages(folder=tmp_path), job.train, given=locate_model(str(tiny_model)))
    one.candidates(job.queries(job.test))
    assert np.cumsum(events).max() == 1 and events.count(1) >= 2


def test_what_the_views_alone_read_is_pinned(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    job = tiny_job(LEARNED, 'text.fields=["question"]')
    assert job.inputs.test is not None
    given = locate_model(str(tiny_model))
    one = StageOneRun(job, Stages(folder=tmp_path), job.train, given=given)
    one.candidates(job.queries(job.test))
    questions = tuple(replace(question, construct="Other words") for question in job.test)
    changed = replace(job, inputs=replace(job.inputs, test=replace(job.inputs.test, questions=questions)))
    again = StageOneRun(changed, Stages(folder=tmp_path), job.train, given=given)
    again.candidates(changed.queries(changed.test))
    assert {r.name: r.reused for r in again.stages.records} == {"stage_one.json": True, "candidates.parquet": False}


def test_a_copy_of_a_training_question_does_not_see_its_labels(
    tiny_job: TinyJob, tiny_model: Path, tmp_path: Path
) -> None:
    job = tiny_job(LEARNED)
    stage = StageOneRun(job, Stages(folder=tmp_path), job.train, given=locate_model(str(tiny_model))).fitted
    queries = job.queries([replace(job.train[0], id=987654)], labelled_only=True)
    (known, unknown) = (
        stage.runs(queries, memory, thresholds=(), lexical=True) for memory in (job.train, job.train[1:])
    )
    assert known.channels is not None and unknown.channels is not None
    features = known.channels.features(known.dense, known.single)
    for matrix, without in zip(features, unknown.channels.features(unknown.dense, unknown.single), strict=True):
        assert matrix == pytest.approx(without, abs=1e-5)


def test_stage_one_end_to_end_with_it(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    job = tiny_job(LEARNED)

    def start(folder: str) -> StageOneRun:
        return StageOneRun(job, Stages(folder=tmp_path / folder), job.train, given=locate_model(str(tiny_model)))

    one = start("out")
    queries = one.job.queries(one.job.test)
    candidates, held_out = one.candidates(queries), one.validation_candidates()
    weights = one.weights[None]
    assert weights.channels is not None
    assert {"retriever", "word overlap", "construct + subject to nearest example"} < set(weights.channels)
    assert weights.reads_words and not replace(weights, channels=None).reads_words
    assert {len(ranking) for ranking in candidates} == {min(len(job.bank), job.settings.candidates)}
    assert (tmp_path / "out" / "fusion-queries.safetensors").is_file()
    again = start("out")  # what was fitted is read back
    assert again.weights == one.weights and not [r for r in again.stages.records if not r.reused]
    assert again.candidates(queries) == candidates and again.validation_candidates() == held_out
    elsewhere = start("other")
    assert elsewhere.candidates(queries) == candidates, "the same bytes from nothing"


def test_out_of_fold_candidates_are_fused_alike(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> None:
    job = tiny_job(LEARNED)
    run = StageOneRun(job, Stages(folder=tmp_path), job.train, given=locate_model(str(tiny_model)))
    found = out_of_fold_candidates(run)
    weights = run.weights[None]
    runs = run.fitted.runs(
        found.queries, run.plan.fit, thresholds=(weights.threshold,) if weights.neighbours > 0 else (), lexical=True
    )
    fusion, top = job.settings.fusion, job.settings.candidates
    assert found.candidates == fuse(runs, weights, method="learned", top=top, window=fusion.window)
    assert found.candidates != fuse(runs, replace(weights, channels=None), method="learned", top=top)


def test_each_fold_has_the_channels_and_its_manifest_tells_of_them(tiny_job: TinyJob, tmp_path: Path) -> None:
    short = (LEARNED, "training.epochs=1", "reranker_training.folds=2")

    def start(*overrides: str) -> StageOneRun:
        job = tiny_job(*short, *overrides)
        return StageOneRun(job, Stages(folder=tmp_path), job.train, given=None)

    run = start()
    first = out_of_fold_candidates(run)
    again = start()
    assert out_of_fold_candidates(again).candidates == first.candidates
    assert all(record.reused for record in again.stages.records)
    other = start("fusion.window=25")
    other.__dict__["weights"] = run.weights  # the same weights, over another window
    out_of_fold_candidates(other)
    assert not {record.name: record.reused for record in other.stages.records}["out_of_fold.parquet"]


def test_a_base_that_knows_the_held_out_questions_is_warned_of(
    tiny_job: TinyJob, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = tiny_job(LEARNED)
    known = shutil.copytree(tiny_model, tmp_path / "known")
    run = StageOneRun(job, Stages(folder=tmp_path), job.train, given=locate_model(str(tiny_model)))
    assert run.views is not None and "too good" not in caplog.text
    write_manifest(known, {"fitted_on": fingerprints(run.plan.validation)})
    other = tiny_job(LEARNED, f"retriever.model={known.as_posix()}")
    again = StageOneRun(other, Stages(folder=tmp_path), other.train, given=locate_model(str(tiny_model)))
    assert again.views is not None
    assert f"fitted on {len(run.plan.validation)} of the {len(run.plan.validation)} held-out questions" in caplog.text
