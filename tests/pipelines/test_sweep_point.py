"""A point of a sweep; the sweeps' own tests run whole ones."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import sweep_point
from pipelines.job import Job
from pipelines.plan import Plan, make_plan
from pipelines.stages import Stages
from pipelines.sweep_point import point_score
from pipelines.sweep_results import PointScore

LEFT = ["score.json", "score.json.manifest.json", "training.json"]
Score = Callable[..., PointScore]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def score(tiny_job: Callable[..., Job], tmp_path: Path) -> Score:
    """Score the point in `p`, its model kept or not."""
    job = tiny_job("training.epochs=1")
    plan = make_plan(job, job.train)

    def run(*, keep_model: bool = False, job: Job = job, plan: Plan = plan) -> PointScore:
        return point_score(job, plan, Stages(folder=tmp_path / "p"), keep_model=keep_model)

    return run


def test_a_score_is_read_where_it_is_there(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = score()
    assert 0 < first.map25 <= 1
    assert names(tmp_path / "p") == LEFT
    monkeypatch.setattr("pipelines.sweep_point.trained_retriever", lambda *_, **__: pytest.fail("trained again"))
    assert score() == first


class Killed(BaseException):
    """What stands for a kill: nothing catches it."""


def killed(*_: Any, **__: Any) -> None:
    raise Killed


def die_before_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_point, "evaluate", killed)


def die_before_the_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_point, "_discard_model", killed)


def die_in_the_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first folder one file is gone, all others are there."""

    def half(folder: Path, **_: Any) -> None:
        next(path for path in Path(folder).rglob("*") if path.is_file()).unlink()
        raise Killed

    monkeypatch.setattr(sweep_point, "shutil", SimpleNamespace(rmtree=half))


@pytest.mark.parametrize("die", [die_before_the_score, die_before_the_deletion, die_in_the_deletion])
def test_a_kill_in_any_state_leaves_nothing_behind_after_the_next_run(
    die: Callable[[pytest.MonkeyPatch], None],
    score: Score,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        die(patch)
        with pytest.raises(Killed):
            score()
    assert (tmp_path / "p" / "unkept").is_file() and len(names(tmp_path / "p")) > 3
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.train_stage.train_by_recipe", lambda *_, **__: pytest.fail("trained again"))
        found = score()
    assert names(tmp_path / "p") == LEFT
    shutil.rmtree(tmp_path / "p")
    assert score() == found


def test_a_model_that_was_kept_stays(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an earlier run, which kept none, was killed before it had deleted it."""
    with monkeypatch.context() as patch:
        die_before_the_deletion(patch)
        with pytest.raises(Killed):
            score()
    score(keep_model=True)
    kept = sorted([*LEFT, "bank", "retriever"])
    assert names(tmp_path / "p") == kept
    score()
    assert names(tmp_path / "p") == kept and (tmp_path / "p" / "retriever" / "model.safetensors").is_file()
