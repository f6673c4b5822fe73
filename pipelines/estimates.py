"""How long a run with a language model will take, stage by stage, and the largest setting that fits a time limit."""

from collections.abc import Sequence
from dataclasses import dataclass

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
        candidates: A query.
        orders: A query.
        prompt: Tokens of a prompt.
        cached: Whether the engine reads a query's shared prefix only once.
    """

    queries: int
    validation: int
    candidates: int
    orders: int
    prompt: PromptSize = EEDI
    cached: bool = True

    @property
    def query_tokens(self) -> float:
        """Prompt tokens that are read for one query."""
        return self.prompt.query(self.candidates, self.orders, cached=self.cached)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A model on a device.

    Attributes:
        shape: The model's.
        device: Key in `cost_model.DEVICES`.
        quantisation: Of the weights.
        gpus: How many share the model.
    """

    shape: ModelShape
    device: str
    quantisation: Quantisation
    gpus: int = 1


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
        return (
            1.0
            / scoring_seconds(
                self.setting.shape,
                self.setting.device,
                self.setting.quantisation,
                tokens=self.work.query_tokens,
                gpus=self.setting.gpus,
            )[0]
        )


def estimate(setting: Setting, work: Workload) -> Plan:
    """Return the estimated stages of a run.

    Raises:
        KeyError: The device is unknown.
    """
    where = "cpu" if setting.device == "cpu" else "gpu"
    each, basis = scoring_seconds(
        setting.shape, setting.device, setting.quantisation, tokens=work.query_tokens, gpus=setting.gpus
    )
    load = _START_SECONDS[where] + weight_bytes(setting.shape, setting.quantisation) / _READ_BYTES
    stages = [
        _stage_one(setting.device),
        StageEstimate(name="stage 2: load the model", seconds=load, basis="computed"),
        StageEstimate(name="stage 2: held-out queries", seconds=each * work.validation, basis=basis),
        StageEstimate(name="stage 2: test queries", seconds=each * work.queries, basis=basis),
    ]
    return Plan(setting=setting, work=work, stages=tuple(stages))


def _stage_one(device: str) -> StageEstimate:
    name = "stage 1: train and search"
    if device in STAGE_ONE_SECONDS:
        return StageEstimate(name=name, seconds=STAGE_ONE_SECONDS[device], basis="measured")
    slower = DEVICES["h200"].peak16 / DEVICES[device].peak16
    seconds = _STAGE_ONE_FIXED + slower * (STAGE_ONE_SECONDS["h200"] - _STAGE_ONE_FIXED)
    return StageEstimate(name=name, seconds=seconds, basis="computed")


def largest_that_fits(
    device: str, work: Workload, *, limit: float, gpus: int = 1, shapes: Sequence[ModelShape] = tuple(SHAPES.values())
) -> Plan | None:
    """Return the largest model, then the most precise weights, then the most candidates and orders that fit.

    Candidates and orders of `work` are an upper bound. A model counts as fitting where its memory does and the whole
    run takes less than the limit.

    Args:
        device: Key in `cost_model.DEVICES`.
        work: The queries, and the most candidates and orders wanted.
        limit: Seconds for everything.
        gpus: How many share the model.
        shapes: The models to choose from.
    """
    choices = [(n, k) for n, k in _CHOICES if n <= work.candidates and k <= work.orders] or [
        (work.candidates, work.orders)
    ]
    for shape in sorted(shapes, key=lambda shape: -shape.parameters):
        for quantisation in _PRECISIONS:
            if (quantisation == "float32") != (device == "cpu"):
                continue
            if not fits(shape, device, quantisation, gpus=gpus):
                continue
            setting = Setting(shape=shape, device=device, quantisation=quantisation, gpus=gpus)
            for candidates, orders in choices:
                asked = Workload(
                    queries=work.queries,
                    validation=work.validation,
                    candidates=candidates,
                    orders=orders,
                    prompt=work.prompt,
                    cached=work.cached,
                )
                plan = estimate(setting, asked)
                if plan.seconds <= limit:
                    return plan
    return None


def plan_table(plan: Plan) -> str:
    """Return a line a stage: minutes, and whether they are measured or computed."""
    lines = [f"  {stage.name:<28}  {stage.seconds / 60:8.1f} min  {stage.basis}" for stage in plan.stages]
    lines.append(f"  {'in all':<28}  {plan.seconds / 60:8.1f} min")
    return "\n".join(lines)


def setting_text(plan: Plan) -> str:
    """Return the setting in one line."""
    setting, work = plan.setting, plan.work
    gpus = f"{setting.gpus} × " if setting.gpus > 1 else ""
    return (
        f"{setting.shape.name} {setting.quantisation} on {gpus}{setting.device}, {work.candidates} candidates, "
        f"{work.orders} order{'s' * (work.orders != 1)}: {plan.queries_per_second:.3g} queries/s, "
        f"{work.query_tokens:.0f} prompt tokens read a query"
    )
