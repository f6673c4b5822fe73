"""What the parts of one training run share: its rows, the running epoch's texts and its table of negatives.

The dataset holds row numbers only; the collator looks texts and ids up when a batch is made, so a new table of
negatives counts from the next batch on.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.records import IntArray
from retrieval.batch_columns import PLACE_KEY, WEIGHT_KEY
from retrieval.batches import distinct_documents, draw_texts, epoch_batches, label_rows
from retrieval.mine import BankTexts, MiningRule, mine_with_model, random_negatives
from retrieval.pairs import TrainingPair
from retrieval.progress import Progress
from retrieval.token_cache import TokenCache

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Session:
    """What collator, sampler and callback of one run share; `progress` changes while it trains."""

    model: "SentenceTransformer"
    pairs: Sequence[TrainingPair]
    bank: BankTexts
    rule: MiningRule
    mine_every: int
    first_random: bool
    near_duplicates: dict[int, set[int]] | None
    hint_dropout: float
    score: Callable[["SentenceTransformer"], float] | None
    evaluate_every: int
    patience: int | None
    epochs: int
    batch_size: int
    mining_batch_size: int
    processes: int
    seed: int
    show_progress: bool
    checkpoint_every: int | None
    progress: Progress = field(default_factory=Progress)
    texts: list[str] = field(default_factory=list)
    labels: IntArray = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    tokens: TokenCache = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tokens = TokenCache(self.model)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch, the same for every process."""
        return len(self.batches(0)) // self.processes

    def batches(self, epoch: int) -> list[list[int]]:
        """Return the batches of all processes for one epoch."""
        return epoch_batches(len(self.pairs), self.batch_size, seed=self.seed, epoch=epoch, processes=self.processes)

    def begin_epoch(self, epoch: int) -> None:
        """Draw the texts of an epoch and renew the negatives where they are due."""
        progress = self.progress
        progress.epoch = epoch
        self.texts = draw_texts(self.pairs, hint_dropout=self.hint_dropout, seed=self.seed, epoch=epoch)
        if epoch % self.mine_every == 0 and progress.mined_epoch != epoch:
            started = time.perf_counter()
            from_rankings = epoch > 0 or not self.first_random
            seed = self.seed + epoch
            if from_rankings:
                mined = mine_with_model(
                    self.model,
                    self.pairs,
                    self.texts,
                    self.bank,
                    self.rule,
                    near_duplicates=self.near_duplicates,
                    seed=seed,
                    batch_size=self.mining_batch_size,
                    progress=self.show_progress,
                )
            else:
                mined = random_negatives(
                    self.pairs,
                    self.bank,
                    per_query=self.rule.per_query,
                    near_duplicates=self.near_duplicates,
                    seed=seed,
                )
            progress.take_table(mined, epoch=epoch, from_rankings=from_rankings)
            _log.info(
                "epoch %d: negatives %s in %.1f s; dropped by guards: %s",
                epoch + 1,
                "mined" if from_rankings else "drawn at random",
                time.perf_counter() - started,
                mined.dropped,
            )
        self.labels = label_rows(self.pairs, progress.negatives)

    def collate(self, rows: Sequence[int]) -> dict[str, Any]:
        """Make one batch: a query column, a column of the batch's distinct documents, and the places of these."""
        import torch

        # The order within a batch is free; by length, a mini-batch of the cached loss has little padding.
        rows = sorted(rows, key=lambda row: (len(self.texts[row]), row))
        labels = self.labels[rows]
        documents, places = distinct_documents(labels[:, : 1 + self.rule.per_query], self.bank)
        batch: dict[str, Any] = {"label": torch.from_numpy(labels)}
        for name, texts in (("query", [self.texts[row] for row in rows]), ("document", documents)):
            batch |= {f"{name}_{key}": value for key, value in self.tokens(texts).items()}
        batch[f"document_{PLACE_KEY}"] = torch.from_numpy(places)
        weights = [self.pairs[row].weight for row in rows]
        if set(weights) != {1.0}:
            batch[f"query_{WEIGHT_KEY}"] = torch.tensor(weights, dtype=torch.float32)
        return batch


class Collator:
    """Turns dataset rows into the batch of a session (the trainer reads `valid_label_columns`)."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.valid_label_columns: list[str] = []

    def __call__(self, features: Sequence[dict[str, int]]) -> dict[str, Any]:
        """Return the batch of these dataset rows."""
        return self.session.collate([feature["row"] for feature in features])
