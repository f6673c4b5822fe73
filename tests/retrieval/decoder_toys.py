"""A decoder small enough to train in a test, and the pairs that it learns."""

from pathlib import Path
from typing import Any

from core.lora import LoraPreset
from retrieval.adapted import put_adapter
from retrieval.encoder import SentenceEncoder

SMALL = LoraPreset(rank=4, alpha=8)


def adapted(folder: Path, *, four_bit: bool = False, seed: int = 3, **changed: Any) -> SentenceEncoder:
    """Open the toy decoder with a new adapter on it."""
    encoder = SentenceEncoder.load(
        str(folder), pooling="last", device="cpu", dtype="float32", four_bit=four_bit, max_length=24, **changed
    )
    put_adapter(encoder.model, SMALL, base_name=str(folder), base_revision="sha256:toy", seed=seed)
    return encoder


def loaded(folder: Path, base: Path, *, four_bit: bool = False, **changed: Any) -> SentenceEncoder:
    """Open a saved adapter on its base."""
    return SentenceEncoder.load(str(folder), base=base, device="cpu", dtype="float32", four_bit=four_bit, **changed)
