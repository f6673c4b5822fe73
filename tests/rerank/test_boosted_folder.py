"""A boosted reranker on disk: written, read, and refused where it is not what was written."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelError
from rerank.boosted import BoostedRecipe, BoostedTrees, train_boosted
from rerank.boosted_folder import (
    BoostedFacts,
    forest_fault,
    forest_hashes,
    read_boosted,
    read_facts,
    write_boosted,
)


@pytest.fixture(scope="module")
def trees() -> BoostedTrees:
    draw = np.random.default_rng(0)
    features = [draw.normal(size=(10, 2)).astype(np.float32) for _ in range(40)]
    truths = [(matrix[:, 1] == matrix[:, 1].max()).tolist() for matrix in features]
    return train_boosted(features, truths, ("a", "b"), BoostedRecipe(models=2, rounds=5, min_rows=5))


@pytest.fixture
def folder(trees: BoostedTrees, tmp_path: Path) -> Path:
    facts = BoostedFacts(
        forests=forest_hashes(trees),
        columns=trees.columns,
        pairs=(("question", "name"),),
        remembered=("question",),
        encoder="bundled:x",
        encoder_revision="sha256:1",
        encoder_commit=None,
        candidates=50,
    )
    write_boosted(tmp_path / "model", trees, facts)
    return tmp_path / "model"


def rewrite(folder: Path, **values: object) -> None:
    about = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**about, **values}), "utf-8")


def test_what_is_written_is_read(trees: BoostedTrees, folder: Path) -> None:
    facts, loaded = read_boosted(folder)
    assert loaded.texts == trees.texts and loaded.columns == ("a", "b")
    assert facts.pairs == (("question", "name"),) and facts.candidates == 50
    matrix = np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32)
    assert loaded.scores(matrix).tolist() == trees.scores(matrix).tolist()


def test_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a boosted reranker"):
        read_facts(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    with pytest.raises(ModelError, match="expected a boosted reranker"):
        read_facts(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"forests": []}, "forests"),
        ({"candidates": 1}, "candidates"),
        ({"pairs": [["question", "colour"]]}, "pairs"),
        ({"encoder": None}, "encoder"),
        ({"more": 1}, "more"),
    ],
)
def test_a_damaged_config_is_told_with_the_key(folder: Path, change: dict[str, object], told: str) -> None:
    rewrite(folder, **change)
    with pytest.raises(ModelError, match=rf"config\.json: damaged \(.*{told}"):
        read_boosted(folder)


def test_json_that_ends_early_is_told(folder: Path) -> None:
    text = (folder / "config.json").read_text("utf-8")
    (folder / "config.json").write_text(text[: len(text) - 5], "utf-8")
    with pytest.raises(ModelError, match="damaged"):
        read_facts(folder)


def test_a_forest_that_is_missing_cut_or_changed_is_refused(folder: Path) -> None:
    forest = folder / "forest1.txt"
    text = forest.read_text("utf-8")
    for changed in (text[: len(text) // 2], text.replace("threshold=", "treshold=", 1), "", "junk"):
        forest.write_text(changed, "utf-8")
        with pytest.raises(ModelError, match=r"forest1\.txt: damaged"):
            read_boosted(folder)
    forest.unlink()
    with pytest.raises(ModelError, match=r"forest1\.txt: is missing, but config\.json names 2 forests"):
        read_boosted(folder)


def test_a_forged_forest_is_refused_before_lightgbm_reads_it(trees: BoostedTrees) -> None:
    text = trees.texts[0]
    assert forest_fault(text, columns=2) is None
    assert "not grown on 3 features" in (forest_fault(text, columns=3) or "")

    def changed(key: str, first: str) -> str | None:
        start = text.index(f"\n{key}=") + len(key) + 2
        end = min(place for place in (text.find(" ", start), text.find("\n", start)) if place > 0)
        return forest_fault(text[:start] + first + text[end:], columns=2)

    assert changed("split_feature", "900000000") == "tree 0 splits on a feature that does not exist"
    assert changed("split_feature", "-1") == "tree 0 splits on a feature that does not exist"
    assert changed("left_child", "77") == "tree 0 has a child that does not exist"
    assert changed("right_child", "-77") == "tree 0 has a child that does not exist"
    assert changed("num_leaves", "9999") == "tree 0 has 9999 leaves, but other numbers of splits"
    assert forest_fault(text[: text.index("end of trees")], columns=2) == "is cut off, or no forest"
    assert forest_fault(text.replace("Tree=1\n", "", 1), columns=2) == "is cut off, or no forest"
