"""A boosted reranker on disk: `config.json`, and a text file for each forest, both checked before LightGBM reads them.

LightGBM trusts its text form: a damaged file ends the process without a word, a crafted one reads memory that is not
its own. So every file's SHA-256 stands in `config.json`, and nodes are checked against the tree they are in.
"""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from core.artifacts import write_json, write_text
from core.config import StrictModel
from core.errors import ModelError
from rerank.boosted import BoostedTrees

CONFIG = "config.json"
QueryView = Literal["hint", "question", "skill"]
BankView = Literal["name", "explanation"]


class BoostedFacts(StrictModel):
    """What a boosted reranker's `config.json` says.

    Attributes:
        model_type: What the folder is.
        forests: SHA-256 of each `forestN.txt`.
        columns: Names of the features, in order.
        pairs: (query view, bank view) whose similarity is a feature.
        remembered: Query views that are compared with labelled examples.
        encoder: Name of the encoder of the features.
        encoder_revision: What it was then.
        encoder_commit: For a hub id: the commit; None otherwise.
        candidates: How many first ranks it learnt from.
        fusion: How stage 1 was fused: its scores are features, in another unit for each way.
    """

    model_type: Literal["boosted-trees"] = "boosted-trees"
    forests: Annotated[tuple[str, ...], Field(min_length=1)]
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    pairs: tuple[tuple[QueryView, BankView], ...]
    remembered: tuple[QueryView, ...]
    encoder: str
    encoder_revision: str
    encoder_commit: str | None
    candidates: Annotated[int, Field(ge=2)]
    fusion: str = "scores"


def forest_hashes(trees: BoostedTrees) -> tuple[str, ...]:
    """Return the SHA-256 of each forest's text."""
    return tuple(hashlib.sha256(text.encode()).hexdigest() for text in trees.texts)


def write_boosted(folder: Path, trees: BoostedTrees, facts: BoostedFacts) -> None:
    """Write trees and facts into a folder, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(trees.texts):
        write_text(folder / f"forest{number}.txt", text)
    write_json(folder / CONFIG, facts.model_dump(mode="json"))


def read_facts(folder: Path) -> BoostedFacts:
    """Read a folder's `config.json`.

    Raises:
        ModelError: The folder holds no boosted reranker, or its config is damaged.
    """
    path = folder / CONFIG
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if '"boosted-trees"' not in text:
        raise ModelError(
            f"{folder}: expected a boosted reranker ({CONFIG} with model_type boosted-trees); make one with "
            "pipelines/train_reranker.py --kind boosted"
        )
    try:
        return BoostedFacts.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors())
        raise ModelError(f"{path}: damaged ({faults}); train the reranker again") from error


def read_boosted(folder: Path) -> tuple[BoostedFacts, BoostedTrees]:
    """Read what `write_boosted` wrote.

    Raises:
        ModelError: The folder holds something else, or a file is missing or damaged.
    """
    facts = read_facts(folder)
    texts = []
    for number, expected in enumerate(facts.forests):
        forest = folder / f"forest{number}.txt"
        if not forest.is_file():
            raise ModelError(f"{forest}: is missing, but {CONFIG} names {len(facts.forests)} forests; train again")
        content = forest.read_bytes()
        if hashlib.sha256(content).hexdigest() != expected:
            raise ModelError(f"{forest}: damaged (its SHA-256 is not the one in {CONFIG}); train the reranker again")
        text = content.decode("utf-8", errors="replace")
        if fault := forest_fault(text, columns=len(facts.columns)):
            raise ModelError(f"{forest}: {fault}; train the reranker again")
        texts.append(text)
    return facts, BoostedTrees(texts=tuple(texts), columns=facts.columns)


def forest_fault(text: str, *, columns: int) -> str | None:
    """Return what is wrong with LightGBM's text form of a forest, or None.

    Checked is what its reader takes on trust: that all trees are there, that splits read features that exist, and that
    children are nodes or leaves of their own tree.
    """
    sizes = re.search(r"^tree_sizes=([\d ]+)$", text, re.MULTILINE)
    trees = re.split(r"^Tree=\d+$", text.split("\nend of trees\n")[0], flags=re.MULTILINE)[1:]
    if sizes is None or "\nend of trees\n" not in text or len(trees) != len(sizes[1].split()):
        return "is cut off, or no forest"
    if f"\nmax_feature_idx={columns - 1}\n" not in text:
        return f"was not grown on {columns} features"
    for number, tree in enumerate(trees):
        leaves = _numbers(tree, "num_leaves")
        if len(leaves) != 1 or leaves[0] < 1:
            return f"tree {number} has no number of leaves"
        inner = leaves[0] - 1
        splits, left, right = (_numbers(tree, key) for key in ("split_feature", "left_child", "right_child"))
        if not len(splits) == len(left) == len(right) == inner or len(_values(tree, "threshold")) != inner:
            return f"tree {number} has {leaves[0]} leaves, but other numbers of splits"
        if any(not 0 <= feature < columns for feature in splits):
            return f"tree {number} splits on a feature that does not exist"
        if any(not -leaves[0] <= child < inner for child in (*left, *right)):
            return f"tree {number} has a child that does not exist"
    return None


def _values(tree: str, key: str) -> list[str]:
    found = re.search(rf"^{key}=(.*)$", tree, re.MULTILINE)
    return found[1].split() if found else []


def _numbers(tree: str, key: str) -> list[int]:
    values = _values(tree, key)
    return [int(value) for value in values] if all(re.fullmatch(r"-?\d{1,9}", value) for value in values) else []
