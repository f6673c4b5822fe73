from pathlib import Path

import numpy as np
import pytest

from retrieval.negatives import DroppedCounts, MinedNegatives
from retrieval.progress import EpochRow, Progress

MINED = MinedNegatives(ids=np.array([[1, 2], [3, 4]]), dropped=DroppedCounts(same_label=2))


def test_it_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    progress = Progress()
    progress.take_table(MINED, epoch=0, from_rankings=True)
    progress.absorb(3.0, 40.0, 4)
    progress.close_epoch(steps=2, score=0.5)
    progress.absorb(1.0, 10.0, 1)
    progress.judge(0.5, patience=1)
    progress.save(tmp_path)
    again = Progress.load(tmp_path)
    assert (again.negatives == MINED.ids).all()
    assert {**vars(again), "negatives": 0} == {**vars(progress), "negatives": 0}


def test_an_epoch_closes_with_means_over_its_rows() -> None:
    progress = Progress(epoch=2)
    progress.absorb(6.0, 30.0, 2)
    progress.absorb(3.0, 15.0, 1)
    assert progress.close_epoch(steps=9, score=None) == EpochRow(
        epoch=3, steps=9, loss=3.0, effective_negatives=15.0, score=None
    )
    progress.absorb(2.0, 5.0, 1)
    assert progress.close_epoch(steps=10, score=None).loss == 2.0
    assert progress.effective_negatives == 50.0 / 4


def test_only_minings_from_rankings_are_counted() -> None:
    progress = Progress()
    progress.take_table(MINED, epoch=0, from_rankings=False)
    assert (progress.minings, progress.dropped) == (0, DroppedCounts())
    progress.take_table(MINED, epoch=3, from_rankings=True)
    progress.take_table(MINED, epoch=6, from_rankings=True)
    assert (progress.minings, progress.mined_epoch, progress.dropped.same_label) == (2, 6, 4)


@pytest.mark.parametrize(
    ("patience", "judged", "best_epoch"),
    [
        (1, 3, 2),  # the third score only equals the best: it is no better
        (2, 6, 4),  # 0.3 is one miss, 0.35 is new; 0.2 and 0.1 are two in a row
        (None, 7, 4),
    ],
)
def test_patience_counts_scores_in_a_row_without_a_better_one(
    patience: int | None, judged: int, best_epoch: int
) -> None:
    progress = Progress()
    count = 0
    for epoch, score in enumerate([0.1, 0.3, 0.3, 0.35, 0.2, 0.1, 0.2]):
        progress.epoch = epoch
        progress.judge(score, patience=patience)
        count += 1
        if progress.stopped:
            break
    assert (count, progress.best_epoch) == (judged, best_epoch)
