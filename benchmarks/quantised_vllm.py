"""Quantised checkpoints in vLLM against their own dequantised weights: does the kernel compute what the folder says?

    python benchmarks/quantised_vllm.py --data ../shared/data/eedi --output runs/quantised-vllm.jsonl FOLDER...

Needs a GPU, or a CPU with AVX512 (vLLM's CPU build has 4-bit kernels for that only). Each folder, in a process of its
own: real listwise prompts are scored by vLLM and, through the dequantised weights in float32, by transformers; the
labels' log-probabilities are compared. One JSON line a folder, which also tells what the 16-bit type alone moves; a
folder that fails or is cut off gets a line too, with the errors that its messages name (all are in
OUT.NUMBER-FOLDER.log). The exit status is 1 then, and where a difference is above --most. vLLM is told how many bytes
it has for keys and values and measures nothing, so that others may use the GPU meanwhile.

Kernels that round activations to 8 bits too (FP8) round other ones up and down than any imitation does: for these the
line tells what that rounding alone moves (`activations_alone`), and the mean difference to plain weights may be twice
that.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from child_processes import Child, add_room_options, end_with_sigterm, run_children, what_happened

from core.artifacts import made_by, package_version, read_manifest
from core.device import resolve_device
from core.language_model import LabelScores
from core.records import queries_of
from core.tables import read_misconceptions, read_questions
from core.tokenizer import load_tokenizer
from core.transformers_engine import TransformersEngine
from core.vllm_engine import VllmEngine
from core.vllm_options import VllmOptions
from pipelines.settings import TextSettings
from pipelines.texts import text_forms
from rerank.dequantize import checkpoint_format, dequantise_checkpoint, quantization_config
from rerank.prompts import BuiltPrompt, ListwisePrompter, PromptTemplate
from retrieval.lexical import Bm25Retriever
from retrieval.text import simplify_latex


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="quantised checkpoints")
    made.add_argument("--data", type=Path, required=True, help="folder of train.csv and misconception_mapping.csv")
    made.add_argument("--output", type=Path, required=True, help="JSON lines are appended here")
    made.add_argument("--queries", type=int, default=32, help="queries; each in both orders (default: %(default)s)")
    made.add_argument("--candidates", type=int, default=10)
    made.add_argument(
        "--dtype",
        choices=("float16", "bfloat16"),
        default="float16",
        help="vLLM's: float16 keeps 3 bits more than bfloat16",
    )
    add_room_options(made)
    made.add_argument("--limit", type=float, default=600, help="seconds a folder may take (default: %(default)s)")
    made.add_argument("--at-a-time", type=int, default=1, help="folders side by side (default: %(default)s)")
    made.add_argument("--enforce-eager", action="store_true", help="vLLM without CUDA graphs: starts sooner")
    made.add_argument("--most", type=float, default=2e-2, help="largest difference, nat (default: %(default)s)")
    made.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.child is not None:
        line = compared(options, options.folders[options.child])
        _beside(options, options.child, "line").write_text(json.dumps(line))
        return
    if faults := faults_of(options):
        made.error("; ".join(faults))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    end_with_sigterm()
    children = []
    for number in range(len(options.folders)):
        _beside(options, number, "line").unlink(missing_ok=True)
        command = [sys.executable, __file__, *sys.argv[1:], "--child", str(number)]
        children.append(Child(name=str(number), command=command, log=_beside(options, number, "log")))
    ended = run_children(children, limit=options.limit, at_a_time=options.at_a_time)
    passed = [_told(options, child, why, seconds) for child, why, seconds in ended]
    sys.exit(0 if all(passed) else 1)


def faults_of(options: argparse.Namespace) -> list[str]:
    """Return what speaks against a start, before any cost."""
    faults = [f"{folder} is no folder" for folder in options.folders if not folder.is_dir()]
    named = [options.data / name for name in ("train.csv", "misconception_mapping.csv")]
    faults += [f"{path} is not there" for path in named if not path.is_file()]
    if min(options.queries, options.candidates, options.at_a_time) < 1 or options.cache_gib <= 0:
        faults.append("--queries, --candidates and --at-a-time are at least 1, --cache-gib is above 0")
    return faults


def _beside(options: argparse.Namespace, number: int, what: str) -> Path:
    """Return a folder's own file beside the output; two folders may have one name."""
    name = f"{options.output.name}.{number}-{options.folders[number].resolve().name}.{what}"
    return Path(options.output.with_name(name))


def _told(options: argparse.Namespace, child: Child, why: str, seconds: float) -> bool:
    """Append a folder's line, or what its messages say where it left none; return whether it passed."""
    number = int(child.name)
    own = _beside(options, number, "line")
    if own.is_file():
        line = json.loads(own.read_text(encoding="utf-8"))
        own.unlink()
    else:
        folder = options.folders[number].resolve().name
        line = {"folder": folder, "passed": False, "error": why, "messages": what_happened(child.log)}
    text = json.dumps({**line, "wall_seconds": round(seconds, 1)}, sort_keys=True) + "\n"
    with options.output.open("a", encoding="utf-8") as stream:
        stream.write(text)
    sys.stdout.write(text)
    sys.stdout.flush()
    return bool(line["passed"])


def compared(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Score the prompts both ways and return the line."""
    import torch

    prompts = real_prompts(options.data, folder, queries=options.queries, candidates=options.candidates)
    ids, labels = [prompt.token_ids for prompt in prompts], [prompt.label_ids for prompt in prompts]
    with tempfile.TemporaryDirectory() as holder:
        plain = dequantise_checkpoint(folder, Path(holder) / "plain")
        weights_only = reference(plain, eight_bit_activations=False)
        expected = weights_only.score(ids, labels)
        other = None
        if scales_activations(quantization_config(folder) or {}):
            other, expected = expected, reference(plain, eight_bit_activations=True).score(ids, labels)
        weights_only.close()
        # What the 16-bit type alone does to plain weights, without any 4-bit kernel.
        floor = reference(plain, eight_bit_activations=False, dtype=options.dtype)
        rounded = differences(expected if other is None else other, floor.score(ids, labels))
        floor.close()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    longest = max(map(len, ids)) + 8
    engine = VllmEngine.open(
        folder,
        VllmOptions(
            dtype=options.dtype,
            enable_prefix_caching=False,
            max_model_len=longest,
            gpu_memory_utilization=options.memory,
            kv_cache_memory_bytes=int(options.cache_gib * 2**30),
            enforce_eager=True if options.enforce_eager else None,
        ),
    )
    found = engine.score(ids, labels)
    engine.close()
    config = quantization_config(folder) or {}
    line = {
        "folder": folder.name,
        "back_end": (read_manifest(folder) or {}).get("back_end"),
        "quant_method": config.get("quant_method"),
        "format": checkpoint_format(folder),
        "prompts": len(prompts),
        "tokens": sum(map(len, ids)),
        **differences(expected, found),
        "dtype_alone": rounded,
        "weights_only": None if other is None else differences(other, found),
        "activations_alone": None if other is None else differences(other, expected),
        "most": options.most,
        "vllm_dtype": options.dtype,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "vllm": package_version("vllm"),
        "compressed_tensors": package_version("compressed-tensors"),
        "commit": made_by()["commit"],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    passed = line["max_abs"] <= options.most
    if other is not None:
        passed = line["weights_only"]["mean_abs"] <= 2 * line["activations_alone"]["mean_abs"]
    return {**line, "passed": passed}


def real_prompts(data: Path, folder: Path, *, queries: int, candidates: int) -> list[BuiltPrompt]:
    """Return listwise prompts of real questions, BM25's candidates in both orders."""
    bank = read_misconceptions(data / "misconception_mapping.csv")
    asked = queries_of(read_questions(data / "train.csv").questions, labelled_only=True)
    step = max(1, len(asked) // queries)
    asked = asked[::step][:queries]
    forms, by_id = text_forms(TextSettings()), {entry.id: entry for entry in bank}
    prompter = ListwisePrompter(load_tokenizer(folder), PromptTemplate(), simplify=simplify_latex)
    retriever = Bm25Retriever(bank, forms.query, forms.entry)
    prompts = []
    for query, ranking in zip(asked, retriever.retrieve(asked, top_n=candidates), strict=True):
        listed = [by_id[id] for id in ranking.ids.tolist()]
        prompts += [prompter.build(query, listed), prompter.build(query, listed[::-1])]
    return prompts


def reference(folder: Path, *, eight_bit_activations: bool, dtype: str = "float32") -> TransformersEngine:
    """Open plain weights in a type; with `eight_bit_activations` inputs of linear layers are rounded a token."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), local_files_only=True)
    model = model.to(resolve_device("auto"))
    if eight_bit_activations:
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and ".layers." in f".{name}":
                module.register_forward_pre_hook(lambda _, inputs: (rounded_a_token(inputs[0]), *inputs[1:]))
    return TransformersEngine(model, folder=folder)


def rounded_a_token(values: Any) -> Any:  # noqa: ANN401 - tensors
    """Round to E4M3 with a scale a row of the last dimension, as vLLM's dynamic FP8 kernels do."""
    import torch

    scale = (values.abs().amax(dim=-1, keepdim=True) / 448.0).clamp(min=1.0 / (448.0 * 512.0))
    return (values / scale).clamp(-448.0, 448.0).to(torch.float8_e4m3fn).to(values.dtype) * scale


def scales_activations(config: dict[str, Any]) -> bool:
    """Say whether a checkpoint's kernels round activations too."""
    return any(group.get("input_activations") for group in config.get("config_groups", {}).values())


def differences(expected: Sequence[LabelScores], found: Sequence[LabelScores]) -> dict[str, float]:
    """Return how far label log-probabilities are apart, in nat, and how often the best label is the same."""
    pairs = [(a.logprobs, b.logprobs) for a, b in zip(expected, found, strict=True)]
    apart = np.concatenate([np.abs(a - b) for a, b in pairs])
    same = float(np.mean([a.argmax() == b.argmax() for a, b in pairs]))
    return {"max_abs": float(apart.max()), "mean_abs": float(apart.mean()), "same_best_label": same}


if __name__ == "__main__":
    main()
