"""What `listwise_speed.py` measures with: a model folder without weights, real queries, the cost model."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.records import Misconception, Query, Ranking, queries_of
from core.tables import read_misconceptions, read_questions
from retrieval.lexical import Bm25Retriever
from retrieval.text import MisconceptionTemplate, QueryTemplate

QWEN = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_act": "silu",
    "initializer_range": 0.02,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "transformers_version": "4.43.1",
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
}


def _widths(hidden: int, layers: int, heads: int, kv_heads: int, inner: int, vocabulary: int) -> dict[str, int]:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
    }


SHAPES = {
    "tiny": _widths(128, 2, 2, 1, 256, 152064),
    "0.5b": _widths(896, 24, 14, 2, 4864, 151936),
    "7b": _widths(3584, 28, 28, 4, 18944, 152064),
    "14b": _widths(5120, 48, 40, 8, 13824, 152064),
    "32b": _widths(5120, 64, 40, 8, 27648, 152064),
    "72b": _widths(8192, 80, 64, 8, 29568, 152064),
}
"""Qwen2.5's published shapes, and a tiny one that a CPU runs at once."""
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True}
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def write_model(folder: Path, tokenizer: Path, shape: str, *, awq: bool = False, weights: bool = False) -> Path:
    """Write a model folder with a config and a tokenizer.

    Its weights file holds nothing (made for `load_format=dummy`), or seeded random weights.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {**QWEN, **SHAPES[shape]}
    if awq:
        config |= {"quantization_config": AWQ, "torch_dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    for name in _TOKENIZER:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)
    if weights:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
        return folder
    save_file({"unused": np.zeros(1, dtype=np.float32)}, folder / "model.safetensors")
    return folder


@dataclass(frozen=True, kw_only=True)
class Work:
    """Queries with candidates: some to warm up with, others to time."""

    bank: tuple[Misconception, ...]
    warm_up: list[Query]
    queries: list[Query]
    candidates: dict[str, Ranking]

    def rankings(self, queries: Sequence[Query]) -> list[Ranking]:
        return [self.candidates[query.key] for query in queries]


def read_work(data: Path, *, queries: int, candidates: int, warm_up: int = 32, seed: int = 0) -> Work:
    """Take labelled queries of whole questions in seeded order, with BM25's candidates: real lengths, no model."""
    bank_file = next(
        data / name for name in ("misconception_mapping.csv", "misconceptions.csv") if (data / name).is_file()
    )
    bank = tuple(read_misconceptions(bank_file))
    questions = list(read_questions(data / "train.csv").questions)
    order = np.random.default_rng(seed).permutation(len(questions))
    found = queries_of([questions[place] for place in order], labelled_only=True)
    if len(found) < queries + warm_up:
        raise SystemExit(f"{data}: {len(found)} labelled queries; --queries may be at most {len(found) - warm_up}")
    used = found[: queries + warm_up]
    retriever = Bm25Retriever(bank, QueryTemplate(), MisconceptionTemplate())
    rankings = {ranking.key: ranking for ranking in retriever.retrieve(used, top_n=candidates)}
    return Work(bank=bank, warm_up=used[queries:], queries=used[:queries], candidates=rankings)


def read_tokens(prompts: Sequence[Sequence[int]], *, block: int = 16) -> int:
    """Return how many tokens an engine with an endless prefix cache reads: the cost model.

    A block is found again when it and all before it have been read; at least one token of a prompt is read.
    """
    known: set[int] = set()
    total = 0
    for prompt in prompts:
        chain, found, hits = 0, True, 0
        for start in range(0, len(prompt) - len(prompt) % block, block):
            chain = hash((chain, tuple(prompt[start : start + block])))
            found = found and chain in known
            hits += found
            known.add(chain)
        hits = min(hits, (len(prompt) - 1) // block)
        total += len(prompt) - hits * block
    return total
