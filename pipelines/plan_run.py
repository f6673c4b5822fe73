"""Plan a run with a language model: minutes a stage, and the largest setting that fits a time limit. Loads no model."""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

from core.config import load_config
from core.errors import ConfigError, InputError
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.cost_model import DEVICES, GIB, device_of, fits, memory_bytes
from pipelines.engine_settings import EngineSettings
from pipelines.estimates import (
    Plan,
    Setting,
    StageEstimate,
    Workload,
    estimate,
    largest_that_fits,
    plan_table,
    setting_text,
    stage_two_estimates,
    stages_table,
)
from pipelines.lm_reranker import locate_language_model
from pipelines.planned_parts import (
    PlannedPart,
    device_present,
    planned_parts,
    quantisation_of,
    shape_named,
)
from pipelines.settings import Settings
from pipelines.stage_two_run import StageTwoRun
from pipelines.time_limit import TimeLimit, duration, parse_duration

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Estimate what reranking with a language model takes, before paying for it: minutes a stage, memory, and the largest
setting (model, weights, candidates, orders) that fits a time limit. Loads no model and needs no network.

Times are computed from prompt tokens × 2 × parameters / rate; a rate is marked measured where this project measured it
on that device, else computed from the device's peak. `end_to_end.py --time-limit` uses the same numbers and corrects
them by what it sees."""

EPILOG = """\
examples:
  python pipelines/plan_run.py --gpu h200 --model 32B --quantization fp8 --queries 3000
  python pipelines/plan_run.py --gpu t4 --gpus 2 --model 32B --quantization awq --time-limit 9h
  python pipelines/plan_run.py --config pipelines/configs/h200.toml --reranker listwise --time-limit 2h"""


def main(arguments: list[str] | None = None) -> None:
    """Print the plan that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    made.add_argument("--gpu", metavar="NAME", help=f"one of {', '.join(DEVICES)}; default: the one present, else cpu")
    made.add_argument("--gpus", type=int, metavar="N", help="how many share the model (default: 1, or the config's)")
    made.add_argument("--model", metavar="SIZE", help="7B, 32B, 135M, …, or a folder with config.json")
    made.add_argument("--quantization", choices=["bf16", "fp8", "awq", "float32"], help="of the weights")
    made.add_argument("--reranker", metavar="NAME", help="a listwise or pointwise table of --config, or a cascade")
    made.add_argument("--queries", type=int, default=3000, metavar="N", help="of the test file (default: %(default)s)")
    made.add_argument(
        "--validation-queries", type=int, default=650, metavar="N", help="held out of training (default: %(default)s)"
    )
    made.add_argument("--candidates", type=int, metavar="N", help="a query (default: 25, or the config's)")
    made.add_argument("--orders", type=int, metavar="N", help="a query (default: 2, or the config's)")
    made.add_argument("--time-limit", type=parse_duration, metavar="9h", help="also look for the largest that fits")
    options = parse_arguments(made, arguments)
    settings = load_config(Settings, options.config, options.overrides)
    _check_numbers(options)
    parts = _parts(settings, options.reranker)
    plans = _plans(options, parts)
    limit: float | None = options.time_limit
    if len(plans) == 1:
        sys.stdout.write(_told(plans[0], limit))
        return
    sys.stdout.write(_told_cascade(plans, [part.name for part in parts], limit))


def tell_plan(two: StageTwoRun, queries: int, limit: TimeLimit) -> None:
    """Log what a run with a language model is expected to take, and what would fit where that does not.

    Args:
        two: The run.
        queries: Test queries.
        limit: The run's time limit; without one nothing is told.
    """
    settings = two.job.settings
    parts = planned_parts(two.chosen, settings, name=two.spec)
    if not limit.is_set or not parts:
        return
    try:
        plans = []
        for part in parts:
            shape = shape_named(str(locate_language_model(part.table, settings).folder))
            work = part.workload(queries=queries, validation=len(two.stage_one.plan.queries))
            plans.append(estimate(part.setting(device_present(part.engine), shape), work))
    except InputError as error:
        logger.warning("warning: no plan before the run, it goes by the speed that it measures: %s", error)
        return
    stages = _stages(plans, [part.name for part in parts])
    needed = sum(stage.seconds for stage in stages)
    logger.info(
        "plan for %s, time limit %s (estimated):\n%s\n%s",
        two.spec,
        duration(limit.seconds),
        "\n".join(setting_text(plan) for plan in plans),
        stages_table(stages),
    )
    if needed > limit.seconds:
        logger.warning(
            "warning: the plan takes %s, more than the time limit: %s", duration(needed), _advice(plans, limit.seconds)
        )


def _advice(plans: Sequence[Plan], limit: float) -> str:
    """Return the largest setting of the same model that fits."""
    if len(plans) > 1:
        return "leave a stage of the cascade out, or give fewer candidates"
    setting, work = plans[0].setting, plans[0].work
    found = largest_that_fits(
        setting.device,
        work,
        limit=limit,
        gpus=setting.gpus,
        engines=setting.engines,
        shapes=[setting.shape],
        precisions=[setting.quantisation],
    )
    if found is None:
        return "no setting of this model fits it; queries that are not reached keep stage 1's order"
    return f"what fits is {setting_text(found)}"


def _stages(plans: Sequence[Plan], names: Sequence[str]) -> list[StageEstimate]:
    """Return stage 1 and every part's stages; the slowest device's stage 1 where the parts' differ."""
    if len(plans) == 1:
        return list(plans[0].stages)
    stages = [max((plan.stages[0] for plan in plans), key=lambda stage: stage.seconds)]
    for plan, name in zip(plans, names, strict=True):
        for stage in stage_two_estimates(plan.setting, plan.work):
            named = stage.name.replace("stage 2", name[:14])
            stages.append(StageEstimate(name=named, seconds=stage.seconds, basis=stage.basis))
    return stages


def _told(asked: Plan, limit: float | None) -> str:
    lines = [setting_text(asked), plan_table(asked), _memory(asked.setting)]
    if limit is not None:
        lines += ["", _told_limit(asked, limit)]
    return "\n".join(lines) + "\n"


def _told_cascade(plans: Sequence[Plan], names: Sequence[str], limit: float | None) -> str:
    stages = _stages(plans, names)
    lines = [f"{name}: {setting_text(plan)}\n{_memory(plan.setting)}" for name, plan in zip(names, plans, strict=True)]
    lines.append(stages_table(stages))
    if limit is not None:
        verdict = "fits" if sum(stage.seconds for stage in stages) <= limit else "does not fit"
        lines += ["", f"Time limit {duration(limit)}: the cascade above {verdict}."]
    return "\n".join(lines) + "\n"


def _memory(setting: Setting) -> str:
    memory = memory_bytes(setting.shape, setting.quantisation, gpus=setting.gpus, tokens_in_flight=2048) / GIB
    has, ok = DEVICES[setting.device].memory, _fits(setting)
    return f"  memory: about {memory:.1f} GiB a device (computed), of {has:g}: {'fits' if ok else 'DOES NOT FIT'}"


def _fits(setting: Setting) -> bool:
    return fits(setting.shape, setting.device, setting.quantisation, gpus=setting.gpus)


def _told_limit(asked: Plan, limit: float) -> str:
    setting = asked.setting
    found = largest_that_fits(setting.device, asked.work, limit=limit, gpus=setting.gpus, engines=setting.engines)
    verdict = "fits" if _fits(setting) and asked.seconds <= limit else "does not fit"
    lines = [f"Time limit {duration(limit)}: the setting above {verdict}."]
    if found is None:
        return f"{lines[0]} Nothing that this model knows fits; ask for fewer queries or more time."
    return "\n".join([*lines, "Largest setting that fits:", f"  {setting_text(found)}", plan_table(found)])


def _parts(settings: Settings, name: str | None) -> list[PlannedPart]:
    """Return the parts of the table that is planned; none where no table is named.

    Raises:
        ConfigError: It is not there, or reads no language model.
    """
    if name is None:
        return []
    table = settings.rerankers.get(name)
    found = planned_parts(table, settings, name=name) if table else []
    if not found:
        known = [key for key, one in settings.rerankers.items() if planned_parts(one, settings, name=key)]
        raise ConfigError(
            f"--reranker {name}: expected a listwise or pointwise table of --config, or a cascade of them; there is "
            f"{', '.join(known) or 'none'}"
        )
    if left_out := [
        stage.reranker
        for stage in (table.stages if table else ())
        if stage.reranker not in {part.name for part in found}
    ]:
        logger.warning("warning: no language model, not in the plan: %s", ", ".join(left_out))
    return found


def _plans(options: argparse.Namespace, parts: Sequence[PlannedPart]) -> list[Plan]:
    """Return a plan a part, with what the command line puts in place of the config's."""
    if len(parts) > 1:
        given = [key for key in ("gpus", "model", "quantization", "candidates", "orders") if getattr(options, key)]
        if given:
            raise InputError([f"--{key}: a cascade's stages have their own; set it in their tables" for key in given])
    if not parts:
        return [estimate(_setting(options, None), _work(options, None))]
    return [estimate(_setting(options, part), _work(options, part)) for part in parts]


def _check_numbers(options: argparse.Namespace) -> None:
    """Refuse counts below 1.

    Raises:
        InputError: Names every one.
    """
    keys = ("gpus", "queries", "validation_queries", "candidates", "orders")
    numbers = {key: getattr(options, key) for key in keys}
    low = [
        f"--{key.replace('_', '-')}: expected at least 1, came {n}"
        for key, n in numbers.items()
        if n is not None and n < 1
    ]
    if low:
        raise InputError(low)


def _work(options: argparse.Namespace, part: PlannedPart | None) -> Workload:
    queries, held_out = options.queries, options.validation_queries
    if part is None:
        return Workload(
            queries=queries, validation=held_out, candidates=options.candidates or 25, orders=options.orders or 2
        )
    changes = {} if options.candidates is None else {"width": options.candidates}
    work = replace(part, **changes).workload(queries=queries, validation=held_out)
    return replace(work, orders=options.orders) if options.orders and work.kind == "listwise" else work


def _setting(options: argparse.Namespace, part: PlannedPart | None) -> Setting:
    device = _device(options.gpu, part.engine if part else None)
    named = options.model or (part.table.model if part else None) or "32B"
    shape = shape_named(named)
    if part is None:
        quantisation = options.quantization or quantisation_of(None, None, device)
        return Setting(shape=shape, device=device, quantisation=quantisation, gpus=options.gpus or 1)
    own = part.setting(device, shape)
    return replace(own, gpus=options.gpus or own.gpus, quantisation=options.quantization or own.quantisation)


def _device(named: str | None, engine: EngineSettings | None) -> str:
    if named is None:
        return device_present(engine)
    found = device_of(named)
    if found is None:
        raise InputError(f"--gpu {named}: expected one of {', '.join(DEVICES)}")
    return found


if __name__ == "__main__":
    sys.exit(run_main(main))
