"""What a run is known by."""

from pathlib import Path

from core.records import Query, Ranking
from rerank.run_fingerprint import run_fingerprint


def test_every_part_of_a_run_changes_its_fingerprint(
    tmp_path: Path, queries: list[Query], candidates: list[Ranking]
) -> None:
    (tmp_path / "config.json").write_text("{}")

    def known_by(text: str = "t", name: str = "n", rows: int = 3, setting: object = 1) -> str:
        return run_fingerprint(tmp_path, [text], [name], queries[:rows], candidates[:rows], [setting])

    first = known_by()
    assert known_by() == first
    (tmp_path / "config.json").write_text("{ }")
    others = {known_by(), known_by(text="u"), known_by(name="m"), known_by(rows=2), known_by(setting=2)}
    assert len(others | {first}) == 6
