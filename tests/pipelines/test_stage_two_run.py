import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.artifacts import write_manifest
from core.models import locate_model
from core.records import Misconception, Query, Ranking
from eval.splits import seen_labels
from pipelines.job import Job, fingerprints
from pipelines.rerank_scores import TEST
from pipelines.reranker_settings import AdaptiveSettings, RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import StageTwoWeights, reranker_texts_hash
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.time_limit import TimeLimit


@pytest.fixture(scope="module")
def models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """SPECs of two cross-encoders with random heads, in folders of one name."""
    import torch

    from rerank.cross_encoder import open_cross_encoder

    specs = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("cross") / "model"
        torch.manual_seed(seed)
        model = open_cross_encoder(tiny_model, device="cpu", dtype=torch.float32, max_length=48)
        model.save_pretrained(str(folder), create_model_card=False)
        specs.append(f"cross-encoder:{folder}")
    return specs[0], specs[1]


@pytest.fixture
def one(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> StageOneRun:
    """Stage 1 by the untrained tiny model: no training."""
    return stage_one(tiny_job(), tiny_model, tmp_path)


def stage_one(job: Job, model: Path, folder: Path) -> StageOneRun:
    return StageOneRun(job, Stages(folder=folder / "work"), job.train, given=locate_model(str(model)))


class Counted:
    """A reranker that turns its candidates round and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        self.calls += 1
        return [
            Ranking.from_scores(ranking.key, ranking.ids, np.arange(len(ranking)) - float(len(ranking)))
            for ranking in candidates
        ]


def stage_two(one: StageOneRun, spec: str, monkeypatch: pytest.MonkeyPatch) -> tuple[StageTwoRun, Counted]:
    counted = Counted()
    monkeypatch.setattr("pipelines.rerank_scores.open_reranker", lambda *_, **__: counted)
    return StageTwoRun(one, spec), counted


def made(one: StageOneRun) -> list[str]:
    return [record.name for record in one.stages.records if not record.reused]


def test_the_reranker_sees_the_first_candidates_only_and_its_scores_are_kept(
    one: StageOneRun, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    two, counted = stage_two(one, models[0], monkeypatch)
    candidates = one.validation_candidates()
    reranked = two.reranked_validation()
    assert {len(ranking) for ranking in candidates} == {30}
    assert [ranking.ids.tolist() for ranking in reranked] == [r.ids[:25][::-1].tolist() for r in candidates]
    assert two.reranked_validation() == reranked
    assert counted.calls == 1
    facts = two.scores.facts()
    assert facts is not None and facts.queries == len(candidates)
    assert (facts.seconds or 0) > 0 and (facts.queries_per_second or 0) > 0


def test_another_run_reuses_the_scores_without_opening_the_model(
    one: StageOneRun,
    models: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tiny_job: Callable[..., Job],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    first = stage_two(one, models[0], monkeypatch)[0].validation_rankings()
    again = stage_one(tiny_job(), tiny_model, tmp_path)
    two, counted = stage_two(again, models[0], monkeypatch)
    assert two.validation_rankings() == first
    assert counted.calls == 0
    assert two.scores.facts() is not None  # what it took is kept with the scores
    assert made(again) == []


def test_swapping_the_reranker_keeps_the_candidates_and_both_results(
    one: StageOneRun,
    models: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tiny_job: Callable[..., Job],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    stage_two(one, models[0], monkeypatch)[0].validation_rankings()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()}
    again = stage_one(tiny_job(), tiny_model, tmp_path)
    other, counted = stage_two(again, models[1], monkeypatch)
    other.validation_rankings()
    assert counted.calls == 1
    assert [name.split("-")[0] for name in made(again)] == ["validation_reranked", "stage_two"]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_changed_depth_reranks_again(
    one: StageOneRun, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    two, counted = stage_two(one, models[0], monkeypatch)
    two.reranked_validation()
    two.scores.chosen = two.chosen.model_copy(update={"candidates": 10})
    assert {len(ranking) for ranking in two.reranked_validation()} == {10}
    assert counted.calls == 2


def test_each_half_is_ranked_at_the_weights_that_the_other_gave(
    one: StageOneRun, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    two, _ = stage_two(one, models[0], monkeypatch)
    candidates, alone = one.validation_candidates(), two.validation_alone()
    stage_one_only = StageTwoWeights(weight=0.0, prior=0.0, prior_gain=None)
    two.__dict__["weights"] = {None: stage_one_only, 0: stage_one_only, 1: replace(stage_one_only, weight=1.0)}
    found = two.validation_rankings()
    assert set(one.plan.half) == {0, 1}
    for row, half in enumerate(one.plan.half):
        assert found[row] == (alone if half == 0 else candidates)[row]


def test_alone_is_the_rerankers_order_with_the_rest_below(
    one: StageOneRun, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    two, _ = stage_two(one, models[0], monkeypatch)
    for ranking, first in zip(two.validation_alone(), one.validation_candidates(), strict=True):
        assert ranking.ids.tolist() == [*first.ids[:25][::-1].tolist(), *first.ids[25:].tolist()]


def test_without_the_prior_the_weight_stays(
    models: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tiny_job: Callable[..., Job],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    one = stage_one(tiny_job("neighbours.enabled=false"), tiny_model, tmp_path)
    two, _ = stage_two(one, models[0], monkeypatch)
    lifted = StageTwoWeights(weight=1.0, prior=1000.0, prior_gain=0.1)
    two.__dict__["weights"] = {None: lifted, 0: lifted, 1: lifted}
    assert two.validation_rankings(with_prior=False) == two.validation_alone()
    seen = seen_labels(one.plan.fit)
    for ranking in two.validation_rankings():
        known = [id in seen for id in ranking.ids.tolist()]
        assert set(known) == {False, True}
        assert known == sorted(known)  # every entry without an example stands above every other
    asked = one.job.queries(one.job.test)
    plain, with_prior = two.rankings(asked, with_prior=False), two.rankings(asked)
    assert [ranking.key for ranking in plain] == [query.key for query in asked]
    lifts = [
        ranking.scores.max() - plain_one.scores.max() for ranking, plain_one in zip(with_prior, plain, strict=True)
    ]
    assert min(lifts) > 900


def test_a_reranker_that_knows_the_held_out_part_is_warned_of(
    one: StageOneRun, models: tuple[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "knows"
    shutil.copytree(models[0].partition(":")[2], folder)
    held_out = fingerprints(one.plan.validation)
    write_manifest(folder, {"fitted_on": held_out[:2], "texts": reranker_texts_hash(one.job)})
    assert StageTwoRun(one, models[0]).weights and "trusted too much" not in caplog.text
    assert StageTwoRun(one, f"cross-encoder:{folder}").weights
    assert f"was fitted on 2 of the {len(held_out)} questions" in caplog.text


def test_the_identity_leaves_the_candidates_as_they_are(one: StageOneRun) -> None:
    two = StageTwoRun(one, "identity")
    assert two.validation_rankings(with_prior=False) == one.validation_candidates()
    assert two.validation_alone() == one.validation_candidates()
    assert two.scores.facts() is None
    assert not list((one.stages.folder).glob("validation_reranked*"))


def test_a_real_cross_encoder_scores_the_candidates(one: StageOneRun, models: tuple[str, str]) -> None:
    reranked = StageTwoRun(one, models[0]).reranked_validation()
    for ranking, first in zip(reranked, one.validation_candidates(), strict=True):
        assert sorted(ranking.ids.tolist()) == sorted(first.ids[:25].tolist())
        assert np.exp(ranking.scores).sum() == pytest.approx(1.0)


def listwise(one: StageOneRun, model: Path, *, limit: TimeLimit | None = None, **changes: object) -> StageTwoRun:
    chosen = RerankerSettings(kind="listwise", model=str(model), candidates=5, bias_sample=0).model_copy(update=changes)
    return StageTwoRun(one, f"listwise:{model}", chosen=chosen, title="mine", limit=limit, test_queries=40)


FITTED = AdaptiveSettings(mode="fitted", tolerance=1.0)


def test_held_out_queries_are_ranked_as_the_policy_ranks_test_queries(one: StageOneRun, tiny_lm: Path) -> None:
    """Each half by the policy of the other, to the bit what the reranker gives when it is run with that policy."""
    two = listwise(one, tiny_lm, adaptive=FITTED)
    queries, candidates = one.plan.queries, two.scores.validation_candidates()
    found, whole = two.validation_ranked(), two.validation_ranked(all_orders=True)
    assert whole == two.reranked_validation() != found
    by_policy = [two.scores.reranked(TEST, queries, candidates, adaptive=two.policies[half]) for half in (1, 0)]
    assert found == [by_policy[half][row] for row, half in enumerate(one.plan.half)]
    final = two.validation_rankings(with_prior=False)
    assert two.weights[0].weight == 0 or final != two.validation_rankings(with_prior=False, all_orders=True)
    assert set(two.validation_first_order) == {
        query.key for query, a, b in zip(queries, found, whole, strict=True) if a != b
    }
    assert not listwise(one, tiny_lm).policies


def test_two_forms_of_fusion_keep_their_policies_side_by_side(one: StageOneRun, tiny_lm: Path) -> None:
    for form in ("rank", "score"):
        assert listwise(one, tiny_lm, adaptive=FITTED, fusion=form).policies
    kept = {path: path.stat().st_mtime_ns for path in one.stages.folder.glob("adaptive-*.json")}
    assert len([path for path in kept if "manifest" not in path.name]) == 2
    for form in ("rank", "score"):
        assert listwise(one, tiny_lm, adaptive=FITTED, fusion=form).policies
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


class Clock:
    """Tells a time that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("mode", ["off", "fitted"])
def test_further_orders_are_given_up_where_the_time_does_not_last(
    one: StageOneRun, tiny_lm: Path, monkeypatch: pytest.MonkeyPatch, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    queries = one.job.queries(one.job.test)
    adaptive = AdaptiveSettings(mode=mode, tolerance=0.0)  # type: ignore[arg-type]
    two = listwise(one, tiny_lm, adaptive=adaptive, limit=TimeLimit(seconds=3600, reserve=0, clock=clock))
    assert two.weights and two.lowered is None
    facts = two.scores.facts()
    assert facts is not None and facts.queries_per_second is not None
    clock.now = 3600 - 0.4 * len(queries) / facts.queries_per_second  # too little, whatever share is skipped
    monkeypatch.setattr("pipelines.rerank_scores.opening_ahead", lambda *_: 0.0)
    two.rankings(queries)
    assert two.lowered is not None and two.unreached == {}
    orders = two.test_orders(queries)
    assert orders is not None and {record.order for record in orders} == {0}
    told = two.time_limit_json()
    assert told is not None and told["fewer_orders"]["orders_of_the_table"] == 2
    assert told["fewer_orders"]["orders_asked"] == 1 and told["not_described"] == {}
    assert "they are asked in the first of 2 orders alone" in caplog.text
    # The held-out part is now told by the same rule.
    assert len(two.validation_first_order) == len(one.plan.queries)
    assert two.validation_ranked() != two.validation_ranked(all_orders=True)


def test_enough_time_gives_nothing_up(one: StageOneRun, tiny_lm: Path) -> None:
    two = listwise(one, tiny_lm, limit=TimeLimit(seconds=36000))
    two.rankings(one.job.queries(one.job.test))
    assert two.lowered is None and two.time_limit_json() == {"fewer_orders": None, "not_described": {}}
    assert listwise(one, tiny_lm).time_limit_json() is None
