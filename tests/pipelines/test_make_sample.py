import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InputError
from core.records import queries_of
from core.tables import read_explanations, read_misconceptions, read_questions
from pipelines.make_sample import QUESTIONS, write_sample

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
NAMES = ("train.csv", "test.csv", "misconceptions.csv", "explanations.csv")


def test_the_committed_sample_is_what_is_made_now(tmp_path: Path) -> None:
    write_sample(tmp_path / "made")
    assert sorted(path.name for path in SAMPLE.iterdir()) == sorted(NAMES)
    for name in NAMES:
        assert (tmp_path / "made" / name).read_bytes() == (SAMPLE / name).read_bytes(), (
            f"{name} differs: run python pipelines/make_sample.py --output data/sample"
        )


def test_the_committed_sample_keeps_its_promises() -> None:
    bank = read_misconceptions(SAMPLE / "misconceptions.csv")
    ids = {entry.id for entry in bank}
    train = read_questions(SAMPLE / "train.csv", bank_ids=ids, require_labels=True)
    test = read_questions(SAMPLE / "test.csv", bank_ids=ids, require_labels=True)
    assert (train.warnings, test.warnings) == ((), ())
    assert len(train.questions) + len(test.questions) == QUESTIONS >= 600
    assert len(bank) >= 120
    assert set(read_explanations([SAMPLE / "explanations.csv"])) == ids
    seen = {label for question in train.questions for labels in question.labels for label in labels}
    queries = queries_of(test.questions, labelled_only=True)
    unseen = sum(not set(query.labels) & seen for query in queries)
    assert unseen / len(queries) == pytest.approx(0.30, abs=0.02)
    assert len(ids - seen) > 50
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 1 << 20


@pytest.mark.parametrize(("questions", "seed"), [(9, 1), (-1, 1), (20, -1)])
def test_senseless_numbers_are_refused_before_anything_is_written(tmp_path: Path, questions: int, seed: int) -> None:
    with pytest.raises(InputError, match="expected"):
        write_sample(tmp_path / "made", questions=questions, seed=seed)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    done = subprocess.run(
        [sys.executable, "pipelines/make_sample.py", "--output", str(folder), "--questions", "20", "--seed", "3"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Made 20 questions" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match="--output"):
        write_sample(tmp_path / "made", questions=20)
