"""The equality of micro-batches with whole ones."""

import math
from pathlib import Path

import pytest
import torch

from core.records import Misconception, Query, Ranking
from rerank.cross_encoder import open_cross_encoder
from rerank.listwise_step import ListwiseStepper
from rerank.text import candidate_text, pair_texts, query_text
from rerank.training_groups import training_groups


def one_step(
    base: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception], micro: int, offset: float
) -> tuple[float, torch.Tensor]:
    torch.manual_seed(0)
    model = open_cross_encoder(base, device="cpu", dtype=torch.float32).eval()  # no dropout: one thing at a time
    groups = training_groups(queries[:5], candidates[:5], group_size=4, seed=0)
    pairs = pair_texts(
        queries[:5],
        [group.ids for group in groups],
        {entry.id: entry for entry in bank},
        query_text=query_text,
        candidate_text=candidate_text,
    )
    stepper = ListwiseStepper(
        model,
        device="cpu",
        dtype=torch.float32,
        total_steps=10,
        learning_rate=1e-3,
        warmup=0.0,
        weight_decay=0.01,
        max_norm=1.0,
        offset=offset,
        micro_groups=micro,
    )
    loss = float(stepper.step(stepper.passes(groups, pairs), 0))
    return loss, model[0].model.classifier.weight.detach().clone()


def test_micro_batches_make_the_same_step(
    tiny_base: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    whole, weights = one_step(tiny_base, queries, candidates, bank, micro=5, offset=0.0)
    parts, same = one_step(tiny_base, queries, candidates, bank, micro=2, offset=0.0)
    assert parts == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(weights, same, atol=1e-5)


def test_the_stage_one_offset_enters_the_loss(
    tiny_base: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    without, _ = one_step(tiny_base, queries, candidates, bank, micro=5, offset=0.0)
    with_it, _ = one_step(tiny_base, queries, candidates, bank, micro=5, offset=1.0)
    assert abs(without - with_it) > 0.05


def test_a_loss_that_is_not_finite_is_handed_on(
    tiny_base: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    """The run checks it, see `rerank.late_loss`: a check here would wait for the device."""
    loss, _ = one_step(tiny_base, queries, candidates, bank, micro=5, offset=float("nan"))
    assert math.isnan(loss)
