import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_questions import made_questions, with_made, write_made

from core.artifacts import read_manifest
from core.fingerprint import fingerprint
from core.synthetic_table import write_synthetic
from core.tables import read_questions
from eval.splits import question_folds, seen_labels
from pipelines.ablate_synthetic import main, slices_of
from pipelines.job import Job


@pytest.mark.slow
def test_arms_are_trained_on_the_same_folds_and_told_apart(
    tiny_files: Any, tiny_config: Path, tiny_bank: Any, tmp_path: Path, invoke: Callable[..., Any]
) -> None:
    made = write_made(tmp_path / "made", tiny_bank, 40)
    written = [replace(one, source="llm") for one in made_questions(tiny_bank, 30)]
    train = read_questions(tiny_files.train).questions
    written[0] = replace(written[0], parents=(fingerprint(train[0]),))
    write_synthetic(tmp_path / "written", written)
    out = tmp_path / "out"
    given = [
        *("--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--output", out),
        *("--config", tiny_config, "--set", "training.epochs=1", "--folds", 2),
        *("--explanations", tiny_files.explanations, "--procedural", made, "--llm", tmp_path / "written"),
    ]
    part = invoke(main, *given, "--only-fold", 1, "--only-arm", "procedural")
    assert part.returncode == 0, part.stderr
    assert not (out / "ablation.csv").exists() and (out / "fold1" / "procedural" / "candidates.parquet").is_file()
    kept = (out / "fold1" / "procedural" / "candidates.parquet").stat().st_mtime_ns
    done = invoke(main, *given)
    assert done.returncode == 0, done.stderr
    assert (out / "fold1" / "procedural" / "candidates.parquet").stat().st_mtime_ns == kept
    rows = list(csv.DictReader((out / "ablation.csv").open(encoding="utf-8")))
    arms = ["real", "explanations", "procedural", "llm"]
    assert [row["arm"] for row in rows if (row["run"], row["slice"]) == ("stage 1", "all")] == arms
    assert {row["slice"] for row in rows} >= {"all", "seen", "unseen", "unseen, covered"}
    counts = {row["slice"]: int(row["queries"]) for row in rows}
    assert counts["all"] == counts["seen"] + counts["unseen"]
    assert counts["unseen"] == counts["unseen, covered"] + counts.get("unseen, not covered", 0)
    numbers = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert numbers["made_questions"] == {"real": 0, "explanations": 0, "procedural": 40, "llm": 70}
    assert (out / "report.html").stat().st_size > 1000 and "MAP@25" in done.stdout
    manifests = {arm: read_manifest(out / "fold0" / arm / "retriever") or {} for arm in arms}
    assert len({json.dumps(manifest["fitted_on"]) for manifest in manifests.values()}) == 1  # no made question
    assert len({json.dumps(m.get("stages") or m.get("pairs_hash")) for m in manifests.values()}) == 3


def test_slices_by_hand(tiny_job: Callable[..., Job], tiny_bank: Any) -> None:
    plain = tiny_job()
    job = with_made(plain, made_questions(tiny_bank, 10))
    splits = question_folds(job.train, k=2, seed=0)
    slices = slices_of(job, splits)
    shown = seen_labels([one.question for one in job.synthetic])
    for split in splits:
        seen = seen_labels(split.train)
        for query in job.queries(split.validation, labelled_only=True):
            new = seen.isdisjoint(query.labels)
            assert (query.key in slices["seen"]) == (not new) and (query.key in slices["unseen"]) == new
            assert (query.key in slices["unseen, covered"]) == (new and not shown.isdisjoint(query.labels))
    assert slices["unseen"] == slices["unseen, covered"] | slices["unseen, not covered"]
    assert not slices_of(plain, splits)["unseen, covered"]


def test_bad_input_is_told_at_once(
    tiny_files: Any, tiny_config: Path, tmp_path: Path, invoke: Callable[..., Any]
) -> None:
    given = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--output", tmp_path / "out"]
    none = invoke(main, *given, "--config", tiny_config, "--folds", 1, "--only-arm", "llm")
    assert none.returncode == 2 and not (tmp_path / "out").exists()
    assert "expected something to measure" in none.stderr and "--folds 1" in none.stderr and "--llm too" in none.stderr
    gone = invoke(main, *given, "--config", tiny_config, "--procedural", tmp_path / "none")
    assert gone.returncode == 2 and "questions.csv and rows.jsonl is not there" in gone.stderr
    stages = f'training.stages=[{{rows="synthetic", folder="{tmp_path}"}}]'
    both = invoke(main, *given, "--config", tiny_config, "--procedural", tmp_path / "none", "--set", stages)
    assert both.returncode == 2 and "training.stages names its own folders" in both.stderr
