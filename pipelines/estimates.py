"""How long a run with a language model will take, stage by stage, and the largest setting that fits a time limit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.cost_model import (
    DEVICES,
    EEDI,
    SHAPES,
    Basis,
    ModelShape,
    PromptSize,
    Quantisation,
    fits,
    scoring_seconds,
    weight_bytes,
)

STAGE_ONE_SECONDS = {"h200": 165.0, "cpu": 1013.0}
"""Measured on the real files: `configs/gpu.toml` on one H200, `configs/cpu.toml` on two cores (results in README)."""
_STAGE_ONE_FIXED = 60.0
"""What of it does not grow on a slower GPU (start-up, files, faiss, intervals): an assumption."""
_START_SECONDS = {"gpu": 60.0, "cpu": 25.0}
_READ_BYTES = 1e9
"""A second, from a disk: an assumption, as is the start of an engine on a GPU; on a CPU 25 s were measured."""
_CHOICES: tuple[tuple[int, int], ...] = ((52, 2), (25, 2), (25, 1), (15, 2), (15, 1), (10, 2), (10, 1), (5, 1))
"""(candidates, orders), the largest first."""
_PRECISIONS: tuple[Quantisation, ...] = ("bf16", "fp8", "awq", "float32")


@dataclass(frozen=True, kw_only=True)
class StageEstimate:
    """One stage of a run: its name, its seconds, and whether they rest on a measurement."""

    name: str
    seconds: float
    basis: Basis


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What is to be scored.

    Attributes:
        queries: Queries of the test file.
        validation: Held-out queries, scored to fit weights.
        candidates: A query, or a window where there are several.
        orders: A query, or a window.
        prompt: Tokens of a prompt.
        cached: Whether the engine reads a query's shared prefix only once.
        kind: `listwise`, or `pointwise`: a prompt a candidate, and one order.
        windows: Lists that a query is asked in, all passes together.
    """

    queries: int
    validation: int
    candidates: int
    orders: int
    prompt: PromptSize = EEDI
    cached: bool = True
    kind: Literal["listwise", "pointwise"] = "listwise"
    windows: int = 1

    @property
    def query_tokens(self) -> float:
        """Prompt tokens that are read for one query."""
        if self.kind == "pointwise":
            return self.prompt.pairs(self.candidates, cached=self.cached)
        return self.prompt.query(self.candidates, self.orders * self.windows, cached=self.cached)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A model on a device.

    Attributes:
        shape: The model's.
        device: Key in `cost_model.DEVICES`.
        quantisation: Of the weights.
        gpus: How many share the model.
        engines: Engines side by side, each with a model of its own on so many GPUs; queries are shared out among them.
    """

    shape: ModelShape
    device: str
    quantisation: Quantisation
    gpus: int = 1
    engines: int = 1

    def query_seconds(self, work: Workload) -> tuple[float, Basis]:
        """Return the seconds between two queries that are done, and whether the rate was measured.

        Engines on one CPU share its cores: more of them are no faster. On GPUs of their own N of them are taken to be
        N times as fast as one, which was not measured.
        """
        seconds, basis = scoring_seconds(
            self.shape, self.device, self.quantisation, tokens=work.query_tokens, gpus=self.gpus
        )
        if self.engines == 1 or self.device == "cpu":
            return seconds, basis
        return seconds / self.engines, "computed"

    @property
    def loading_seconds(self) -> float:
        """Return what opening the engine takes; several open at once, from one disk."""
        where = "cpu" if self.device == "cpu" else "gpu"
        return _START_SECONDS[where] + self.reading_seconds

    @property
    def reading_seconds(self) -> float:
        """Return what reading the weights takes."""
        return weight_bytes(self.shape, self.quantisation) / _READ_BYTES


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A setting with what it would take.

    Attributes:
        setting: The model and where it runs.
        work: What is scored.
        stages: The run's stages in order.
    """

    setting: Setting
    work: Workload
    stages: tuple[StageEstimate, ...]

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def queries_per_second(self) -> float:
        """While scoring."""
        return 1.0 / self.setting.query_seconds(self.work)[0]


def estimate(setting: Setting, work: Workload) -> Plan:
    """Return the estimated stages of a run.

    Raises:
        KeyError: The device is unknown.
    """
    stages = (stage_one_estimate(setting.device), *stage_two_estimates(setting, work))
    return Plan(setting=setting, work=work, stages=stages)


def stage_two_estimates(setting: Setting, work: Workload) -> tuple[StageEstimate, ...]:
    """Return the estimated stages of one reranker, or of one stage of a cascade."""
    each, basis = setting.query_seconds(work)
    return (
        StageEstimate(name="stage 2: load the model", seconds=setting.loading_seconds, basis="computed"),
        StageEstimate(name="stage 2: held-out queries", seconds=each * work.validation, basis=basis),
        StageEstimate(name="stage 2: test queries", seconds=each * work.queries, basis=basis),
    )


def stage_one_estimate(device: str) -> StageEstimate:
    """Return what stage 1 takes, scaled from the H200 by the devices' peaks where it was not measured."""
    name = "stage 1: train and search"
    if device in STAGE_ONE_SECONDS:
        return StageEstimate(name=name, seconds=STAGE_ONE_SECONDS[device], basis="measured")
    slower = DEVICES["h200"].peak16 / DEVICES[device].peak16
    seconds = _STAGE_ONE_FIXED + slower * (STAGE_ONE_SECONDS["h200"] - _STAGE_ONE_FIXED)
    return StageEstimate(name=name, seconds=seconds, basis="computed")


def largest_that_fits(
    device: str,
    work: Workload,
    *,
    limit: float,
    gpus: int = 1,
    engines: int = 1,
    shapes: Sequence[ModelShape] = tuple(SHAPES.values()),
    precisions: Sequence[Quantisation] = _PRECISIONS,
) -> Plan | None:
    """Return the largest model, then the most precise weights, then the most candidates and orders that fit.

    Candidates and orders of `work` are an upper bound. A model counts as fitting where its memory does and the whole
    run takes less than the limit.

    Args:
        device: Key in `cost_model.DEVICES`.
        work: The queries, and the most candidates and orders wanted.
        limit: Seconds for everything.
        gpus: How many share the model.
        engines: Engines side by side.
        shapes: The models to choose from.
        precisions: The weights to choose from, the most precise first.
    """
    asked = (work.candidates, work.orders)
    smaller = [(n, k) for n, k in _CHOICES if n <= work.candidates and k <= work.orders and (n, k) != asked]
    for shape in sorted(shapes, key=lambda shape: -shape.parameters):
        for quantisation in precisions:
            if (quantisation == "float32") != (device == "cpu"):
                continue
            if not fits(shape, device, quantisation, gpus=gpus):
                continue
            setting = Setting(shape=shape, device=device, quantisation=quantisation, gpus=gpus, engines=engines)
            works = [work, *(replace(work, candidates=n, orders=k, windows=1) for n, k in smaller)]
            plans = (estimate(setting, one) for one in works)
            found = next((plan for plan in plans if plan.seconds <= limit), None)
            if found is not None:
                return found
    return None


def plan_table(plan: Plan) -> str:
    """Return a line a stage: minutes, and whether they are measured or computed."""
    return stages_table(plan.stages)


def stages_table(stages: Sequence[StageEstimate]) -> str:
    """Return a line a stage, and their sum."""
    lines = [f"  {stage.name:<28}  {stage.seconds / 60:8.1f} min  {stage.basis}" for stage in stages]
    lines.append(f"  {'in all':<28}  {sum(stage.seconds for stage in stages) / 60:8.1f} min")
    return "\n".join(lines)


def setting_text(plan: Plan) -> str:
    """Return the setting in one line."""
    setting, work = plan.setting, plan.work
    gpus = f"{setting.gpus} × " if setting.gpus > 1 else ""
    engines = f"{setting.engines} engines of " if setting.engines > 1 else ""
    windows = f" in {work.windows} windows of" if work.windows > 1 else ","
    orders = "a prompt each" if work.kind == "pointwise" else f"{work.orders} order{'s' * (work.orders != 1)}"
    return (
        f"{setting.shape.name} {setting.quantisation} on {engines}{gpus}{setting.device}{windows} "
        f"{work.candidates} candidates, {orders}: {plan.queries_per_second:.3g} queries/s, "
        f"{work.query_tokens:.0f} prompt tokens read a query"
    )
