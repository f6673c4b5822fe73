"""A scorer that remembers."""

from collections.abc import Sequence

from core.language_model import EngineStats, LabelScores, label_scores
from rerank.recorded_scores import RecordingScorer


class Counting:
    """Scores a prompt's labels by their ids; counts what it was asked."""

    def __init__(self) -> None:
        self.stats = EngineStats()
        self.asked: list[tuple[int, ...]] = []

    def score(self, prompts: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]) -> list[LabelScores]:
        self.asked += [tuple(prompt) for prompt in prompts]
        return [
            label_scores([float(prompt[0] * id) for id in wanted], list(wanted), prompt=0, mass_known=False)
            for prompt, wanted in zip(prompts, labels, strict=True)
        ]


def test_what_was_asked_is_kept_in_order_and_asked_once() -> None:
    engine = Counting()
    scorer = RecordingScorer(engine)
    first = scorer.score([(1, 5), (2, 5)], [(1, 2), (1, 2)])
    assert list(scorer.found) == [((1, 5), (1, 2)), ((2, 5), (1, 2))]
    again = scorer.scores_of([((2, 5), (1, 2)), ((3, 5), (1, 2))])
    assert again[0] is first[1]
    assert engine.asked == [(1, 5), (2, 5), (3, 5)]
    assert scorer.stats is engine.stats
