"""The chain on a real model and real texts: QLoRA steps, merged both ways, averaged; SmolLM2-135M, some minutes."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_toys import adapted, in_float32, whole

from core.adapter_average import average_adapters
from core.adapter_merge import INTO, merge_adapter
from core.lora import LoraPreset, TrainedWeights, nf4_config, open_trainable, save_trained
from core.tables import read_questions

_log = logging.getLogger(__name__)


def texts(eedi: Path, folder: Path, count: int) -> torch.Tensor:
    """Return `count` real questions, 64 tokens each, a row a question."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [tokenizer(question.text)["input_ids"] for question in read_questions(eedi / "train.csv").questions]
    return torch.tensor([row[:64] for row in rows if len(row) >= 64][:count])


def trained(folder: Path, ids: torch.Tensor, output: Path, *, seed: int) -> tuple[Path, list[float]]:
    """Train a QLoRA adapter for four steps; return it with the losses."""
    preset = LoraPreset(rank=8, alpha=16)
    model: Any = open_trainable(folder, method="qlora", lora=preset, device="cpu", dtype=torch.float32, seed=seed)
    optimizer = torch.optim.AdamW(TrainedWeights(model).parameters(), lr=2e-3)
    losses = []
    for _ in range(4):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    save_trained(model, output, base=folder)
    return output, losses


def last_logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=ids).logits.float()
    return found


@pytest.mark.slow
@pytest.mark.eedi
def test_qlora_steps_merges_and_averages(smollm2_folder: Path, eedi: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    ids = texts(eedi, smollm2_folder, 6)
    shown, asked = ids[:2], ids[2:]
    one, losses = trained(smollm2_folder, shown, tmp_path / "one", seed=1)
    assert losses[-1] < losses[0] - 0.3
    _log.info("losses %s", [round(loss, 3) for loss in losses])

    four_bit = {"quantization_config": nf4_config(torch.float32), "device_map": {"": "cpu"}}
    expected = last_logits(in_float32(adapted(smollm2_folder, one, **four_bit)), asked)
    top = expected.argmax(dim=-1)
    # Float32 through 30 layers: one and the same merged model differs from itself in float64 by up to 1.1e-3 here.
    within = 1e-4 * float(expected.abs().max())
    apart = {}
    for into in INTO:
        merged = merge_adapter(smollm2_folder, one, tmp_path / into, into=into, dtype="float32", device="cpu")
        found = last_logits(whole(merged), asked)
        apart[into] = (float((found - expected).abs().max()), float((found.argmax(dim=-1) == top).float().mean()))
        _log.info("merged into %s: logits apart by %.2e, top-1 agrees on %.4f", into, *apart[into])
    assert apart["dequantised"][0] < within and apart["dequantised"][1] == 1.0
    assert apart["16bit"][0] > 1.0 and apart["16bit"][1] < 1.0

    two, _ = trained(smollm2_folder, ids[3:5], tmp_path / "two", seed=2)
    exact = average_adapters([one, two], tmp_path / "exact", method="concatenate")
    merged = average_adapters([one, two], tmp_path / "m", method="merge", base=smollm2_folder, dtype="float32").folder
    served = last_logits(adapted(smollm2_folder, exact.folder), asked)
    torch.testing.assert_close(last_logits(whole(merged), asked), served, rtol=0, atol=within)
    errors = {
        method: average_adapters([one, two], tmp_path / method, method=method).error for method in ("svd", "factors")
    }
    _log.info("rank %d exact; error at rank 8 by svd %.4f, of the mean of factors %.4f", exact.rank, *errors.values())
    assert 0 < errors["svd"] < errors["factors"]
