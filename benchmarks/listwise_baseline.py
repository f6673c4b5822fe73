"""The parts of `listwise_speed.py` that need no engine of ours: transformers, the whole job as a process, the table."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.records import Question
from core.tables import read_misconceptions, read_questions, write_questions
from eval.submission import check_submission, read_submission

Ids = Sequence[Sequence[int]]


def transformers_baseline(options: argparse.Namespace, folder: Path, prompts: tuple[Ids, Ids]) -> dict[str, Any]:
    """Time a plain forward pass on the same ids: sorted by length, padded right, one position's logits a prompt."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float32 if options.tiny else torch.bfloat16
    config = AutoConfig.from_pretrained(folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    torch.manual_seed(0)
    with torch.device(
        device
    ):  # made and filled with random numbers where it runs: zeros would be faster than the truth
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    ids = sorted(prompts[0], key=len, reverse=True)  # the longest first: memory runs out at once or never
    rates: dict[int, float] = {}
    faults: dict[int, str] = {}
    for size in options.batch_sizes:
        try:
            _forward(model, ids[:size], device)  # warm-up
            _synchronise(device)
            started = time.perf_counter()
            for start in range(0, len(ids), size):
                _forward(model, ids[start : start + size], device)
            _synchronise(device)
            rates[size] = len(ids) / 2 / (time.perf_counter() - started)
        except torch.OutOfMemoryError as error:
            faults[size] = str(error).splitlines()[0]
            torch.cuda.empty_cache()
    best = max(rates, key=lambda size: rates[size])
    return {
        "queries": len(ids) // 2,
        "prompts": len(ids),
        "prompt_tokens": sum(map(len, ids)),
        "parameters": parameters,
        "queries_per_second": rates[best],
        "best_batch": best,
        "by_batch": {str(size): rate for size, rate in rates.items()},
        "out_of_memory": {str(size): fault for size, fault in faults.items()},
    }


def _forward(model: Any, batch: Ids, device: str) -> None:  # noqa: ANN401 - transformers has no types
    import torch

    longest = max(map(len, batch))
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(batch):
        ids[row, : len(prompt)] = torch.tensor(prompt)
        mask[row, : len(prompt)] = 1
    with torch.inference_mode():
        made = model(input_ids=ids.to(device), attention_mask=mask.to(device), logits_to_keep=1, use_cache=False)
        made.logits[:, -1].float().log_softmax(-1).max().item()


def _synchronise(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def end_to_end(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the main job from CSV files to a submission, and check what it wrote."""
    files = _files(options)
    output = options.work / "end-to-end"
    command = [
        *(sys.executable, "pipelines/end_to_end.py", "--config", str(options.config), "--retriever", options.retriever),
        *(part for name, path in files.items() for part in (f"--{name}", str(path))),
        *("--reranker", "listwise", "--output", str(output), "--set", f"rerankers.listwise.model={folder}"),
        *(part for text in options.overrides for part in ("--set", text)),
    ]
    sys.stdout.write(" ".join(command) + "\n")
    started = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"end_to_end.py ended with {done.returncode}")
    questions = read_questions(files["test"]).questions
    faults = check_submission(
        read_submission(output / "submission.csv"), questions, read_misconceptions(files["misconceptions"])
    )
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    stages = json.loads((output / "run.json").read_text(encoding="utf-8"))["stages"]
    facts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(output.glob("facts-*.json"))]
    scored = [part for part in facts if part["seconds"]]
    if faults or not metrics.get("bias"):
        raise SystemExit(f"the submission has faults, or there is no bias report: {faults}")
    return {
        "command": command,
        "seconds": seconds,
        "queries": sum(part["queries"] for part in scored),
        "queries_per_second": sum(part["queries"] for part in scored) / sum(part["seconds"] for part in scored),
        "prompt_tokens": sum(part["prompt_tokens"] for part in scored),
        "tokens_per_second": sum(part["prompt_tokens"] for part in scored) / sum(part["seconds"] for part in scored),
        "submission_rows": 3 * len(questions),
        "submission_faults": faults,
        "scored": facts,
        "bias": metrics["bias"],
        "map@25": {name: run["all"]["map@25"] for name, run in metrics["runs"].items()},
        "stages": stages,
    }


def _files(options: argparse.Namespace) -> dict[str, Path]:
    """Cut the real training file in two: the published test file has three questions."""
    names = ("misconception_mapping.csv", "misconceptions.csv")
    bank = next(options.data / name for name in names if (options.data / name).is_file())
    questions: list[Question] = list(read_questions(options.data / "train.csv").questions)
    tested = max(4, options.queries // 3)
    files = {"train": options.work / "train.csv", "test": options.work / "test.csv", "misconceptions": bank}
    write_questions(files["train"], questions[tested : tested + 200] if options.tiny else questions[tested:])
    write_questions(files["test"], questions[:tested], labels=False)
    return files


def summary(output: Path) -> None:
    """Print the lines of a file as a table, with the ratios that the project promises."""
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    rate = {
        (line["action"], line["quantization"], line["tensor_parallel"]): line.get("queries_per_second")
        for line in lines
    }
    plain = next((line["queries_per_second"] for line in lines if line["action"] == "transformers"), None)
    rows = [
        "| action | quantization | GPUs | queries/s | of bare vLLM | × transformers | × one GPU |",
        "| --- " * 7 + "|",
    ]
    for line in lines:
        if line["action"] not in ("product", "transformers"):
            continue
        found, one = line["queries_per_second"], rate.get(("product", line["quantization"], 1))
        cells = [
            f"{line['action']} ({line['shape']}, {line['tokens_a_prompt']:.0f} tokens a prompt)"
            if line["action"] == "product"
            else f"transformers, batches of {line['best_batch']}",
            line["quantization"],
            str(line["tensor_parallel"]),
            f"{found:.2f}",
            f"{line['share_of_bare']:.3f}" if "share_of_bare" in line else "",
            f"{found / plain:.2f}" if plain else "",
            f"{found / one:.2f}" if one and line["tensor_parallel"] > 1 else "",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    for line in lines:
        for row in line.get("shares", ()):
            rows.append(
                f"- {line['quantization']}, {row['skip_share']:.0%} of second orders skipped: "
                f"{row['queries_per_second']:.2f} queries/s, {row['measured_over_predicted']:.3f} of the cost model's"
            )
        if line["action"] == "end-to-end":
            rows.append(
                f"- whole job: {line['seconds']:.0f} s; {line['queries']} queries (held-out and test) reranked at "
                f"{line['queries_per_second']:.2f} queries/s, {line['tokens_per_second']:.0f} prompt tokens/s"
                f"{_of_bare(line, lines)}; a valid submission of {line['submission_rows']} rows"
            )
    sys.stdout.write("\n".join(rows) + "\n")


def _of_bare(job: dict[str, Any], lines: Sequence[dict[str, Any]]) -> str:
    """Compare prompt tokens a second: the job's candidates are its own retriever's, so its prompts are other ones."""
    for line in lines:
        if (
            line["action"] == "product"
            and line["quantization"] == job["quantization"]
            and line["shape"] == job["shape"]
        ):
            bare = line["bare_queries_per_second"] * line["prompt_tokens"] / line["queries"]
            return f" ({job['tokens_per_second'] / bare:.3f} of bare vLLM's)"
    return ""
