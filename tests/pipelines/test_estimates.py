import pytest

from pipelines.cost_model import EEDI, SHAPES
from pipelines.estimates import (
    Setting,
    Workload,
    estimate,
    largest_that_fits,
    plan_table,
    setting_text,
    stage_one_estimate,
    stage_two_estimates,
    stages_table,
)

WORK = Workload(queries=3000, validation=600, candidates=25, orders=2)


def test_the_stages_of_a_run_by_hand() -> None:
    plan = estimate(Setting(shape=SHAPES["32B"], device="h200", quantisation="fp8"), WORK)
    each = EEDI.query(25, 2) * 2 * SHAPES["32B"].parameters / 1083e12
    seconds = [stage.seconds for stage in plan.stages]
    assert seconds[2:] == pytest.approx([600 * each, 3000 * each])
    assert plan.seconds == pytest.approx(sum(seconds))
    assert plan.queries_per_second == pytest.approx(1 / each)
    assert [stage.basis for stage in plan.stages] == ["measured", "computed", "measured", "measured"]
    text = plan_table(plan)
    assert text.count("\n") == 4 and "in all" in text and "measured" in text
    assert "16.8 queries/s" in setting_text(plan)


def test_a_slower_gpu_takes_longer_in_every_stage() -> None:
    fast, slow = (
        estimate(Setting(shape=SHAPES["7B"], device=name, quantisation="awq"), WORK) for name in ("h200", "t4")
    )
    assert all(a.seconds <= b.seconds for a, b in zip(fast.stages, slow.stages, strict=True))
    assert slow.stages[0].basis == "computed"


def test_more_time_allows_more() -> None:
    plans = [largest_that_fits("t4", WORK, limit=3600 * hours, gpus=2) for hours in (0.7, 1, 2, 9)]
    sizes = [plan.setting.shape.parameters * plan.work.query_tokens if plan else 0.0 for plan in plans]
    assert sizes == sorted(sizes) and sizes[-1] > sizes[0]
    last = plans[-1]
    assert last is not None
    assert (last.setting.shape.name, last.setting.quantisation) == ("32B", "awq")
    assert (last.work.candidates, last.work.orders) == (25, 2)


def test_what_is_found_fits_and_stays_within_what_was_asked() -> None:
    for hours in (0.75, 1.0, 1.5, 3.0):
        plan = largest_that_fits("rtx4090", WORK, limit=3600 * hours)
        assert plan is not None and plan.seconds <= 3600 * hours
        assert plan.work.candidates <= 25 and plan.work.orders <= 2
        assert (plan.work.queries, plan.work.validation) == (3000, 600)


def test_nothing_fits_in_no_time() -> None:
    assert largest_that_fits("t4", WORK, limit=10) is None


def test_precise_weights_are_preferred_where_they_fit() -> None:
    plan = largest_that_fits("h200", WORK, limit=36000, shapes=[SHAPES["32B"]])
    assert plan is not None and plan.setting.quantisation == "bf16"
    assert (plan.work.candidates, plan.work.orders) == (25, 2)
    tight = largest_that_fits("h200", WORK, limit=plan.seconds - 1, shapes=[SHAPES["32B"]])
    assert tight is not None and tight.setting.quantisation == "bf16" and tight.work.orders == 1


def test_engines_side_by_side_score_faster_but_not_on_one_cpu() -> None:
    four = Setting(shape=SHAPES["7B"], device="a100", quantisation="bf16", engines=4)
    one = Setting(shape=SHAPES["7B"], device="a100", quantisation="bf16")
    assert four.query_seconds(WORK)[0] == pytest.approx(one.query_seconds(WORK)[0] / 4)
    assert "on 4 engines of a100" in setting_text(estimate(four, WORK))
    small = SHAPES["0.5B"]
    cores = [Setting(shape=small, device="cpu", quantisation="float32", engines=n).query_seconds(WORK) for n in (1, 4)]
    assert cores[0] == cores[1]


def test_windows_and_pairs_are_counted() -> None:
    windows = Workload(queries=1, validation=1, candidates=10, orders=2, windows=5)
    assert windows.query_tokens == pytest.approx(146 + 5 * 2 * 10 * 16.7)
    pairs = Workload(queries=1, validation=1, candidates=10, orders=1, kind="pointwise")
    assert pairs.query_tokens == EEDI.pairs(10) > EEDI.query(10, 1)
    setting = Setting(shape=SHAPES["7B"], device="a100", quantisation="bf16")
    assert "in 5 windows of 10 candidates" in setting_text(estimate(setting, windows))
    assert "10 candidates, a prompt each" in setting_text(estimate(setting, pairs))


def test_what_was_asked_is_taken_where_it_fits() -> None:
    asked = Workload(queries=3000, validation=600, candidates=30, orders=2)
    plan = largest_that_fits("h200", asked, limit=36000, shapes=[SHAPES["7B"]], precisions=["fp8"])
    assert plan is not None and plan.work == asked and plan.setting.quantisation == "fp8"


def test_the_stages_of_a_cascade_are_put_together() -> None:
    setting = Setting(shape=SHAPES["7B"], device="a100", quantisation="bf16")
    stages = [stage_one_estimate("a100"), *stage_two_estimates(setting, WORK)]
    assert tuple(stages) == estimate(setting, WORK).stages
    assert stages_table(stages) == plan_table(estimate(setting, WORK))
