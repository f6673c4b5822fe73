"""How far a training run has come: kept beside each checkpoint, so that a resumed run goes on identically."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from core.records import IntArray
from retrieval.negatives import DroppedCounts, MinedNegatives

_NEGATIVES, _PROGRESS = "negatives.npy", "progress.json"


@dataclass(frozen=True, kw_only=True)
class EpochRow:
    """One line of a training history.

    Attributes:
        epoch: Counted from 1.
        steps: Steps done by its end.
        loss: Mean loss over its rows.
        effective_negatives: Mean number of unmasked columns a row, without its own positive.
        score: Validation score after it, or None where none was taken.
    """

    epoch: int
    steps: int
    loss: float
    effective_negatives: float
    score: float | None


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a training run did.

    Attributes:
        model_dir: The trained model, a plain sentence-transformers folder.
        steps: Optimiser steps, those of earlier starts included.
        seconds: Training time of all starts, without what was lost when one was killed.
        best_score: Best validation score, None without `score`.
        best_epoch: Its epoch, counted from 1; the saved weights are those of its end.
        history: One row an epoch.
        effective_negatives: Mean unmasked columns a row, without its own positive.
        dropped: What the guards dropped, over all minings.
        minings: How often negatives were mined from rankings.
        resumed: The run went on from a checkpoint.
    """

    model_dir: Path
    steps: int
    seconds: float
    best_score: float | None
    best_epoch: int | None
    history: tuple[EpochRow, ...] = field(repr=False)
    effective_negatives: float
    dropped: DroppedCounts
    minings: int
    resumed: bool


@dataclass(kw_only=True)
class Progress:
    """The state of a run besides weights, optimiser and random generators; changed by the training callbacks.

    Attributes:
        epoch: The epoch that runs or ran last, counted from 0.
        negatives: int64, shape (n, per_query), the table in use.
        mined_epoch: The epoch at whose start it was made; -1 before the first.
        minings: How often it was mined from rankings.
        dropped: What the guards dropped, over all minings.
        history: Finished epochs.
        best_score: Best validation score, None before the first.
        best_epoch: Its epoch, counted from 1.
        stale: Evaluations since the best one.
        stopped: Early stopping has struck.
        seconds: Training time of earlier starts.
        loss_sum: Loss summed over the rows of the running epoch.
        kept_sum: Effective negatives summed over the rows of the running epoch.
        rows: Rows of the running epoch so far.
        total_kept: Effective negatives summed over all rows of the run.
        total_rows: Rows of the run so far.
    """

    epoch: int = 0
    negatives: IntArray = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64), repr=False)
    mined_epoch: int = -1
    minings: int = 0
    dropped: DroppedCounts = field(default_factory=DroppedCounts)
    history: list[EpochRow] = field(default_factory=list)
    best_score: float | None = None
    best_epoch: int | None = None
    stale: int = 0
    stopped: bool = False
    seconds: float = 0.0
    loss_sum: float = 0.0
    kept_sum: float = 0.0
    rows: int = 0
    total_kept: float = 0.0
    total_rows: int = 0

    @property
    def effective_negatives(self) -> float:
        """Mean effective negatives a row, over the whole run."""
        return self.total_kept / self.total_rows if self.total_rows else 0.0

    def take_table(self, mined: MinedNegatives, *, epoch: int, from_rankings: bool) -> None:
        """Replace the table of negatives."""
        self.negatives, self.mined_epoch = mined.ids, epoch
        if from_rankings:
            self.minings += 1
            self.dropped = self.dropped + mined.dropped

    def absorb(self, loss_sum: float, kept_sum: float, rows: int) -> None:
        """Add what some steps of the running epoch did."""
        self.loss_sum += loss_sum
        self.kept_sum += kept_sum
        self.rows += rows
        self.total_kept += kept_sum
        self.total_rows += rows

    def close_epoch(self, *, steps: int, score: float | None) -> EpochRow:
        """Write the running epoch into the history and set its sums back."""
        rows = max(self.rows, 1)
        row = EpochRow(
            epoch=self.epoch + 1,
            steps=steps,
            loss=self.loss_sum / rows,
            effective_negatives=self.kept_sum / rows,
            score=score,
        )
        self.history.append(row)
        self.loss_sum = self.kept_sum = 0.0
        self.rows = 0
        return row

    def judge(self, score: float, *, patience: int | None) -> bool:
        """Take a validation score (higher is better) and return whether it is the best so far.

        After `patience` evaluations in a row without a better one, `stopped` is set; None never stops.
        """
        if self.best_score is None or score > self.best_score:
            self.best_score, self.best_epoch, self.stale = score, self.epoch + 1, 0
            return True
        self.stale += 1
        self.stopped = patience is not None and self.stale >= patience
        return False

    def result(self, model_dir: Path, *, resumed: bool) -> TrainingResult:
        """Say what a finished run did."""
        return TrainingResult(
            model_dir=model_dir,
            steps=self.history[-1].steps,
            seconds=self.seconds,
            best_score=self.best_score,
            best_epoch=self.best_epoch,
            history=tuple(self.history),
            effective_negatives=self.effective_negatives,
            dropped=self.dropped,
            minings=self.minings,
            resumed=resumed,
        )

    def save(self, folder: Path) -> None:
        """Write into a checkpoint folder, which is whole only once its mark is set (see `retrieval.trainer`)."""
        np.save(folder / _NEGATIVES, self.negatives)
        values = {key: value for key, value in asdict(self).items() if key != "negatives"}
        (folder / _PROGRESS).write_text(json.dumps(values), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Progress":
        """Read what `save` wrote."""
        values = json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
        values["dropped"] = DroppedCounts(**values["dropped"])
        values["history"] = [EpochRow(**row) for row in values["history"]]
        return cls(negatives=np.load(folder / _NEGATIVES), **values)
