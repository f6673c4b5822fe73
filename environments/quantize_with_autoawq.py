"""Quantise a model folder with AutoAWQ; runs inside the environment of autoawq.txt, given a job file.

    .environments/autoawq/bin/python environments/quantize_with_autoawq.py JOB.json

The job file is what `rerank.quantize.write_job` writes. AutoAWQ is archived and knows transformers up to 4.51, so the
model's config is put into that version's words first. On a CPU it destroys the model without a word (its copy of the
weights to go back to is an alias there); that is mended here, and the pipeline checks the weights it gets.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from awq import AutoAWQForCausalLM
from awq.quantize.quantizer import AwqQuantizer
from parent import end_with_parent


def main(path: Path) -> None:
    """Do the job: the quantised folder lies at its `output` afterwards."""
    job = json.loads(path.read_text(encoding="utf-8"))
    torch.manual_seed(job["seed"])
    with Path(job["calibration"]).open(encoding="utf-8") as stream:
        prompts = [json.loads(line)["token_ids"] for line in stream]
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        _copy_weights_before_the_search()
    with tempfile.TemporaryDirectory(dir=Path(job["output"]).parent) as holder:
        folder = _in_words_of_transformers_4(Path(job["model"]), Path(holder) / "model")
        model = AutoAWQForCausalLM.from_pretrained(
            str(folder),
            # 16-bit products are slow without AVX512.
            torch_dtype=torch.float16 if on_gpu else torch.float32,
            device_map=None if not on_gpu else "cpu",  # it puts a layer at a time on the GPU itself
        )
        model.quantize(
            None,
            quant_config={"zero_point": True, "q_group_size": job["group_size"], "w_bit": 4, "version": "GEMM"},
            calib_data=prompts,
            # Prompts are joined end to end and cut at the longest one's length.
            max_calib_samples=len(prompts),
            max_calib_seq_len=max(map(len, prompts)),
            apply_clip=job["clip"],
        )
        model.save_quantized(job["output"])


def _in_words_of_transformers_4(source: Path, folder: Path) -> Path:
    """Return a folder with the same weights, by link, and a config that transformers 4 reads."""
    folder.mkdir()
    for file in source.iterdir():
        if file.name.endswith((".safetensors", ".safetensors.index.json")):
            (folder / file.name).symlink_to(file.resolve())
        elif file.name != "config.json" and file.is_file():
            shutil.copy(file, folder)
    config: dict[str, Any] = json.loads((source / "config.json").read_text(encoding="utf-8"))
    rope = config.pop("rope_parameters", None)
    if rope:
        config["rope_theta"] = rope["rope_theta"]
        kind = rope.get("rope_type", "default")
        config["rope_scaling"] = (
            None if kind == "default" else {key: value for key, value in rope.items() if key != "rope_theta"}
        )
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def _copy_weights_before_the_search() -> None:
    """AutoAWQ keeps `v.cpu()` of each weight to go back to after each try; on a CPU that is the weight itself."""
    search = AwqQuantizer._compute_best_scale

    def with_copies(self: Any, x: Any, w_mean: Any, x_mean: Any, module2inspect: Any, *rest: Any) -> Any:  # noqa: ANN401
        own = module2inspect.state_dict
        module2inspect.state_dict = lambda: {name: weight.detach().clone() for name, weight in own().items()}
        try:
            return search(self, x, w_mean, x_mean, module2inspect, *rest)
        finally:
            del module2inspect.state_dict

    AwqQuantizer._compute_best_scale = with_copies


if __name__ == "__main__":
    end_with_parent()
    main(Path(sys.argv[1]))
