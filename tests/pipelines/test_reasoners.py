"""Which reasoner may be asked about which question."""

from pathlib import Path

import pytest
from hint_toys import question

from core.artifacts import write_manifest, write_text
from core.errors import InputError
from core.fingerprint import fingerprint
from core.records import Query, queries_of
from pipelines.reasoners import Reasoner, assign, read_reasoners
from pipelines.writer_settings import WriterSettings
from synth.hint_prompt import default_prompt

QUESTIONS = [question(number) for number in range(3)]


def reasoner(*learnt: int) -> Reasoner:
    return Reasoner(
        folder=Path("r"),
        base="base",
        base_revision="sha256:1",
        adapter=True,
        prompt=default_prompt("plain"),
        form="plain",
        fitted_on=frozenset(fingerprint(QUESTIONS[number]) for number in learnt),
    )


def test_nobody_is_asked_about_what_it_learnt() -> None:
    queries = [Query(question=one, letter="B") for one in QUESTIONS]
    assert assign(queries, [reasoner(1, 2), reasoner(0, 2), reasoner(0, 1)]) == [0, 1, 2]
    assert assign(queries, [reasoner(), reasoner(0)]) == [0, 0, 0]
    assert assign(queries, [reasoner(0, 1), reasoner(1)]) == [1, None, 0]


def test_a_copy_under_another_id_counts_as_learnt() -> None:
    copy = question(77, text=f"  {QUESTIONS[1].text.upper()} ")
    assert assign(queries_of([copy]), [reasoner(1)]) == [None] * 3


def test_the_table_that_opens_one() -> None:
    like = WriterSettings(engine="gpu", batch=7)
    assert reasoner().writer(like) == WriterSettings(engine="gpu", batch=7, model="base", adapter="r")
    assert reasoner().writer(like, served=True).adapter is None


def adapter_folder(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True)
    write_text(folder / "adapter_config.json", "{}")
    made_from = {
        **{"artifact": "reasoner", "model": "bundled:x", "revision": "sha256:1", "form": "json"},
        **{"template": default_prompt("json").to_text(), "fitted_on": ["a"]},
        **changes,
    }
    write_manifest(folder, {key: value for key, value in made_from.items() if value is not None})
    return folder


def test_manifests_are_read_and_a_folder_of_folds_stands_for_all(tmp_path: Path) -> None:
    for number in (1, 0):
        adapter_folder(tmp_path / "folds" / f"fold{number}", fitted_on=[str(number)])
    (tmp_path / "folds" / "fold0.training").mkdir()
    one = adapter_folder(tmp_path / "one")
    found = read_reasoners([tmp_path / "folds", one])
    assert [made.fitted_on for made in found] == [{"0"}, {"1"}, {"a"}]
    assert (found[2].base, found[2].form, found[2].prompt) == ("bundled:x", "json", default_prompt("json"))
    assert found[2].writer(WriterSettings()).adapter == str(one)


def test_all_faults_are_told(tmp_path: Path) -> None:
    stranger = adapter_folder(tmp_path / "stranger", artifact="reranker")
    old = adapter_folder(tmp_path / "old", fitted_on=None, form=None)
    with pytest.raises(InputError) as caught:
        read_reasoners([tmp_path / "none", stranger, old])
    faults = caught.value.faults
    assert len(faults) == 3
    assert "found no model" in faults[0]
    assert "does not say that train_reasoner.py wrote it" in faults[1]
    assert "lacks form, fitted_on" in faults[2]
