import numpy as np

from core.order_scores import OrderScores
from eval.bias import measure_bias
from eval.bias_section import bias_section, calibration_section
from eval.calibration import calibration


def scored(order: int, ids: list[int], probabilities: list[float]) -> OrderScores:
    return OrderScores(
        key="1_A", order=order, ids=np.array(ids), logprobs=np.log(probabilities), none_logprob=np.log(0.1), mass=0.25
    )


def test_the_section_tells_every_number_and_escapes() -> None:
    records = [scored(0, [1, 2, 3], [0.5, 0.3, 0.1]), scored(1, [3, 2, 1], [0.5, 0.3, 0.1])]
    probe = [scored(0, [2, 1, 3], [0.5, 0.3, 0.1])]
    bias = measure_bias(records, labels={"1_A": (1,)}, probe=probe, again=records[:1])
    section = bias_section(bias, name="a<b>", measured_on="some <queries>")
    assert section.title == "Bias of the reranker: a<b>"  # titles are escaped by the page
    for part in (
        "some &lt;queries&gt;",
        "100.0 % (1 of 1)",
        "Spread left after averaging",
        "changes in 0 of 1 prompts",
        "none of these",
        "0.2500",
        "Mean label probability by slot",
        "What a slot adds by itself",
        "MAP@25 by the slot in which the truth stood",
        "order 2 alone",
    ):
        assert part in section.html, part
    assert section.html.count("<svg") == section.html.count("</svg>") == 3


def test_a_run_without_labels_and_probes_shows_what_there_is() -> None:
    section = bias_section(measure_bias([scored(0, [1, 2], [0.6, 0.3])]), name="x", measured_on="y")
    assert section.html.count("<svg") == 1
    assert "Spread" not in section.html and "other company" not in section.html


def test_reliability_before_and_after() -> None:
    before, after = calibration([0.95, 0.95], [True, False]), calibration([0.55, 0.55], [True, False])
    html = calibration_section({"raw": before, "tempered": after}, name="x").html
    assert "expected calibration error 0.450" in html and "expected calibration error 0.050" in html
    assert "raw" in html and "tempered" in html and "honest" in html
