"""One process alone, and two real ones on a CPU: uneven shares give the gradient of the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rerank.processes import Processes, buckets, join_processes, launched_processes, leave_processes

SCRIPT = """
import sys, torch
from rerank.processes import join_processes
processes = join_processes("cpu")
weight = torch.nn.Parameter(torch.zeros(2))
unseen = torch.nn.Parameter(torch.zeros(1))
if processes.rank == 0:
    weight.grad = torch.tensor([1.0, 2.0])
else:
    weight.grad, unseen.grad = torch.tensor([10.0, 20.0]), torch.tensor([5.0])
processes.sum_gradients([weight, unseen])
told = processes.told(0.25 if processes.first else None)
nothing = processes.told(None)
processes.wait()
print(processes.rank, processes.world, weight.grad.tolist(), unseen.grad.tolist(), told, nothing,
      float(processes.summed(torch.tensor(1.5 + processes.rank, dtype=torch.float64))), flush=True)
processes.leave()
"""


def test_alone_nothing_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert launched_processes() == 1
    processes = join_processes("cpu")
    assert processes == Processes(rank=0, world=1, device="cpu")
    assert processes.first and processes.told(0.5) == 0.5
    assert processes.summed(torch.tensor(2.0)) == 2.0
    parameter = torch.nn.Parameter(torch.zeros(1))
    processes.sum_gradients([parameter])
    assert parameter.grad is None
    processes.wait()
    processes.leave()
    leave_processes()


def test_leaving_what_was_never_joined_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of two processes whose result was up to date has trained nothing, and joined nobody."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    leave_processes()


def said_by_two(script: str) -> list[str]:
    """Run a script in two real processes and return what each says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in ("0", "1"):
        environment = {
            **os.environ, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port, "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", script],
                env=environment,
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    return [process.communicate(timeout=120)[0].strip() for process in started]


def test_two_processes_share_gradients_and_scores() -> None:
    assert said_by_two(SCRIPT) == [f"{rank} 2 [11.0, 22.0] [5.0] 0.25 None 4.0" for rank in (0, 1)]


BUCKETS = """
import torch, torch.distributed as dist
from rerank.processes import join_processes
processes = join_processes("cpu")
dice = torch.Generator().manual_seed(processes.rank)
shapes = [(3, 5), (7,), (), (64, 33), (2, 2, 2), (1,), (40, 40), (5,), (9,)]
types = [torch.float32] * 7 + [torch.bfloat16, torch.float32]
parameters = [torch.nn.Parameter(torch.zeros(s, dtype=t)) for s, t in zip(shapes, types)]
def fill():
    dice.manual_seed(processes.rank)
    for number, parameter in enumerate(parameters):
        drawn = torch.randn(parameter.shape, generator=dice).to(parameter.dtype)
        if number == 0:
            drawn = torch.randn((5, 3), generator=dice).t()  # not contiguous
        unseen = number == 4 or number == 1 + processes.rank  # by nobody; by one of the two
        parameter.grad = None if unseen else drawn
fill()
expected = []
for parameter in parameters:
    whole = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach().clone().contiguous()
    dist.all_reduce(whole)
    expected.append(whole.detach())
calls = []
plain = dist.all_reduce
def counted(tensor, **options):
    calls.append((tensor.numel(), tensor.dtype))
    return plain(tensor, **options)
dist.all_reduce = counted
said = []
for size in (1, 400, 1 << 20):
    fill()
    calls.clear()
    processes.sum_gradients(parameters, bucket_bytes=size)
    same = [torch.equal(p.grad, e) and p.grad.shape == p.shape and p.grad.dtype == p.dtype
            for p, e in zip(parameters, expected)]
    said.append((all(same), len(calls), max(calls)[0]))
# What follows in a step works on such gradients: clipping, AdamW, and a next step that starts without any.
floats = [p for p in parameters if p.dtype == torch.float32]
optimizer = torch.optim.AdamW(floats, lr=0.1)
torch.nn.utils.clip_grad_norm_(floats, 1.0)
optimizer.step()
optimizer.zero_grad(set_to_none=True)
print(processes.rank, said, bool(expected[3].any()), all(bool(p.any()) for p in floats if p.numel() != 8), flush=True)
processes.leave()
"""


def test_gradients_in_buckets_are_those_summed_one_by_one() -> None:
    """Bit for bit, with one parameter that one process did not see and one that neither did.

    3831 float32 numbers around five of bfloat16: buckets of one byte hold one each; those of a megabyte break where the
    type does. Of 400 bytes: 15 + 7 + 1 | 2112 | 8 + 1 | 1600 | 5 | 9.
    """
    said = "[(True, 9, 2112), (True, 6, 2112), (True, 3, 3744)] True True"
    assert said_by_two(BUCKETS) == [f"{rank} {said}" for rank in (0, 1)]


def test_buckets_by_hand() -> None:
    def of(*sizes: int, dtype: torch.dtype = torch.float32) -> list[torch.nn.Parameter]:
        return [torch.nn.Parameter(torch.zeros(size, dtype=dtype)) for size in sizes]

    parameters = [*of(2, 3, 9, 1), *of(4, 4, dtype=torch.float64), *of(1)]
    cut = [[parameter.numel() for parameter in bucket] for bucket in buckets(parameters, 20)]
    assert cut == [[2, 3], [9], [1], [4], [4], [1]]
    assert buckets([], 20) == []
    assert [len(bucket) for bucket in buckets(parameters, 1 << 20)] == [4, 2, 1]
