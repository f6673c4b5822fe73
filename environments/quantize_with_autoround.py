"""Quantise a model folder with auto-round; runs inside the environment of autoround.txt, given a job file.

    .environments/autoround/bin/python environments/quantize_with_autoround.py JOB.json

The job file is what `rerank.quantize.write_job` writes. Rounding is learned block by block over `iterations` steps (0:
plain rounding). The tool reads samples of one length only: the prompts are joined end to end and cut into equal pieces.
"""

import json
import os
import sys
from pathlib import Path

import torch
from auto_round import AutoRound
from parent import end_with_parent
from transformers import AutoModelForCausalLM, AutoTokenizer

LONGEST_PIECE = 2048


def main(path: Path) -> None:
    """Do the job: the quantised folder lies at its `output` afterwards."""
    job = json.loads(path.read_text(encoding="utf-8"))
    with Path(job["calibration"]).open(encoding="utf-8") as stream:
        prompts = [json.loads(line)["token_ids"] for line in stream]
    on_gpu = torch.cuda.is_available()
    # 16-bit products are slow without AVX512.
    dtype = "auto" if on_gpu else torch.float32
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype, local_files_only=True)
    samples = pieces(prompts, min(LONGEST_PIECE, max(map(len, prompts))))
    rounder = AutoRound(
        model,
        AutoTokenizer.from_pretrained(job["model"], local_files_only=True),
        scheme={"bits": 4, "group_size": job["group_size"], "sym": job["symmetric"], "data_type": "int"},
        iters=job["iterations"],
        dataset=[{"input_ids": sample[None]} for sample in samples],
        nsamples=len(samples),
        seqlen=samples[0].shape[0],
        batch_size=min(job["batch"], len(samples)),
        low_gpu_mem_usage=True,
        enable_torch_compile=False,
        device_map=0 if on_gpu else "cpu",
        seed=job["seed"],
    )
    # The tool makes a folder of its own naming inside the one it is given.
    holder = Path(job["output"]).with_name("auto-round")
    rounder.quantize_and_save(str(holder), format="auto_awq")
    next(holder.rglob("config.json")).parent.rename(job["output"])


def pieces(prompts: list[list[int]], length: int) -> list[torch.Tensor]:
    """Return the prompts end to end, cut into tensors of `length` tokens; what is left over at the end is dropped."""
    joined = torch.tensor([id for prompt in prompts for id in prompt])
    return list(joined[: len(joined) // length * length].reshape(-1, length))


if __name__ == "__main__":
    end_with_parent()
    os.environ.setdefault("AR_LOG_LEVEL", "WARNING")
    main(Path(sys.argv[1]))
