import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from retrieval.batch_columns import BatchColumns, embed_sorted, spread
from retrieval.loss import LabelAwareCachedMultipleNegativesRankingLoss, LabelAwareMultipleNegativesRankingLoss


def test_weights_and_places_are_taken_out_and_the_batch_is_left_as_it_was() -> None:
    ids, places = torch.tensor([[5], [6]]), torch.tensor([[0, 1], [1, 0]])
    given: list[dict[str, Any]] = [
        {"input_ids": ids, "weight": torch.tensor([1.0, 0.5])},
        {"input_ids": ids, "place": places},
    ]
    batch = BatchColumns.of(given)
    assert [list(column) for column in batch.columns] == [["input_ids"], ["input_ids"]]
    assert batch.weights is not None
    assert batch.weights.tolist() == [1.0, 0.5]
    assert batch.places is places
    assert [len(column) for column in given] == [2, 2]
    plain = BatchColumns.of([{"input_ids": ids}] * 3)
    assert (len(plain.columns), plain.weights, plain.places) == (3, None, None)
    with pytest.raises(ValueError, match="two columns; got 3"):
        BatchColumns.of([*given, {"input_ids": ids}])


def test_documents_are_spread_by_hand_and_their_gradients_add_up() -> None:
    queries = torch.zeros(2, 2)
    documents = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
    _, positives, negatives = columns = spread([queries, documents], torch.tensor([[1, 0], [1, 2]]))
    assert columns[0] is queries
    assert positives.tolist() == [[3.0, 4.0], [3.0, 4.0]]
    assert negatives.tolist() == [[1.0, 2.0], [5.0, 6.0]]
    (positives * torch.tensor([[1.0], [10.0]]) + 100 * negatives).sum().backward()
    assert documents.grad is not None
    assert documents.grad.tolist() == [[100.0, 100.0], [11.0, 11.0], [100.0, 100.0]]
    assert spread([queries, documents], None)[1] is documents
    with pytest.raises(ValueError, match=r"shape \(3, 1\): expected a row for each of 2 queries"):
        spread([queries, documents], torch.zeros(3, 1, dtype=torch.int64))


def test_gradients_of_many_repeats_add_up_in_a_fixed_order() -> None:
    """128 x 5 documents of 384 from 30 misconceptions, on two threads: equal to the last bit each time."""
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(30, (128, 5), generator=generator)
    documents = torch.randn(30, 384, generator=generator)
    pulls = torch.randn(5, 128, 384, generator=generator)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    found = []
    try:
        for _ in range(20):
            leaf = documents.clone().requires_grad_()
            (torch.stack(spread([pulls[0], leaf], places)[1:]) * pulls).sum().backward()
            found.append(leaf.grad)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(grad, found[0]) for grad in found if grad is not None)


def test_chunks_are_of_like_length_and_cut_to_it() -> None:
    seen = []

    def model(features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        seen.append(tuple(features["input_ids"].shape))
        return {"sentence_embedding": (features["input_ids"] * features["attention_mask"]).sum(dim=1, keepdim=True)}

    ids = torch.tensor([[1, 2, 3, 4], [5, 0, 0, 0], [6, 7, 0, 0], [8, 0, 0, 0]])
    features = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    assert embed_sorted(model, features, 2).tolist() == [[10], [5], [13], [8]]  # type: ignore[arg-type]
    assert seen == [(2, 1), (2, 4)]


IDS = torch.tensor([[1, 2, 2, -1], [1, 3, 2, -1], [4, 5, 6, 3], [3, 1, 7, -1]])
QUERY_ROWS = torch.tensor([8, 9, 10, 11])
KINDS: dict[str, Callable[[torch.nn.Module], Any]] = {
    "plain": lambda model: LabelAwareMultipleNegativesRankingLoss(model, gather_across_devices=True),
    "chunked": lambda model: LabelAwareMultipleNegativesRankingLoss(model, gather_across_devices=True, chunk_rows=2),
    "cached": lambda model: LabelAwareCachedMultipleNegativesRankingLoss(
        model, gather_across_devices=True, mini_batch_size=2
    ),
}


class Table(torch.nn.Module):
    """An encoder whose embeddings are its weights, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = torch.nn.Parameter(torch.randn(12, 6, generator=torch.Generator().manual_seed(0)))
        self.passes = 0

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.passes += 1
        return {"sentence_embedding": self.rows[features["input_ids"][:, 0]]}


def batch_of(rows: slice) -> list[dict[str, Any]]:
    distinct, places = IDS[rows, :3].unique(return_inverse=True)
    columns: list[dict[str, Any]] = [
        {"input_ids": ids[:, None], "attention_mask": torch.ones(len(ids), 1, dtype=torch.int64), "modality": "text"}
        for ids in (QUERY_ROWS[rows], distinct)
    ]
    columns[1]["place"] = places
    return columns


def _on_a_process(rank: int, folder: str, value: float, gradient: torch.Tensor) -> None:
    """Three distinct documents on the first process, six on the other: as the whole batch on one."""
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"})
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    half = slice(2 * rank, 2 * rank + 2)
    try:
        ids = BatchColumns.of(batch_of(half)).evened()[1]["input_ids"]
        assert ids[:, 0].tolist() == ([1, 2, 3, 3, 3, 3], [1, 3, 4, 5, 6, 7])[rank]
        for kind, make in KINDS.items():
            model = Table()
            loss = make(torch.nn.Sequential(model))(batch_of(half), IDS[half])
            loss.backward()
            assert model.passes == {"plain": 2, "chunked": 4, "cached": 8}[kind], "as many on each process"
            both = [loss.detach().clone(), model.rows.grad]
            for tensor in both:
                torch.distributed.all_reduce(tensor)
            assert math.isclose(both[0].item() / 2, value, abs_tol=1e-5), kind
            assert torch.allclose(both[1] / 2, gradient, atol=1e-5), kind
    finally:
        torch.distributed.destroy_process_group()


def test_processes_with_different_numbers_of_distinct_documents(tmp_path: Path) -> None:
    model = Table()
    loss = LabelAwareMultipleNegativesRankingLoss(torch.nn.Identity())
    value = loss.compute_loss_from_embeddings([model.rows[QUERY_ROWS], *model.rows[IDS[:, :3].T]], IDS)
    value.backward()
    assert model.rows.grad is not None
    assert model.rows.grad.abs().max() > 0.1
    job = (str(tmp_path), value.item(), model.rows.grad)
    other = torch.multiprocessing.get_context("spawn").Process(target=_on_a_process, args=(1, *job))
    other.start()  # this process is the other one: half the imports
    try:
        _on_a_process(0, *job)
    finally:
        other.join(timeout=60)
        other.kill()
    assert other.exitcode == 0


def test_one_process_needs_no_evening() -> None:
    batch = BatchColumns.of(batch_of(slice(4)))
    assert batch.evened() is batch.columns
