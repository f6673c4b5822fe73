"""Label scores by hand, and what no engine may take or give."""

import pickle

import numpy as np
import pytest

from core.language_model import ScoringError, check_prompts, label_scores, seed_at


def test_scores_are_renormalised_over_the_labels() -> None:
    found = label_scores(np.log([0.1, 0.3]).tolist(), [5, 9], prompt=0)
    assert found.logprobs.dtype == np.float32
    assert np.exp(found.logprobs) == pytest.approx([0.25, 0.75])
    assert found.mass == pytest.approx(0.4)


def test_improbable_labels_keep_their_differences() -> None:
    found = label_scores([-2000.0, -2001.0], [5, 9], prompt=0)
    assert found.logprobs == pytest.approx(np.log([1 / (1 + np.exp(-1)), 1 / (1 + np.e)]), abs=1e-6)
    assert found.mass == 0.0


def test_the_mass_is_not_known_of_renormalised_scores() -> None:
    assert label_scores(np.log([0.25, 0.75]).tolist(), [5, 9], prompt=0, mass_known=False).mass is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([-1.0], "prompt 7: expected scores of 2 labels, 1 came back"),
        ([-1.0, np.nan], "token 9"),
        ([-np.inf, -1.0], "token 5"),
    ],
)
def test_a_score_is_never_made_up(values: list[float], message: str) -> None:
    with pytest.raises(ScoringError, match=message) as caught:
        label_scores(values, [5, 9], prompt=7)
    assert caught.value.prompt == 7


def test_an_error_goes_from_process_to_process() -> None:
    error = pickle.loads(pickle.dumps(ScoringError(["one", "two"], prompt=3)))
    assert (str(error), error.prompt) == ("one\ntwo", 3)
    assert ScoringError("one").prompt is None


@pytest.mark.parametrize(
    ("prompts", "labels", "message"),
    [
        ([[1]], [], "labels for each of 1 prompts"),
        ([[1], []], [[1], [1]], "prompt 1 has no tokens"),
        ([[1]], [[]], "prompt 0: expected distinct labels"),
        ([[1]], [[4, 4]], "prompt 0: expected distinct labels"),
    ],
)
def test_what_cannot_be_scored(prompts: list[list[int]], labels: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_prompts(prompts, labels)


def test_what_can_be_scored() -> None:
    check_prompts([[1], (2, 3)], [[4], (4, 5)])
    check_prompts([], [])


def test_a_seed_is_for_all_or_one_for_each() -> None:
    assert [seed_at(7, place) for place in range(3)] == [7, 7, 7]
    assert [seed_at([3, 1], place) for place in range(2)] == [3, 1]
    with pytest.raises(ValueError, match=r"one for all; got 2, and a prompt 2"):
        seed_at([3, 1], 2)
