"""Which device to compute on, and in which floating-point type."""

import logging
import os
from typing import TYPE_CHECKING, Literal

from core.errors import ConfigError

if TYPE_CHECKING:
    import torch

Dtype = Literal["auto", "bfloat16", "float16", "float32"]
DTYPES: tuple[Dtype, ...] = ("auto", "bfloat16", "float16", "float32")

_log = logging.getLogger(__name__)


def resolve_device(name: str = "auto") -> str:
    """Return the device to use.

    Args:
        name: `auto` (CUDA, else MPS, else CPU), or a name as torch writes it: `cpu`, `mps`, `cuda`, `cuda:1`.

    Raises:
        ConfigError: The name is unknown, or this machine has no such device.
    """
    import torch

    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise ConfigError(f"device: expected auto, cpu, mps, cuda or cuda:N, got {name!r}")
    if kind == "mps" and not has_mps:
        raise ConfigError(f"device: {name!r} was asked for, but this machine has no MPS; use auto or cpu")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device: {name!r} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return name


def take_own_gpu(name: str = "auto") -> str:
    """Return the device of this process: under torchrun or accelerate `cuda` is its own GPU, made the current one.

    Without it every process would open its model on the first GPU, which must hold all of them at once.

    Args:
        name: See `resolve_device`; a GPU that is named by its number stays.

    Raises:
        ConfigError: See there.
    """
    place, own = resolve_device(name), os.environ.get("LOCAL_RANK")
    if place != "cuda" or own is None:
        return place
    import torch

    place = resolve_device(f"cuda:{own}")
    torch.cuda.set_device(place)
    return place


def resolve_dtype(name: Dtype, device: str) -> "torch.dtype":
    """Return the floating-point type to compute in; the choice is logged with its reason.

    `auto` is bfloat16 where the device is fast at it (CUDA from capability 8.0, CPU with AMX), else float32.

    Args:
        name: `auto` or the type itself.
        device: What `resolve_device` returned.

    Raises:
        ConfigError: The name is unknown.
    """
    dtype, reason = _chosen(name, device)
    _log.info("dtype %s on %s: %s", str(dtype).removeprefix("torch."), device, reason)
    return dtype


def dtype_name(name: Dtype, device: str) -> str:
    """Return the name of what `resolve_dtype` returns, for manifests; nothing is logged.

    Args:
        name: `auto` or the type itself.
        device: What `resolve_device` returned.

    Raises:
        ConfigError: The name is unknown.
    """
    return str(_chosen(name, device)[0]).removeprefix("torch.")


def _chosen(name: Dtype, device: str) -> tuple["torch.dtype", str]:
    """Return the type, and why."""
    import torch

    if name not in DTYPES:
        raise ConfigError(f"dtype: expected one of {', '.join(DTYPES)}, got {name!r}")
    if name != "auto":
        return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name], "asked for"
    fast, reason = _fast_bfloat16(device)
    return (torch.bfloat16 if fast else torch.float32), reason


def _fast_bfloat16(device: str) -> tuple[bool, str]:
    import torch

    if device.startswith("cuda"):
        major, minor = torch.cuda.get_device_capability(device)
        return major >= 8, f"CUDA capability {major}.{minor} (bfloat16 is fast from 8.0)"
    if device == "cpu":
        # AVX512-bf16 alone is not enough: MiniLM on two such cores encodes 200 questions in 4.6 s against 5.0 s in
        # float32 (2026-11-23) and moves embeddings by up to 0.002; without AVX512 bfloat16 is 5 to 15 times slower.
        probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
        amx = bool(probe()) if probe is not None else False
        return amx, "this CPU has AMX" if amx else "this CPU has no AMX, without which bfloat16 gains nothing"
    return False, "bfloat16 is not known to be fast here"
