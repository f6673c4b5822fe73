"""What is checked before anything is loaded: group sizes, tensor-parallel parts, memory and disk."""

import os
import shutil
from dataclasses import dataclass
from math import gcd
from pathlib import Path

from rerank.linear_layers import ModelShape

GIGABYTE = 1_000_000_000
BYTES_4_BIT = 0.6
"""A parameter of a 4-bit model with scales, zeros and the layers left alone: 0.6 GB per billion (measured on AWQ)."""
BYTES_8_BIT = 1.1
_MARLIN_GROUPS = (32, 64, 128)
_WORD = 8  # 4-bit weights are packed eight to a word


def group_size_faults(shape: ModelShape, *, group_size: int, parts: int) -> list[str]:
    """Return what keeps a group size from fitting a model, one message a kind of layer; none where it fits.

    Args:
        shape: The model.
        group_size: Neighbouring inputs that share a scale.
        parts: GPUs that will share every layer (tensor parallelism).
    """
    if not shape.layers:
        return ["the model has no linear layers named layers.N…weight; its kind is not known here"]
    faults: dict[str, str] = {}
    for layer in shape.layers:
        kind = layer.name.rpartition(".")[2]
        shared = layer.inputs if layer.splits_inputs else layer.outputs
        if shared % parts:
            faults[f"{kind} parts"] = (
                f"{layer.name}: expected a width that {parts} GPUs can share (tensor_parallel_size), got {shared}"
            )
        elif layer.inputs_of_a_part(parts) % group_size:
            where = f" on each of {parts} GPUs" if parts > 1 and layer.splits_inputs else ""
            faults[kind] = (
                f"{layer.name}: expected inputs that group_size {group_size} divides, got "
                f"{layer.inputs_of_a_part(parts)}{where}; the largest group size that fits this model is "
                f"{largest_group_size(shape, parts)}"
            )
        elif layer.outputs % _WORD:
            faults[f"{kind} outputs"] = f"{layer.name}: expected outputs that {_WORD} divides, got {layer.outputs}"
    return list(faults.values())


def largest_group_size(shape: ModelShape, parts: int) -> int:
    """Return the largest power of two up to 128 that divides all inputs (of each part)."""
    common = 0
    for layer in shape.layers:
        common = gcd(common, layer.inputs_of_a_part(parts))
    size = 1
    while size < 128 and common % (2 * size) == 0:
        size *= 2
    return size


def kernel_warning(shape: ModelShape, *, group_size: int, parts: int, symmetric: bool) -> str | None:
    """Say what follows where vLLM's fast 4-bit kernel (Marlin) does not take a model's widths; None where it does.

    It needs group sizes of 32, 64 or 128, and of each GPU's part inputs that 128 and outputs that 64 divides (vLLM 0.24
    to 0.32); SmolLM2, 576 wide, has other widths, Qwen2.5 and Llama fit on one GPU.
    """
    odd = [
        layer.name
        for layer in shape.layers
        if layer.inputs_of_a_part(parts) % 128 or (layer.outputs // (1 if layer.splits_inputs else parts)) % 64
    ]
    if not odd and group_size in _MARLIN_GROUPS:
        return None
    why = f"the widths of {len(odd)} layers, for example {odd[0]}" if odd else f"group size {group_size}"
    told = f"vLLM's fast 4-bit kernel does not take {why}: it computes these with slower ones, which need dtype float16"
    return told if symmetric else f"{told} and symmetric levels (quantization.symmetric=true, or AWQ's form)"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a quantisation needs, in bytes.

    Attributes:
        disk: Of new files, all stages together.
        memory: Main memory.
        device: GPU memory; 0 without a GPU.
    """

    disk: int
    memory: int
    device: int

    def text(self) -> str:
        """Return it in GB."""
        device = f", {self.device / GIGABYTE:.1f} GB of GPU memory" if self.device else ""
        return f"{self.disk / GIGABYTE:.1f} GB of disk, {self.memory / GIGABYTE:.1f} GB of memory{device}"


def needs(
    shape: ModelShape,
    *,
    bits: int,
    merges: bool,
    dequantises: bool,
    on_gpu: bool,
    offloads: bool,
    streams: bool,
    calibration_tokens: int,
    hidden: int,
) -> Needs:
    """Estimate what a quantisation needs.

    Args:
        shape: The model.
        bits: 4 or 8.
        merges: Whether an adapter is merged first: a 16-bit copy of the model.
        dequantises: Whether the result is checked through dequantised weights: a float32 copy.
        on_gpu: Whether layers are worked on by a GPU, one at a time; else the whole model is in memory as float32.
        offloads: Whether the back end keeps what does not fit into memory on disk.
        streams: Whether the back end reads one tensor at a time.
        calibration_tokens: Tokens of all calibration prompts: their hidden states are kept between layers.
        hidden: Width of the model.
    """
    parameters = shape.parameters
    quantised = (BYTES_4_BIT if bits == 4 else BYTES_8_BIT) * parameters
    # The back end's folder, and the one with its tokenizer, types and config settled.
    disk = 2 * quantised + (2 * parameters if merges else 0) + (4 * parameters if dequantises else 0)
    width = 2 if on_gpu else 4
    states = 2 * calibration_tokens * hidden * width
    block = shape.largest_block
    memory = width * parameters + states
    if offloads and on_gpu:
        memory = 4 * width * block + states
    if streams:
        memory = 8 * block
    if dequantises:  # in float32, at most a bfloat16 GPU's worth less
        memory = max(memory, 4 * parameters)
    if merges:
        memory = max(memory, 4 * parameters)
    # A layer with its gradients' place (rounding that is learned) or its trial copies, and its inputs.
    device = 0 if not on_gpu or streams else 12 * block + states
    return Needs(disk=int(disk), memory=int(memory), device=int(device))


def need_faults(wanted: Needs, *, folder: Path, memory: int, device: int | None) -> list[str]:
    """Return what this machine lacks, one message each.

    Args:
        wanted: What is needed.
        folder: Where files will be written; it or a parent exists.
        memory: Bytes of main memory that are free.
        device: Bytes of GPU memory that are free; None without a GPU.
    """
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    faults = []
    if wanted.disk > free:
        faults.append(
            f"{folder}: about {wanted.disk / GIGABYTE:.1f} GB of disk are needed, {free / GIGABYTE:.1f} GB are free; "
            "free some, or name a work folder on another disk (--work)"
        )
    if wanted.memory > memory:
        faults.append(
            f"about {wanted.memory / GIGABYTE:.1f} GB of main memory are needed, {memory / GIGABYTE:.1f} GB are free; "
            "use a larger machine, a back end that keeps layers on disk (llm-compressor), or fewer or shorter "
            "calibration prompts"
        )
    if device is not None and wanted.device > device:
        faults.append(
            f"about {wanted.device / GIGABYTE:.1f} GB of GPU memory are needed, {device / GIGABYTE:.1f} GB are free; "
            "take fewer calibration prompts, or a larger GPU"
        )
    return faults


def free_memory() -> int:
    """Return the bytes of main memory that can be had: what is free or can be freed, within a container's limit."""
    page = os.sysconf("SC_PAGE_SIZE")
    free = page * os.sysconf("SC_PHYS_PAGES")
    told = Path("/proc/meminfo")
    if told.is_file():
        lines = dict(line.split(":", 1) for line in told.read_text(encoding="ascii").splitlines() if ":" in line)
        if "MemAvailable" in lines:
            free = 1024 * int(lines["MemAvailable"].split()[0])
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (most := limit.read_text(encoding="ascii").strip()).isdigit():
        free = min(free, int(most) - int(used.read_text(encoding="ascii")))
    return free
