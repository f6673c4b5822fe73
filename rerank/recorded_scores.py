"""A scorer that remembers what it was asked: so that two models can be compared prompt by prompt."""

from collections.abc import Sequence

from core.language_model import EngineStats, LabelScores, TokenIds, TokenScorer

Asked = tuple[tuple[int, ...], tuple[int, ...]]
"""A prompt and its labels."""


class RecordingScorer:
    """Passes prompts on and keeps their scores.

    Attributes:
        found: Scores of each prompt and its labels, in the order of the first asking.

    Args:
        scorer: The engine.
    """

    def __init__(self, scorer: TokenScorer) -> None:
        self._scorer = scorer
        self.found: dict[Asked, LabelScores] = {}

    @property
    def stats(self) -> EngineStats:
        """The engine's."""
        return self._scorer.stats

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """See `TokenScorer.score`."""
        scores = self._scorer.score(prompts, labels)
        for prompt, wanted, score in zip(prompts, labels, scores, strict=True):
            self.found.setdefault((tuple(prompt), tuple(wanted)), score)
        return scores

    def scores_of(self, asked: Sequence[Asked]) -> list[LabelScores]:
        """Return the scores of prompts; those that were not asked yet (windows that moved) are asked now."""
        missing = [pair for pair in dict.fromkeys(asked) if pair not in self.found]
        if missing:
            self.score([prompt for prompt, _ in missing], [wanted for _, wanted in missing])
        return [self.found[pair] for pair in asked]
