from pathlib import Path

import numpy as np
import pytest

from core.faults import Faults
from core.records import Misconception, Ranking
from pipelines.mapped_rules import covered, mapped_labels, proposals
from synth.rule_mapping import Proposal, bindings, write_mapping

CUBE = ("cube-a-number", "cube-times-three")
SQUARE = ("square-a-number", "square-adds-two")
BANK = (
    Misconception(id=1, name="Multiplies by three to cube a number"),
    Misconception(id=2, name="Something else"),
    Misconception(id=3, name="A third thing"),
)


def ranking(*ids: int) -> Ranking:
    return Ranking(key="k", ids=np.array(ids), scores=np.array([0.9, 0.5, 0.1][: len(ids)]))


def test_proposals_are_ranked_and_the_reviewed_entry_is_kept_wherever_it_stands() -> None:
    lines = proposals(BANK, {CUBE: ranking(2, 1), SQUARE: ranking(3)})
    assert [(line.task, line.rank, line.misconception_id, line.keep) for line in lines] == [
        (CUBE[0], 1, 2, False),
        (CUBE[0], 2, 1, True),
        (SQUARE[0], 1, 3, False),
    ]
    assert [line.similarity for line in lines] == [0.9, 0.5, 0.9]
    (far, near) = proposals(BANK, {CUBE: ranking(2)})[::-1]
    assert (far.misconception_id, far.rank, far.similarity, far.keep) == (1, None, None, True)
    assert near.misconception_id == 2


def test_decisions_of_an_earlier_file_stand() -> None:
    before = [
        Proposal(rule=CUBE[1], task=CUBE[0], rank=1, misconception_id=1, name="", similarity=None, keep=False),
        Proposal(rule=CUBE[1], task=CUBE[0], rank=None, misconception_id=3, name="", similarity=None, keep=True),
    ]
    lines = proposals(BANK, {CUBE: ranking(2, 1)}, before=before)
    assert {line.misconception_id: line.keep for line in lines} == {2: False, 1: False, 3: True}
    assert all(line.name for line in lines)


def test_a_mapping_file_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "mapping.csv"
    write_mapping(
        path,
        [
            Proposal(
                rule=SQUARE[1], task=SQUARE[0], rank=1, misconception_id=2, name=BANK[1].name, similarity=0.1, keep=True
            )
        ],
    )
    faults = Faults()
    assert mapped_labels(BANK, path, faults) == {SQUARE: (2,)}
    shipped = mapped_labels(BANK, None, faults)
    assert covered(shipped) == {1} and set(shipped) <= set(bindings())
    assert faults.count() == 0
    mapped_labels(BANK, tmp_path / "none.csv", faults)
    with pytest.raises(Exception, match="there is no such file"):
        faults.raise_if_any()
