"""Calibration prompts: the task's own, in both orders, never validation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from core.records import Misconception, Query, Ranking
from rerank.calibration_prompts import calibration_prompts, check_no_overlap, read_calibration, write_calibration


def drawn(
    prompter: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception], **changes: Any
) -> Any:
    named: dict[str, Any] = {"kind": "listwise", "count": 8, "shown": 3, "seed": 1, "held_out": [], **changes}
    return calibration_prompts(prompter, queries, candidates, {entry.id: entry for entry in bank}, **named)


def test_each_query_is_shown_in_both_orders(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    found = drawn(toy_prompts, queries, candidates, bank)
    assert [prompt.order for prompt in found] == ["ascending", "descending"] * 4
    assert all(a.key == b.key for a, b in zip(found[::2], found[1::2], strict=True))
    assert len({prompt.key for prompt in found}) == 4
    rows = {query.key: row for row, query in enumerate(queries)}
    row = rows[found[0].key]
    listed = [next(m for m in bank if m.id == id) for id in candidates[row].ids.tolist()[:3]]
    assert found[0].token_ids == toy_prompts.build(queries[row], listed).token_ids
    assert found[1].token_ids == toy_prompts.build(queries[row], listed[::-1]).token_ids


def test_the_seed_alone_decides(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    first = drawn(toy_prompts, queries, candidates, bank)
    assert drawn(toy_prompts, queries, candidates, bank) == first
    assert [p.key for p in drawn(toy_prompts, queries, candidates, bank, seed=2)] != [p.key for p in first]
    assert len(drawn(toy_prompts, queries, candidates, bank, count=1000)) == 2 * len(queries)
    assert len(drawn(toy_prompts, queries, candidates, bank, count=3)) == 4


def test_pointwise_shows_the_best_and_another(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    found = drawn(toy_prompts, queries, candidates, bank, kind="pointwise")
    assert [prompt.order for prompt in found] == ["first", "other"] * 4
    assert all(a.token_ids != b.token_ids for a, b in zip(found[::2], found[1::2], strict=True))


def test_validation_never_calibrates(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    with pytest.raises(InputError, match=r"calibration: 1 questions .* for example 5"):
        drawn(toy_prompts, queries, candidates, bank, held_out=[queries[5].question])
    copy = replace(queries[5].question, id=999, text="  What is   5 ")  # a copy under another id
    with pytest.raises(InputError, match="by id or by text"):
        check_no_overlap([queries[5].question], [copy])
    check_no_overlap([queries[5].question], [queries[6].question])


def test_nothing_to_ask_is_told(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    with pytest.raises(InputError, match="two candidates"):
        drawn(toy_prompts, queries, [ranking.top(1) for ranking in candidates], bank)
    with pytest.raises(ValueError, match="one ranking a query"):
        drawn(toy_prompts, queries[1:], candidates, bank)


def test_files_come_back(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception], tmp_path: Path
) -> None:
    found = drawn(toy_prompts, queries, candidates, bank)
    write_calibration(found, tmp_path / "c.jsonl")
    assert read_calibration(tmp_path / "c.jsonl") == found
    with (tmp_path / "c.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"key": "1_A"}\n')
    with pytest.raises(InputError, match=r"c\.jsonl:9"):
        read_calibration(tmp_path / "c.jsonl")
