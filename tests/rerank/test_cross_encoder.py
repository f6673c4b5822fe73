"""The cross-encoder as reranker, against a plain forward pass."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ConfigError, ModelError
from core.records import Misconception, Query, Ranking
from rerank.cross_encoder import CrossEncoderReranker
from rerank.text import candidate_text, query_text


@pytest.fixture(scope="module")
def headed(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with a head, so that it scores the same each time it is opened."""
    from rerank.cross_encoder import open_cross_encoder

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("headed") / "model"
    model = open_cross_encoder(tiny_base, device="cpu", dtype=torch.float32)
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def test_scores_equal_a_plain_forward_pass(
    headed: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(headed)
    model = AutoModelForSequenceClassification.from_pretrained(headed).eval()
    out = CrossEncoderReranker.load(headed, device="cpu", batch_size=5).rerank(queries[:3], candidates[:3], bank)
    for query, ranking in zip(queries[:3], out, strict=True):
        with torch.no_grad():
            features = [tokenizer(query_text(query), candidate_text(entry), return_tensors="pt") for entry in bank]
            logits = torch.stack([model(**f).logits[0, 0] for f in features])
        expected = torch.log_softmax(logits.double(), dim=0).numpy()
        found = {id: score for id, score in zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True)}
        assert [found[entry.id] for entry in bank] == pytest.approx(expected.tolist(), abs=1e-5)
        assert np.ptp(expected) > 0.1


def test_keys_ids_and_probabilities(
    headed: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    mixed = [candidates[0].top(3), candidates[1].top(0), candidates[2]]
    out = CrossEncoderReranker.load(headed, device="cpu").rerank(queries[:3], mixed, bank)
    assert [r.key for r in out] == [q.key for q in queries[:3]]
    assert [sorted(r.ids.tolist()) for r in out] == [sorted(r.ids.tolist()) for r in mixed]
    assert [float(np.exp(r.scores).sum()) for r in (out[0], out[2])] == pytest.approx([1.0, 1.0])


def test_no_candidate_at_all(headed: Path, queries: list[Query], bank: list[Misconception]) -> None:
    empty = [Ranking.from_scores(queries[0].key, [], [])]
    assert CrossEncoderReranker.load(headed, device="cpu").rerank(queries[:1], empty, bank) == empty


def test_the_batch_size_does_not_change_a_score(
    headed: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    one = CrossEncoderReranker.load(headed, device="cpu", batch_size=1).rerank(queries, candidates, bank)
    many = CrossEncoderReranker.load(headed, device="cpu", batch_size=64).rerank(queries, candidates, bank)
    for a, b in zip(one, many, strict=True):
        assert a.ids.tolist() == b.ids.tolist()
        assert a.scores.tolist() == pytest.approx(b.scores.tolist(), abs=1e-5)


def test_eight_bits_stay_close(
    headed: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    full = CrossEncoderReranker.load(headed, device="cpu").rerank(queries[:4], candidates[:4], bank)
    small = CrossEncoderReranker.load(headed, device="cpu", int8=True).rerank(queries[:4], candidates[:4], bank)
    for a, b in zip(full, small, strict=True):
        scores = dict(zip(b.ids.tolist(), b.scores.tolist(), strict=True))
        assert [scores[id] for id in a.ids.tolist()] == pytest.approx(a.scores.tolist(), abs=0.2)
        assert not np.array_equal(a.scores, b.scores)


def test_eight_bits_want_a_cpu(headed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rerank.cross_encoder.resolve_device", lambda name: "cuda")
    with pytest.raises(ConfigError, match="int8"):
        CrossEncoderReranker.load(headed, int8=True)


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        CrossEncoderReranker.load(tmp_path, device="cpu")


def test_a_broken_model_says_so(headed: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((headed / "config.json").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be opened"):
        CrossEncoderReranker.load(tmp_path, device="cpu")


def test_a_batch_holds_something(headed: Path) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        CrossEncoderReranker.load(headed, device="cpu", batch_size=0)
