"""One QLoRA optimiser step on true shapes with random weights: this project's trainers beside loops written by hand.

Each role appends a line of JSON to --output for each way (`product`, `hand`); nothing is downloaded and no weights file
is written or read (see random_weights.py):

    STEPS="python benchmarks/lora_steps.py --data EEDI --tokenizer QWEN --output OUT.jsonl"
    $STEPS reranker --shape 32b                   # listwise, 25 candidates, 8 lists a step
    $STEPS retriever --shape 14b                  # 32 queries x 4 negatives, cached loss
    torchrun --nproc-per-node 2 benchmarks/lora_steps.py reranker --ways product --batch 16 …   # and --batch 8
    $STEPS summary

Both ways see the same texts in the same order and begin with the same adapter: their losses must agree. `--tiny` is a
rehearsal on a CPU.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from listwise_inputs import SHAPES, write_model
from lora_counts import PEAK
from lora_reranker import RerankerSteps
from lora_retriever import RetrieverSteps
from lora_summary import summary
from lora_timing import Timed, forget_peak
from random_weights import random_weights

from core.artifacts import made_by
from core.device import resolve_device
from pipelines.cli import set_up_logging
from rerank.processes import Processes, is_first_process, join_processes, launched_processes

ROLES = {"reranker": RerankerSteps, "retriever": RetrieverSteps}


def main() -> None:
    options = read_options()
    set_up_logging(0)
    if options.role == "summary":
        sys.stdout.write(summary(options.output))
        return
    processes = join_processes(resolve_device("auto"))
    folder = options.work / options.shape
    if processes.first:
        write_model(folder, options.tokenizer, options.shape)
    processes.wait()
    with random_weights(device=processes.device):
        bench = ROLES[options.role](options, folder, processes)
        for way in options.ways:
            forget_peak(processes.device)
            timed: Timed = getattr(bench, way)()
            if is_first_process():
                _append(options, way, line_of(options, timed, bench.facts(), processes))
    processes.leave()


def line_of(options: argparse.Namespace, timed: Timed, facts: dict[str, Any], processes: Processes) -> dict[str, Any]:
    """Put one way's numbers together: rates are of all processes, memory is of the first."""
    seconds = statistics.median(timed.seconds[options.warm_up :])
    operations = facts.pop("operations")
    peak = PEAK * processes.world
    return {
        "gpus": processes.world,
        "seconds_a_step": seconds,
        "tokens_per_second": facts["tokens_a_step"] / seconds,
        "share_of_peak": operations["done"] / seconds / peak,
        "needed_share_of_peak": operations["needed"] / seconds / peak,
        "peak_gb": None if timed.peak_bytes is None else timed.peak_bytes / 1e9,
        "reserved_gb": None if timed.reserved_bytes is None else timed.reserved_bytes / 1e9,
        **facts,
        "seconds": timed.seconds,
        "losses": timed.losses,
    }


def _append(options: argparse.Namespace, way: str, numbers: dict[str, Any]) -> None:
    import torch

    keys = ("role", "shape", "method", "preset", "batch", "micro_tokens", "micro_texts", "candidates", "negatives")
    keys += ("checkpointing",)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    told = {key: getattr(options, key) for key in keys}
    line = {**told, "way": way, **numbers, "gpu": gpu, "made_by": made_by()}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    sys.stdout.write(json.dumps({key: value for key, value in line.items() if key != "made_by"}) + "\n")
    sys.stdout.flush()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=(*ROLES, "summary"))
    parser.add_argument("--output", type=Path, required=True, help="a file of JSON lines; appended to")
    parser.add_argument("--work", type=Path, default=Path("runs/lora_steps"), help="model folders without weights")
    parser.add_argument("--data", type=Path, help="folder of train.csv and misconception_mapping.csv")
    parser.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json and tokenizer_config.json")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="32b")
    parser.add_argument("--method", choices=("qlora", "lora"), default="qlora")
    parser.add_argument("--preset", choices=("r64", "r16"), default="r64")
    parser.add_argument("--ways", default="product,hand", type=lambda text: text.split(","))
    parser.add_argument("--batch", type=int, help="lists or queries a step, over all processes; 8 and 32")
    parser.add_argument("--steps", type=int, default=4, help="timed")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before them")
    parser.add_argument("--candidates", type=int, default=25, help="reranker: a list")
    parser.add_argument("--micro-tokens", type=int, default=8192, help="reranker: a forward pass, padding included")
    parser.add_argument("--max-tokens", type=int, default=4088, help="reranker: a prompt's longest")
    parser.add_argument("--negatives", type=int, default=4, help="retriever: a query")
    parser.add_argument(
        "--micro-texts", type=int, default=32, help="retriever: texts a forward pass of the cached loss"
    )
    parser.add_argument("--max-length", type=int, default=256, help="retriever: tokens of a text")
    parser.add_argument("--no-checkpointing", dest="checkpointing", action="store_false", help="keep all activations")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if options.role == "summary":
        return options
    if options.tiny:
        options.shape, options.steps, options.warm_up = "tiny", 2, 1
        options.batch = options.batch or 4
    options.batch = options.batch or {"reranker": 8, "retriever": 32}[options.role]
    missing = [name for name in ("data", "tokenizer") if getattr(options, name) is None]
    if missing:
        parser.error(f"--{' and --'.join(missing)}: expected a folder")
    if strange := set(options.ways) - {"product", "hand"}:
        parser.error(f"--ways: expected product, hand or both; got {', '.join(sorted(strange))}")
    if "hand" in options.ways and launched_processes() > 1:
        parser.error("--ways: the loops by hand are for one process")
    return options


if __name__ == "__main__":
    main()
