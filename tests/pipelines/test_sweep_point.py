"""A point of a sweep; the sweeps' own tests run whole ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.job import Job
from pipelines.plan import make_plan
from pipelines.stages import Stages
from pipelines.sweep_point import point_score


def test_a_score_is_read_where_it_is_there(
    tiny_job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_job("training.epochs=1")
    plan = make_plan(job, job.train)
    first = point_score(job, plan, Stages(folder=tmp_path / "p"), keep_model=False)
    assert 0 < first.map25 <= 1
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "score.json",
        "score.json.manifest.json",
        "training.json",
    ]
    monkeypatch.setattr("pipelines.sweep_point.trained_retriever", lambda *_, **__: pytest.fail("trained again"))
    assert point_score(job, plan, Stages(folder=tmp_path / "p"), keep_model=False) == first
