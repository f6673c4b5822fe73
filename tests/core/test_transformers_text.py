import pytest

from core.errors import ModelError
from core.transformers_text import continue_prompts


def opened(folder):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def test_the_random_state_of_the_caller_stays(tiny_lm):
    import torch

    model, tokenizer = opened(tiny_lm)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    continue_prompts(model, tokenizer, [[5, 6]], max_tokens=4, temperature=1.0, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_a_penalty_in_the_models_own_settings_is_not_used(tiny_lm):
    model, tokenizer = opened(tiny_lm)
    options = {"max_tokens": 8, "temperature": 0.0, "seed": 0}
    plain = continue_prompts(model, tokenizer, [[5, 6, 7]], **options)
    model.generation_config.repetition_penalty = 50.0
    assert continue_prompts(model, tokenizer, [[5, 6, 7]], **options) == plain


def test_a_model_without_an_end_is_refused(tiny_lm):
    model, tokenizer = opened(tiny_lm)
    model.generation_config.eos_token_id = None
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="eos_token_id"):
        continue_prompts(model, tokenizer, [[5]], max_tokens=2, temperature=0.0, seed=0)
