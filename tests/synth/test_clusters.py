import numpy as np
import pytest
from made_rows import made_question

from core.records import Ranking, queries_of
from synth.clusters import confusions_of, similar_entries

# Four directions in the plane: 0°, 10°, 30°, 90°.
ANGLES = np.radians([0.0, 10.0, 30.0, 90.0])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
IDS = [40, 30, 20, 10]


def ranking(key, *ids):
    return Ranking.from_scores(key, list(ids), [float(len(ids) - place) for place in range(len(ids))])


def test_the_nearest_come_first():
    found = similar_entries(IDS, VECTORS, size=2)
    assert found == {40: (30, 20), 30: (40, 20), 20: (30, 40), 10: (20, 30)}


def test_ties_go_by_id_and_a_small_bank_gives_what_it_has():
    same = np.ones((3, 1), dtype=np.float32)
    assert similar_entries([9, 5, 7], same, size=9) == {9: (5, 7), 5: (7, 9), 7: (5, 9)}
    assert similar_entries([9], same[:1], size=5) == {9: ()}
    assert similar_entries([9, 5], same[:2], size=0) == {9: (), 5: ()}


def test_blocks_do_not_change_the_result(monkeypatch):
    draw = np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32)
    draw /= np.linalg.norm(draw, axis=1, keepdims=True)
    whole = similar_entries(range(40), draw, size=4)
    monkeypatch.setattr("synth.clusters._BLOCK", 7)
    assert similar_entries(range(40), draw, size=4) == whole


def test_what_is_confused_counts_as_alike_in_both_directions():
    # 10 stands at cosine 0 to 40; a share of 1 at weight 1.5 lifts it over all others.
    found = similar_entries(IDS, VECTORS, size=1, confusions={40: {10: 1.0, 999: 1.0}}, confusion_weight=1.5)
    assert found[40] == (10,) and found[10] == (40,) and found[30] == (40,)
    assert similar_entries(IDS, VECTORS, size=1, confusions={40: {10: 1.0}}, confusion_weight=0.1)[40] == (30,)


def test_confusions_are_what_stands_above_the_truth():
    queries = queries_of([made_question(id=number, label=1) for number in range(4)], labelled_only=True)
    found = confusions_of(
        queries,
        [
            ranking("0_B", 1, 2, 3),  # right: nothing is confused
            ranking("1_B", 2, 3, 1),  # 2 and 3 stand above
            ranking("2_B", 2, 4, 5, 6, 7, 8, 1),  # the first five
            ranking("7_B", 9, 1),  # nobody's
        ],
    )
    assert found == {1: {2: 2 / 3, 3: 1 / 3, 4: 1 / 3, 5: 1 / 3, 6: 1 / 3, 7: 1 / 3}}
    # A label that is not ranked at all is confused with the head; query 3 has no ranking.
    assert confusions_of(queries, [ranking("3_B", 5, 6)], depth=1) == {1: {5: 1.0}}


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="embeddings"):
        similar_entries([1], VECTORS, size=1)
    with pytest.raises(ValueError, match="size"):
        similar_entries(IDS, VECTORS, size=-1)
