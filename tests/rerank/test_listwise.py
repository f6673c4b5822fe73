"""The listwise reranker over scorers whose right answer is known."""

import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from core.fusion import fuse_with_stage_one, log_softmax
from core.language_model import ScoringError
from core.records import Ranking
from core.tokenizer import TransformersTokenizer
from rerank.adaptive import AdaptivePolicy, ImposedSkip
from rerank.listwise import ListwiseReranker
from rerank.listwise_plans import OrderPlan, WindowPlan
from rerank.prompts import ListwisePrompter, PromptTemplate
from rerank.reranker import DeadlineReranker
from rerank.score_store import ScoreStore


def run(toys: ModuleType, scorer: Any, *, count: int = 5, length: int = 7, prompter: Any = None, **options: Any) -> Any:
    """Return the rankings and the reranker."""
    asked = toys.queries(count)
    reranker = ListwiseReranker(scorer, prompter or toys.ListPrompter(), **options)
    return reranker.rerank(asked, toys.rankings(asked, length), toys.BANK), reranker


def by_id(ranking: Ranking) -> dict[int, float]:
    return dict(zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True))


def expected(toys: ModuleType, question: int, length: int) -> dict[int, float]:
    """Log-softmax of the content alone."""
    ids = [entry.id for entry in toys.BANK[:length]]
    return dict(zip(ids, log_softmax(np.array(toys.content_logits(question, ids))), strict=True))


@pytest.mark.parametrize("kind", ["ascending", "descending", "both", "cyclic", "random"])
@pytest.mark.parametrize("space", ["log", "probability"])
def test_a_scorer_of_content_is_unchanged_by_orders(toys: ModuleType, kind: str, space: str) -> None:
    found, _ = run(toys, toys.Scorer(), orders=OrderPlan(kind=kind, space=space))
    for question, ranking in enumerate(found):
        assert by_id(ranking) == pytest.approx(expected(toys, question, 7), abs=1e-5)


@pytest.mark.parametrize("space", ["log", "probability"])
def test_a_scorer_of_slots_is_uniform_after_all_cyclic_orders(toys: ModuleType, space: str) -> None:
    found, _ = run(toys, toys.Scorer(toys.slot_logits), orders=OrderPlan(kind="cyclic", space=space))
    for ranking in found:
        assert ranking.scores == pytest.approx(np.full(7, -np.log(7)))
    one, _ = run(toys, toys.Scorer(toys.slot_logits), orders=OrderPlan(kind="ascending"))
    assert np.ptp(one[0].scores) > 1


def test_both_orders_of_a_query_are_neighbours(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    run(toys, scorer, count=5, batch_queries=2)
    assert [[prompt[0] - 1000 for prompt in call] for call in scorer.calls] == [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4]]
    for call in scorer.calls:
        for first, second in zip(call[::2], call[1::2], strict=True):
            assert first[2:] == second[:1:-1]
    stage_one = toys.rankings(toys.queries(5), 7)
    assert scorer.calls[0][0][2:] == tuple(stage_one[0].ids.tolist())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"orders": OrderPlan(kind="random", count=3)},
        {"windows": WindowPlan(kind="sliding", size=4, stride=2, passes=2)},
        {"adaptive": AdaptivePolicy(threshold=0.8, slot_bias={7: np.linspace(0.3, -0.3, 7)})},
        {"adaptive": ImposedSkip(share=0.5)},
        {
            "windows": WindowPlan(kind="overlapping", size=4, stride=2),
            "adaptive": AdaptivePolicy(threshold=0.8, slot_bias={4: np.linspace(0.3, -0.3, 4)}),
        },
    ],
    ids=["both", "random", "sliding", "adaptive", "imposed", "adaptive windows"],
)
def test_the_batch_size_changes_nothing(toys: ModuleType, options: dict[str, Any]) -> None:
    results = [run(toys, toys.Scorer(toys.mixed_logits), count=11, batch_queries=b, **options) for b in (1, 3, 64)]
    assert results[0][0] == results[1][0] == results[2][0]
    assert len({reranker.last_run.prompts for _, reranker in results}) == 1
    skipped = {reranker.last_run.skipped for _, reranker in results}
    assert len(skipped) == 1
    assert (max(skipped) > 0) == ("adaptive" in options)


def test_none_of_these_has_a_probability_of_its_own(toys: ModuleType) -> None:
    found, reranker = run(toys, toys.Scorer(), prompter=toys.ListPrompter(none_label=True))
    for query, ranking in zip(reranker.last_run.queries, found, strict=True):
        logits = np.array(toys.content_logits(int(query.key.split("_")[0]), ranking.ids.tolist()))
        assert query.none_logprob == pytest.approx(-np.logaddexp.reduce([0.0, *logits]), abs=1e-5)
        assert np.exp(ranking.scores).sum() + np.exp(query.none_logprob) == pytest.approx(1.0)
    assert reranker.last_run.none_logprobs(["0_B", "77_A"])[1] is None
    _, without = run(toys, toys.Scorer())
    assert {query.none_logprob for query in without.last_run.queries} == {None}


def test_the_temperature_divides_none_of_these_too(toys: ModuleType) -> None:
    prompter = toys.ListPrompter(none_label=True)
    warm, reranker = run(toys, toys.Scorer(), prompter=prompter, temperature=2.0)
    for query, ranking in zip(reranker.last_run.queries, warm, strict=True):
        roots = np.exp(np.append(query.logprobs, query.none_logprob) / 2)
        wanted = dict(zip(query.ids.tolist(), (roots / roots.sum())[:-1], strict=True))
        assert np.exp(ranking.scores) == pytest.approx([wanted[id] for id in ranking.ids.tolist()])


def test_no_candidate_and_one_are_not_asked(toys: ModuleType) -> None:
    scorer, asked = toys.Scorer(), toys.queries(3)
    given = [r.top(n) for r, n in zip(toys.rankings(asked, 7), (0, 1, 4), strict=True)]
    found = ListwiseReranker(scorer, toys.ListPrompter()).rerank(asked, given, toys.BANK)
    assert [r.scores.tolist() for r in found[:2]] == [[], [0.0]]
    assert [sorted(r.ids.tolist()) for r in found] == [sorted(r.ids.tolist()) for r in given]
    assert [{prompt[0] for prompt in call} for call in scorer.calls] == [{1002}]


def test_a_run_keeps_every_order_by_slot(toys: ModuleType) -> None:
    _, reranker = run(toys, toys.Scorer(toys.mixed_logits), count=2, prompter=toys.ListPrompter(none_label=True, cut=3))
    last = reranker.last_run
    assert [(o.key, o.order, o.window) for o in last.orders] == [
        ("0_B", 0, 0),
        ("0_B", 1, 0),
        ("1_B", 0, 0),
        ("1_B", 1, 0),
    ]
    for scores in last.orders:
        assert np.exp(scores.logprobs).sum() + np.exp(scores.none_logprob) == pytest.approx(1.0, abs=1e-6)
        assert scores.mass == pytest.approx(0.9)
    assert last.orders[0].ids.tolist() == last.orders[1].ids.tolist()[::-1]
    assert (last.prompts, last.prompt_tokens, last.cut_queries, last.skipped) == (4, 4 * 9, 2, 0)


def test_cut_questions_are_told(toys: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run(toys, toys.Scorer(), prompter=toys.ListPrompter(cut=3))
    assert "cut in 5 of 5 queries" in caplog.text


def test_lists_longer_than_a_prompt_want_windows(toys: ModuleType) -> None:
    with pytest.raises(ValueError, match="query 0_B: 7 candidates, but a prompt takes 5"):
        run(toys, toys.Scorer(), prompter=toys.ListPrompter(capacity=5))
    with pytest.raises(ValueError, match="windows of 6"):
        run(
            toys,
            toys.Scorer(),
            prompter=toys.ListPrompter(capacity=5),
            windows=WindowPlan(kind="sliding", size=6, stride=2),
        )


@pytest.mark.parametrize("tells", [True, False])
def test_a_score_that_does_not_come_back_names_its_query(toys: ModuleType, tells: bool) -> None:
    message = "query 3_B: prompt 6: no score" if tells else "one of the queries 0_B to 4_B: prompt"
    with pytest.raises(ScoringError, match=message):
        run(toys, toys.Scorer(fail=3, tells=tells))


def test_a_score_that_is_no_number_names_its_query(toys: ModuleType) -> None:
    with pytest.raises(ScoringError, match=r"query 2_B: expected 7 finite scores, got \[nan,"):
        run(toys, toys.Scorer(broken=2))


def test_a_deadline_leaves_the_rest_to_stage_one(toys: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    scorer, asked = toys.Scorer(), toys.queries(9)
    stage_one = toys.rankings(asked, 7)
    reranker = ListwiseReranker(scorer, toys.ListPrompter(), batch_queries=2)
    assert isinstance(reranker, DeadlineReranker)
    found = reranker.rerank(asked, stage_one, toys.BANK, deadline=lambda: len(scorer.calls) >= 2)
    assert [len(ranking) for ranking in found] == [7] * 4 + [0] * 5
    assert reranker.unreached == tuple(query.key for query in asked[4:])
    assert "5 queries were not reached" in caplog.text
    fused = fuse_with_stage_one(stage_one, found, weight=1.0)
    assert [r.ids.tolist() for r in fused[4:]] == [r.ids.tolist() for r in stage_one[4:]]
    assert [r.ids.tolist() for r in fused[:4]] == [r.ids.tolist() for r in found[:4]]


def test_stored_scores_are_used_again_to_the_bit(toys: ModuleType, tmp_path: Path) -> None:
    engine = toys.Scorer(toys.mixed_logits, noise=0.1)
    path = tmp_path / "scores.jsonl"
    first, _ = run(toys, engine, batch_queries=2, store=ScoreStore(path, engine="e"))
    calls = len(engine.calls)
    again, reranker = run(toys, engine, batch_queries=3, store=ScoreStore(path, engine="e"))
    assert again == first
    assert len(engine.calls) == calls
    assert reranker.last_run.prompts == 10
    other, _ = run(toys, engine, batch_queries=3, store=ScoreStore(path, engine="another"))
    assert other != first


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"batch_queries": 0}])
def test_options_out_of_range(toys: ModuleType, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected a positive temperature"):
        ListwiseReranker(toys.Scorer(), toys.ListPrompter(), **wrong)


def test_prompts_are_checked_without_being_asked(toys: ModuleType, byte_tokenizer: TransformersTokenizer) -> None:
    scorer, asked = toys.Scorer(), toys.queries(2)
    given = toys.rankings(asked, 7)
    room = max(
        len(ListwisePrompter(byte_tokenizer, PromptTemplate()).build(query, toys.BANK[:7]).token_ids) for query in asked
    )

    def check(max_tokens: int, shown: int | None = None, **options: Any) -> None:
        prompter = ListwisePrompter(byte_tokenizer, PromptTemplate(max_tokens=max_tokens))
        ListwiseReranker(scorer, prompter, **options).check_prompts(asked, given, toys.BANK, shown=shown)

    check(room)
    with pytest.raises(InputError, match="7 candidates"):
        check(room - 20)
    check(room - 20, shown=3)
    check(room - 20, windows=WindowPlan(kind="sliding", size=3, stride=1))
    assert scorer.calls == []
