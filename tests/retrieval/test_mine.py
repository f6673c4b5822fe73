from collections.abc import Callable

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from retrieval.mine import BankTexts, MiningRule, bank_embeddings, mine_with_model, random_negatives, rank_bank
from retrieval.pairs import TrainingPair

Tiny = Callable[[], SentenceTransformer]
BANK = BankTexts.of(
    {9: "adds top and bottom", 4: "forgets the sign", 7: "swaps left and right", 2: "doubles", 5: "doubles"}
)
PAIRS = [
    TrainingPair(query_key="1_A", query_text="what is the area", positive_id=7),
    TrainingPair(query_key="2_B", query_text="forgets the sign", positive_id=4, other_labels=(9,)),
    TrainingPair(query_key="3_C", query_text="what is the area", positive_id=2),
]
TEXTS = [pair.query_text for pair in PAIRS]


def test_a_bank_stands_in_order_of_id() -> None:
    assert BANK.ids.tolist() == [2, 4, 5, 7, 9]
    assert BANK.texts[1] == "forgets the sign"
    assert BANK.places([9, 2]).tolist() == [4, 0]
    with pytest.raises(KeyError, match="3"):
        BANK.places([2, 3])
    with pytest.raises(ValueError, match="rising order"):
        BankTexts(ids=np.array([2, 1]), texts=("a", "b"))


def test_rankings_are_those_of_brute_force_with_ties_by_id(tiny: Tiny) -> None:
    model = tiny()
    ranked = rank_bank(model, PAIRS, TEXTS, BANK, top=5)
    queries = model.encode(TEXTS, normalize_embeddings=True)
    documents = model.encode(list(BANK.texts), normalize_embeddings=True)
    for row, ranking in enumerate(ranked.rankings):
        scores = documents @ queries[row]
        assert ranking.key == PAIRS[row].query_key
        assert ranking.ids.tolist() == [id for _, id in sorted(zip(-scores.round(5), BANK.ids, strict=True))]
        assert ranking.scores == pytest.approx(sorted(scores, reverse=True), abs=1e-5)
        assert ranked.positive_scores[row] == pytest.approx(scores[BANK.places([PAIRS[row].positive_id])[0]], abs=1e-5)
        twins = [place for place, id in enumerate(ranking.ids) if id in (2, 5)]
        assert twins[1] == twins[0] + 1  # one text, two ids: equal scores, the lower id first
        assert ranking.ids[twins[0]] == 2
    assert ranked.rankings[1].ids[0] == 4  # the very same text
    assert rank_bank(model, PAIRS, TEXTS, BANK, top=2).rankings[1] == ranked.rankings[1].top(2)


def test_mining_takes_the_top_of_the_models_own_ranking(tiny: Tiny) -> None:
    model = tiny()
    rule = MiningRule(per_query=1, rank_window=(1, 3), skip_top=0, absolute_margin=None, relative_margin=None)
    mined = mine_with_model(model, PAIRS, TEXTS, BANK, rule, near_duplicates={2: {5}, 5: {2}}, seed=0)
    ranked = rank_bank(model, PAIRS, TEXTS, BANK, top=3).rankings
    for pair, ranking, row in zip(PAIRS, ranked, mined.ids, strict=True):
        assert row[0] in set(ranking.ids.tolist()) - set(pair.labels)
    assert mined.ids[2, 0] != 5


def test_random_negatives_come_from_the_whole_bank() -> None:
    rows = [PAIRS[1]] * 100
    mined = random_negatives(rows, BANK, per_query=2, near_duplicates=None, seed=0)
    assert set(mined.ids.ravel().tolist()) == {2, 5, 7}  # 4 and 9 are its labels
    assert mined.dropped.padded == 200


def test_bank_embeddings_are_unit_vectors(tiny: Tiny) -> None:
    array = bank_embeddings(tiny(), BANK)
    assert array.shape == (5, 32)
    assert array.dtype == np.float32
    assert np.linalg.norm(array, axis=1) == pytest.approx(1.0, abs=1e-5)
