"""Seconds, losses and peak memory of training steps."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Timed:
    """What a way of training took, step after step.

    Attributes:
        seconds: Of each step, the first ones included.
        losses: Of each step.
        peak_bytes: The most memory that tensors took since `forget_peak`; None on a CPU.
        reserved_bytes: The most that was taken from the device for them; None on a CPU.
    """

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    reserved_bytes: int | None = None

    def read_peak(self, device: str) -> "Timed":
        """Take the peak since `forget_peak`, and return itself."""
        import torch

        if device.startswith("cuda"):
            self.peak_bytes = torch.cuda.max_memory_allocated(device)
            self.reserved_bytes = torch.cuda.max_memory_reserved(device)
        return self


def timed_steps(step: Callable[[int], float], steps: int, *, device: str) -> Timed:
    """Make steps 0, 1, … and time each until the device has finished it."""
    made = Timed()
    for number in range(steps):
        started = time.perf_counter()
        loss = step(number)
        synchronise(device)
        made.seconds.append(time.perf_counter() - started)
        made.losses.append(loss)
    return made.read_peak(device)


def synchronise(device: str) -> None:
    """Wait for a GPU."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def forget_peak(device: str) -> None:
    """Give back all memory that no tensor holds, and begin a new peak."""
    import gc

    import torch

    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def padded(prompts: Sequence[Sequence[int]], device: str) -> tuple[Any, Any, Any]:
    """Return ids and mask padded on the right, and the place of each row's last token."""
    import torch

    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(prompt) for prompt in prompts], batch_first=True)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    return ids.to(device), mask.to(device), (lengths - 1).to(device)


def loading_by_hand(method: str, *, dtype: Any, device: str) -> dict[str, Any]:  # noqa: ANN401 - a torch dtype
    """Return what `from_pretrained` is told in the loops written by hand, which use nothing of the product."""
    from transformers import BitsAndBytesConfig

    options: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
    if method == "qlora":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    return options
