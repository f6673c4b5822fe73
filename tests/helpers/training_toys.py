"""Pairs and a bank small enough to train on in a test, and a training of them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from retrieval.pairs import TrainingPair
from retrieval.train import TrainingResult, train_retriever

BANK = {
    3: "adds top and bottom",
    5: "forgets the sign",
    8: "swaps left and right",
    11: "doubles the number",
    14: "halves the angle",
    20: "multiplies by 2",
    21: "divides by the last",
    30: "squares both numbers",
}
NOUNS = ["fraction", "sign", "ratio", "number", "angle"]
PAIRS = [
    TrainingPair(
        query_key=f"{row}_A",
        query_text=f"what is the {NOUNS[row % 5]} of {row}",
        hinted_text=f"what is the {NOUNS[row % 5]} of {row} not the first" if row % 2 else None,
        positive_id=[3, 5, 8, 11, 14][row % 5],
        other_labels=(20,) if row == 4 else (),
        weight=0.5 if row == 7 else 1.0,
    )
    for row in range(20)
]


def train(model: SentenceTransformer, output: Path, **changes: Any) -> TrainingResult:
    arguments: dict[str, Any] = {
        "epochs": 4,
        "batch_size": 6,
        "learning_rate": 3e-3,
        "negatives_per_query": 2,
        "rank_window": (1, 5),
        "mine_every": 2,
        "hint_dropout": 0.5,
        "progress": False,
        "seed": 7,
        **changes,
    }
    return train_retriever(model, PAIRS, BANK, output_dir=output, **arguments)


def weights(model: SentenceTransformer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def recall_at_1(model: SentenceTransformer) -> float:
    queries = model.encode([pair.query_text for pair in PAIRS], normalize_embeddings=True)
    bank = model.encode(list(BANK.values()), normalize_embeddings=True)
    best = (queries @ bank.T).argmax(axis=1)
    return float(np.mean([list(BANK)[place] == pair.positive_id for place, pair in zip(best, PAIRS, strict=True)]))


class KilledError(Exception):
    """Stands for a kill in a test."""
