"""Stage 2 by boosted trees: LambdaMART over stage 1's scores, untrained similarities and labelled examples.

A language model reads one query at a time; what it cannot see is how the whole training set voted. Trees over a few
dozen numbers see that, train in a minute and rank a query in some milliseconds on a CPU once texts are embedded.
Source of the method: Burges, "From RankNet to LambdaRank to LambdaMART" (2010), as LightGBM builds it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import ModelError
from core.records import Misconception, Query, Ranking
from core.stage_one_fusion import log_softmax
from rerank.pairs import check_candidates
from rerank.ranking_features import Features

FeatureMaker = Callable[[Sequence[Query], Sequence[Ranking]], list[Features]]
"""Queries and their candidates -> a matrix of features a query."""


@dataclass(frozen=True, kw_only=True)
class BoostedRecipe:
    """How the trees are grown.

    Attributes:
        models: Forests whose mean is taken; each draws other rows and columns.
        rounds: Trees a forest.
        learning_rate: Of each tree.
        leaves: Most leaves a tree.
        min_rows: Fewest (query, candidate) pairs a leaf.
        l2: Penalty on leaf values.
        columns: Share of the features that a tree may read, above 0 to 1.
        rows: Share of the pairs that a tree is grown on, above 0 to 1.
        seed: Of the first forest; the next count on from it.
        threads: Threads to grow with; the trees do not depend on it.
    """

    models: int = 4
    rounds: int = 150
    learning_rate: float = 0.05
    leaves: int = 8
    min_rows: int = 200
    l2: float = 5.0
    columns: float = 0.7
    rows: float = 0.8
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class BoostedTrees:
    """Trained forests.

    Attributes:
        texts: LightGBM's text form of each.
        columns: Names of the features, in order.
    """

    texts: tuple[str, ...]
    columns: tuple[str, ...]

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        """Return a score for every row, the mean of the forests; float64, shape (rows,), higher is better.

        Raises:
            ValueError: There are more or fewer columns than the trees were grown on.
            ModelError: A forest cannot be read.
        """
        if features.shape[1] != len(self.columns):
            raise ValueError(f"expected {len(self.columns)} features, got {features.shape[1]}")
        found = [np.asarray(one.predict(features, num_threads=1), dtype=np.float64) for one in self._boosters]
        return np.asarray(np.mean(found, axis=0), dtype=np.float64)

    @cached_property
    def _boosters(self) -> list[Any]:
        lightgbm = _lightgbm()
        try:
            return [lightgbm.Booster(model_str=text) for text in self.texts]
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(f"a boosted reranker's forest cannot be read ({error}); train it again") from error

    def importance(self) -> dict[str, float]:
        """Return the share of the trees' gain by feature, highest first; the shares sum to 1 (or all are 0)."""
        gains = np.zeros(len(self.columns))
        for booster in self._boosters:
            gains += booster.feature_importance(importance_type="gain")
        shares = gains / gains.sum() if gains.sum() > 0 else gains
        order = np.argsort(-shares, kind="stable")
        return {self.columns[place]: float(shares[place]) for place in order}


def train_boosted(
    features: Sequence[Features],
    truths: Sequence[Sequence[bool]],
    columns: Sequence[str],
    recipe: BoostedRecipe,
) -> BoostedTrees:
    """Grow the forests on queries with at least one true candidate.

    Args:
        features: One matrix per query, shape (candidates, columns).
        truths: For each candidate of each query, whether it is one of the query's labels.
        columns: Names of the features.
        recipe: How.

    Raises:
        ValueError: The lengths differ.
        ModelError: No query has its label among the candidates beside a wrong one, or LightGBM cannot be loaded.
    """
    if len(features) != len(truths):
        raise ValueError("features and truths must be of one length")
    used = [row for row, truth in enumerate(truths) if any(truth) and not all(truth)]
    if not used:
        raise ModelError("no query to train on has its label and a wrong candidate among its candidates")
    lightgbm = _lightgbm()
    counts = [len(truths[row]) for row in used]
    texts = []
    for number in range(recipe.models):
        data = lightgbm.Dataset(
            np.concatenate([features[row] for row in used]),
            np.concatenate([np.asarray(truths[row], dtype=np.int64) for row in used]),
            group=counts,
            feature_name=[f"f{place}" for place in range(len(columns))],
        )
        text = lightgbm.train(_parameters(recipe, number), data, recipe.rounds).model_to_string()
        # How many threads grew a forest is no part of it: its file must not tell.
        texts.append(re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", text))
    return BoostedTrees(texts=tuple(texts), columns=tuple(columns))


class BoostedReranker:
    """Scores candidates by boosted trees; log-softmax over each query's candidates.

    Attributes:
        trees: The trained trees.
        features: Makes their features.
    """

    def __init__(self, trees: BoostedTrees, features: FeatureMaker) -> None:
        self.trees = trees
        self.features = features

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        """Score every candidate; see `rerank.reranker.Reranker`.

        Raises:
            ValueError: Keys differ, or a candidate is not in the bank.
        """
        check_candidates(queries, candidates, bank)
        asked = [row for row, ranking in enumerate(candidates) if len(ranking)]
        if not asked:
            return list(candidates)
        features = self.features([queries[row] for row in asked], [candidates[row] for row in asked])
        scores = self.trees.scores(np.concatenate(features))
        reranked, start = list(candidates), 0
        for row, matrix in zip(asked, features, strict=True):
            part = scores[start : start + len(matrix)]
            start += len(matrix)
            reranked[row] = Ranking.from_scores(candidates[row].key, candidates[row].ids, log_softmax(part))
        return reranked


def check_installed() -> None:
    """Load LightGBM.

    Raises:
        ModelError: It cannot be loaded.
    """
    _lightgbm()


def _parameters(recipe: BoostedRecipe, number: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 25,  # MAP is cut at 25
        "learning_rate": recipe.learning_rate,
        "num_leaves": recipe.leaves,
        "min_data_in_leaf": recipe.min_rows,
        "lambda_l2": recipe.l2,
        "feature_fraction": recipe.columns,
        "bagging_fraction": recipe.rows,
        "bagging_freq": 1,
        "seed": recipe.seed + number,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": recipe.threads,
        "verbose": -1,
    }


def _lightgbm() -> Any:  # noqa: ANN401 - LightGBM has no types
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise ModelError(
            f"a boosted reranker needs LightGBM, which could not be loaded ({error}). Get it with: pip install "
            "lightgbm (on Linux it needs the system library libgomp1)"
        ) from error
    return lightgbm
