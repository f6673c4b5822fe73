import csv
import io

import pytest

from core.records import Query, Question, Ranking
from eval.metrics import average_precisions
from pipelines.ablation import (
    ALONE,
    FUSED,
    STAGE_ONE,
    Ablation,
    Variant,
    ablate,
    ablation_csv,
    ablation_section,
    ablation_table,
)
from pipelines.scoring import ScoringFacts
from pipelines.stage_two import StageTwoWeights

SPEC = "cross-encoder:a<b>"
TOKENS = 1234 * 563
COSTS = {
    SPEC: ScoringFacts(
        queries=1234,
        seconds=100.0,
        prompts=2468,
        prompt_tokens=TOKENS,
        fresh_tokens=TOKENS,
        cached_tokens=TOKENS // 4,
        cut_queries=7,
        gpus=1,
    )
}


def query(number: int, label: int) -> Query:
    labels: tuple[tuple[int, ...], ...] = ((), (label,), (), ())
    question = Question(id=number, text=f"q{number}", answers=("1", "2", "3", "4"), correct="A", labels=labels)  # type: ignore[arg-type]
    return Query(question=question, letter="B")


def weights(weight: float, prior: float = 0.0) -> StageTwoWeights:
    return StageTwoWeights(weight=weight, prior=prior, prior_gain=None)


def ranked(key: str, *ids: int) -> Ranking:
    return Ranking.from_scores(key, ids, [-float(place) for place in range(len(ids))])


@pytest.fixture
def ablation() -> Ablation:
    """Labels 1, 2, 3, 4; stage 1 puts them at ranks 2, 2, 2, 4, the reranker alone at 1, 4, 2, 1, fused at 1, 1, 2, 2.

    MAP by hand: stage 1 (1/2 + 1/2 + 1/2 + 1/4) / 4 = 0.4375, alone (1 + 1/4 + 1/2 + 1) / 4 = 0.6875, fused
    (1 + 1 + 1/2 + 1/2) / 4 = 0.75. Seen are 1 and 2: stage 1 0.5, alone 0.625, fused 1; unseen 0.375, 0.75, 0.5.
    """
    queries = [query(number, number) for number in (1, 2, 3, 4)]
    a, b, c, d = (q.key for q in queries)
    stage_one = [ranked(a, 9, 1, 8, 7), ranked(b, 9, 2, 8, 7), ranked(c, 9, 3, 8, 7), ranked(d, 9, 8, 7, 4)]
    alone = [ranked(a, 1, 9, 8, 7), ranked(b, 9, 8, 7, 2), ranked(c, 9, 3, 8, 7), ranked(d, 4, 9, 8, 7)]
    fused = [ranked(a, 1, 9, 8, 7), ranked(b, 2, 9, 8, 7), ranked(c, 9, 3, 8, 7), ranked(d, 9, 4, 8, 7)]
    variants = [
        Variant(reranker=STAGE_ONE, used="as it is", weights=(weights(0), weights(0)), rankings=stage_one),
        Variant(reranker=SPEC, used=ALONE, weights=(weights(1), weights(1)), rankings=alone),
        Variant(reranker=SPEC, used=FUSED, weights=(weights(0.25, 0.5), weights(0.5)), rankings=fused),
    ]
    return ablate(variants, queries, reference=f"{SPEC}, {FUSED}", seen=frozenset({1, 2}), resamples=100)


def test_numbers_worked_out_by_hand(ablation: Ablation) -> None:
    values = [row.evaluation.map25.value for row in ablation.rows]
    assert values == pytest.approx([0.4375, 0.6875, 0.75])
    seen = [row.evaluation.seen.map25.value if row.evaluation.seen else None for row in ablation.rows]
    unseen = [row.evaluation.unseen.map25.value if row.evaluation.unseen else None for row in ablation.rows]
    assert seen == pytest.approx([0.5, 0.625, 1.0])
    assert unseen == pytest.approx([0.375, 0.75, 0.5])


def test_every_row_is_tested_against_the_reference_and_the_reference_against_none(ablation: Ablation) -> None:
    tests = [row.test for row in ablation.rows]
    assert tests[2] is None
    assert [test.difference for test in tests if test] == pytest.approx([0.4375 - 0.75, 0.6875 - 0.75])
    pairs = [(item.first, item.second) for item in ablation.measured.comparisons]
    assert pairs == [(STAGE_ONE, f"{SPEC}, {FUSED}"), (f"{SPEC}, {ALONE}", f"{SPEC}, {FUSED}")]


def test_the_loss_budget_takes_stage_one_as_the_candidates(ablation: Ablation) -> None:
    assert ablation.measured.budget.retriever == pytest.approx(0.4375)
    assert ablation.measured.budget.reached == pytest.approx(0.75)


def test_the_table_shows_each_row_and_its_speed(ablation: Ablation) -> None:
    lines = ablation_table(ablation, COSTS).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split()[:3] == ["reranker", "used", "weight"]
    assert (
        "0.25/0.5" in lines[3]
        and "0.5/0" in lines[3]
        and "0.7500" in lines[3]
        and lines[3].split()[-5:] == ["12.3", "563", "25%", "7", "81.0"]
    )
    assert "-0.3125" in lines[1] and lines[1].endswith("–")


def test_the_csv_holds_the_same_numbers(ablation: Ablation) -> None:
    rows = list(csv.DictReader(io.StringIO(ablation_csv(ablation, COSTS))))
    assert [row["reranker"] for row in rows] == [STAGE_ONE, SPEC, SPEC]
    assert [float(row["map@25"]) for row in rows] == [0.4375, 0.6875, 0.75]
    assert (rows[2]["weight_half0"], rows[2]["weight_half1"], rows[2]["prior_half0"]) == ("0.25", "0.5", "0.5")
    assert float(rows[0]["difference"]) == pytest.approx(-0.3125)
    assert float(rows[0]["difference_low"]) <= -0.3125 <= float(rows[0]["difference_high"])
    assert rows[2]["difference"] == rows[2]["p"] == ""
    assert (rows[2]["queries_per_second"], rows[2]["prompt_tokens_per_query"]) == ("12.34", "563.0")
    assert (rows[2]["cached_token_share"], rows[2]["cut_queries"]) == ("0.25", "7")
    assert float(rows[2]["gpu_seconds_per_1000_queries"]) == pytest.approx(1000 / 12.34, abs=1e-3)
    assert rows[0]["queries_per_second"] == rows[0]["gpu_seconds_per_1000_queries"] == ""


def test_the_section_escapes_names_and_has_a_cell_for_each_head(ablation: Ablation) -> None:
    html = ablation_section(ablation, COSTS).html
    assert "cross-encoder:a&lt;b&gt;" in html and "<b>" not in html
    rows = html.split("<tr>")[1:]
    assert len(rows) == 4
    assert {row.count("<td>") for row in rows[1:]} == {rows[0].count("<th>")}


def test_json_tells_reference_and_weights(ablation: Ablation) -> None:
    numbers = ablation.to_json()
    assert numbers["reference"] == f"{SPEC}, {FUSED}"
    assert numbers["weights_by_half"][f"{SPEC}, {FUSED}"][0] == {
        "weight": 0.25,
        "prior": 0.5,
        "prior_gain": None,
        "temperature": 1.0,
    }
    assert STAGE_ONE not in numbers["weights_by_half"]
    labels = ablation.measured.labels
    values = average_precisions(ablation.rows[1].variant.rankings, labels)
    assert numbers["runs"][f"{SPEC}, {ALONE}"]["all"]["map@25"]["value"] == pytest.approx(values.mean())
