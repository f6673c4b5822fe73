import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from core.records import Misconception
from retrieval.bank import BankEmbeddings, embed_bank
from retrieval.text import MisconceptionTemplate

BANK = [Misconception(id=i, name=f"name {i}", explanation=f"why {i}") for i in (5, 2, 9)]


class Counting:
    """Embeds a text as (length of its name's number, 1) and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked += texts
        return np.array([[float(sum(map(ord, text))), 1] for text in texts], dtype=np.float32).reshape(-1, 2)

    encode_queries = encode_documents


def embed(
    bank: Sequence[Misconception], cache: Path | None, template: MisconceptionTemplate | None = None, **origin: str
) -> tuple[BankEmbeddings, list[str]]:
    encoder = Counting()
    found = embed_bank(
        bank,
        encoder,
        template or MisconceptionTemplate(),
        cache_dir=cache,
        model_name=origin.get("model", "m"),
        revision=origin.get("revision"),
        encoder_key=origin.get("encoder", ""),
    )
    return found, encoder.asked


def test_without_a_cache_everything_is_computed(tmp_path: Path) -> None:
    found, asked = embed(BANK, None)
    assert found.ids.tolist() == [5, 2, 9]
    assert (found.reused, found.computed) == (0, 3)
    assert asked == ["name 5", "name 2", "name 9"]
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_computes_and_writes_nothing(tmp_path: Path) -> None:
    first, _ = embed(BANK, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again, asked = embed(BANK, tmp_path)
    assert asked == []
    assert (again.reused, again.computed) == (3, 0)
    assert np.array_equal(first.embeddings, again.embeddings)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps


def test_only_changed_and_new_entries_are_computed(tmp_path: Path) -> None:
    embed(BANK, tmp_path)
    changed = [replace(BANK[2]), replace(BANK[0], name="other"), Misconception(id=1, name="new"), BANK[1]]
    found, asked = embed(changed, tmp_path)
    assert asked == ["other", "new"]
    assert (found.reused, found.computed) == (2, 2)
    assert np.array_equal(found.embeddings, embed(changed, None)[0].embeddings)
    assert embed(changed, tmp_path)[1] == []


def test_a_change_that_the_template_does_not_write_computes_nothing(tmp_path: Path) -> None:
    embed(BANK, tmp_path)
    assert embed([replace(entry, explanation="x") for entry in BANK], tmp_path)[1] == []


@pytest.mark.parametrize(
    ("template", "origin", "key"),
    [
        (MisconceptionTemplate(explanation=True), {}, "template_hash"),
        (None, {"model": "other"}, "model"),
        (None, {"revision": "2"}, "revision"),
        (None, {"encoder": "cls pooling"}, "encoder"),
    ],
)
def test_another_model_or_template_computes_everything_and_says_why(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    template: MisconceptionTemplate | None,
    origin: dict[str, str],
    key: str,
) -> None:
    embed(BANK, tmp_path)
    with caplog.at_level(logging.INFO, logger="retrieval.bank"):
        _, asked = embed(BANK, tmp_path, template, **origin)
    assert len(asked) == 3
    assert f"since {key} differ" in caplog.text


def test_a_corrupted_cache_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    embed(BANK, tmp_path)
    (tmp_path / "bank.safetensors").write_bytes(b"half a file")
    found, asked = embed(BANK, tmp_path)
    assert len(asked) == found.computed == 3
    assert "computed again" in caplog.text
    assert embed(BANK, tmp_path)[1] == []


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="expected \\(n,\\) and \\(n, d\\)"):
        BankEmbeddings(ids=np.array([1]), embeddings=np.zeros((2, 3), dtype=np.float32))
