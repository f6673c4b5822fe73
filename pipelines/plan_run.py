"""Plan a run with a language model: minutes a stage, and the largest setting that fits a time limit. Loads no model."""

import argparse
import json
import logging
import re
import sys
from pathlib import Path

from core.config import load_config
from core.errors import ConfigError, InputError
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.cost_model import DEVICES, GIB, SHAPES, ModelShape, Quantisation, device_of, fits, memory_bytes
from pipelines.cost_model import shape_of_config as shape_of
from pipelines.engine_settings import EngineSettings
from pipelines.estimates import Plan, Setting, Workload, estimate, largest_that_fits, plan_table, setting_text
from pipelines.lm_reranker import locate_language_model
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from pipelines.stage_two import parts_of
from pipelines.stage_two_run import StageTwoRun
from pipelines.time_limit import TimeLimit, duration, parse_duration

logger = logging.getLogger(__name__)

_SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*([bm])(?![a-z0-9])", re.IGNORECASE)
_QUANTISATIONS: dict[str, Quantisation] = {
    "awq": "awq",
    "awq_marlin": "awq",
    "gptq": "awq",
    "gptq_marlin": "awq",
    "bitsandbytes": "awq",
    "compressed-tensors": "awq",
    "fp8": "fp8",
    "none": "bf16",
}
"""Engine settings -> what the cost model knows. All 4-bit forms cost about what AWQ does."""

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
    made.add_argument("--reranker", metavar="NAME", help="a listwise or pointwise table of --config")
    made.add_argument("--queries", type=int, default=3000, metavar="N", help="of the test file (default: %(default)s)")
    made.add_argument(
        "--validation-queries", type=int, default=650, metavar="N", help="held out of training (default: %(default)s)"
    )
    made.add_argument("--candidates", type=int, metavar="N", help="a query (default: 25, or the config's)")
    made.add_argument("--orders", type=int, metavar="N", help="a query (default: 2, or the config's)")
    made.add_argument("--time-limit", type=parse_duration, metavar="9h", help="also look for the largest that fits")
    options = parse_arguments(made, arguments)
    settings = load_config(Settings, options.config, options.overrides)
    chosen = _reranker(settings, options.reranker)
    engine = settings.engine(chosen.engine) if chosen else None
    setting, work = _setting(options, settings, chosen), _work(options, chosen, engine)
    sys.stdout.write(_told(setting, work, options.time_limit))


def tell_plan(two: StageTwoRun, queries: int, limit: TimeLimit) -> None:
    """Log what a run with a language model is expected to take, where the cost model knows the machine.

    Args:
        two: The run.
        queries: Test queries.
        limit: The run's time limit; without one nothing is told.
    """
    if not limit.is_set:
        return
    for part in parts_of(two.chosen, two.job.settings):
        if not part.reads_language_model:
            continue
        engine = two.job.settings.engine(part.engine)
        try:
            device = device_present(engine)
            shape = shape_named(str(locate_language_model(part, two.job.settings).folder))
        except InputError as error:
            logger.info("no estimate before the run: %s", error)
            continue
        setting = Setting(
            shape=shape,
            device=device,
            quantisation=quantisation_of(engine, part.model, device),
            gpus=engine.tensor_parallel_size * engine.pipeline_parallel_size,
        )
        held_out = len(two.stage_one.plan.queries)
        work = Workload(
            queries=queries,
            validation=held_out,
            candidates=part.candidates,
            orders=part.order_total,
            cached=reads_a_prefix_once(engine),
        )
        plan = estimate(setting, work)
        logger.info(
            "plan for %s, time limit %s (estimated):\n%s\n%s",
            part.model,
            duration(limit.seconds),
            setting_text(plan),
            plan_table(plan),
        )


def _told(setting: Setting, work: Workload, limit: float | None) -> str:
    asked = estimate(setting, work)
    memory = memory_bytes(setting.shape, setting.quantisation, gpus=setting.gpus, tokens_in_flight=2048) / GIB
    has = DEVICES[setting.device].memory
    ok = fits(setting.shape, setting.device, setting.quantisation, gpus=setting.gpus)
    lines = [
        setting_text(asked),
        plan_table(asked),
        f"  memory: about {memory:.1f} GiB a device (computed), of {has:g}: {'fits' if ok else 'DOES NOT FIT'}",
    ]
    if limit is not None:
        lines += ["", _told_limit(setting, work, asked, ok, limit)]
    return "\n".join(lines) + "\n"


def _told_limit(setting: Setting, work: Workload, asked: Plan, ok: bool, limit: float) -> str:
    found = largest_that_fits(setting.device, work, limit=limit, gpus=setting.gpus)
    verdict = "fits" if ok and asked.seconds <= limit else "does not fit"
    lines = [f"Time limit {duration(limit)}: the setting above {verdict}."]
    if found is None:
        return f"{lines[0]} Nothing that this model knows fits; ask for fewer queries or more time."
    return "\n".join([*lines, "Largest setting that fits:", f"  {setting_text(found)}", plan_table(found)])


def _reranker(settings: Settings, name: str | None) -> RerankerSettings | None:
    if name is None:
        return None
    found = settings.rerankers.get(name)
    if found is None or not found.reads_language_model:
        known = [key for key, table in settings.rerankers.items() if table.reads_language_model]
        raise ConfigError(
            f"--reranker {name}: expected a listwise or pointwise table of --config; there is "
            f"{', '.join(known) or 'none'}"
        )
    return found


def reads_a_prefix_once(engine: EngineSettings | None) -> bool:
    """Return whether an engine has a prefix cache; vLLM's own is on unless the config says no."""
    return engine is None or (engine.kind != "transformers" and engine.enable_prefix_caching)


def _work(options: argparse.Namespace, chosen: RerankerSettings | None, engine: EngineSettings | None) -> Workload:
    keys = ("queries", "validation_queries", "candidates", "orders")
    numbers = {key: getattr(options, key) for key in keys}
    low = [
        f"--{key.replace('_', '-')}: expected at least 1, came {n}"
        for key, n in numbers.items()
        if n is not None and n < 1
    ]
    if low:
        raise InputError(low)
    candidates = options.candidates or (chosen.candidates if chosen else 25)
    if chosen is not None and chosen.kind == "pointwise":
        # One prompt a candidate: the question is read once, then a candidate and the question's frame each time.
        orders = 1
    else:
        orders = options.orders or (chosen.order_total if chosen else 2)
    return Workload(
        queries=options.queries,
        validation=options.validation_queries,
        candidates=candidates,
        orders=orders,
        cached=reads_a_prefix_once(engine),
    )


def _setting(options: argparse.Namespace, settings: Settings, chosen: RerankerSettings | None) -> Setting:
    engine = settings.engine(chosen.engine) if chosen else None
    device = _device(options.gpu, engine)
    own = engine.tensor_parallel_size * engine.pipeline_parallel_size if engine else 1
    gpus = own if options.gpus is None else options.gpus
    if gpus < 1:
        raise InputError(f"--gpus: expected at least 1, came {gpus}")
    shape = shape_named(options.model or (chosen.model if chosen and chosen.model else "32B"))
    quantisation = options.quantization or quantisation_of(engine, chosen.model if chosen else None, device)
    return Setting(shape=shape, device=device, quantisation=quantisation, gpus=gpus)


def _device(named: str | None, engine: EngineSettings | None) -> str:
    if named is None:
        return device_present(engine)
    found = device_of(named)
    if found is None:
        raise InputError(f"--gpu {named}: expected one of {', '.join(DEVICES)}")
    return found


def device_present(engine: EngineSettings | None = None) -> str:
    """Return the key in `DEVICES` of what this machine has.

    Raises:
        InputError: It has a GPU that the cost model does not know.
    """
    import torch

    if not torch.cuda.is_available() or (
        engine is not None and engine.kind == "transformers" and engine.device == "cpu"
    ):
        return "cpu"
    name = torch.cuda.get_device_name()
    found = device_of(name)
    if found is None:
        raise InputError(f"this machine's GPU, {name}, is not in the cost model; name a similar one with --gpu")
    return found


def shape_named(model: str) -> ModelShape:
    """Return the shape of a model from its folder's config.json, or from the size in its name (`Qwen2.5-32B`).

    Raises:
        InputError: Neither is there.
    """
    config = Path(model) / "config.json"
    if config.is_file():
        try:
            return shape_of(json.loads(config.read_text(encoding="utf-8")), name=Path(model).name)
        except (KeyError, ValueError) as error:
            raise InputError(f"{config}: expected the config of a Llama-like model; lacks {error}") from error
    found = _SIZE.search(model.rpartition("/")[2])
    if found is None:
        raise InputError(
            f"model '{model}': expected a size such as 7B or 135M in its name, or a folder with config.json"
        )
    billions = float(found[1]) * (1e-3 if found[2].lower() == "m" else 1.0)
    nearest = min(SHAPES.values(), key=lambda shape: abs(shape.parameters / 1e9 - billions))
    share = billions * 1e9 / nearest.parameters
    if 0.9 <= share <= 1.1:
        return nearest
    return ModelShape(
        name=found[0],
        parameters=billions * 1e9,
        embedding=nearest.embedding * min(1.0, share),
        hidden=nearest.hidden,
        layers=nearest.layers,
        kv_width=nearest.kv_width,
    )


def quantisation_of(engine: EngineSettings | None, model: str | None, device: str) -> Quantisation:
    """Return the weights that an engine will use, as far as config and model name tell."""
    if device == "cpu":
        return "float32"
    stated = _QUANTISATIONS[engine.quantization] if engine else "bf16"
    named = (model or "").lower()
    if stated == "bf16" and any(word in named for word in ("awq", "gptq", "int4", "4bit")):
        return "awq"
    if stated == "bf16" and "fp8" in named:
        return "fp8"
    if engine is not None and stated == "bf16" and engine.dtype == "float32":
        return "float32"
    return stated


if __name__ == "__main__":
    sys.exit(run_main(main))
