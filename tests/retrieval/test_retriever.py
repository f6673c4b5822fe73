import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from core.records import Misconception, Query, Question
from retrieval.bank import BankEmbeddings, embed_bank
from retrieval.retriever import MultiViewRetriever, ViewPair, renormalised_weights
from retrieval.text import MisconceptionTemplate, QueryTemplate

Vectors = npt.NDArray[np.float32]
QUESTION = QueryTemplate(fields=("question",), labels=("",))
HINT = QueryTemplate(fields=("hint",), labels=("",))


class Hashing:
    """A vector from a text's hash: equal texts get equal vectors, others are far apart."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        rows = [np.random.default_rng(list(hashlib.sha256(t.encode()).digest())).normal(size=12) for t in texts]
        array = np.array(rows).reshape(len(rows), 12)
        return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True), dtype=np.float32)

    encode_documents = encode_queries


BANK = [Misconception(id=i, name=f"name {i}", explanation=f"why {i}" if i % 2 else None) for i in (5, 2, 9, 4, 7)]


def views() -> list[BankEmbeddings]:
    templates = [MisconceptionTemplate(), MisconceptionTemplate(name=False, explanation=True)]
    return [embed_bank(BANK, Hashing(), t, cache_dir=None, model_name="m", revision=None) for t in templates]


def query(id: int, text: str, hint: str | None = None) -> Query:
    question = Question(id=id, text=text, answers=("a", "b", "c", "d"), correct="A")
    return Query(question=question, letter="B", hint=hint)


PAIRS = [
    ViewPair(query=QUESTION, bank=0, weight=1.0),
    ViewPair(query=QUESTION, bank=1, weight=0.5),
    ViewPair(query=HINT, bank=0, weight=2.0),
    ViewPair(query=HINT, bank=1, weight=0.5),
]


def test_multi_view_is_the_weighted_sum_of_the_views_scores() -> None:
    names, reasons = (view.embeddings for view in views())
    with_hint, without = query(1, "name 9", hint="why 5"), query(2, "name 4")
    found = MultiViewRetriever(Hashing(), views(), PAIRS).retrieve([with_hint, without], top_n=5)
    encode = Hashing().encode_queries
    q, h = encode(["name 9"])[0], encode(["why 5"])[0]
    expected = 1.0 * names @ q + 0.5 * reasons @ q + 2.0 * names @ h + 0.5 * reasons @ h
    ids = views()[0].ids
    assert found[0].ids.tolist() == ids[np.argsort(-expected)].tolist()
    assert np.allclose(found[0].scores, np.sort(expected)[::-1], atol=1e-5)
    # Without a hint the question's views alone, 1 : 0.5, blown up to the total weight 4.
    q = encode(["name 4"])[0]
    expected = 4 / 1.5 * (1.0 * names @ q + 0.5 * reasons @ q)
    assert np.allclose(found[1].scores, np.sort(expected)[::-1], atol=1e-5)
    assert found[1].ids[0] == 4


def test_an_entry_without_explanation_is_served_by_its_name() -> None:
    names, reasons = (view.embeddings for view in views())
    same = [bool(np.array_equal(a, b)) for a, b in zip(names, reasons, strict=True)]
    assert same == [entry.explanation is None for entry in BANK]


def test_hints_can_be_switched_off_and_a_row_without_any_view_is_refused() -> None:
    retriever = MultiViewRetriever(Hashing(), views(), PAIRS, with_hints=False)
    hinted = retriever.retrieve([query(1, "name 9", hint="why 5")], top_n=5)
    assert hinted == retriever.retrieve([query(1, "name 9")], top_n=5)
    assert retriever.retrieve([], top_n=5) == []
    hints_alone = MultiViewRetriever(Hashing(), views(), PAIRS[2:])
    with pytest.raises(ValueError, match="3_B"):
        hints_alone.retrieve([query(1, "a", hint="b"), query(3, "c")], top_n=5)


def test_renormalised_weights_by_hand() -> None:
    present = np.array([[True, True, True], [True, False, True]])
    weights = renormalised_weights(np.array([1.0, 2.0, 1.0]), present, ["1_A", "1_B"])
    assert weights.tolist() == [[1, 2, 1], [2, 0, 2]]


def test_impossible_views_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MultiViewRetriever(Hashing(), views(), [])
    with pytest.raises(ValueError, match="bank view 2"):
        MultiViewRetriever(Hashing(), views(), [ViewPair(query=HINT, bank=2)])
    name, why = views()
    turned = BankEmbeddings(ids=why.ids[::-1], embeddings=why.embeddings)
    with pytest.raises(ValueError, match="same ids"):
        MultiViewRetriever(Hashing(), [name, turned], PAIRS)
    with pytest.raises(ValueError, match="weight 0"):
        ViewPair(query=HINT, bank=0, weight=0)
