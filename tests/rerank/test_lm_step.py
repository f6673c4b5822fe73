"""The loss by hand, the gradient against plain transformers, and what padding and cutting must not change."""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rerank.lm_passes import ForwardPass, forward_passes
from rerank.lm_step import LanguageModelStepper, candidate_logits, label_logits, soft_label_loss
from rerank.lm_tasks import Task
from rerank.processes import Processes


@pytest.fixture
def model(word_lm: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(word_lm, dtype=torch.float32).train()


def listwise(tokens: tuple[int, ...], labels: tuple[int, ...], truth: int) -> Task:
    return Task(kind="listwise", prompts=(tokens,), labels=(labels,), targets=np.eye(len(labels))[truth])


def pointwise(prompts: tuple[tuple[int, ...], ...], truth: int) -> Task:
    return Task(kind="pointwise", prompts=prompts, labels=((4, 5),) * len(prompts), targets=np.eye(len(prompts))[truth])


TASKS = [
    listwise((1, 30, 4, 31, 5, 30, 2), (4, 5), 1),
    listwise((1, 33, 34, 35, 4, 31, 5, 33, 6, 36, 2), (4, 5, 6), 0),
    listwise((1, 32, 2), (4, 5, 6, 7), 3),
    pointwise(((1, 30, 31, 2), (1, 30, 30, 33, 34, 2), (1, 2)), 1),
    pointwise(((1, 35, 2), (1, 36, 36, 2)), 0),
]


def stepper(model: Any, **changed: Any) -> LanguageModelStepper:
    settings: dict[str, Any] = {
        "processes": Processes(),
        "device": "cpu",
        "dtype": torch.float32,
        "total_steps": 10,
        "learning_rate": 1e-2,
        "warmup": 0.0,
        "weight_decay": 0.0,
        "max_norm": 1e9,
        "micro_tokens": 10_000,
        "seed": 0,
    }
    return LanguageModelStepper(model, **{**settings, **changed})


def gradients(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def summed_gradient(steps: LanguageModelStepper, tasks: list[Task]) -> float:
    return float(steps.gradient(steps.passes(tasks), 0, batch=len(tasks)))


def test_the_loss_by_hand() -> None:
    """Three candidates with logits log 1, log 2, log 5, truth second: -log(2/8); two at evens, half and half: log 2."""
    logits = [torch.log(torch.tensor([1.0, 2.0, 5.0])), torch.zeros(2)]
    loss = soft_label_loss(logits, torch.tensor([0.0, 1.0, 0.0, 0.5, 0.5]))
    assert float(loss) == pytest.approx(math.log(4.0) + math.log(2.0))
    soft = soft_label_loss([logits[0]], torch.tensor([0.5, 0.25, 0.25]))
    assert float(soft) == pytest.approx(-(0.5 * math.log(1 / 8) + 0.25 * math.log(2 / 8) + 0.25 * math.log(5 / 8)))
    with pytest.raises(ValueError, match="expected 3 targets"):
        soft_label_loss([logits[0]], torch.tensor([0.0, 1.0]))


def test_yes_no_log_odds_become_the_candidates_logits() -> None:
    logits = torch.tensor([3.0, 1.0, 0.5, 1.0, 2.0, 4.0, 8.0])
    pair, whole = candidate_logits([pointwise(((1,), (1,)), 0), listwise((1,), (4, 5, 6), 0)], logits)
    assert pair.tolist() == [2.0, -0.5]
    assert whole.tolist() == [2.0, 4.0, 8.0]


def test_logits_are_those_of_a_plain_forward_pass_whatever_the_padding(model: Any) -> None:
    model.eval()
    with torch.no_grad():
        (one,) = forward_passes(TASKS, 10_000)
        found = label_logits(model, one).tolist()
        expected = []
        for task in one.tasks:
            for prompt, wanted in zip(task.prompts, task.labels, strict=True):
                expected += model(torch.tensor([prompt])).logits[0, -1, list(wanted)].tolist()
    assert len(found) == 3 + 2 + 4 + 2 * (3 + 2)
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_gradient_comes_from_the_label_token_alone(model: Any) -> None:
    """The same as that of the textbook loss on whole logits: nothing flows from other positions or other tokens."""
    steps = stepper(model)
    found = summed_gradient(steps, TASKS[:3])
    own = gradients(model)
    model.zero_grad()
    total = torch.zeros(())
    for task in TASKS[:3]:
        logits = model(torch.tensor([task.prompts[0]])).logits[0, -1]
        row = logits[list(task.labels[0])]
        total = total + torch.nn.functional.cross_entropy(row[None], torch.tensor([int(task.targets.argmax())])) / 3
    total.backward()
    assert found == pytest.approx(total.item(), abs=1e-6)
    plain = gradients(model)
    assert own.keys() == plain.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(own[name], gradient, rtol=1e-4, atol=1e-6)


def test_tokens_that_are_no_label_get_no_gradient_from_the_head(word_lm: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(word_lm, dtype=torch.float32)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())  # untied from the embeddings
    summed_gradient(stepper(model), [TASKS[0]])
    touched = model.lm_head.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist()
    assert touched == [4, 5]


def test_right_padding_gives_no_nan(model: Any) -> None:
    """A prompt of two tokens beside one of sixty: the padded rows are masked, and every gradient is a number."""
    steps = stepper(model)
    loss = summed_gradient(steps, [listwise((1, 2), (4, 5), 0), listwise((1, *[30] * 58, 2), (4, 5), 1)])
    assert math.isfinite(loss)
    found = gradients(model)
    assert found and all(bool(torch.isfinite(gradient).all()) for gradient in found.values())


@pytest.mark.parametrize("budget", [1, 14, 25])
def test_micro_batches_give_the_same_gradient(model: Any, budget: int) -> None:
    whole = summed_gradient(stepper(model), TASKS)
    expected = gradients(model)
    model.zero_grad()
    cut = summed_gradient(stepper(model, micro_tokens=budget), TASKS)
    assert cut == pytest.approx(whole, abs=1e-5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_gradient_checkpointing_gives_the_same_gradient(model: Any) -> None:
    summed_gradient(stepper(model), TASKS)
    expected = gradients(model)
    model.zero_grad()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    summed_gradient(stepper(model), TASKS)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_a_step_follows_warm_up_and_cosine(model: Any) -> None:
    steps = stepper(model, total_steps=10, warmup=0.2, learning_rate=1.0)
    rates = []
    for number in (0, 1, 2, 6, 9):
        steps.step(steps.passes(TASKS[:1]), number, batch=1)
        rates.append(steps.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.5 * (1 - math.cos(math.pi / 8))])


def test_steps_lower_the_loss(model: Any) -> None:
    steps = stepper(model, total_steps=60)
    losses = [float(steps.step(steps.passes(TASKS), number, batch=len(TASKS))) for number in range(60)]
    assert losses[-1] < 0.1 < 0.5 < losses[0]


def test_nothing_in_a_step_waits_for_the_device(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that is asked for a number, or given one that is not on it, between two passes has nothing to do then.

    Transformers' own question whether a mask has padding is left out: models ask it at the head of a pass.
    """
    steps = stepper(model, micro_tokens=25)
    passes = steps.passes(TASKS)
    assert len(passes) > 1
    steps.step(passes, 0, batch=len(TASKS))  # AdamW's first step makes its state
    events: list[str] = []
    plain = torch.Tensor.backward
    monkeypatch.setattr(torch.Tensor, "backward", lambda self: (events.append("backward"), plain(self))[1])
    for name in ("item", "tolist", "__float__", "__bool__"):
        own = getattr(torch.Tensor, name)

        def told(self: torch.Tensor, _own: Any = own, _name: str = name) -> Any:
            caller = sys._getframe(1).f_code.co_filename
            if "transformers" not in caller and "optim" not in caller:
                events.append(_name)
            return _own(self)

        monkeypatch.setattr(torch.Tensor, name, told)
    on = ForwardPass.on
    monkeypatch.setattr(ForwardPass, "on", lambda self, device: (events.append("copied"), on(self, device))[1])
    monkeypatch.setattr(torch, "tensor", lambda *given, **named: pytest.fail("a tensor is made within the step"))
    loss = steps.step(passes, 1, batch=len(TASKS))
    assert events == ["copied"] * len(passes) + ["backward"] * len(passes)
    assert isinstance(loss, torch.Tensor) and math.isfinite(float(loss)) and events[-1] == "__float__"


def test_a_tasks_weight_multiplies_its_gradient(model: Any) -> None:
    from dataclasses import replace

    whole = summed_gradient(stepper(model), TASKS[:1])
    full = gradients(model)
    model.zero_grad(set_to_none=True)
    half = summed_gradient(stepper(model), [replace(TASKS[0], weight=0.5)])
    assert half == pytest.approx(0.5 * whole, rel=1e-5)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, 0.5 * full[name], atol=1e-7)
