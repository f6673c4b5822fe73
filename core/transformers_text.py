"""Texts from a transformers model: one padded batch of prompts continued."""

from collections.abc import Sequence
from typing import Any

from core.errors import ModelError
from core.language_model import Generation, TokenIds


def continue_prompts(
    model: Any,  # noqa: ANN401 - transformers has no types
    tokenizer: Any,  # noqa: ANN401
    prompts: Sequence[TokenIds],
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
) -> list[Generation]:
    """Return one continuation of each prompt.

    Args:
        model: A causal language model, in eval mode; padded on the left, as its `generate` wants it.
        tokenizer: Turns tokens into text; special tokens are left out.
        prompts: Token ids, at least one prompt, none empty.
        max_tokens: Longest continuation, in tokens.
        temperature: 0 is greedy.
        seed: Of the sampling; torch's own state is left as it was.

    Raises:
        ModelError: Neither model nor tokenizer names a token that ends a text.
    """
    import torch
    from transformers import GenerationConfig

    ends = _end_tokens(model, tokenizer)
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[ends[0]] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature > 0 else {}
    # Said in full: a model's own generation_config may hold penalties (Qwen2.5's does).
    config = GenerationConfig(
        max_new_tokens=max_tokens, eos_token_id=ends, pad_token_id=ends[0], repetition_penalty=1.0, **sampling
    )
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.inference_mode(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        made = model.generate(
            input_ids=ids.to(model.device), attention_mask=mask.to(model.device), generation_config=config
        )
    rows = made[:, longest:].tolist()
    return [_generation(tokenizer, prompt, row, ends) for prompt, row in zip(prompts, rows, strict=True)]


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:  # noqa: ANN401
    """Return the ids that end a text: the model's own and the tokenizer's."""
    own = model.generation_config.eos_token_id
    listed = own if isinstance(own, list) else [own]
    found = dict.fromkeys(number for number in (*listed, tokenizer.eos_token_id) if number is not None)
    if not found:
        raise ModelError("neither the model nor its tokenizer names a token that ends a text (eos_token_id)")
    return list(found)


def _generation(tokenizer: Any, prompt: TokenIds, row: list[int], ends: list[int]) -> Generation:  # noqa: ANN401
    stop = next((place for place, token in enumerate(row) if token in ends), None)
    return Generation(
        text=tokenizer.decode(row[:stop], skip_special_tokens=True),
        finish_reason="length" if stop is None else "stop",
        prompt_tokens=len(prompt),
        output_tokens=len(row) if stop is None else stop + 1,
    )
