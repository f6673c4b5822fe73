"""Boosted trees: they learn what a feature tells, are the same again, and rank what they are given."""

import numpy as np
import pytest

from core.errors import ModelError
from core.records import Misconception, Query, Ranking
from rerank import boosted
from rerank.boosted import BoostedRecipe, BoostedReranker, BoostedTrees, train_boosted

COLUMNS = ("noise", "tells")
RECIPE = BoostedRecipe(models=2, rounds=30, min_rows=5, l2=0.0, columns=1.0)


def lessons(queries: int = 60, seed: int = 0) -> tuple[list[np.ndarray], list[list[bool]]]:
    """Ten candidates a query; the true one has the highest second feature."""
    draw = np.random.default_rng(seed)
    features = [draw.normal(size=(10, 2)).astype(np.float32) for _ in range(queries)]
    truths = [(matrix[:, 1] == matrix[:, 1].max()).tolist() for matrix in features]
    return features, truths


@pytest.fixture(scope="module")
def trees() -> BoostedTrees:
    return train_boosted(*lessons(), COLUMNS, RECIPE)


def test_they_rank_new_queries_by_the_feature_that_tells(trees: BoostedTrees) -> None:
    features, truths = lessons(40, seed=1)
    hits = [truth[int(trees.scores(matrix).argmax())] for matrix, truth in zip(features, truths, strict=True)]
    assert np.mean(hits) > 0.6  # by chance 0.1
    importance = trees.importance()
    assert next(iter(importance)) == "tells" and sum(importance.values()) == pytest.approx(1.0)
    assert importance["tells"] > 0.7


def test_same_seed_same_trees_and_each_forest_its_own(trees: BoostedTrees) -> None:
    assert train_boosted(*lessons(), COLUMNS, RECIPE).texts == trees.texts
    assert trees.texts[0] != trees.texts[1]
    assert train_boosted(*lessons(), COLUMNS, BoostedRecipe(**{**vars(RECIPE), "seed": 5})).texts != trees.texts


def test_threads_do_not_change_the_trees(trees: BoostedTrees) -> None:
    two = train_boosted(*lessons(), COLUMNS, BoostedRecipe(**{**vars(RECIPE), "threads": 2}))
    assert two.texts == trees.texts


def test_scores_are_the_mean_of_the_forests(trees: BoostedTrees) -> None:
    matrix = lessons(1, seed=3)[0][0]
    alone = [BoostedTrees(texts=(text,), columns=COLUMNS).scores(matrix) for text in trees.texts]
    assert trees.scores(matrix).tolist() == np.mean(alone, axis=0).tolist()


def test_a_query_that_teaches_nothing_is_left_out() -> None:
    features, truths = lessons(30)
    more = [*features, features[0]], [*truths, [False] * 10]
    assert train_boosted(*more, COLUMNS, RECIPE).texts == train_boosted(features, truths, COLUMNS, RECIPE).texts
    with pytest.raises(ModelError, match="no query to train on has its label"):
        train_boosted(features[:2], [[False] * 10] * 2, COLUMNS, RECIPE)
    with pytest.raises(ValueError, match="of one length"):
        train_boosted(features[:2], truths[:1], COLUMNS, RECIPE)


def test_other_columns_are_refused(trees: BoostedTrees) -> None:
    with pytest.raises(ValueError, match="expected 2 features, got 3"):
        trees.scores(np.zeros((4, 3), dtype=np.float32))


def test_the_reranker_keeps_keys_and_ids_and_gives_probabilities(
    trees: BoostedTrees, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    asked: list[tuple[str, ...]] = []

    def features(some: list[Query], theirs: list[Ranking]) -> list[np.ndarray]:
        asked.append(tuple(query.key for query in some))
        return [np.stack([r.ids * 0.0, r.ids % 7], axis=1).astype(np.float32) for r in theirs]

    given = [candidates[0], candidates[1].top(0), candidates[2].top(3)]
    found = BoostedReranker(trees, features).rerank(queries[:3], given, bank)
    assert asked == [(queries[0].key, queries[2].key)]  # nothing is asked about an empty list
    assert [r.key for r in found] == [q.key for q in queries[:3]]
    assert [sorted(r.ids.tolist()) for r in found] == [sorted(r.ids.tolist()) for r in given]
    assert [float(np.exp(found[row].scores).sum()) for row in (0, 2)] == pytest.approx([1.0, 1.0])
    empty = BoostedReranker(trees, features).rerank(queries[:1], [candidates[0].top(0)], bank)
    assert len(empty[0]) == 0
    with pytest.raises(ValueError, match="one ranking of candidates per query"):
        BoostedReranker(trees, features).rerank(queries[:2], given[:1], bank)


def test_a_forest_that_lightgbm_cannot_read_is_told() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        BoostedTrees(texts=("no forest at all",), columns=COLUMNS).scores(np.zeros((1, 2), dtype=np.float32))


def test_without_lightgbm_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    plain = builtins.__import__

    def missing(name: str, *arguments: object, **named: object) -> object:
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file")
        return plain(name, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModelError, match=r"libgomp\.so\.1.*pip install lightgbm"):
        boosted.check_installed()
