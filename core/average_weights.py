"""How much each model weighs in an average: by hand, equally, by its validation score, or as a greedy soup."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import ConfigError

_log = logging.getLogger(__name__)


def equal_weights(count: int) -> list[float]:
    """Return the same weight for each of `count` models, 1 together."""
    if count < 1:
        raise ValueError("there is nothing to average")
    return [1.0 / count] * count


def stated_weights(values: Sequence[float]) -> list[float]:
    """Return weights stated by hand, scaled to be 1 together.

    Raises:
        ConfigError: One is not above 0, or not finite.
    """
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise ConfigError(
            f"weights: expected finite numbers above 0 (leave a model out to weigh it 0), got {list(values)}"
        )
    return [value / math.fsum(values) for value in values]


def score_weights(scores: Sequence[float]) -> list[float]:
    """Return weights in proportion to validation scores, such as MAP@25: scores near one another weigh nearly the same.

    Raises:
        ConfigError: A score is not above 0, or not finite: such a model has no place in an average.
    """
    if not scores or not all(math.isfinite(score) and score > 0 for score in scores):
        raise ConfigError(
            f"weights by score: expected validation scores above 0, got {list(scores)}; leave the model that scores "
            "nothing out"
        )
    return stated_weights(scores)


@dataclass(frozen=True, kw_only=True)
class Soup:
    """A greedy soup.

    Attributes:
        members: Places of the models in it, in the order in which they came in; the best single one first.
        score: Its validation score.
        trail: What was tried: the members with the new one last, the score, and whether it stayed.
    """

    members: tuple[int, ...]
    score: float
    trail: tuple[tuple[tuple[int, ...], float, bool], ...]

    def weights(self, count: int) -> list[float]:
        """Return the weight of each of `count` models: the same for members, 0 for the others."""
        share = 1.0 / len(self.members)
        return [share if place in self.members else 0.0 for place in range(count)]


def greedy_soup(scores: Sequence[float], score_of: Callable[[tuple[int, ...]], float]) -> Soup:
    """Choose the models of an average: from the best single one on, each next one stays if the score does not fall.

    Source: greedy soup, Wortsman et al., ICML 2022 (recipe 1). On the data that it is chosen on, it is never worse than
    the best single model; on other data it may be.

    Args:
        scores: Validation score of each model alone; higher is better. Of equal ones the first comes first.
        score_of: The score of the equal average of some models, by their places; not asked for a single one.

    Raises:
        ValueError: There is no model, or a score is not finite.
    """
    if not scores or not all(map(math.isfinite, scores)):
        raise ValueError(f"expected finite scores of at least one model, got {list(scores)}")
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    members: tuple[int, ...] = (order[0],)
    best = scores[order[0]]
    trail = [(members, best, True)]
    for place in order[1:]:
        tried = (*members, place)
        score = score_of(tried)
        stays = score >= best
        trail.append((tried, score, stays))
        _log.info("soup of %s: %.4f, %s", tried, score, "kept" if stays else "left out")
        if stays:
            members, best = tried, score
    return Soup(members=members, score=best, trail=tuple(trail))
