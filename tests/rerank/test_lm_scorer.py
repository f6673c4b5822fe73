from pathlib import Path

import numpy as np
import pytest
import torch

from core.lora import PRESETS, open_trainable
from core.next_token import next_token_logits
from rerank.lm_scorer import TrainingScorer


def test_scores_are_those_of_the_weights_as_they_are_now(word_lm: Path) -> None:
    model = open_trainable(word_lm, method="full", lora=PRESETS["r16"], device="cpu", dtype=torch.float32)
    scorer = TrainingScorer(model, device="cpu", dtype=torch.float32)
    prompts, labels = [(1, 30, 31, 2), (1, 33, 2)], [(4, 5, 6), (4, 5)]
    for _ in range(2):
        found = scorer.score(prompts, labels)
        with torch.no_grad():
            whole = next_token_logits(model, prompts)
        for scores, wanted, logits in zip(found, labels, whole, strict=True):
            row = logits[list(wanted)]
            np.testing.assert_allclose(scores.logprobs, torch.log_softmax(row, dim=0).numpy(), atol=1e-5)
        with torch.no_grad():
            model.model.embed_tokens.weight[4] += 0.5  # a step of training
    assert not model.training
    assert scorer.stats.prompts == 4


def test_it_computes_in_the_type_of_training(word_lm: Path) -> None:
    model = open_trainable(word_lm, method="full", lora=PRESETS["r16"], device="cpu", dtype=torch.float32)
    prompts, labels = [(1, 30, 31, 32, 33, 2)], [(4, 5, 6)]
    (exact,) = TrainingScorer(model, device="cpu", dtype=torch.float32).score(prompts, labels)
    (rough,) = TrainingScorer(model, device="cpu", dtype=torch.bfloat16).score(prompts, labels)
    assert rough.logprobs == pytest.approx(exact.logprobs, abs=0.2)
    assert not np.array_equal(rough.logprobs, exact.logprobs)
