"""Quantise a model folder with llm-compressor; runs inside the environment of llmcompressor.txt, given a job file.

    .environments/llmcompressor/bin/python environments/quantize_with_llmcompressor.py JOB.json

The job file is what `rerank.quantize.write_job` writes. Methods: `awq`, `gptq` (4-bit integers, 16-bit activations) and
`fp8` (8-bit floats, activations scaled a token). A decoder layer at a time is put on the device; a model larger than
main memory is kept on disk beside it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import psutil
import torch
from compressed_tensors.offload import load_offloaded_model
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier
from llmcompressor.pipelines.cache import IntermediatesCache
from parent import end_with_parent
from transformers import AutoModelForCausalLM

IGNORED = ["lm_head"]


def main(path: Path) -> None:
    """Do the job: the quantised folder lies at its `output` afterwards."""
    job = json.loads(path.read_text(encoding="utf-8"))
    torch.manual_seed(job["seed"])
    if not torch.cuda.is_available():
        _without_pinned_memory()
    model = _open(Path(job["model"]))
    recipe = _recipe(job)
    if job["calibration"] is None:
        oneshot(model=model, recipe=recipe, pipeline="datafree")
    else:
        with Path(job["calibration"]).open(encoding="utf-8") as stream:
            prompts = [json.loads(line)["token_ids"] for line in stream]
        rows = Dataset.from_dict({"input_ids": prompts, "attention_mask": [[1] * len(ids) for ids in prompts]})
        oneshot(
            model=model,
            dataset=rows,
            recipe=recipe,
            max_seq_length=max(map(len, prompts)),
            num_calibration_samples=len(prompts),
            shuffle_calibration_samples=False,
            pipeline="sequential",
        )
    model.save_pretrained(job["output"], save_compressed=True)


def _recipe(job: dict[str, Any]) -> list[Any]:
    if job["method"] == "fp8":
        return [QuantizationModifier(targets="Linear", scheme="FP8_DYNAMIC", ignore=IGNORED)]
    weights = {
        "num_bits": 4,
        "type": "int",
        "strategy": "group",
        "group_size": job["group_size"],
        "symmetric": job["symmetric"],
    }
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    if job["method"] == "gptq":
        return [GPTQModifier(config_groups=groups, ignore=IGNORED)]
    return [AWQModifier(n_grid=job["grid"]), QuantizationModifier(config_groups=groups, ignore=IGNORED)]


def _open(folder: Path) -> Any:  # noqa: ANN401 - transformers has no types
    """Open the model on the CPU; what does not fit into memory goes to disk."""
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if not torch.cuda.is_available():  # 16-bit products are slow without AVX512
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    if size < 0.8 * psutil.virtual_memory().available:
        return AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
    with load_offloaded_model():
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", device_map="auto_offload", local_files_only=True
        )


def _without_pinned_memory() -> None:
    """llm-compressor 0.14 pins memory for a GPU whether there is one or not; a CPU build of torch cannot."""
    IntermediatesCache.pin_memory = lambda self, batch_index, input_names=None: None  # type: ignore[method-assign]


if __name__ == "__main__":
    end_with_parent()
    main(Path(sys.argv[1]))
