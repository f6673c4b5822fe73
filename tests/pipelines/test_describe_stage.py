import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.language_model import EngineStats, Generation
from core.models import locate_model
from core.records import Ranking
from pipelines.describe_stage import described_candidates, description_prompts, description_room, joined
from pipelines.engine_pool import EnginePool
from pipelines.job import Job
from pipelines.reranker_settings import PromptSettings, RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages


def test_what_is_new_stands_behind_the_head_and_the_rest_follows() -> None:
    first = Ranking.from_scores("1_A", [5, 3, 8, 1], [0.9, 0.8, 0.7, 0.6])
    second = Ranking.from_scores("1_A", [8, 5, 2, 9, 1], [0.9, 0.8, 0.7, 0.6, 0.5])
    found = joined(first, second, keep=2, extra=2)
    assert found.ids.tolist() == [5, 3, 8, 2, 1]
    assert found.scores[:2].tolist() == [0.9, 0.8]
    assert (np.diff(found.scores) <= 0).all()
    assert joined(first, second, keep=4, extra=1).ids.tolist() == [5, 3, 8, 1, 2]
    same = Ranking.from_scores("1_A", [5, 3], [0.9, 0.8])
    assert joined(first, same, keep=2, extra=5) == first


def test_new_entries_of_any_id_keep_a_ranking_well_formed() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        ids = generator.permutation(30)
        first = Ranking.from_scores("1_A", ids[:12], np.round(generator.random(12), 1))  # many ties
        second = Ranking.from_scores("1_A", generator.permutation(30)[:12], generator.random(12))
        found = joined(first, second, keep=6, extra=4)
        assert found.ids[:6].tolist() == first.ids[:6].tolist()
        new = set(found.ids.tolist()) - set(first.ids.tolist())
        assert new <= set(second.ids.tolist()) and set(first.ids.tolist()) <= set(found.ids.tolist())


class Writer:
    """An engine that writes a bank entry's name for even queries, and fails for the others."""

    def __init__(self, names: list[str]) -> None:
        self.names, self.calls, self.stats = names, 0, EngineStats()

    def generate(self, prompts, *, max_tokens, temperature=0.0, seed=0, schema=None):
        self.calls += 1
        made = []
        for number, prompt in enumerate(prompts):
            error = None if number % 2 == 0 else "gone"
            text = "" if error else f"Misconception: {self.names[number % len(self.names)]}"
            made.append(
                Generation(
                    text=text,
                    finish_reason="error" if error else "stop",
                    prompt_tokens=len(prompt),
                    output_tokens=3,
                    error=error,
                )
            )
        return made

    def close(self) -> None:
        """Hold nothing."""


def test_the_second_search_adds_what_it_finds(
    tiny_job: Callable[..., Job], tiny_model: Path, tiny_lm: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = tiny_job()
    one = StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))
    names = [entry.name for entry in job.bank]
    writer = Writer(names)
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=5, describe=True, describe_extra=3)
    pool = EnginePool(lambda key: writer)  # type: ignore[arg-type,return-value]
    queries = one.plan.queries
    before = one.validation_candidates()
    found = described_candidates(one, chosen, pool, queries, before, name="x", held_out=True).rankings
    assert [ranking.key for ranking in found] == [ranking.key for ranking in before]
    texts = json.loads((tmp_path / "work" / "descriptions-x.json").read_text(encoding="utf-8"))
    assert next(iter(texts.values())) in names and len(texts) == -(-len(queries) // 2)
    assert f"{len(queries) // 2} of {len(queries)} queries got no description" in caplog.text
    assert f"requests failed, the first: query {queries[1].key}: gone" in caplog.text
    for number, (first, second) in enumerate(zip(before, found, strict=True)):
        assert second.ids[:5].tolist() == first.ids[:5].tolist()
        if number % 2:
            assert second == first
        else:
            assert len(set(second.ids[:8].tolist())) == 8
    # The described misconception itself is found: the name is an entry of the bank.
    wanted = names.index(texts[queries[0].key])
    assert job.bank[wanted].id in found[0].ids[:8].tolist()
    assert described_candidates(one, chosen, pool, queries, before, name="x", held_out=True).rankings == found
    assert writer.calls == 1


SHORT = ("engines.short.kind=vllm", "engines.short.max_model_len=1000")


@pytest.mark.parametrize(("short", "room"), [(False, 4096), (True, 904)])
def test_a_description_fits_behind_its_prompt(
    tiny_job: Callable[..., Job], tiny_lm: Path, short: bool, room: int
) -> None:
    job = tiny_job(*(SHORT if short else ()))
    engine = "short" if short else "transformers"
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=5, describe=True, engine=engine)
    assert description_room(chosen, job) == room
    long = chosen.model_copy(update={"prompt": PromptSettings(max_tokens=8192)})  # all positions of the model
    assert description_room(long, job) == min(room if short else 10_000, 8192 - 96)
    query = job.queries(job.test)[0]
    wordy = replace(query, question=replace(query.question, text="so " * 9000))
    ids, cut = description_prompts(job, long)(wordy)
    assert len(ids) == description_room(long, job) and cut > 0


def test_no_room_for_a_question_is_told(tiny_job: Callable[..., Job], tiny_lm: Path) -> None:
    job = tiny_job("engines.short.kind=vllm", "engines.short.max_model_len=90")
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=5, describe=True, engine="short")
    with pytest.raises(InputError, match=r"raise engines\.short\.max_model_len"):
        description_prompts(job, chosen)


class After:
    """A deadline that comes after so many batches."""

    def __init__(self, batches: int) -> None:
        self.batches = batches
        self.told: list[tuple[int, int]] = []

    def __call__(self) -> bool:
        return len(self.told) >= self.batches

    def finished(self, done: int, of: int) -> None:
        self.told.append((done, of))


def test_a_deadline_stops_the_writing_and_a_later_run_goes_on(
    tiny_job: Callable[..., Job], tiny_model: Path, tiny_lm: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = tiny_job()
    one = StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))
    writer = Writer([entry.name for entry in job.bank])
    chosen = RerankerSettings(
        kind="listwise", model=str(tiny_lm), candidates=5, describe=True, describe_extra=3, batch_queries=4
    )
    pool = EnginePool(lambda key: writer)  # type: ignore[arg-type,return-value]
    queries, before = one.plan.queries, one.validation_candidates()
    deadline = After(2)
    found = described_candidates(one, chosen, pool, queries, before, name="x", held_out=True, deadline=deadline)
    assert writer.calls == 2 and deadline.told == [(4, len(queries)), (8, len(queries))]
    assert found.unreached == tuple(query.key for query in queries[8:])
    assert f"{len(queries) - 8} of {len(queries)} queries were not described in time" in caplog.text
    changed = [first != second for first, second in zip(before, found.rankings, strict=True)]
    assert any(changed[:8]) and not any(changed[8:])
    assert not (tmp_path / "work" / "descriptions-x.json").exists()

    whole = described_candidates(one, chosen, pool, queries, before, name="x", held_out=True)
    assert whole.unreached == () and writer.calls == 3  # the rest in one call: nothing is written twice
    assert whole.rankings[:8] == found.rankings[:8]
    assert not (tmp_path / "work" / "descriptions-x.part.json").exists()
    assert len(json.loads((tmp_path / "work" / "descriptions-x.json").read_text(encoding="utf-8"))) > 8 // 2
