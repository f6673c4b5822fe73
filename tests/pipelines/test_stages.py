import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.artifacts import manifest_path
from core.errors import InputError
from core.records import Ranking
from pipelines.stages import Stages


def writer(text: str, calls: list[str]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        calls.append(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return make


def test_an_artifact_is_made_once_while_nothing_changes(tmp_path: Path) -> None:
    calls: list[str] = []
    for _ in range(2):
        path = Stages(folder=tmp_path / "out").artifact("a.txt", {"seed": 1, "grid": (1, 2)}, writer("one", calls))
    assert calls == ["one"] and path.read_text(encoding="utf-8") == "one"


def test_a_changed_key_makes_it_again_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    stages = Stages(folder=tmp_path)
    stages.artifact("a.txt", {"seed": 1, "same": 0}, writer("one", calls))
    with caplog.at_level("INFO"):
        stages.artifact("a.txt", {"seed": 2, "same": 0}, writer("two", calls))
    assert calls == ["one", "two"]
    assert "a.txt: made again, since these keys differ: seed" in caplog.messages


def test_an_interrupted_stage_vouches_for_nothing(tmp_path: Path) -> None:
    stages, calls = Stages(folder=tmp_path), list[str]()
    stages.artifact("a.txt", {"seed": 1}, writer("one", calls))

    def killed(path: Path) -> None:
        path.write_text("half of two", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stages.artifact("a.txt", {"seed": 2}, killed)
    # Back to the first settings: the file is not the first one's any more.
    stages.artifact("a.txt", {"seed": 1}, writer("one again", calls))
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "one again"


def test_a_manifest_whose_artifact_was_removed_vouches_for_nothing(tmp_path: Path) -> None:
    stages, calls = Stages(folder=tmp_path), list[str]()
    stages.artifact("a.txt", {"seed": 1}, writer("one", calls))
    (tmp_path / "a.txt").unlink()

    def killed(path: Path) -> None:
        path.write_text("two", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stages.artifact("a.txt", {"seed": 2}, killed)
    assert not manifest_path(tmp_path / "a.txt").exists()


def test_a_folder_is_an_artifact_too(tmp_path: Path) -> None:
    def make(path: Path) -> None:
        path.mkdir(parents=True)
        (path / "weights").write_text("w", encoding="utf-8")

    for _ in range(2):  # the second `mkdir` would fail
        assert (Stages(folder=tmp_path).artifact("model", {"seed": 1}, make) / "manifest.json").is_file()


def test_what_a_killed_stage_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.abcdefgh").mkdir()
    (tmp_path / ".b.txt.abcdefgh").mkdir()
    Stages(folder=tmp_path).artifact("a.txt", {}, writer("one", []))
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".b.txt.abcdefgh"]


def test_rankings_survive_the_disk(tmp_path: Path) -> None:
    ranking = Ranking.from_scores("1_A", [3, 1, 2], [0.1, 0.7, 0.30000000000000004])
    stages = Stages(folder=tmp_path)
    first = stages.rankings("r.parquet", {"a": 1}, lambda: [ranking])
    second = stages.rankings("r.parquet", {"a": 1}, lambda: pytest.fail("made again"))
    assert first == second == [ranking]


def test_a_stage_that_is_asked_for_twice_is_told_once(tmp_path: Path) -> None:
    stages = Stages(folder=tmp_path)
    for _ in range(3):
        stages.artifact("a.txt", {}, writer("one", []))
    stages.timed("cheap", lambda: None)
    assert [(record.name, record.reused) for record in stages.records] == [("a.txt", False), ("cheap", False)]
    again = Stages(folder=tmp_path)
    again.artifact("a.txt", {}, writer("one", []))
    assert again.summary() == "  a.txt  reused"


def test_run_json_holds_the_times(tmp_path: Path) -> None:
    stages = Stages(folder=tmp_path)
    stages.artifact("a.txt", {}, writer("one", []))
    stages.write_run({"command": ["x"]})
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert run["command"] == ["x"] and run["stages"][0]["name"] == "a.txt" and run["stages"][0]["seconds"] >= 0
    assert "date" in run["made_by"]


def test_stages_for_reading_make_nothing(tmp_path: Path) -> None:
    calls: list[str] = []
    Stages(folder=tmp_path).artifact("a.txt", {"seed": 1}, writer("one", calls))
    reading = Stages(folder=tmp_path, read_only=True)
    assert reading.artifact("a.txt", {"seed": 1}, writer("two", calls)).read_text(encoding="utf-8") == "one"
    with pytest.raises(InputError, match="these keys differ: seed"):
        reading.artifact("a.txt", {"seed": 2}, writer("two", calls))
    with pytest.raises(InputError, match=r"b\.txt: cannot be made by several processes at once \(it is not there\)"):
        reading.artifact("b.txt", {"seed": 1}, writer("two", calls))
    assert calls == ["one"]
