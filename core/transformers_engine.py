"""The reference engine: exact label scores and texts from a plain transformers forward pass, on any device."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from core.device import Dtype, resolve_device, resolve_dtype
from core.errors import ModelError
from core.language_model import (
    EngineStats,
    Generation,
    LabelScores,
    ScoringError,
    TokenIds,
    check_prompts,
    label_scores,
)
from core.lora import hold_exactly, nf4_config
from core.next_token import length_batches, next_token_logits
from core.transformers_text import continue_prompts

PATH = "full softmax"
_log = logging.getLogger(__name__)


class TransformersEngine:
    """Implements `TokenScorer` and `TextGenerator`.

    Prompts are sorted by length and put into batches under a token budget. Batches are padded on the RIGHT, the hidden
    state of each prompt's last real token is gathered, and only that goes through the head: one row of logits a prompt.
    (Left padding with fully masked rows is a trap in SDPA; it is used for generation alone, which cannot do without.)

    Args:
        model: A causal language model of transformers, or a peft model around one; on its device, in eval mode.
        folder: Where its tokenizer lies; needed to generate only.
        batch_tokens: Tokens in a forward pass, padding included. A longer prompt gets a pass of its own.
    """

    def __init__(self, model: Any, *, folder: Path | None = None, batch_tokens: int = 8192) -> None:  # noqa: ANN401
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens: expected at least 1, got {batch_tokens}")
        self._model = model.eval()
        self._folder = folder
        self._batch_tokens = batch_tokens
        self._limit: int | None = getattr(model.config, "max_position_embeddings", None)
        self._tokenizer: Any = None
        self._stats = EngineStats()

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        adapter: Path | None = None,
        device: str = "auto",
        dtype: Dtype = "auto",
        quantization: Literal["none", "bitsandbytes"] = "none",
        batch_tokens: int = 8192,
    ) -> "TransformersEngine":
        """Open a model folder.

        Args:
            folder: A model folder with safetensors weights.
            adapter: A peft folder (LoRA) put over it, not merged: merging rounds.
            device: See `core.device.resolve_device`.
            dtype: See `core.device.resolve_dtype`.
            quantization: `bitsandbytes` quantises the linear layers to NF4 while loading, twice for the scales.
            batch_tokens: Tokens in a forward pass, padding included.

        Raises:
            ConfigError: The device or dtype cannot be had.
            ModelError: The folder or the adapter cannot be loaded.
        """
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM

        place = resolve_device(device)
        floats = resolve_dtype(dtype, place)
        options: dict[str, Any] = {}
        if quantization == "bitsandbytes":
            options["quantization_config"] = nf4_config(floats)
        try:
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=floats, device_map={"": place}, local_files_only=True, use_safetensors=True, **options
            )
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise ModelError(f"{folder}: no causal language model that transformers can open ({error})") from error
        hold_exactly(model)
        if adapter is not None:
            model = _with_adapter(model, adapter)
        return cls(model, folder=folder, batch_tokens=batch_tokens)

    @property
    def stats(self) -> EngineStats:
        """Counts since the engine was opened."""
        return self._stats

    def close(self) -> None:
        """Let the model go."""
        self._model = None

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """Return the scores of each prompt's labels as its next token; see `core.language_model.TokenScorer`.

        Raises:
            ScoringError: A prompt is longer than the model reads, or a score is no finite number; names the prompt.
            ValueError: Lengths differ, a prompt or a label list is empty, or a label stands twice.
        """
        check_prompts(prompts, labels)
        vocabulary = int(self._model.get_input_embeddings().weight.shape[0])
        for number, (prompt, wanted) in enumerate(zip(prompts, labels, strict=True)):
            if self._limit is not None and len(prompt) > self._limit:
                raise ScoringError(
                    f"prompt {number} has {len(prompt)} tokens; the model reads at most {self._limit}", prompt=number
                )
            if not 0 <= min(*prompt, *wanted) <= max(*prompt, *wanted) < vocabulary:
                raise ScoringError(f"prompt {number}: a token is not in the vocabulary of {vocabulary}", prompt=number)
        found: list[LabelScores | None] = [None] * len(prompts)
        with self._counted(prompts):
            for batch in length_batches([len(prompt) for prompt in prompts], self._batch_tokens):
                for number, values in zip(batch, self._batch_logprobs(batch, prompts, labels), strict=True):
                    found[number] = label_scores(values, labels[number], prompt=number)
        return [scores for scores in found if scores is not None]

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Generation]:
        """Return one continuation of each prompt; see `core.language_model.TextGenerator`.

        This engine cannot constrain decoding: the schema is left to the caller's parsing. Sampled texts depend on which
        prompts share a batch.
        """
        done: dict[int, Generation] = {}
        for number, prompt in enumerate(prompts):
            if not prompt or (self._limit is not None and len(prompt) + max_tokens > self._limit):
                fault = f"{len(prompt)} tokens and {max_tokens} new ones; the model reads 1 to {self._limit}"
                done[number] = Generation(
                    text="", finish_reason="error", prompt_tokens=len(prompt), output_tokens=0, error=fault
                )
        rest = [number for number in range(len(prompts)) if number not in done]
        with self._counted([prompts[number] for number in rest]):
            for batch in length_batches([len(prompts[number]) + max_tokens for number in rest], self._batch_tokens):
                numbers = [rest[place] for place in batch]
                texts = continue_prompts(
                    self._model,
                    self._open_tokenizer(),
                    [prompts[number] for number in numbers],
                    max_tokens=max_tokens,
                    temperature=temperature,
                    seed=seed,
                )
                done.update(zip(numbers, texts, strict=True))
        return [done[number] for number in range(len(prompts))]

    def _batch_logprobs(
        self, batch: list[int], prompts: Sequence[TokenIds], labels: Sequence[TokenIds]
    ) -> list[list[float]]:
        """Return each prompt's label log-probabilities; a batch that does not fit into memory is halved."""
        import torch

        try:
            return self._label_logprobs([prompts[number] for number in batch], [labels[number] for number in batch])
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise ScoringError(
                    f"prompt {batch[0]}: its {len(prompts[batch[0]])} tokens alone do not fit into memory; "
                    "shorten prompts (max_tokens, fewer candidates) or quantise the model"
                ) from error
        half = len(batch) // 2
        _log.warning("out of memory with %d prompts a batch; halved. Lower batch_tokens to avoid this", len(batch))
        return [
            *self._batch_logprobs(batch[:half], prompts, labels),
            *self._batch_logprobs(batch[half:], prompts, labels),
        ]

    def _label_logprobs(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[list[float]]:
        import torch

        with torch.inference_mode():
            logprobs = torch.log_softmax(next_token_logits(self._model, prompts), dim=-1)  # (batch, vocabulary)
        device = logprobs.device
        return [logprobs[row, torch.tensor(list(wanted), device=device)].tolist() for row, wanted in enumerate(labels)]

    def _open_tokenizer(self) -> Any:  # noqa: ANN401 - transformers has no types
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            if self._folder is None:
                raise ValueError("a tokenizer is needed to generate; open the engine with its folder")
            self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        return self._tokenizer

    @contextmanager
    def _counted(self, prompts: Sequence[TokenIds]) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._stats.path = PATH
        self._stats.seconds += time.perf_counter() - started
        self._stats.prompts += len(prompts)
        self._stats.prompt_tokens += sum(map(len, prompts))


def _with_adapter(model: Any, adapter: Path) -> Any:  # noqa: ANN401 - transformers has no types
    if not (adapter / "adapter_config.json").is_file():
        raise ModelError(f"adapter {adapter}: holds no adapter_config.json; expected a folder that peft saved")
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, adapter)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"adapter {adapter}: does not fit the model ({error})") from error
