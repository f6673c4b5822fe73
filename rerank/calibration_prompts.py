"""Calibration prompts for quantisation: the task itself, from training questions, in both orders, never validation.

The competition's first team quantised on its own prompts; what a model reads at inference is what its activations are
scaled by.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from core.artifacts import atomic_path
from core.errors import InputError
from core.records import Misconception, Query, Question, Ranking
from core.text import normalise
from rerank.lm_tasks import ListPrompter, LmKind, PairPrompter
from rerank.orders import order_permutations

MOST_IN_A_MESSAGE = 3


@dataclass(frozen=True, kw_only=True)
class CalibrationPrompt:
    """One prompt.

    Attributes:
        key: Its query.
        order: Listwise: `ascending` or `descending`; pointwise: `first` (stage 1's best candidate) or `other`.
        token_ids: The prompt as the reranker asks it.
    """

    key: str
    order: str
    token_ids: tuple[int, ...]


def check_no_overlap(calibration: Iterable[Question], held_out: Iterable[Question]) -> None:
    """Refuse calibration questions that are held out, by id or as a copy of the text.

    Raises:
        InputError: Some are; says how many and which.
    """
    ids, texts = set(), set()
    for question in held_out:
        ids.add(question.id)
        texts.add(normalise(question.text))
    shared = [q.id for q in calibration if q.id in ids or normalise(q.text) in texts]
    if shared:
        raise InputError(
            f"calibration: {len(shared)} questions are in the held-out part, by id or by text, for example "
            f"{', '.join(map(str, shared[:MOST_IN_A_MESSAGE]))}: the gate would measure on what was calibrated on; "
            "leave them out"
        )


def calibration_prompts(
    prompter: ListPrompter | PairPrompter,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    bank: Mapping[int, Misconception],
    *,
    kind: LmKind,
    count: int,
    shown: int,
    seed: int,
    held_out: Collection[Question],
) -> list[CalibrationPrompt]:
    """Draw queries and write two prompts for each.

    Args:
        prompter: Builds prompts as at inference.
        queries: Queries of training questions.
        candidates: Their candidates, as the reranker will see such.
        bank: The misconceptions by id.
        kind: `listwise`: the list in ascending and in descending order; `pointwise`: the first candidate and another.
        count: Prompts, at least 2; an odd one is rounded up.
        shown: The most candidates in a list.
        seed: Of the draws.
        held_out: Validation questions, which must not be among the queries'.

    Returns:
        At most `count` prompts (fewer where there are fewer queries), in an order that depends on the seed alone.

    Raises:
        InputError: A query is held out, or no query has two candidates.
        ValueError: Queries and candidates do not belong together, or a prompt cannot be built.
    """
    if [query.key for query in queries] != [ranking.key for ranking in candidates]:
        raise ValueError("expected one ranking a query, with the queries' keys in their order")
    check_no_overlap([query.question for query in queries], held_out)
    generator = np.random.default_rng(seed)
    rows = [row for row in generator.permutation(len(queries)).tolist() if len(candidates[row]) > 1]
    if not rows:
        raise InputError("calibration: no training query has two candidates; nothing can be asked of the model")
    made = []
    for row in rows[: (count + 1) // 2]:
        query, ids = queries[row], candidates[row].ids.tolist()[:shown]
        listed = [bank[id] for id in ids]
        if kind == "listwise":
            lists = cast("ListPrompter", prompter)
            orders = order_permutations(len(listed), kind="both")
            asked = [
                (name, lists.build(query, [listed[place] for place in order.tolist()]))
                for name, order in zip(("ascending", "descending"), orders, strict=True)
            ]
        else:
            pairs = cast("PairPrompter", prompter)
            other = 1 + int(generator.integers(len(listed) - 1))
            asked = [("first", pairs.build(query, listed[0])), ("other", pairs.build(query, listed[other]))]
        made += [CalibrationPrompt(key=query.key, order=name, token_ids=p.token_ids) for name, p in asked]
    return made


def write_calibration(prompts: Sequence[CalibrationPrompt], path: Path) -> None:
    """Write prompts as JSON lines, atomically: what a back end reads."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for prompt in prompts:
            row = {"key": prompt.key, "order": prompt.order, "token_ids": list(prompt.token_ids)}
            stream.write(json.dumps(row) + "\n")


def read_calibration(path: Path) -> list[CalibrationPrompt]:
    """Read what `write_calibration` wrote.

    Raises:
        InputError: A line is not one of ours.
    """
    made = []
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                row = json.loads(line)
                made.append(
                    CalibrationPrompt(key=row["key"], order=row["order"], token_ids=tuple(map(int, row["token_ids"])))
                )
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}:{number}: no calibration prompt ({error}); remove the file") from error
    return made
