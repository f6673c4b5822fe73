"""A short hash of a question's text: tells whether a model, or a made question, has seen it."""

from functools import lru_cache

from core.artifacts import content_hash
from core.records import Question
from core.text import normalise


def fingerprint(question: Question) -> str:
    """Return a short hash of a question's normalised text, so that copies share it.

    16 hexadecimal digits, so that two questions of a million collide with probability 3e-8.
    """
    return _of(question.text)


@lru_cache(maxsize=1 << 14)  # examples are shown, and so hashed, again and again
def _of(text: str) -> str:
    return content_hash(normalise(text))[:16]
