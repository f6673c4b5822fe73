"""The loss on completions against a plain forward pass."""

from typing import Any

import pytest
import torch
from hint_toys import write_toy_lm

from synth.completion_loss import completion_loss, mean_loss, micro_batches
from synth.lessons import TokenLesson

LESSONS = [
    TokenLesson(prompt=(5, 6, 7), completion=(8, 9, 2)),
    TokenLesson(prompt=(11,), completion=(12, 2)),
    TokenLesson(prompt=tuple(range(20, 40)), completion=(41, 42, 43, 44, 2)),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoModelForCausalLM

    folder = write_toy_lm(tmp_path_factory.mktemp("toy") / "lm", ["one two three"], width=32)
    return AutoModelForCausalLM.from_pretrained(folder)


def loss_of(model: Any, lessons: list[TokenLesson]) -> float:
    with torch.no_grad():
        return float(completion_loss(model, lessons))


def by_hand(model: Any, lesson: TokenLesson) -> float:
    """Ask for each completion token by itself, after all that stands before it."""
    whole, total = [*lesson.prompt, *lesson.completion], 0.0
    for place in range(len(lesson.prompt), len(whole)):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([whole[:place]])).logits[0, -1]
        total -= float(torch.log_softmax(logits, dim=-1)[whole[place]])
    return total


def test_the_loss_is_that_of_the_completion_tokens_alone(model: Any) -> None:
    for lesson in LESSONS:
        assert loss_of(model, [lesson]) == pytest.approx(by_hand(model, lesson), abs=1e-4)


def test_padding_changes_nothing(model: Any) -> None:
    apart = sum(loss_of(model, [lesson]) for lesson in LESSONS)
    assert loss_of(model, LESSONS) == pytest.approx(apart, abs=1e-4)


def test_the_head_is_as_it_was_afterwards(model: Any) -> None:
    loss_of(model, LESSONS)
    assert model(input_ids=torch.tensor([[5, 6, 7]])).logits.shape == (1, 3, model.config.vocab_size)


def test_the_mean_is_over_tokens_and_keeps_the_mode(model: Any) -> None:
    model.train()
    wanted = sum(by_hand(model, lesson) for lesson in LESSONS) / 10  # 3 + 2 + 5 completion tokens
    assert mean_loss(model, LESSONS, micro_tokens=12) == pytest.approx(wanted, abs=1e-4)
    assert model.training


def test_micro_batches_keep_the_budget() -> None:
    batches = micro_batches(LESSONS, 12)  # lengths 6, 3 and 25
    assert [[len(lesson) for lesson in batch] for batch in batches] == [[25], [6, 3]]
