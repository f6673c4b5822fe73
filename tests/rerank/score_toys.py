"""Fake prompters and scorers: a prompt's tokens say what it shows, and a plain function of them gives the scores.

Loaded by the fixture `toys`, and run as a program by the test that kills a process.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.language_model import EngineStats, LabelScores, ScoringError, check_prompts, label_scores
from core.records import LETTERS, Misconception, Query, Question, Ranking
from rerank.prompts import BuiltPrompt

BANK = [Misconception(id=100 + place, name=f"belief {place}") for place in range(80)]
NONE = 1


@dataclass
class ListPrompter:
    """Tokens: question + 1000, 1 where there is a none label, then the candidates' ids. Labels are 1, 2, …"""

    capacity: int = 52
    none_label: bool = False
    cut: int = 0
    built: list[str] = field(default_factory=list)

    def build(self, query: Query, candidates: Sequence[Misconception]) -> BuiltPrompt:
        ids: list[int | None] = [candidate.id for candidate in candidates]
        assert len(ids) <= self.capacity
        self.built.append(query.key)
        tokens = (1000 + query.question.id, NONE if self.none_label else 0, *[id for id in ids if id is not None])
        slots = [*ids, None] if self.none_label else ids
        return BuiltPrompt(
            token_ids=tokens,
            label_ids=tuple(range(1, len(slots) + 1)),
            cut_tokens=self.cut,
            candidate_ids=tuple(slots),
            shared_tokens=2,
        )


@dataclass
class PairPrompter:
    """The same with one candidate; labels are Yes = 2 and No = 1."""

    cut: int = 0

    def build(self, query: Query, candidate: Misconception) -> BuiltPrompt:
        return BuiltPrompt(
            token_ids=(1000 + query.question.id, 0, candidate.id),
            label_ids=(2, 1),
            cut_tokens=self.cut,
            candidate_ids=(candidate.id,),
            shared_tokens=2,
        )


def merit(question: int, id: int) -> float:
    """Content alone: a number from -3 to 3 that looks random."""
    return 3.0 * float(np.sin(12.9898 * question + 78.233 * id))


def content_logits(question: int, ids: Sequence[int]) -> list[float]:
    return [merit(question, id) for id in ids]


def slot_logits(question: int, ids: Sequence[int]) -> list[float]:
    return [-0.7 * slot + 0.2 * (slot % 3) for slot in range(len(ids))]


def mixed_logits(question: int, ids: Sequence[int]) -> list[float]:
    pairs = zip(content_logits(question, ids), slot_logits(question, ids), strict=True)
    return [content + slot for content, slot in pairs]


@dataclass
class Scorer:
    """Log-softmax of a function of (question, ids by slot), "none of these" at logit 0; writes down what it is asked.

    `fail` names a question whose prompts do not come back; `broken` one whose first score is NaN; `noise` moves every
    call's scores by another amount, as batches do.
    """

    logits: Callable[[int, Sequence[int]], Sequence[float]] = content_logits
    fail: int | None = None
    broken: int | None = None
    noise: float = 0.0
    nap: float = 0.0
    tells: bool = True
    calls: list[list[tuple[int, ...]]] = field(default_factory=list)
    stats: EngineStats = field(default_factory=EngineStats)

    def score(self, prompts: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]) -> list[LabelScores]:
        check_prompts(prompts, labels)
        self.calls.append([tuple(prompt) for prompt in prompts])
        time.sleep(self.nap)
        return [
            self._one(place, prompt, wanted) for place, (prompt, wanted) in enumerate(zip(prompts, labels, strict=True))
        ]

    def _one(self, place: int, prompt: Sequence[int], labels: Sequence[int]) -> LabelScores:
        question, none, *ids = prompt
        if question - 1000 == self.fail:
            raise ScoringError(f"prompt {place}: no score came back", prompt=place if self.tells else None)
        values = np.asarray([*self.logits(question - 1000, ids), *([0.0] if none or labels == (2, 1) else [])])
        values = values + self.noise * np.sin(len(self.calls) + np.arange(len(values)))
        values = values - np.logaddexp.reduce(values) + np.log(0.9)
        scores = label_scores(values.tolist(), labels, prompt=place)
        if question - 1000 == self.broken:
            scores.logprobs[0] = np.nan
        return scores


def queries(count: int) -> list[Query]:
    """`count` queries whose label is their merit's best among the first ten of the bank."""
    made = []
    for number in range(count):
        best = max(BANK[:10], key=lambda entry: merit(number, entry.id)).id
        question = Question(
            id=number,
            text=f"what is {number}",
            answers=("right", "wrong", "left", "none"),
            correct=LETTERS[0],
            labels=((), (best,), (), ()),
        )
        made.append(Query(question=question, letter="B"))
    return made


def rankings(asked: Sequence[Query], length: int) -> list[Ranking]:
    """Stage 1: `length` bank entries in an order that turns with the query."""
    return [
        Ranking.from_scores(
            query.key,
            [entry.id for entry in BANK[:length]],
            [-float((7 * place + 3 * query.question.id) % length + place / 100) for place in range(length)],
        )
        for query in asked
    ]


def main(store: str, count: int, nap: float) -> None:
    """Rerank with a store and a slow engine; say each call on standard output."""
    from rerank.listwise import ListwiseReranker
    from rerank.score_store import ScoreStore

    class Talking(Scorer):
        def score(self, prompts: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]) -> list[LabelScores]:
            sys.stdout.write(f"call {len(prompts)}\n")
            sys.stdout.flush()
            return super().score(prompts, labels)

    asked = queries(count)
    scorer = Talking(logits=mixed_logits, noise=0.05, nap=nap)
    reranker = ListwiseReranker(scorer, ListPrompter(), batch_queries=2, store=ScoreStore(Path(store), engine="toy"))
    found = reranker.rerank(asked, rankings(asked, 6), BANK)
    sys.stdout.write(json.dumps([[r.ids.tolist(), r.scores.tolist()] for r in found]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
