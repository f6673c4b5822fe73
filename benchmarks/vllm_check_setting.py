"""What all checks of `vllm_checks.py` read: the model, real prompts, vLLM's options, a transformers reference."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantised_vllm import real_prompts

from core.device import Dtype
from core.language_model import LabelScores, TokenIds
from core.models import LocalModel
from core.records import Query, queries_of
from core.tables import read_questions
from core.transformers_engine import TransformersEngine
from core.vllm_options import VllmOptions

LONGEST = 2048
"""Tokens that vLLM reads at most."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all checks read.

    Attributes:
        data: Folder of the real CSVs.
        model: The language model.
        prompts: How many real prompts are scored, both orders of a query each.
        candidates: In each prompt.
        timed: Prompts that the speed of workers is taken from; 0: the scored ones.
        repeats: How often they are timed.
        workers: Processes.
        dtype: vLLM's, but for adapters.
        adapter_dtype: vLLM's under an adapter: its GPU kernels for LoRA take 16 bits only.
        most: Largest difference of a label's log-probability, nat, in `dtype`.
        most_16bit: The same where vLLM computes in 16 bits; twice what that type alone moves is allowed too.
        memory: The share of a GPU that an engine must find free.
        cache_bytes: What an engine takes for keys and values: other processes may use the GPU, so nothing is measured.
        answers: Texts that are asked for under a schema.
        seconds: How long a server or a worker may take to start.
    """

    data: Path
    model: LocalModel
    prompts: int
    candidates: int
    timed: int
    repeats: int
    workers: int
    dtype: Dtype
    adapter_dtype: Dtype
    most: float
    most_16bit: float
    memory: float
    cache_bytes: int
    answers: int
    seconds: float

    def prompts_and_labels(self, count: int) -> tuple[list[TokenIds], list[TokenIds]]:
        """Return real listwise prompts and their labels, as token ids."""
        built = real_prompts(self.data, self.model.folder, queries=max(1, count // 2), candidates=self.candidates)
        return [made.token_ids for made in built], [made.label_ids for made in built]

    def options(self, **changes: Any) -> VllmOptions:  # noqa: ANN401 - the fields of VllmOptions
        """Return vLLM's options."""
        made: dict[str, Any] = {"dtype": self.dtype, "enforce_eager": True, "max_model_len": LONGEST}
        made |= {"gpu_memory_utilization": self.memory, "kv_cache_memory_bytes": self.cache_bytes}
        return VllmOptions(**{**made, **changes})

    def queries(self, count: int) -> list[Query]:
        """Return real queries, evenly spread."""
        found = queries_of(read_questions(self.data / "train.csv").questions, labelled_only=True)
        return found[:: max(1, len(found) // count)][:count]


def by_transformers(
    folder: Path,
    prompts: Sequence[TokenIds],
    labels: Sequence[TokenIds],
    *,
    adapter: Path | None = None,
    dtype: Dtype = "float32",
) -> list[LabelScores]:
    """Return the scores of a transformers forward pass, and free the GPU."""
    return scored(TransformersEngine.load(folder, adapter=adapter, dtype=dtype), prompts, labels)


def scored(engine: TransformersEngine, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
    """Score, let the model go and free the GPU for vLLM."""
    import torch

    found = engine.score(prompts, labels)
    engine.close()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return found
