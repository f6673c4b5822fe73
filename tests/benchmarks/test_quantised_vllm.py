"""What of the GPU check can be looked at without one."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from core.language_model import LabelScores
from rerank.plain_quantizer import compressed_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("quantised_vllm")


def scores(*logprobs: float) -> LabelScores:
    return LabelScores(logprobs=np.array(logprobs, dtype=np.float32), mass=None)


def test_differences_by_hand(script: ModuleType) -> None:
    found = script.differences([scores(-0.5, -1.0), scores(-2.0, -0.1)], [scores(-0.5, -1.3), scores(-0.1, -2.0)])
    assert found["max_abs"] == pytest.approx(1.9) and found["same_best_label"] == 0.5
    assert found["mean_abs"] == pytest.approx((0 + 0.3 + 1.9 + 1.9) / 4)


def test_activations_are_rounded_a_token(script: ModuleType) -> None:
    values = torch.tensor([[448.0, 1.03, 0.0], [0.448, 0.00103, 0.0]])
    # Steps of 1/8 between 1 and 2; the second row is the first through 1,000.
    assert torch.allclose(script.rounded_a_token(values), torch.tensor([[448.0, 1.0, 0.0], [0.448, 0.001, 0.0]]))
    assert script.scales_activations(compressed_config(None)) and not script.scales_activations(compressed_config(64))


def test_help() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/quantised_vllm.py", "--help"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "--most" in done.stdout
