"""Products of thin matrices, against the products themselves."""

import pytest
import torch

from core.adapter_factors import Factors
from core.low_rank import distance, mean_factors, norm, padded, refactored, stacked, times


def drawn(seed: int, rank: int, outputs: int = 7, inputs: int = 9) -> Factors:
    torch.manual_seed(seed)
    return Factors(a=torch.randn(rank, inputs), b=torch.randn(outputs, rank), scale=1.5)


def test_stacked_factors_make_the_sum() -> None:
    one, two = drawn(0, 2), drawn(1, 3)
    a, b = stacked([one, two], [0.25, 0.75])
    assert (a.shape, b.shape) == ((5, 9), (7, 5))
    torch.testing.assert_close(b @ a, 0.25 * one.delta() + 0.75 * two.delta())


def test_means_of_factors_by_hand() -> None:
    """mean(B) @ mean(A) is 1 where the mean of the products is 2: (2 * 2 + 0 * 0) / 2 against 1 * 1."""
    one = Factors(a=torch.tensor([[2.0]]), b=torch.tensor([[2.0]]), scale=1.0)
    two = Factors(a=torch.tensor([[0.0]]), b=torch.tensor([[0.0]]), scale=1.0)
    a, b = mean_factors([one, two], [0.5, 0.5])
    assert (b @ a).item() == 1.0
    exact = stacked([one, two], [0.5, 0.5])
    assert (exact[1] @ exact[0]).item() == 2.0
    assert distance((a, b), exact) == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_best_factors_of_a_rank_are_those_of_the_products_svd(rank: int) -> None:
    pair = stacked([drawn(0, 2), drawn(1, 3)], [0.5, 0.5])
    found, lost = refactored(pair, rank)
    whole = torch.linalg.svd((pair[1] @ pair[0]).double(), full_matrices=False)
    best = whole.U[:, :rank] * whole.S[:rank] @ whole.Vh[:rank]
    torch.testing.assert_close(found[1] @ found[0], best.float(), rtol=1e-5, atol=1e-5)
    assert lost == pytest.approx(float(whole.S[rank:].norm()), rel=1e-6)
    assert found[0].norm() == pytest.approx(found[1].norm().item(), rel=1e-5)  # the singular values are shared out


def test_at_the_full_rank_nothing_is_lost_also_where_the_matrix_is_thinner() -> None:
    pair = stacked([drawn(0, 4, outputs=3), drawn(1, 4, outputs=3)], [0.5, 0.5])
    found, lost = refactored(pair, 8)
    torch.testing.assert_close(found[1] @ found[0], pair[1] @ pair[0], rtol=1e-5, atol=1e-5)
    assert lost == 0.0 and found[0].shape == (3, 9)
    wide = padded(found, 8)
    assert (wide[0].shape, wide[1].shape) == ((8, 9), (3, 8))
    torch.testing.assert_close(wide[1] @ wide[0], found[1] @ found[0])


def test_norms_without_the_product() -> None:
    one, two = drawn(0, 2), drawn(1, 3)
    pair, other = (one.a, one.b), (two.a, two.b)
    assert norm(pair) == pytest.approx((one.b @ one.a).norm().item(), rel=1e-6)
    apart, size = distance(pair, other)
    assert apart == pytest.approx((one.b @ one.a - two.b @ two.a).norm().item(), rel=1e-6)
    assert size == pytest.approx((two.b @ two.a).norm().item(), rel=1e-6)
    assert norm(times(pair, 3.0)) == pytest.approx(3 * norm(pair))
