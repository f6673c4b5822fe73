"""The processes of one training run, as `accelerate launch` (or torchrun) starts them: one a GPU.

Gradients are summed here, once a step, instead of by DistributedDataParallel: the sum is exact where shares are uneven
or empty, and an adapter's gradients are too small for overlapping to matter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PATIENCE = timedelta(hours=6)
"""How long the others wait while the first process scores or writes."""

BUCKET_BYTES = 64 << 20
"""Gradients that are sent at once."""


@dataclass(frozen=True, kw_only=True)
class Processes:
    """Who takes part, and which of them this is.

    Attributes:
        rank: This process's number, from 0; 0 writes and scores.
        world: How many there are.
        device: What this process computes on, a torch device name.
    """

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all are here."""
        if self.world > 1:
            import torch.distributed as dist

            dist.barrier()

    def told(self, value: float | None) -> float | None:
        """Return the first process's value in all of them."""
        if self.world == 1:
            return value
        import torch.distributed as dist

        held = [value]
        dist.broadcast_object_list(held, src=0, device=self._torch_device())
        return held[0]

    def summed(self, value: torch.Tensor) -> torch.Tensor:
        """Return the sum of all processes' values, the same bits in each; nobody waits for it before it is read.

        Args:
            value: On this process's device; the sum takes its place.
        """
        if self.world > 1:
            import torch.distributed as dist

            dist.all_reduce(value)
        return value

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter], *, bucket_bytes: int = BUCKET_BYTES) -> None:
        """Replace every gradient by the sum over the processes; one that saw no task counts as nought.

        They are sent in buckets: an adapter has hundreds of small ones, and each exchange costs a start. What a
        parameter has as its gradient then is a part of its bucket. Of two processes the sum is the same, bit for bit,
        whatever the buckets; of more, the order in which a number's parts are added may depend on its place.

        Args:
            parameters: In the same order in each process.
            bucket_bytes: Gradients sent at once; a larger one goes alone.
        """
        if self.world == 1:
            return
        import torch
        import torch.distributed as dist

        sent = []
        for bucket in buckets(parameters, bucket_bytes):
            whole = torch.cat([_gradient(parameter).reshape(-1) for parameter in bucket])
            parts = torch.split(whole, [parameter.numel() for parameter in bucket])
            for parameter, part in zip(bucket, parts, strict=True):
                parameter.grad = part.view_as(parameter)  # the old one's memory is free for the next bucket
            sent.append(dist.all_reduce(whole, async_op=True))
        for exchange in sent:
            exchange.wait()

    def leave(self) -> None:
        """End the exchange; the last thing that a run does."""
        if self.world > 1:
            leave_processes()

    def _torch_device(self) -> torch.device:
        import torch

        return torch.device(self.device)


def buckets(parameters: Sequence[torch.nn.Parameter], bucket_bytes: int) -> list[list[torch.nn.Parameter]]:
    """Cut parameters into neighbours of one type that fit into a bucket; the same in every process.

    Args:
        parameters: In the order in which they are kept.
        bucket_bytes: What a bucket holds; a larger parameter stands alone.

    Returns:
        Every parameter once; no bucket is empty.
    """
    made: list[list[torch.nn.Parameter]] = []
    room = 0
    for parameter in parameters:
        size = parameter.numel() * parameter.element_size()
        if not made or size > room or parameter.dtype != made[-1][0].dtype:
            made.append([])
            room = bucket_bytes
        made[-1].append(parameter)
        room -= size
    return made


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    import torch

    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def launched_processes() -> int:
    """Return how many processes this run was launched with; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Return whether this process is the launcher's first, which writes and measures; True without a launcher."""
    return int(os.environ.get("RANK", "0")) == 0


def join_processes(device: str) -> Processes:
    """Join the other processes of the launcher; on its own without one.

    Args:
        device: What `core.device.resolve_device` returned; `cuda` becomes this process's own GPU.
    """
    world = launched_processes()
    if world == 1:
        return Processes(device=device)
    import torch
    import torch.distributed as dist

    kind = device.partition(":")[0]
    if kind == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=PATIENCE)
    return Processes(rank=dist.get_rank(), world=world, device=device)


def leave_processes() -> None:
    """End the exchange with the launcher's other processes, where one was begun."""
    if launched_processes() > 1:
        import torch.distributed as dist

        if dist.is_initialized():
            dist.destroy_process_group()
