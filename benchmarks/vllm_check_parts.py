"""What `vllm_checks.py` checks: each function returns the numbers of one check, `passed` among them."""

import gc
import json
import re
import shlex
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from quantised_vllm import differences, real_prompts
from vllm_serving import vllm_serving

from core.adapter_average import average_adapters
from core.chat_writer import TokenChatWriter
from core.device import Dtype
from core.engine_process import Engine
from core.errors import ModelError
from core.language_model import LabelScores, TokenIds
from core.models import LocalModel
from core.records import Query, queries_of
from core.tables import read_questions
from core.tokenizer import ChatPart, load_tokenizer
from core.transformers_engine import TransformersEngine
from core.vllm_engine import VllmEngine
from core.vllm_options import VllmOptions
from core.vllm_requests import MASKED
from core.vllm_server import VllmServer
from core.vllm_workers import WorkerPool
from pipelines.engine_settings import EngineSettings
from pipelines.engines import open_engine, vllm_options
from synth.asking import Asker
from synth.hint_parsing import HintLimits
from synth.hint_prompt import default_prompt
from synth.hints import HintSampling, HintWriter
from synth.ledger import Ledger

LONGEST = 2048
RANK = 8
MOVES = 0.05
"""Nat: adapters that change no label by more than this would prove nothing."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "wrong": {"type": "boolean"},
        "grade": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        "topic": {"type": "string", "maxLength": 40},
    },
    "required": ["wrong", "grade", "topic"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all checks read.

    Attributes:
        data: Folder of the real CSVs.
        model: The language model.
        prompts: How many real prompts are scored, both orders of a query each.
        candidates: In each prompt.
        timed: Prompts that the speed of workers is taken from; 0: the scored ones.
        repeats: How often they are timed.
        workers: Processes.
        dtype: vLLM's, but for adapters.
        adapter_dtype: vLLM's under an adapter: its GPU kernels for LoRA take 16 bits only.
        most: Largest difference of a label's log-probability, nat, in `dtype`.
        most_16bit: The same where vLLM computes in 16 bits; twice what that type alone moves is allowed too.
        memory: vLLM's share of a GPU.
        answers: Texts that are asked for under a schema.
        seconds: How long a server may take to start.
    """

    data: Path
    model: LocalModel
    prompts: int
    candidates: int
    timed: int
    repeats: int
    workers: int
    dtype: Dtype
    adapter_dtype: Dtype
    most: float
    most_16bit: float
    memory: float
    answers: int
    seconds: float

    def prompts_and_labels(self, count: int) -> tuple[list[TokenIds], list[TokenIds]]:
        """Return real listwise prompts and their labels, as token ids."""
        built = real_prompts(self.data, self.model.folder, queries=max(1, count // 2), candidates=self.candidates)
        return [made.token_ids for made in built], [made.label_ids for made in built]

    def options(self, **changes: Any) -> VllmOptions:  # noqa: ANN401 - the fields of VllmOptions
        """Return vLLM's options."""
        made: dict[str, Any] = {"dtype": self.dtype, "enforce_eager": True, "max_model_len": LONGEST}
        return VllmOptions(**{**made, "gpu_memory_utilization": self.memory, **changes})

    def queries(self, count: int) -> list[Query]:
        """Return real queries, evenly spread."""
        found = queries_of(read_questions(self.data / "train.csv").questions, labelled_only=True)
        return found[:: max(1, len(found) // count)][:count]


def by_transformers(
    folder: Path,
    prompts: Sequence[TokenIds],
    labels: Sequence[TokenIds],
    *,
    adapter: Path | None = None,
    dtype: Dtype = "float32",
) -> list[LabelScores]:
    """Return the scores of a transformers forward pass, and free the GPU."""
    return scored(TransformersEngine.load(folder, adapter=adapter, dtype=dtype), prompts, labels)


def scored(engine: TransformersEngine, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
    """Score, let the model go and free the GPU for vLLM."""
    import torch

    found = engine.score(prompts, labels)
    engine.close()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return found


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
        enable_prefix_caching=False,
        worker_timeout_seconds=setting.seconds,
    )
    if not _shares(count):
        return open_engine(table, setting.model.folder)
    lock = Path(tempfile.gettempdir()) / "vllm_checks.lock"
    opened = partial(opened_in_turn, setting.model.folder, vllm_options(table), lock)
    return WorkerPool(opened, [{} for _ in range(count)], timeout_seconds=setting.seconds)


def opened_in_turn(folder: Path, options: VllmOptions, lock: Path) -> VllmEngine:
    """Open an engine while no other worker opens one: vLLM measures the free memory of its GPU, and both share one."""
    with FileLock(str(lock)):
        return VllmEngine.open(folder, options)


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
            vllm_serving, setting.model.folder, dtype=setting.dtype, memory=setting.memory, seconds=setting.seconds
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

    from core.device import resolve_device

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


def check_generate(setting: Setting) -> dict[str, Any]:
    """Texts under a JSON schema, all of which parse, and hints written through the product's own writer."""
    tokenizer = load_tokenizer(setting.model.folder)
    queries = setting.queries(setting.answers)
    asked = [
        f"Question: {query.question.text}\nA student answered {query.wrong_answer}. Reply with a JSON object: wrong "
        "(is the answer wrong), grade (1 to 5, how hard the question is), topic."
        for query in queries
    ]
    prompts = [tokenizer.render_chat([ChatPart(role="user", content=text)], generation_prompt=True) for text in asked]
    engine = VllmEngine.open(setting.model.folder, setting.options())
    began = time.perf_counter()
    made = engine.generate(prompts, max_tokens=96, schema=SCHEMA)
    seconds = time.perf_counter() - began
    good = [one for one in made if one.error is None and follows(one.text)]
    with tempfile.TemporaryDirectory() as holder:
        ledger = Ledger(Path(holder) / "requests.jsonl")
        asker = Asker(
            TokenChatWriter(engine, tokenizer),
            ledger,
            engine="vllm",
            model=setting.model.name,
            revision=setting.model.revision,
            batch=8,
        )
        writer = HintWriter(
            asker,
            ledger,
            prompt=default_prompt("json"),
            form="json",
            sampling=HintSampling(max_tokens=400),
            limits=HintLimits(),
        )
        hints = writer.write(queries[:4])
        ledger.close()
    engine.close()
    return {
        "answers": len(made),
        "parsed": len(good),
        "example": made[0].text,
        "errors": sorted({one.error for one in made if one.error}),
        "finish_reasons": sorted({one.finish_reason for one in made}),
        "output_tokens": sum(one.output_tokens for one in made),
        "seconds": seconds,
        "hints_asked": len(queries[:4]),
        "hints_written": len(hints.hints),
        "hint_example": next((one.hint.hint for one in hints.hints.values()), None),
        "hint_rejections": dict(hints.rejections),
        "passed": len(good) == len(made) > 0 and len(hints.hints) > 0,
    }


def follows(text: str) -> bool:
    """Say whether a text is JSON that `SCHEMA` allows."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return (
        isinstance(found, dict)
        and sorted(found) == sorted(SCHEMA["properties"])
        and isinstance(found["wrong"], bool)
        and found["grade"] in (1, 2, 3, 4, 5)
        and isinstance(found["topic"], str)
        and len(found["topic"]) <= 40
    )
