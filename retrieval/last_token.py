"""The end-of-text token after every text: the place where a decoder, pooled at its last token, has read all of it."""

from typing import Any

from core.errors import ModelError

_PROBES = ("a", "one two three four " * 16)
_PROBE_LENGTH = 8


def append_end_token(tokenizer: Any, name: str) -> None:  # noqa: ANN401 - transformers has no types
    """Make a tokenizer end every text with its end-of-text token, texts that are cut too, and pad on the right.

    Without it a decoder's last token is whatever the text, or the cut, happens to end with. It is done in the
    tokenizer's own post-processor, so that it is saved with it and counts when a text is cut. Embedding models that
    end their texts already (also BERT and its `[SEP]`) are left as they are; doing it twice does nothing.

    Padding stands on the right: rows of a left-padded batch that see padding alone give NaN gradients in SDPA.

    Args:
        tokenizer: A fast tokenizer of transformers; changed.
        name: The model, for messages.

    Raises:
        ModelError: It has no end-of-text token, or cannot be taught to append it.
    """
    tokenizer.padding_side = "right"
    end, id = (
        (tokenizer.eos_token, tokenizer.eos_token_id)
        if tokenizer.eos_token is not None
        else (tokenizer.sep_token, tokenizer.sep_token_id)
    )
    if end is None:
        raise ModelError(f"model '{name}': its tokenizer has no end-of-text token, so its last token cannot be pooled")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = end  # masked everywhere; any token would do
    if ends_texts(tokenizer, id):
        return
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        from tokenizers.processors import Sequence, TemplateProcessing

        ending = TemplateProcessing(
            single=["$A:0", f"{end}:0"], pair=["$A:0", "$B:1", f"{end}:1"], special_tokens=[(end, id)]
        )
        before = backend.post_processor
        backend.post_processor = ending if before is None else Sequence([before, ending])
    if not ends_texts(tokenizer, id):
        raise ModelError(
            f"model '{name}': its tokenizer ({type(tokenizer).__name__}) cannot be made to end texts with {end!r}, "
            "which last-token pooling needs; use another pooling, or a model with a tokenizer.json"
        )


def ends_texts(tokenizer: Any, id: int) -> bool:  # noqa: ANN401
    """Say whether a tokenizer ends its texts with token `id`, exactly once, also those that it cuts."""
    for probe in _PROBES:
        found = tokenizer(probe, truncation=True, max_length=_PROBE_LENGTH)["input_ids"]
        if len(found) > _PROBE_LENGTH or found[-1] != id or found[-2:].count(id) != 1:
            return False
    return True
