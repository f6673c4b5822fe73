"""Adapters merged into the weights of their base, in float32: the 16-bit base, or what its 4-bit form really holds.

A QLoRA adapter was trained on the base rounded to 4 bits (NF4). Merged into the 16-bit base it is another model than
the one that was trained (SmolLM2: logits differ by up to 18); merged into the 4-bit base dequantised, it is that model.
Which one ranks better is for validation data to say: `pipelines/merge_adapter.py` measures both.

The base is read weight by weight: a merge needs memory for one file of weights and, for the dequantised base, for the
model in 4 bits.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.adapter_factors import Factors, load_factors
from core.adapters import Adapter, read_adapter, require_plain
from core.artifacts import atomic_path
from core.device import resolve_device
from core.disk import full_disk_told, require_space
from core.errors import ConfigError, ModelError
from core.lora import nf4_config
from core.model_files import (
    copy_companions,
    is_sentence_transformer,
    read_model_config,
    weight_files,
    weight_shapes,
    write_weights,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Into = Literal["16bit", "dequantised"]
INTO: tuple[Into, ...] = ("16bit", "dequantised")
MERGED_DTYPES = ("auto", "bfloat16", "float16", "float32")

_SPARE = 64 << 20  # tokenizer, configs
_log = logging.getLogger(__name__)


def merge_adapter(
    base: Path, adapter: Path, output: Path, *, into: Into, dtype: str = "auto", device: str = "auto"
) -> Path:
    """Write a base with one adapter merged into its weights; see `merge_adapters`."""
    return merge_adapters(base, [(read_adapter(adapter), 1.0)], output, into=into, dtype=dtype, device=device)


def merge_adapters(
    base: Path,
    adapters: Sequence[tuple[Adapter, float]],
    output: Path,
    *,
    into: Into,
    dtype: str = "auto",
    device: str = "auto",
) -> Path:
    """Write a base with the weighted sum of adapters' deltas merged into its weights.

    What is written is a whole model folder: safetensors, config, generation config, tokenizer and chat template; for a
    retriever its further modules too. An adapter's own tokenizer, where it came with one, replaces the base's.

    Args:
        base: The base's folder, with safetensors weights that are not quantised.
        adapters: Each with its weight.
        output: The folder to write, whole or not at all; one that stands there is replaced.
        into: `16bit`: the base as it is stored; `dequantised`: the base rounded to NF4 as in QLoRA training.
        dtype: Of the merged weights, and what the 4-bit base is computed in: give what the adapter was trained with.
            `auto` is the base's own type. The sum itself is made in float32.
        device: Where sums are made and weights are quantised; `auto`, `cpu`, `cuda`, `cuda:N`.

    Returns:
        `output`.

    Raises:
        ModelError: An adapter is corrupted, no plain one, or does not fit the base; the base is corrupted, quantised,
            or lacks a module; a package is missing; a merged weight is not finite in `dtype`.
        ConfigError: The device or type is unknown or not there.
        InputError: The disk has no room, or is full.
    """
    base, output = Path(base), Path(output)
    place = resolve_device(device)
    names = check_merge(base, [adapter for adapter, _ in adapters], into=into, dtype=dtype)
    files = weight_files(base)
    floats = _floats(base, files, dtype)
    shapes = weight_shapes(files)
    require_space(output, floats.itemsize * sum(_size(shape) for shape in shapes.values()) + _SPARE)
    loaded = [({names[module]: f for module, f in load_factors(one).items()}, weight) for one, weight in adapters]
    first = adapters[0][0]
    rounded = _rounded(base, files, floats, place, as_encoder=first.is_encoder) if into == "dequantised" else {}

    def merged() -> Iterator[tuple[str, "Tensor"]]:
        for name, weight in _stored(files):
            weight = rounded[name]() if name in rounded else weight
            if weight.is_floating_point():
                weight = _with_deltas(name, weight, loaded, floats, place, transposed=first.fan_in_fan_out)
            yield name, weight.cpu()

    with full_disk_told(output), atomic_path(output) as folder:
        folder.mkdir()
        copy_companions(base, folder)
        for adapter, _ in reversed(adapters):
            copy_companions(adapter.folder, folder, only_tokenizer=not is_sentence_transformer(adapter.folder))
        write_weights(folder, merged())
        _write_config(base, folder, floats)
    _log.info("%s: %d adapter(s) merged into the %s base of %s", output, len(adapters), into, base)
    return output


def check_merge(base: Path, adapters: Sequence[Adapter], *, into: Into, dtype: str = "auto") -> dict[str, str]:
    """Check that adapters can be merged into a base; reads headers alone.

    Returns:
        The base's weight of each module, by the module's name.

    Raises:
        ModelError: See `merge_adapters`.
        ConfigError: The type is unknown.
    """
    if into not in INTO or dtype not in MERGED_DTYPES:
        raise ConfigError(
            f"expected to merge into one of {', '.join(INTO)} and in one of {', '.join(MERGED_DTYPES)}; "
            f"got {into!r}, {dtype!r}"
        )
    if into == "dequantised" and find_spec("bitsandbytes") is None:
        raise ModelError("merging into the dequantised base needs the package bitsandbytes; install the extra `train`")
    if "quantization_config" in read_model_config(base):
        raise ModelError(
            f"model {base}: is quantised already; adapters are merged into the base as it was before (its 4-bit form "
            "is made here)"
        )
    shapes = weight_shapes(weight_files(base))
    names: dict[str, str] = {}
    for adapter in adapters:
        require_plain(adapter)
        names.update(_placed(adapter, shapes, base))
    return names


def _placed(adapter: Adapter, shapes: Mapping[str, tuple[int, ...]], base: Path) -> dict[str, str]:
    """Return the stored weight of each module, after a check of its shape."""
    names = {module: f"{stored}.weight" for module, stored in _renamed(adapter.target_modules, shapes).items()}
    wrong = []
    for module, name in names.items():
        outputs, inputs, _ = adapter.shapes[module]
        wanted = (inputs, outputs) if adapter.fan_in_fan_out else (outputs, inputs)
        if shapes.get(name) != wanted:
            wrong.append(f"{name} is {shapes.get(name) or 'not there'}, the adapter's is {wanted}")
    if wrong:
        raise ModelError(
            f"adapter {adapter.folder}: does not fit the base {base}: of {len(names)} modules {len(wrong)} differ, for "
            f"example {wrong[0]}. Is it the base that it was trained on ('{adapter.base_name}')?"
        )
    return names


def _renamed(modules: Sequence[str], stored: Mapping[str, Any]) -> dict[str, str]:
    """Return how modules of a model in memory are called in its files: a model without its head lacks the `model.`."""
    forms: tuple[Callable[[str], str], ...] = (str, "model.{}".format, lambda name: name.removeprefix("model."))
    best = max(forms, key=lambda form: sum(f"{form(module)}.weight" in stored for module in modules))
    return {module: best(module) for module in modules}


def _floats(base: Path, files: Mapping[str, Path], dtype: str) -> "torch.dtype":
    import torch

    if dtype != "auto":
        return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[dtype]
    config = read_model_config(base)
    stated = str(config.get("dtype") or config.get("torch_dtype") or "").removeprefix("torch.")
    if stated in MERGED_DTYPES[1:]:
        return _floats(base, files, stated)
    return next(weight.dtype for _, weight in _stored(files) if weight.is_floating_point())


def _stored(files: Mapping[str, Path]) -> Iterator[tuple[str, "Tensor"]]:
    """Yield name and weight in the order of the files."""
    from safetensors import safe_open

    for path in sorted(set(files.values())):
        with safe_open(path, framework="pt") as stored:
            for name in sorted(stored.keys()):
                yield name, stored.get_tensor(name)


def _rounded(
    base: Path, files: Mapping[str, Path], floats: "torch.dtype", device: str, *, as_encoder: bool
) -> dict[str, Callable[[], "Tensor"]]:
    """Load the base in 4 bits as training does; return what gives each rounded weight, by its stored name."""
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit
    from transformers import AutoModel, AutoModelForCausalLM

    opener = AutoModel if as_encoder else AutoModelForCausalLM
    try:
        model = opener.from_pretrained(
            str(base),
            dtype=floats,
            quantization_config=nf4_config(floats),
            device_map={"": device},
            local_files_only=True,
            use_safetensors=True,
        )
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(f"{base}: cannot be opened in 4 bits ({error})") from error
    layers = {name: module for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    if not layers:
        raise ModelError(f"{base}: none of its layers was rounded to 4 bits; merge into the 16-bit base")
    names = _renamed(list(layers), files)
    if lost := [module for module, stored in names.items() if f"{stored}.weight" not in files]:
        raise ModelError(f"{base}: {len(lost)} of its layers are stored under other names, for example {lost[0]}")

    def giver(weight: Any) -> Callable[[], "Tensor"]:  # noqa: ANN401 - bitsandbytes has no types
        return lambda: dequantize_4bit(weight.data, weight.quant_state)

    return {f"{names[module]}.weight": giver(layer.weight) for module, layer in layers.items()}


def _with_deltas(
    name: str,
    weight: "Tensor",
    loaded: Sequence[tuple[Mapping[str, Factors], float]],
    floats: "torch.dtype",
    device: str,
    *,
    transposed: bool,
) -> "Tensor":
    """Return a weight with the deltas added in float32, in the type to write."""
    import torch

    if not any(name in factors for factors, _ in loaded):
        return weight.to(floats)
    total = weight.to(device, torch.float32)
    for factors, share in loaded:
        if name in factors:
            own = factors[name]
            delta = share * own.scale * (own.b.to(device) @ own.a.to(device))
            total = total + (delta.T if transposed else delta)
    made = total.to(floats)
    if not made.isfinite().all():
        raise ModelError(f"{name}: merged, it is not finite in {floats}; choose bfloat16 or float32")
    return made


def _write_config(base: Path, folder: Path, floats: "torch.dtype") -> None:
    config = read_model_config(base)
    name = str(floats).removeprefix("torch.")
    config["dtype"] = name
    if "torch_dtype" in config:  # as transformers before 5 reads it
        config["torch_dtype"] = name
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
