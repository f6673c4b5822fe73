"""One process alone, and two real ones on a CPU: uneven shares give the gradient of the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rerank.processes import Processes, join_processes, launched_processes, leave_processes

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
      processes.summed(1.5 + processes.rank), flush=True)
processes.leave()
"""


def test_alone_nothing_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert launched_processes() == 1
    processes = join_processes("cpu")
    assert processes == Processes(rank=0, world=1, device="cpu")
    assert processes.first and processes.told(0.5) == 0.5 and processes.summed(2.0) == 2.0
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


def test_two_processes_share_gradients_and_scores() -> None:
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
                [sys.executable, "-c", SCRIPT],
                env=environment,
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    said = [process.communicate(timeout=120)[0].strip() for process in started]
    assert said == [f"{rank} 2 [11.0, 22.0] [5.0] 0.25 None 4.0" for rank in (0, 1)]
