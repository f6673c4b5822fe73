import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.next_token import length_batches, next_token_logits, padded_prompts

PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13, 14, 15], [16, 17]]


@pytest.fixture
def model(tiny_lm):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_lm, dtype=torch.float32).eval()


def test_logits_are_those_of_each_prompt_alone_and_the_hook_is_gone(model):
    with torch.no_grad():
        found = next_token_logits(model, PROMPTS)
        assert found.dtype == torch.float32 and found.shape == (4, model.config.vocab_size)
        for prompt, row in zip(PROMPTS, found, strict=True):
            whole = model(torch.tensor([prompt])).logits
            assert whole.shape[1] == len(prompt)
            torch.testing.assert_close(row, whole[0, -1], rtol=0, atol=1e-5)


def test_padding_by_hand_and_prompts_padded_before(model):
    padded = padded_prompts(PROMPTS[:2])
    assert padded.ids.tolist() == [[5, 6, 7], [8, 0, 0]] and padded.last.tolist() == [2, 0]
    assert padded.mask.tolist() == [[1, 1, 1], [1, 0, 0]] and padded.on("meta").mask.is_meta
    with torch.no_grad():
        assert torch.equal(next_token_logits(model, padded), next_token_logits(model, PROMPTS[:2]))


def test_the_hook_goes_after_a_fault_too(model):
    with pytest.raises(IndexError):
        next_token_logits(model, [[10**6]])
    assert model(torch.tensor([[5, 6]])).logits.shape[1] == 2


def test_gradients_flow_where_they_are_let(model):
    next_token_logits(model, PROMPTS).sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)
    with torch.inference_mode():
        assert not next_token_logits(model, PROMPTS).requires_grad


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 4)), max_size=40), st.integers(1, 120))
def test_batches_hold_every_place_once_within_the_budget(places, budget):
    lengths, counts = [length for length, _ in places], [count for _, count in places]
    batches = length_batches(lengths, budget, counts=counts)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = sum(counts[place] for place in batch) * max(lengths[place] for place in batch)
        assert len(batch) == 1 or padded <= budget


def test_batches_by_hand():
    assert length_batches([3, 9, 3, 5], 9) == [[1], [3], [0, 2]]
    assert length_batches([3, 9, 3, 5], 10) == [[1], [3, 0], [2]]
    assert length_batches([3, 9, 3, 5], 20, counts=[2, 1, 1, 2]) == [[1], [3, 0], [2]]
    assert length_batches([], 10) == []
