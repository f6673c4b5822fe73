"""Each text's token ids, read once a training run: to make a batch is then to pad it.

Measured on one CPU thread: tokenising the 640 documents of a batch (239 tokens each, with explanations) takes 0.6 s,
longer than a GPU's step; padding them takes milliseconds.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_log = logging.getLogger(__name__)


class TokenCache:
    """Gives what `model.preprocess(texts, prompt="")` gives, but has every distinct text read only once.

    Nothing is taken on trust: whenever new texts were read, what is put together from their tokens is compared with
    what the model itself made of them. Where the two differ, or the model's input module is none whose texts are known
    to be read one by one and padded to the longest, the model is asked every time, and a log line says why.

    Args:
        model: The encoder; its tokenizer and length limit must stay as they are.
    """

    def __init__(self, model: "SentenceTransformer") -> None:
        self._model = model
        self._tokens: dict[str, npt.NDArray[np.int32]] = {}
        self._keys: list[str] = []
        self._constants: dict[str, Any] = {}
        self._asked = self._given_up = False

    def __len__(self) -> int:
        return len(self._tokens)

    def __call__(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return the features of a column of texts, new tensors each time.

        Args:
            texts: n texts, prompts included, at least one.

        Returns:
            The model's own keys in its order: int64 tensors of shape (n, longest), and its constants.
        """
        if not self._asked:
            self._asked = True
            self._give_up_for(_obstacle(self._model))
        if not self._given_up:
            new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
            if new:
                self._give_up_for(self._learn(new))
        return self._read(texts) if self._given_up else self._padded(texts)

    def _read(self, texts: Sequence[str]) -> dict[str, Any]:
        return dict(self._model.preprocess(list(texts), prompt=""))

    def _give_up_for(self, reason: str | None) -> None:
        if reason is not None:
            self._given_up = True
            self._tokens.clear()
            _log.info("token ids are not kept, every batch is tokenised anew: %s", reason)

    def _learn(self, new: list[str]) -> str | None:
        """Keep the tokens of texts; return what speaks against it."""
        import torch

        made = self._read(new)
        tensors = {key: value for key, value in made.items() if isinstance(value, torch.Tensor)}
        if not {"input_ids", "attention_mask"} <= set(tensors) <= {"input_ids", "attention_mask", "token_type_ids"}:
            return f"the model reads {', '.join(sorted(tensors)) or 'no tensors'}"
        ids, mask = tensors["input_ids"], tensors["attention_mask"].bool()
        if ids.ndim != 2 or mask.shape != ids.shape or len(ids) != len(new):
            return f"{len(new)} texts became ids of shape {tuple(ids.shape)}"
        self._keys = list(made)
        self._constants = {key: value for key, value in made.items() if key not in tensors}
        for text, row, used in zip(new, ids, mask, strict=True):
            self._tokens[text] = row[used].numpy().astype(np.int32)
        again = self._padded(new)
        same = self._constants == {key: again[key] for key in self._constants} and all(
            again[key].dtype == value.dtype and torch.equal(again[key], value) for key, value in tensors.items()
        )
        return None if same else "padding kept ids does not give what the model makes of the texts itself"

    def _padded(self, texts: Sequence[str]) -> dict[str, Any]:
        import torch

        tokenizer = self._model.tokenizer
        rows = [self._tokens[text] for text in texts]
        width = max(len(row) for row in rows)
        ids = np.full((len(rows), width), tokenizer.pad_token_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            used = slice(width - len(row), None) if tokenizer.padding_side == "left" else slice(len(row))
            ids[place, used] = row
            mask[place, used] = 1
        arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {
            key: self._constants[key] if key in self._constants else torch.from_numpy(arrays[key]) for key in self._keys
        }


def _obstacle(model: "SentenceTransformer") -> str | None:
    """Say why a model's tokens cannot be kept; None where they can."""
    from sentence_transformers.sentence_transformer.modules import Transformer

    module = model[0]
    if type(module) is not Transformer:
        return f"the input module is a {type(module).__name__}, expected a Transformer"
    if module.processing_kwargs:
        return f"the input module has options of its own ({', '.join(sorted(module.processing_kwargs))})"
    if getattr(model.tokenizer, "pad_token_id", None) is None:
        return "there is no tokenizer with a padding token"
    return None
