"""Checks of scores: worker processes, HTTP servers, averaged adapters; each returns its numbers and `passed`."""

import json
import re
import shlex
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from quantised_vllm import differences
from vllm_check_setting import LONGEST, Setting, by_transformers, scored
from vllm_serving import vllm_serving

from core.adapter_average import average_adapters
from core.device import resolve_device
from core.engine_process import Engine
from core.errors import ModelError
from core.language_model import TokenIds
from core.transformers_engine import TransformersEngine
from core.vllm_engine import VllmEngine
from core.vllm_requests import MASKED
from core.vllm_server import VllmServer
from core.vllm_workers import WorkerPool
from pipelines.engine_settings import EngineSettings
from pipelines.engines import open_engine, vllm_options

RANK = 8
MOVES = 0.05
"""Nat, on average: adapters that move the labels by less would prove nothing."""


def check_workers(setting: Setting) -> dict[str, Any]:
    """Data parallel: several processes with an engine each against one engine in this process and transformers."""
    prompts, labels = setting.prompts_and_labels(setting.prompts)
    timed = setting.prompts_and_labels(setting.timed) if setting.timed else (prompts, labels)
    expected = by_transformers(setting.model.folder, prompts, labels)
    found, seconds, opening, used = {}, {}, {}, []
    for count in (1, setting.workers):
        began = time.perf_counter()
        engine = _open_workers(setting, count)
        opening[count] = time.perf_counter() - began
        found[count] = engine.score(prompts, labels)
        seconds[count] = [_seconds(engine, *timed) for _ in range(setting.repeats)]
        used = _gpu_memory_used()
        engine.close()
    rates = {count: len(timed[0]) / 2 / statistics.median(took) for count, took in seconds.items()}
    apart = {f"{count}_and_transformers": differences(expected, scores) for count, scores in found.items()}
    apart["workers_and_one"] = differences(found[1], found[setting.workers])
    return {
        "workers": setting.workers,
        "gpus_shared": _shares(setting.workers),
        "gpu_gib_used_with_all_open": used,
        "prompts": len(prompts),
        "timed_prompts": len(timed[0]),
        "seconds": {str(count): took for count, took in seconds.items()},
        "opening_seconds": {str(count): took for count, took in opening.items()},
        "queries_per_second": {str(count): rate for count, rate in rates.items()},
        "times_as_fast": rates[setting.workers] / rates[1],
        "differences": apart,
        "most": setting.most,
        "passed": all(one["max_abs"] <= setting.most for one in apart.values()),
    }


def _open_workers(setting: Setting, count: int) -> Engine:
    """Open the product's engine of a config; where workers share a GPU, which no config allows, its pool all the same.

    Prefixes are not cached: a prompt that is timed again would not be read again.
    """
    table = EngineSettings(
        kind="vllm",
        workers=count,
        dtype=setting.dtype,
        enforce_eager=True,
        max_model_len=LONGEST,
        gpu_memory_utilization=setting.memory,
        kv_cache_memory_bytes=setting.cache_bytes,
        enable_prefix_caching=False,
        worker_timeout_seconds=setting.seconds,
    )
    if not _shares(count):
        return open_engine(table, setting.model.folder)
    opened = partial(VllmEngine.open, setting.model.folder, vllm_options(table))
    return WorkerPool(opened, [{} for _ in range(count)], timeout_seconds=setting.seconds)


def _shares(count: int) -> bool:
    import torch

    return 0 < torch.cuda.device_count() < count


def _gpu_memory_used() -> list[float]:
    import torch

    pairs = [torch.cuda.mem_get_info(place) for place in range(torch.cuda.device_count())]
    return [round((total - free) / 2**30, 2) for free, total in pairs]


def _seconds(engine: Engine, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> float:
    began = time.perf_counter()
    engine.score(prompts, labels)
    return time.perf_counter() - began


def check_server(setting: Setting) -> dict[str, Any]:
    """vLLM's own HTTP server, started plainly and with the flags that the product's refusal names."""
    prompts, labels = setting.prompts_and_labels(setting.prompts)
    expected = by_transformers(setting.model.folder, prompts, labels)

    def scores_of(server: VllmServer) -> dict[str, Any]:
        found = server.score(prompts, labels)
        server.close()
        exact = all(scores.mass is not None for scores in found)
        return {"path": server.stats.path, "mass_known": exact, **differences(expected, found)}

    with tempfile.TemporaryDirectory() as holder:
        serving = partial(
            vllm_serving,
            setting.model.folder,
            dtype=setting.dtype,
            memory=setting.memory,
            cache_bytes=setting.cache_bytes,
            seconds=setting.seconds,
        )
        with serving(Path(holder) / "plain.log") as url:
            plain, refusal = None, _refused(url)
            if refusal is None:
                plain = scores_of(VllmServer.connect(url, model="base"))
            # A server that knows the ids is asked for the other way alone, which it is not started for.
            refusal_of_mask = _refused(url, labels_path=MASKED)
        flags = flags_named(refusal or refusal_of_mask or "")
        with serving(Path(holder) / "flags.log", flags) as url:
            path = "auto" if refusal else MASKED
            masked = scores_of(VllmServer.connect(url, model="base", labels_path=path))
    passed = bool(flags) and masked["path"] == MASKED and masked["max_abs"] <= setting.most
    return {
        "prompts": len(prompts),
        "plain": plain,
        "plain_refusal": refusal,
        "plain_refusal_of_the_masked_path": refusal_of_mask,
        "flags": flags,
        "with_flags": masked,
        "with_flags_asked_for": path,
        "most": setting.most,
        "passed": passed and (plain is None or plain["max_abs"] <= setting.most),
    }


def _refused(url: str, *, labels_path: Any = "auto") -> str | None:  # noqa: ANN401 - a literal of connect
    """Return what the product's client says where it refuses the server, None where it takes it."""
    try:
        VllmServer.connect(url, model="base", labels_path=labels_path).close()
    except ModelError as error:
        return str(error)
    return None


def flags_named(refusal: str) -> list[str]:
    """Return the start-up flags that a refusal names; none where it names none."""
    named = re.search(r"Start it with: (--.+?) \(", refusal)
    return shlex.split(named.group(1)) if named else []


def check_adapters(setting: Setting) -> dict[str, Any]:
    """Two adapters averaged exactly (rank 8 + 8) and served, against peft and the deltas' mean added by hand."""
    folder = setting.model.folder
    prompts, labels = setting.prompts_and_labels(setting.prompts)
    bare = by_transformers(folder, prompts, labels)
    with tempfile.TemporaryDirectory() as holder:
        adapters = [random_adapter(folder, Path(holder) / f"adapter{seed}", seed=seed) for seed in (3, 4)]
        average = average_adapters(adapters, Path(holder) / "average", method="concatenate", max_lora_rank=2 * RANK)
        by_peft = by_transformers(folder, prompts, labels, adapter=average.folder)
        one = by_transformers(folder, prompts, labels, adapter=adapters[0])
        by_hand = scored(TransformersEngine(with_mean_of_deltas(folder, adapters)), prompts, labels)
        rounded = None
        if setting.adapter_dtype != "float32":
            rounded = differences(
                by_peft, by_transformers(folder, prompts, labels, adapter=average.folder, dtype=setting.adapter_dtype)
            )
        engine = VllmEngine.open(folder, setting.options(dtype=setting.adapter_dtype), adapter=average.folder)
        found = engine.score(prompts, labels)
        engine.close()
    most = setting.most if rounded is None else max(setting.most_16bit, 2 * rounded["max_abs"])
    apart = {
        "vllm_and_peft": differences(by_peft, found),
        "vllm_and_by_hand": differences(by_hand, found),
        "peft_and_by_hand": differences(by_hand, by_peft),
    }
    moved = {"bare": differences(bare, by_peft), "one_adapter": differences(one, by_peft)}
    return {
        "prompts": len(prompts),
        "rank": average.rank,
        "max_lora_rank": 2 * RANK,
        "dtype": setting.adapter_dtype,
        "dtype_alone": rounded,
        "differences": apart,
        "average_moves": moved,
        "most": most,
        "passed": average.rank == 2 * RANK
        and apart["peft_and_by_hand"]["max_abs"] <= setting.most  # both in float32
        and all(one["max_abs"] <= most for one in apart.values())
        and all(one["mean_abs"] > max(MOVES, 5 * apart["vllm_and_peft"]["mean_abs"]) for one in moved.values()),
    }


def random_adapter(model: Path, folder: Path, *, seed: int, size: float = 0.03) -> Path:
    """Write a LoRA adapter of rank 8 on all linear layers with seeded random weights that move the scores."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, local_files_only=True)
    torch.manual_seed(seed)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(base, config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=size)
    adapted.save_pretrained(folder)
    return folder


def with_mean_of_deltas(model: Path, adapters: Sequence[Path]) -> Any:  # noqa: ANN401 - transformers
    """Return the model with the mean of `alpha / r * B @ A` added to its weights: no code of the averages is used."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    made = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, local_files_only=True)
    with torch.no_grad():
        for folder in adapters:
            config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
            factors = load_file(folder / "adapter_model.safetensors")
            for name, a in factors.items():
                if ".lora_A." in name:
                    delta = factors[name.replace(".lora_A.", ".lora_B.")] @ a * (config["lora_alpha"] / config["r"])
                    module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                    made.get_submodule(module).weight += delta / len(adapters)
    return made.to(resolve_device("auto"))
