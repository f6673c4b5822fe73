"""What the gate found, to read."""

import numpy as np

from core.records import Misconception, Query, Question, Ranking
from pipelines.gate_report import gate_lines, gate_section
from pipelines.gate_stage import Gated
from rerank.quantization_gate import GateResult, GateThresholds, LostQuery


def result(**changes: object) -> GateResult:
    named: dict[str, object] = {
        "queries": 10,
        "prompts": 20,
        "before": 0.5,
        "after": 0.48,
        "low": -0.03,
        "high": 0.01,
        "agreement": 0.95,
        "divergence": 0.01,
        "largest_divergence": 0.2,
        "worst": (LostQuery(key="1_B", before=1.0, after=0.5, divergence=0.3, best_before=7, best_after=8),),
        "thresholds": GateThresholds(),
    }
    return GateResult(**{**named, **changes})  # type: ignore[arg-type]


def test_the_lines_tell_numbers_verdict_and_doubt() -> None:
    text = "\n".join(gate_lines(result()))
    assert "0.5000 -> 0.4800: -0.0200 (95 % interval -0.0300 to +0.0100); accepted from -0.0050" in text
    assert "95.0% of the prompts; accepted from 97.0%" in text and "verdict           refused" in text
    assert "measure more queries" in text
    sure = "\n".join(gate_lines(result(after=0.5, low=-0.001, high=0.001, agreement=1.0)))
    assert "accepted" in sure and "measure more" not in sure


def test_the_section_names_the_worst_queries_and_escapes_their_texts() -> None:
    question = Question(
        id=1, text="is 2 < 3?", answers=("yes", "<b>no</b>", "c", "d"), correct="A", labels=((), (7,), (), ())
    )
    ranking = Ranking.from_scores("1_B", [7, 8], np.log([0.6, 0.4]))
    gated = Gated(
        result=result(),
        queries=(Query(question=question, letter="B"),),
        candidates=[ranking],
        before=[ranking],
        after=[ranking],
        facts={"measured_through": "dequantised weights"},
    )
    page = gate_section(gated, [Misconception(id=7, name="mixes < and >"), Misconception(id=8, name="guesses")]).html
    assert "is 2 &lt; 3?" in page and "&lt;b&gt;no&lt;/b&gt;" in page and "mixes &lt; and &gt;" in page
    assert "<li>MAP@25 changed by -0.0200" in page
    assert gated.to_json()["measured_through"] == "dequantised weights"
