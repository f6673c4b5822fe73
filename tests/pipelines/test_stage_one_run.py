import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.models import locate_model
from core.records import Ranking
from pipelines.job import Job
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_one_weights import StageOneWeights
from pipelines.stages import Stages

TinyJob = Callable[..., Job]


@pytest.fixture
def run_of(tiny_job: TinyJob, tiny_model: Path, tmp_path: Path) -> Callable[..., StageOneRun]:
    """Start a run over the untrained tiny model: nothing is trained."""

    def start(*overrides: str, folder: str = "out") -> StageOneRun:
        job = tiny_job(*overrides)
        return StageOneRun(job, Stages(folder=tmp_path / folder), job.train, given=locate_model(str(tiny_model)))

    return start


def test_nothing_is_computed_before_it_is_asked_for(run_of: Callable[..., StageOneRun], tmp_path: Path) -> None:
    one = run_of()
    assert one.fitted is one.final and one.zero_shot is None
    assert one.zero_shot_rankings([]) is None
    assert not (tmp_path / "out").exists()


def test_a_second_run_reads_what_the_first_made(
    run_of: Callable[..., StageOneRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(one: StageOneRun) -> list[list[Ranking]]:
        queries = one.job.queries(one.job.test)
        return [one.candidates(queries), one.dense(queries), one.validation_candidates(), one.validation_dense()]

    first = ask(run_of())
    monkeypatch.setattr("retrieval.encoder.SentenceEncoder.load", lambda *_, **__: pytest.fail("a model was loaded"))
    assert ask(run_of()) == first


def test_each_half_is_ranked_with_the_weights_of_the_other(run_of: Callable[..., StageOneRun]) -> None:
    one = run_of("neighbours.weights=[0.0,50.0]")
    off = StageOneWeights(threshold=0.5, neighbours=0.0, lexical=0.0)
    on = StageOneWeights(threshold=0.5, neighbours=50.0, lexical=0.0)
    one.__dict__["weights"] = {None: off, 0: on, 1: off}
    dense, mixed = one.validation_dense(), one.validation_candidates()
    changed = {half: 0 for half in (0, 1)}
    for row, half in enumerate(one.plan.half):
        changed[half] += dense[row] != mixed[row]
    assert changed[0] == 0, "half 0 has the weights fitted on half 1: off"
    assert changed[1] > 0


def test_stored_weights_are_those_in_use(run_of: Callable[..., StageOneRun], tmp_path: Path) -> None:
    one = run_of()
    weights = one.weights
    written = json.loads((tmp_path / "out" / "stage_one.json").read_text(encoding="utf-8"))
    assert written == {name: weights[half].to_json() for name, half in (("all", None), ("half0", 0), ("half1", 1))}


def test_other_queries_get_rankings_of_their_own(run_of: Callable[..., StageOneRun]) -> None:
    one = run_of()
    queries = one.job.queries(one.job.test)
    for asked in (queries[:5], queries[5:9]):
        for found in (one.candidates(asked), one.dense(asked)):
            assert [ranking.key for ranking in found] == [query.key for query in asked]


@pytest.mark.parametrize(
    ("override", "keys"),
    [
        ("candidates=31", {"candidates.parquet": "top", "dense.parquet": "top"}),
        ("neighbours.weights=[0.0]", {"stage_one.json": "neighbours", "candidates.parquet": "neighbours"}),
        ("fusion.method=reciprocal_rank", {"stage_one.json": "fusion", "candidates.parquet": "fusion"}),
        ("split.seed=3", {"stage_one.json": "memory, validation"}),
    ],
)
def test_a_change_remakes_what_depends_on_it_and_says_why(
    run_of: Callable[..., StageOneRun], caplog: pytest.LogCaptureFixture, override: str, keys: dict[str, str]
) -> None:
    for one in (run_of(), run_of(override)):
        queries = one.job.queries(one.job.test)
        with caplog.at_level("INFO"):
            caplog.clear()
            one.candidates(queries)
            one.dense(queries)
    remade = [message for message in caplog.messages if "differ" in message]
    told = {message.partition(":")[0]: message.partition("differ: ")[2] for message in remade}
    assert set(keys) <= set(told)
    assert all(key in told[name] for name, key in keys.items())
    reused = {message.partition(":")[0] for message in caplog.messages if "up to date" in message}
    assert reused == {"stage_one.json", "candidates.parquet", "dense.parquet"} - set(told)


def test_queries_are_told_apart_by_text_label_and_hint(run_of: Callable[..., StageOneRun]) -> None:
    one = run_of()
    queries = one.job.queries(one.job.test)
    assert one.queries_hash(queries) == one.queries_hash(list(queries))
    assert len({one.queries_hash(queries), one.queries_hash(queries[:-1]), one.queries_hash(queries[::-1])}) == 3
