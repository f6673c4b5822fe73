"""The pipeline that trains reasoners: folds, what is held out, resuming, faults."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hint_toys import KINDS, TEMPLATE, kind_hint, kind_questions, write_toy_lm

from core.artifacts import read_manifest
from core.fingerprint import fingerprint
from core.hint_table import Hint, read_hints, write_hints
from core.tables import write_questions
from eval.splits import question_folds
from pipelines import train_reasoner
from pipelines import write_hints as write_hints_pipeline

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
QUESTIONS = kind_questions(24)


class Files(NamedTuple):
    train: Path
    test: Path
    hints: Path
    options: tuple[str, ...]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """24 questions, a hint each, four more questions, and the options of a toy model that learns in seconds."""
    folder = tmp_path_factory.mktemp("toy")
    found = Files(folder / "train.csv", folder / "test.csv", folder / "hints.csv", ())
    write_questions(found.train, QUESTIONS)
    write_questions(found.test, kind_questions(4, first=100))
    write_hints(found.hints, {f"{one.id}_B": Hint(hint=f"{kind_hint(one)}]\n\nLet us see:") for one in QUESTIONS})
    (folder / "template.txt").write_text(TEMPLATE)
    base = write_toy_lm(folder / "lm", [*KINDS.values(), *(one.text for one in QUESTIONS), *KINDS])
    settings = {
        **{"base": base, "template": folder / "template.txt", "method": "full", "learning_rate": "3e-3"},
        **{"epochs": 25, "batch_lessons": 4, "max_tokens": 200, "precision": "float32"},
    }
    pairs = [f"reasoner_training.{name}={value}" for name, value in settings.items()]
    pairs += ["retriever.device=cpu", "hints.max_tokens=40", "threads=1"]
    return found._replace(options=tuple(part for pair in pairs for part in ("--set", pair)))


def test_reasoners_of_folds_write_honest_hints_for_every_question(files: Files, invoke: Invoke, tmp_path: Path) -> None:
    """The toy learns what the wrong answer's word means, so it knows the hints of questions that it never saw."""
    models, output = tmp_path / "models", tmp_path / "hints"
    given = ("--train", files.train, *files.options)
    done = invoke(train_reasoner.main, *given, "--hints", files.hints, "--output", models, "--folds", 2)
    assert done.returncode == 0, done.stderr
    folds = question_folds(QUESTIONS, k=2, seed=0)
    for number, fold in enumerate(folds):
        manifest = read_manifest(models / f"fold{number}") or {}
        assert manifest["fitted_on"] == sorted(fingerprint(one) for one in fold.train)
        assert set(manifest["fitted_on"]).isdisjoint(fingerprint(one) for one in fold.validation)
    done = invoke(write_hints_pipeline.main, *given, "--test", files.test, "--reasoner", models, "--output", output)
    assert done.returncode == 0, done.stderr
    written = read_hints([output / "hints.csv"])
    wanted = {f"{one.id}_B": kind_hint(one) for one in [*QUESTIONS, *kind_questions(4, first=100)]}
    right = [key for key, hint in wanted.items() if key in written and written[key].hint == hint]
    assert len(right) >= 24, written  # of 28; chance is 7
    by_model = {}
    for line in (output / "requests.jsonl").read_text().splitlines():
        asked = json.loads(line)
        by_model.setdefault(asked["model"], set()).add(int(asked["row"].split("_")[0]))
    for number, fold in enumerate(folds):
        assert by_model[str(models / f"fold{number}")].isdisjoint(one.id for one in fold.train)
    # Made again from the same files, nothing is trained and nothing asked.
    again = invoke(train_reasoner.main, *given, "--hints", files.hints, "--output", models, "--folds", 2)
    assert "fold0  reused" in again.stdout and "fold1  reused" in again.stdout


def test_the_validation_part_is_held_out_and_its_questions_alone_are_written(
    files: Files, invoke: Invoke, tmp_path: Path
) -> None:
    given = ("--train", files.train, *files.options)
    quick = ("--set", "reasoner_training.epochs=1", "--set", "reasoner_training.checkpoint_steps=2")
    model = tmp_path / "model"
    done = invoke(train_reasoner.main, *given, *quick, "--hints", files.hints, "--output", model)
    assert done.returncode == 0, done.stderr
    assert "held-out hints" in done.stderr
    assert "first paragraph" in done.stderr
    learnt = set((read_manifest(model) or {})["fitted_on"])
    assert len(learnt) == 19  # of 24: one fold of five is held out
    refused = invoke(write_hints_pipeline.main, *given, "--reasoner", model, "--output", tmp_path / "out")
    assert refused.returncode == 2
    assert "19 of 24 wrong answers (for example" in refused.stderr
    assert not (tmp_path / "out" / "hints.csv").exists()
    skipped = invoke(
        write_hints_pipeline.main,
        *given,
        "--reasoner",
        model,
        "--skip-learnt",
        "--output",
        tmp_path / "out",
        "--set",
        "hints.shortest=1",
        "--set",
        "hints.attempts=1",
    )
    assert "19 wrong answers are left out" in skipped.stderr
    rows = [json.loads(line)["row"] for line in (tmp_path / "out" / "requests.jsonl").read_text().splitlines()]
    assert {fingerprint(QUESTIONS[int(row.split("_")[0])]) for row in rows}.isdisjoint(learnt)
    assert len(rows) == 5


def test_hints_of_a_fold_change_its_reasoner_not_at_all(files: Files, invoke: Invoke, tmp_path: Path) -> None:
    """Other hints on the held-out fold: the reasoner that never saw it is reused, the other one is trained anew."""
    changed = tmp_path / "changed.csv"
    held_out = {f"{one.id}_B" for one in question_folds(QUESTIONS, k=2, seed=0)[0].validation}
    hints = read_hints([files.hints])
    write_hints(
        changed,
        {key: Hint(hint="Something else altogether.") if key in held_out else hint for key, hint in hints.items()},
    )
    given = ("--train", files.train, "--output", tmp_path / "models", "--folds", 2, *files.options)
    quick = ("--set", "reasoner_training.epochs=1")
    assert invoke(train_reasoner.main, *given, *quick, "--hints", files.hints).returncode == 0
    again = invoke(train_reasoner.main, *given, *quick, "--hints", changed)
    assert "fold0  reused" in again.stdout
    assert "fold1  reused" not in again.stdout
    assert "these keys differ: lessons" in again.stderr


def test_every_fault_is_told_before_any_cost(files: Files, invoke: Invoke, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("QuestionId_Answer,Hint\n0_X,h\n")
    template = tmp_path / "template.txt"
    template.write_text("[user]\n{question} {labels}\n")
    given: tuple[Any, ...] = ("--train", tmp_path / "no.csv", "--hints", bad, "--output", bad, "--folds", 1)
    sets = ("reasoner_training.base=bundled:nothing", f"reasoner_training.template={template}", "hints.frm=json")
    done = invoke(train_reasoner.main, *given, *(part for pair in sets for part in ("--set", pair)))
    assert done.returncode == 2
    for fault in (
        "there is no such file",
        "expected QuestionId_Letter",
        "expected a folder to write into",
        "--folds 1: expected at least 2",
        "no such bundled model",
        "{labels}: no such field",
        "did you mean 'form'?",
    ):
        assert fault in done.stderr, fault


def test_hints_of_other_questions_teach_nothing(files: Files, invoke: Invoke, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    write_hints(other, {"999_B": Hint(hint="The student does something else.")})
    done = invoke(
        train_reasoner.main, "--train", files.train, "--hints", other, "--output", tmp_path / "m", *files.options
    )
    assert done.returncode == 2
    assert "came none that can be taught" in done.stderr
    assert "no wrong answer of the questions given" in done.stderr.replace("are no", "no")


@pytest.mark.slow
def test_a_killed_training_goes_on(files: Files, pipeline_process: Callable[..., Any], tmp_path: Path) -> None:
    """kill -9 in the midst; the second run ends with the weights of a run that was not killed."""
    from safetensors.torch import load_file

    def start(output: Path) -> "subprocess.Popen[str]":
        process = pipeline_process(
            "train_reasoner",
            "--train",
            files.train,
            "--hints",
            files.hints,
            "--output",
            output,
            *files.options,
            "--set",
            "reasoner_training.epochs=6",
            "--set",
            "reasoner_training.checkpoint_steps=1",
        )
        return subprocess.Popen(
            process.command,
            cwd=Path(__file__).parents[2],
            env=process.environment,
            stderr=subprocess.PIPE,
            text=True,
            stdout=subprocess.DEVNULL,
        )

    whole = start(tmp_path / "whole")
    assert whole.wait() == 0
    killed = start(tmp_path / "killed")
    state = tmp_path / "killed.training" / "state.pt"
    deadline = time.monotonic() + 120
    while not state.is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert state.is_file() and not (tmp_path / "killed").exists()
    again = start(tmp_path / "killed")
    told = again.communicate()[1]
    assert again.returncode == 0
    assert "going on from epoch" in told
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(bool((first[name] - second[name]).abs().max() < 1e-5) for name in first)
