import csv
from pathlib import Path

import pytest

from core.errors import InputError
from core.records import Misconception
from synth.rule_mapping import (
    Proposal,
    bindings,
    confirmed,
    name_hash,
    read_mapping,
    reviewed_hashes,
    reviewed_labels,
    write_mapping,
)

PAIR = ("cube-a-number", "cube-times-three")
BANK = (
    Misconception(id=4, name="Multiplies by three to cube a number"),
    Misconception(id=9, name="Something that no rule stands for"),
)


def line(**changes: object) -> Proposal:
    facts: dict[str, object] = {
        **{"rule": PAIR[1], "task": PAIR[0], "rank": 1, "misconception_id": 4, "name": BANK[0].name},
        **{"similarity": 0.5, "keep": True},
    }
    return Proposal(**{**facts, **changes})  # type: ignore[arg-type]


def test_names_that_read_alike_share_a_hash() -> None:
    assert name_hash("Adds  tops\nand Bottoms ") == name_hash("adds tops and bottoms")
    assert name_hash("Adds tops") != name_hash("Adds top")


def test_the_shipped_mapping_is_of_known_rules_and_holds_no_name() -> None:
    hashes = reviewed_hashes()
    assert set(hashes) == set(bindings())
    shipped = list(csv.reader((Path(__file__).parents[2] / "synth" / "reviewed_names.csv").open(encoding="utf-8")))
    assert shipped[0] == ["rule", "task", "name_sha256"]
    assert all((task, rule) in bindings() for rule, task, _ in shipped[1:])
    assert all(len(mark) == 20 and int(mark, 16) >= 0 for _, _, mark in shipped[1:])
    assert len({tuple(row) for row in shipped}) == len(shipped)
    assert len({row[2] for row in shipped[1:]}) >= 900


def test_a_rule_stands_for_the_entry_that_bears_its_own_name() -> None:
    labels = reviewed_labels(BANK)
    assert labels == {pair: (4,) for pair, (_, rule) in bindings().items() if rule.name == BANK[0].name}
    assert labels[PAIR] == (4,)


@pytest.mark.eedi
def test_the_shipped_mapping_fits_the_real_bank(eedi: Path) -> None:
    from core.bank_table import read_misconceptions

    bank = read_misconceptions(eedi / "misconception_mapping.csv")
    known = {id for ids in reviewed_labels(bank).values() for id in ids}
    assert len(known) >= 960


def test_a_mapping_file_keeps_its_decisions(tmp_path: Path) -> None:
    path = tmp_path / "mapping.csv"
    given = [line(), line(misconception_id=9, name=BANK[1].name, rank=None, similarity=None, keep=False)]
    write_mapping(path, given)
    assert list(read_mapping(path, BANK)) == given
    assert confirmed(given) == {PAIR: (4,)}
    path.write_text(path.read_text(encoding="utf-8").replace(",no,", ", YES ,"), encoding="utf-8")
    assert confirmed(read_mapping(path, BANK)) == {PAIR: (4, 9)}


def test_every_fault_of_a_mapping_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mapping.csv"
    write_mapping(path, [line(), line(), line(), line()])
    head, first, *_ = path.read_text(encoding="utf-8").splitlines()
    wrong = [
        first.replace("cube-times-three", "cube-times-thre"),
        first.replace(",4,", ",5,"),
        first.replace("Multiplies by three to cube a number,0", "Another,0"),
        first.replace(",yes,", ",maybe,"),
    ]
    path.write_text("\n".join([head, *wrong]) + "\n", encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_mapping(path, BANK)
    told = str(raised.value)
    assert len(raised.value.faults) == 4 and "line 2" in told and "line 5" in told
    assert "did you mean" in told and "id of the bank" in told and "another name" in told and "yes or no" in told
    path.write_text("rule,task\n", encoding="utf-8")
    with pytest.raises(InputError, match="lacks the columns misconception_id, name, keep"):
        read_mapping(path, BANK)
    with pytest.raises(InputError, match=r"map_mal_rules.py makes one"):
        read_mapping(tmp_path / "none.csv", BANK)
