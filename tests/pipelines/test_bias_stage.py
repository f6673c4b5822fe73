from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.models import locate_model
from eval.splits import seen_labels
from pipelines.bias_stage import findings
from pipelines.engine_pool import EnginePool
from pipelines.job import Job
from pipelines.reranker_settings import AdaptiveSettings, RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import StageTwoWeights
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.time_limit import TimeLimit


@pytest.fixture
def one(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> StageOneRun:
    job = tiny_job()
    return StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))


def stage_two(one: StageOneRun, model: Path, *, limit: TimeLimit | None = None, **changes: object) -> StageTwoRun:
    chosen = RerankerSettings(kind="listwise", model=str(model), candidates=25, bias_sample=8).model_copy(
        update=changes
    )
    return StageTwoRun(one, f"{chosen.kind}:{model}", chosen=chosen, title="mine", limit=limit)


def test_the_held_out_part_is_probed_and_the_probe_kept(one: StageOneRun, tiny_lm: Path) -> None:
    found = findings(stage_two(one, tiny_lm), None, measured_on="these")
    assert found is not None and found.bias is not None
    bias = found.bias
    assert bias.queries == bias.compared == len(one.plan.queries)
    assert bias.effects is not None and bias.effects.queries == 8
    assert bias.instability is not None and bias.instability.prompts == 16
    assert bias.instability.largest < 1e-3  # float32 on a CPU
    assert sum(slot.prompts for slot in bias.truth) > 0
    assert next(iter(found.calibrations)) == "as the model gave it" and len(found.calibrations) == 2
    names = {path.name.partition("-")[0] for path in one.stages.folder.glob("bias_*.parquet")}
    assert names == {"bias_probe", "bias_again"}

    again = stage_two(one, tiny_lm)
    again.scores.pool = EnginePool(lambda key: pytest.fail("nothing is to be scored"))
    repeated = findings(again, None, measured_on="these")
    assert repeated is not None and repeated.to_json() == found.to_json()
    titles = [section.title for section in repeated.sections()]
    assert titles == ["Bias of the reranker: mine", "Honesty of the probabilities: mine"]


def test_test_queries_are_measured_by_their_labels(one: StageOneRun, tiny_lm: Path) -> None:
    queries = one.job.queries(one.job.test, labelled_only=True)
    found = findings(stage_two(one, tiny_lm, bias_sample=0), queries, measured_on="the test file")
    assert found is not None and found.bias is not None
    assert found.bias.queries == len(queries) and found.bias.effects is None and found.bias.instability is None
    assert next(iter(found.calibrations.values())).n == len(queries)


def test_a_time_limit_leaves_the_probes_out(one: StageOneRun, tiny_lm: Path) -> None:
    found = findings(stage_two(one, tiny_lm, limit=TimeLimit(seconds=3600)), None, measured_on="these")
    assert found is not None and found.bias is not None and found.bias.effects is None


def test_other_kinds_have_no_slots(one: StageOneRun, tiny_lm: Path) -> None:
    pointwise = findings(stage_two(one, tiny_lm, kind="pointwise"), None, measured_on="these")
    assert pointwise is not None and pointwise.bias is None and pointwise.calibrations
    assert findings(StageTwoRun(one, "identity"), None, measured_on="these") is None


def test_a_fitted_temperature_makes_probabilities_more_honest(one: StageOneRun, tiny_lm: Path) -> None:
    """The tiny model is sure of what it does not know; each half is scored at the temperature of the other."""
    two = stage_two(one, tiny_lm, bias_sample=0, candidates=25)
    found = findings(two, None, measured_on="these")
    assert found is not None
    raw, tempered = found.calibrations.values()
    assert tempered.confidence < raw.confidence and tempered.error < raw.error
    assert two.weights[0].temperature > 1 and two.weights[1].temperature > 1
    fixed = stage_two(one, tiny_lm, bias_sample=0, fit_temperature=False)
    assert fixed.weights[None].temperature == 1.0


def test_the_weights_of_a_run_hold_its_temperature(one: StageOneRun, tiny_lm: Path) -> None:
    two = stage_two(one, tiny_lm, bias_sample=0)
    plain = replace(two.weights[None], temperature=1.0)
    assert isinstance(plain, StageTwoWeights) and seen_labels(one.plan.fit)
    again = stage_two(one, tiny_lm, bias_sample=0)
    assert again.weights == two.weights


@pytest.mark.parametrize("labelled", [True, False], ids=["test queries", "held-out part"])
def test_after_is_what_ranked_where_a_policy_skips_orders(one: StageOneRun, tiny_lm: Path, labelled: bool) -> None:
    """Candidate by candidate: the mean of `after` by slot is that of the rankings that were made."""
    fitted = AdaptiveSettings(mode="fitted", tolerance=1.0)
    two = stage_two(one, tiny_lm, bias_sample=0, candidates=5, adaptive=fitted)
    queries = one.job.queries(one.job.test, labelled_only=True) if labelled else None
    found = findings(two, queries, measured_on="these")
    orders = two.validation_orders() if queries is None else two.test_orders(queries)
    ranked = two.validation_ranked() if queries is None else two.reranked_test(queries)
    assert found is not None and found.bias is not None and orders is not None
    by_key = {ranking.key: dict(zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True)) for ranking in ranked}
    expected = np.mean([[np.exp(by_key[record.key][id]) for id in record.ids.tolist()] for record in orders], axis=0)
    assert found.bias.slots.after.tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    stated = found.to_json()["adaptive"]
    assert "policy" not in stated and all("policy" not in half for half in stated["halves"])
