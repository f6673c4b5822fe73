import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)

from retrieval.loss import (
    LabelAwareCachedMultipleNegativesRankingLoss,
    LabelAwareMultipleNegativesRankingLoss,
    false_negative_mask,
)

Tiny = Callable[[], SentenceTransformer]
QUERIES = ["what is the number", "the student doubles", "area of the angle", "swaps top and bottom of the fraction"]
COLUMNS = [
    ["adds", "doubles the number", "halves", "swaps both"],
    ["forgets the sign", "squares", "adds left to right", "ratio"],
    ["divides", "not the last", "decimal", "first number by the last number"],
]


def features(model: SentenceTransformer, queries: list[str] = QUERIES, columns: list[list[str]] = COLUMNS) -> list[Any]:
    return [model.preprocess(texts) for texts in (queries, *columns)]


def distinct_ids(rows: int = 4, documents: int = 3) -> torch.Tensor:
    return torch.arange(rows * documents).reshape(rows, documents)


def embeddings(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows)


def gradients(
    loss: torch.nn.Module, model: SentenceTransformer, labels: torch.Tensor, batch: list[Any]
) -> torch.Tensor:
    model.zero_grad()
    loss(batch, labels).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_mask_worked_by_hand() -> None:
    # ids: positives 1, 2, 1; negatives 2, 3, 4. Row 0 also has label 4.
    labels = torch.tensor([[1, 2, 4], [2, 3, -1], [1, 4, -1]])
    mask = false_negative_mask(labels, 2)
    # columns:      p0     p1     p2     n0     n1     n2      = ids 1, 2, 1, 2, 3, 4
    expected = [
        [False, False, True, False, False, True],  # p2 is label 1 again, n2 is the other label 4
        [False, False, False, True, False, False],  # n0 is label 2
        [True, False, False, False, False, False],  # p0 is label 1
    ]
    assert mask.tolist() == expected


def test_unique_columns_keep_the_first_of_each_id() -> None:
    labels = torch.tensor([[1, 5], [2, 5], [1, 5]])
    mask = false_negative_mask(labels, 2, unique_columns=True)
    # ids 1, 2, 1, 5, 5, 5: columns 2, 4 and 5 are repeats; row 2 keeps its own positive in column 2
    assert mask.tolist() == [
        [False, False, True, False, True, True],
        [False, False, True, False, True, True],
        [True, False, False, False, True, True],
    ]


def test_three_by_three_worked_by_hand(tiny: Tiny) -> None:
    """Unit vectors, scale 2; rows 0 and 2 share a label, so each loses one negative."""
    loss = LabelAwareMultipleNegativesRankingLoss(tiny(), scale=2.0)
    queries = embeddings([1.0, 0.0], [0.0, 1.0], [0.6, 0.8])
    documents = embeddings([1.0, 0.0], [0.0, 1.0], [1.0, 0.0])
    value = loss.compute_loss_from_embeddings([queries, documents], torch.tensor([[7], [8], [7]]))
    # cosines: row 0: 1, 0, (1); row 1: 0, 1, 0; row 2: (0.6), 0.8, 0.6. In brackets: masked. Times 2:
    row_0 = -2.0 + math.log(math.exp(2.0) + math.exp(0.0))
    row_1 = -2.0 + math.log(math.exp(0.0) + math.exp(2.0) + math.exp(0.0))
    row_2 = -1.2 + math.log(math.exp(1.6) + math.exp(1.2))
    assert value.item() == pytest.approx((row_0 + row_1 + row_2) / 3, abs=1e-6)
    loss_sum, kept, rows = loss.meter.take()
    assert (kept, rows) == (1 + 2 + 1, 3)
    assert loss_sum == pytest.approx(row_0 + row_1 + row_2, abs=1e-5)
    assert loss.meter.take() == (0.0, 0.0, 0)


def test_a_hard_negative_that_is_another_rows_truth_changes_the_loss(tiny: Tiny) -> None:
    model = tiny().eval()
    loss = LabelAwareMultipleNegativesRankingLoss(model)
    clash = distinct_ids()
    clash[0, 2] = clash[1, 0]  # row 0's second hard negative is row 1's positive
    assert loss(features(model), clash).item() < loss(features(model), distinct_ids()).item() - 1e-4


@pytest.mark.parametrize("columns", [COLUMNS[:1], COLUMNS])
@pytest.mark.parametrize("chunk_rows", [None, 3])
def test_equal_to_the_library_when_no_id_repeats(tiny: Tiny, columns: list[list[str]], chunk_rows: int | None) -> None:
    model = tiny().eval()
    batch = features(model, columns=columns)
    labels = distinct_ids(documents=len(columns))
    ours = LabelAwareMultipleNegativesRankingLoss(model, scale=20.0, chunk_rows=chunk_rows)
    theirs = MultipleNegativesRankingLoss(model, scale=20.0)
    assert ours(batch, labels).item() == pytest.approx(theirs(batch, labels).item(), abs=1e-6)
    assert torch.allclose(gradients(ours, model, labels, batch), gradients(theirs, model, labels, batch), atol=1e-5)


def test_the_cached_form_is_equal_to_the_library_too(tiny: Tiny) -> None:
    model = tiny().eval()
    batch = features(model)
    ours = LabelAwareCachedMultipleNegativesRankingLoss(model, mini_batch_size=3)
    theirs = CachedMultipleNegativesRankingLoss(model, mini_batch_size=3)
    assert ours(batch, distinct_ids()).item() == pytest.approx(theirs(batch, distinct_ids()).item(), abs=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_cached_gradient_equals_the_plain_one(tiny: Tiny, weighted: bool) -> None:
    model = tiny().eval()  # no dropout
    labels = torch.tensor([[1, 2, 3, -1], [2, 3, 4, -1], [1, 5, 2, 4], [6, 1, 7, -1]])
    batch = features(model)
    if weighted:
        batch[0]["weight"] = torch.tensor([1.0, 0.2, 3.0, 0.5])
    plain = LabelAwareMultipleNegativesRankingLoss(model)
    cached = LabelAwareCachedMultipleNegativesRankingLoss(model, mini_batch_size=2)
    assert cached(batch, labels).item() == pytest.approx(plain(batch, labels).item(), abs=1e-6)
    expected = gradients(plain, model, labels, batch)
    assert expected.abs().max() > 1e-3
    assert torch.allclose(gradients(cached, model, labels, batch), expected, atol=1e-5, rtol=1e-4)


TEXTS = [text for column in COLUMNS for text in column]
REPEATED = torch.tensor([[1, 2, 3, -1], [2, 3, 4, -1], [1, 5, 2, 4], [6, 1, 7, -1]])


@pytest.mark.parametrize("labels", [distinct_ids(), REPEATED], ids=["no id repeats", "ids repeat"])
@pytest.mark.parametrize("kind", [{}, {"chunk_rows": 3}, {"mini_batch_size": 2}, {"unique_columns": True}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_distinct_documents_change_neither_loss_nor_gradient(
    tiny: Tiny, labels: torch.Tensor, kind: dict[str, Any], weighted: bool
) -> None:
    """Without dropout: a document encoded once and put in all its places, against one column for each place."""
    model = tiny().eval()
    ids = labels[:, :3]
    columns = features(model, columns=[[TEXTS[id] for id in column] for column in ids.T.tolist()])
    distinct, places = ids.unique(return_inverse=True)
    two = [columns[0], {**model.preprocess([TEXTS[id] for id in distinct.tolist()]), "place": places}]
    if weighted:
        columns[0]["weight"] = torch.tensor([1.0, 0.2, 3.0, 0.5])
    encoded: list[int] = []
    model[0].register_forward_hook(lambda module, given, made: encoded.append(len(given[0]["input_ids"])))
    cls = (
        LabelAwareCachedMultipleNegativesRankingLoss
        if "mini_batch_size" in kind
        else (LabelAwareMultipleNegativesRankingLoss)
    )
    loss = cls(model, **kind)
    expected = loss(columns, labels)
    kept = loss.meter.take()[1]
    wanted = gradients(loss, model, labels, columns)
    encoded.clear()
    loss.meter.take()
    assert loss(two, labels).item() == pytest.approx(expected.item(), abs=1e-6)
    assert loss.meter.take()[1] == kept
    assert sum(encoded) == 4 + len(distinct)
    assert wanted.abs().max() > 1e-3
    assert torch.allclose(gradients(loss, model, labels, two), wanted, atol=1e-5, rtol=1e-4)


def test_with_dropout_the_places_of_a_document_share_its_mask(tiny: Tiny) -> None:
    model = tiny().train()
    documents = {**model.preprocess(["adds", "halves"]), "place": torch.tensor([[0, 1], [0, 1]])}
    seen: list[torch.Tensor] = []
    loss = LabelAwareMultipleNegativesRankingLoss(model)
    loss.similarity_fct = lambda a, b: (seen.append(b), a @ b.T)[1]
    loss([model.preprocess(QUERIES[:2]), documents], torch.tensor([[0, 1], [0, 1]]))
    positives, negatives = seen[0][:2], seen[0][2:]
    assert torch.equal(positives[0], positives[1])
    assert torch.equal(negatives[0], negatives[1])
    assert not torch.equal(positives[0], negatives[0])


def test_weights_are_a_weighted_mean(tiny: Tiny) -> None:
    model = tiny().eval()
    loss = LabelAwareMultipleNegativesRankingLoss(model)
    labels = distinct_ids()
    plain = loss(features(model), labels).item()
    equal, one = features(model), features(model)
    equal[0]["weight"] = torch.full((4,), 0.25)
    one[0]["weight"] = torch.tensor([1.0, 1e-9, 1e-9, 1e-9])
    assert loss(equal, labels).item() == pytest.approx(plain, abs=1e-6)
    scores = 20 * torch.nn.functional.cosine_similarity(
        model(features(model)[0])["sentence_embedding"][:1],
        torch.cat([model(column)["sentence_embedding"] for column in features(model)[1:]]),
    )
    assert loss(one, labels).item() == pytest.approx((scores.logsumexp(0) - scores[0]).item(), abs=1e-4)


def test_the_wrong_shape_of_labels_is_refused(tiny: Tiny) -> None:
    model = tiny()
    with pytest.raises(ValueError, match=r"expected \(4, 3 or more\)"):
        LabelAwareMultipleNegativesRankingLoss(model)(features(model), distinct_ids(documents=2))


def _gathered(rank: int, folder: str, reference: float, expected: torch.Tensor) -> None:
    """Half of the batch on each of two processes must be the whole batch on one: same loss, same gradient."""
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"})
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    generator = torch.Generator().manual_seed(0)
    everything = torch.randn(4, 4, 8, generator=generator)
    half = slice(2 * rank, 2 * rank + 2)
    parts = [column[half].clone().requires_grad_() for column in everything]
    loss = LabelAwareMultipleNegativesRankingLoss(torch.nn.Identity(), gather_across_devices=True)
    value = loss.compute_loss_from_embeddings(parts, _CLASHING[half])
    value.backward()
    mean = value.detach().clone()
    torch.distributed.all_reduce(mean)
    assert abs(mean.item() / 2 - reference) < 1e-5, (mean.item() / 2, reference)
    gradient = torch.stack([part.grad for part in parts if part.grad is not None]) / 2
    assert torch.allclose(gradient, expected[:, half], atol=1e-5)
    torch.distributed.destroy_process_group()


# Row 0 and row 3 share label 1; row 1's hard negative is row 2's positive; row 2 has another label, 4.
_CLASHING = torch.tensor([[1, 11, 12, -1], [2, 3, 13, -1], [3, 14, 15, 4], [1, 4, 16, -1]])


def test_columns_of_other_processes_are_masked_too(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    everything = torch.randn(4, 4, 8, generator=generator).requires_grad_()
    loss = LabelAwareMultipleNegativesRankingLoss(torch.nn.Identity())
    value = loss.compute_loss_from_embeddings(list(everything), _CLASHING)
    value.backward()
    assert everything.grad is not None
    job = (str(tmp_path), value.item(), everything.grad)
    other = torch.multiprocessing.get_context("spawn").Process(target=_gathered, args=(1, *job))
    other.start()  # this process is the other one: half the imports
    _gathered(0, *job)
    other.join(timeout=60)
    assert other.exitcode == 0


def test_the_classes_are_found_by_name_alone() -> None:
    import pickle

    assert pickle.loads(pickle.dumps(LabelAwareMultipleNegativesRankingLoss)) is LabelAwareMultipleNegativesRankingLoss
    import retrieval.loss

    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        _ = retrieval.loss.Other
