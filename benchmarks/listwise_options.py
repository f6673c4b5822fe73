"""The options of `listwise_speed.py`."""

import argparse
from pathlib import Path

ENGINE_ACTIONS = ("product", "adaptive")


def read_options(description: str) -> argparse.Namespace:
    """Read the command line."""
    actions = (*ENGINE_ACTIONS, "transformers", "end-to-end", "summary")
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actions", nargs="+", choices=actions)
    parser.add_argument("--output", type=Path, required=True, help="a file of JSON lines; appended to")
    parser.add_argument("--work", type=Path, default=Path("runs/listwise_speed"), help="model folders, runs")
    parser.add_argument("--data", type=Path, help="folder of train.csv and misconception_mapping.csv")
    parser.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json and tokenizer_config.json")
    parser.add_argument("--shape", choices=("tiny", "0.5b", "7b", "14b", "32b", "72b"), default="32b")
    parser.add_argument("--quantization", choices=("bf16", "fp8", "awq"), default="bf16")
    parser.add_argument("--engine", choices=("vllm", "transformers"), default="vllm")
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--warm-up", type=int, default=32)
    parser.add_argument("--candidates", type=int, default=25)
    parser.add_argument("--batch-queries", type=int, default=64, help="the product's queries under way at once")
    parser.add_argument("--batch-tokens", type=int, default=8192, help="max_num_batched_tokens")
    parser.add_argument("--max-model-len", type=int, default=4096)
    parser.add_argument("--memory", type=float, default=0.9, help="gpu_memory_utilization")
    parser.add_argument("--enforce-eager", action="store_true")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument(
        "--skip-shares", type=lambda text: [float(part) for part in text.split(",")], default=[0, 0.5, 0.8, 1.0]
    )
    parser.add_argument("--batch-sizes", type=lambda text: [int(part) for part in text.split(",")], default=[8, 16, 32])
    parser.add_argument("--retriever", default="bundled:all-MiniLM-L6-v2", help="end-to-end: used as it is")
    parser.add_argument("--config", type=Path, default=Path("pipelines/configs/h200.toml"), help="end-to-end")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="end-to-end: KEY=VALUE")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if options.tiny:
        options.shape, options.queries, options.warm_up = "tiny", min(options.queries, 16), 4
        options.batch_sizes, options.memory = [2, 4], 0.3
    missing = [name for name in ("data", "tokenizer") if getattr(options, name) is None]
    if "summary" not in options.actions and missing:
        parser.error(f"--{' and --'.join(missing)}: expected a folder")
    return options
