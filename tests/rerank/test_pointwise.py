"""The pointwise reranker over scorers whose right answer is known."""

import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.fusion import log_softmax
from core.language_model import ScoringError
from rerank.pointwise import PointwiseReranker
from rerank.reranker import DeadlineReranker
from rerank.score_store import ScoreStore


def run(toys: ModuleType, scorer: Any, *, count: int = 4, length: int = 6, cut: int = 0, **options: Any) -> Any:
    asked = toys.queries(count)
    reranker = PointwiseReranker(scorer, toys.PairPrompter(cut=cut), **options)
    return reranker.rerank(asked, toys.rankings(asked, length), toys.BANK), reranker


def test_log_odds_are_the_logits_of_the_candidates(toys: ModuleType) -> None:
    found, reranker = run(toys, toys.Scorer())
    for question, ranking in enumerate(found):
        logits = np.array(toys.content_logits(question, ranking.ids.tolist()))
        assert ranking.scores == pytest.approx(log_softmax(logits), abs=1e-5)
    first = reranker.last_run.scores[0]
    assert first.log_odds == pytest.approx(toys.content_logits(0, first.ids.tolist()), abs=1e-5)
    assert first.mass == pytest.approx(0.9)
    assert first.prompts == 6


def test_log_probability_and_temperature(toys: ModuleType) -> None:
    found, _ = run(toys, toys.Scorer(), form="log-probability", temperature=2.0)
    for question, ranking in enumerate(found):
        yes = -np.log1p(np.exp(-np.array(toys.content_logits(question, ranking.ids.tolist()))))
        assert ranking.scores == pytest.approx(log_softmax(yes, temperature=2.0), abs=1e-5)


def test_two_candidates_as_good_as_certain_are_told_apart(toys: ModuleType) -> None:
    def logits(question: int, ids: list[int]) -> list[float]:
        return [60.0 if ids[0] == 103 else 50.0]

    odds, _ = run(toys, toys.Scorer(logits))
    assert {ranking.ids[0] for ranking in odds} == {103}
    assert odds[0].scores[0] > odds[0].scores[1] + 9


def test_prompts_of_a_query_are_neighbours_and_batches_change_nothing(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    one, _ = run(toys, scorer, count=5, batch_queries=2)
    assert [[prompt[0] - 1000 for prompt in call] for call in scorer.calls] == [
        [0] * 6 + [1] * 6,
        [2] * 6 + [3] * 6,
        [4] * 6,
    ]
    assert one == run(toys, toys.Scorer(), count=5, batch_queries=64)[0]


def test_no_candidate_and_one_are_not_asked(toys: ModuleType) -> None:
    scorer, asked = toys.Scorer(), toys.queries(3)
    given = [r.top(n) for r, n in zip(toys.rankings(asked, 6), (0, 1, 2), strict=True)]
    found = PointwiseReranker(scorer, toys.PairPrompter()).rerank(asked, given, toys.BANK)
    assert [r.scores.tolist() for r in found[:2]] == [[], [0.0]]
    assert sum(map(len, scorer.calls)) == 2


def test_a_deadline_leaves_queries_empty(toys: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    scorer, asked = toys.Scorer(), toys.queries(4)
    reranker = PointwiseReranker(scorer, toys.PairPrompter(), batch_queries=1)
    assert isinstance(reranker, DeadlineReranker)
    found = reranker.rerank(asked, toys.rankings(asked, 6), toys.BANK, deadline=lambda: len(scorer.calls) == 3)
    assert [len(ranking) for ranking in found] == [6, 6, 6, 0]
    assert reranker.unreached == ("3_B",)
    assert "1 of 4 queries were not reached" in caplog.text


def test_a_missing_score_names_the_query(toys: ModuleType) -> None:
    with pytest.raises(ScoringError, match="query 2_B: prompt 12"):
        run(toys, toys.Scorer(fail=2))


def test_cut_questions_are_told(toys: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _, reranker = run(toys, toys.Scorer(), cut=2)
    assert "cut in 4 of 4 queries" in caplog.text
    assert [scores.cut_tokens for scores in reranker.last_run.scores] == [2] * 4


def test_stored_scores_are_used_again_to_the_bit(toys: ModuleType, tmp_path: Path) -> None:
    engine = toys.Scorer(noise=0.2)
    first, _ = run(toys, engine, store=ScoreStore(tmp_path / "s.jsonl", engine="e"))
    again, _ = run(toys, engine, batch_queries=1, store=ScoreStore(tmp_path / "s.jsonl", engine="e"))
    assert again == first
    assert len(engine.calls) == 1


@pytest.mark.parametrize("wrong", [{"form": "odds"}, {"temperature": -1.0}, {"batch_queries": 0}])
def test_options_out_of_range(toys: ModuleType, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"form must|expected a positive"):
        PointwiseReranker(toys.Scorer(), toys.PairPrompter(), **wrong)
