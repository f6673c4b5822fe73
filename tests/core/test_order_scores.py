"""One order's scores are one number a slot."""

import numpy as np
import pytest

from core.order_scores import OrderScores


def test_a_score_a_slot() -> None:
    scores = OrderScores(
        key="1_A", order=1, ids=np.array([4, 9]), logprobs=np.log([0.5, 0.25]), none_logprob=np.log(0.25), mass=None
    )
    assert (scores.window, scores.ids.tolist()) == (0, [4, 9])


@pytest.mark.parametrize("logprobs", [np.zeros(3), np.zeros((2, 1))])
def test_other_shapes_are_refused(logprobs: np.ndarray) -> None:
    with pytest.raises(ValueError, match="1_A"):
        OrderScores(key="1_A", order=0, ids=np.array([4, 9]), logprobs=logprobs, none_logprob=None, mass=None)
