import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from core.records import Question, queries_of
from core.tables import read_misconceptions, read_questions, read_rankings, write_questions
from eval.submission import check_submission, read_submission
from pipelines.end_to_end import main

ROOT = Path(__file__).parents[2]
COMPARED = ("submission.csv", "candidates.parquet", "metrics.json")
TIMED = {"report.html", "run.json", "submission.csv", "metrics.json"}

Arguments = Callable[..., list[str]]
Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
Questions = tuple[list[Question], list[Question]]


class Files(Protocol):
    """What `tiny_files` is."""

    train: Path
    test: Path
    misconceptions: Path
    explanations: Path


@pytest.fixture
def arguments(tiny_files: Files, tiny_config: Path) -> Arguments:
    """Give the command line of a tiny run into a folder, with changed options: `arguments(folder, test=other)`."""

    def build(output: Path, *further: object, **files: Path) -> list[str]:
        given = {
            "train": tiny_files.train,
            "misconceptions": tiny_files.misconceptions,
            "test": tiny_files.test,
            "output": output,
            "config": tiny_config,
        } | files
        return [*(str(part) for name, path in given.items() for part in (f"--{name}", path)), *map(str, further)]

    return build


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, run_pipeline: Invoke, tiny_files: Files, tiny_config: Path
) -> Path:
    """The output folder of one uninterrupted run, made by a process of its own. Never change it; copy it."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    options = {f"--{name}": getattr(tiny_files, name) for name in ("train", "misconceptions", "test")}
    done = run_pipeline(
        "end_to_end", *(part for pair in options.items() for part in pair), "--output", folder, "--config", tiny_config
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, times of change kept."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def stages_of(folder: Path) -> dict[str, bool]:
    """Return for each stage of the last run whether it was reused."""
    stages = json.loads((folder / "run.json").read_text(encoding="utf-8"))["stages"]
    return {stage["name"]: stage["reused"] for stage in stages}


def made_of(folder: Path) -> set[str]:
    """Return the stages that the last run made anew, those left out that are made each time."""
    return {name for name, reused in stages_of(folder).items() if not reused} - {
        "submission.csv",
        "metrics.json and report.html",
    }


def times_of(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name not in TIMED
    }


def unlabelled(path: Path, questions: Sequence[Question]) -> Path:
    write_questions(path, questions, labels=False)
    return path


def hints_for(path: Path, questions: Sequence[Question], *, every: int = 2) -> Path:
    """Write a hint for every second query: rows without one must work too."""
    rows = [
        f"{query.key},The student mixes up {query.wrong_answer.replace(',', ' ')!r} and the rule.,because"
        for query in queries_of(questions)[::every]
    ]
    path.write_text("\n".join(["QuestionId_Answer,Hint,Reasoning", *rows]) + "\n", encoding="utf-8")
    return path


# A run


def test_all_outputs_are_there_and_the_submission_is_valid(finished: Path, tiny_files: Files) -> None:
    for name in (*COMPARED, "report.html", "run.json", "retriever/model.safetensors", "retriever/modules.json"):
        assert (finished / name).stat().st_size > 0, name
    questions = read_questions(tiny_files.test).questions
    bank = read_misconceptions(tiny_files.misconceptions)
    submission = read_submission(finished / "submission.csv")
    assert check_submission(submission, questions, bank) == []
    assert len(submission) == 3 * len(questions)
    candidates = read_rankings(finished / "candidates.parquet")
    assert [ranking.key for ranking in candidates] == [query.key for query in queries_of(questions)]
    assert {len(ranking) for ranking in candidates} == {30}
    assert not list(finished.rglob(".*")), "temporary files are left"
    assert not (finished / "retriever.training").exists()


def test_metrics_name_every_run_and_what_they_are_measured_on(finished: Path, tiny_files: Files) -> None:
    metrics = json.loads((finished / "metrics.json").read_text(encoding="utf-8"))
    labelled = queries_of(read_questions(tiny_files.test).questions, labelled_only=True)
    assert metrics["queries"] == len(labelled)
    assert "test file" in metrics["measured_on"]
    assert list(metrics["runs"])[:1] and {"zero-shot", "trained retriever", "stage 1"} <= set(metrics["runs"])
    seen, unseen, overall = (metrics["runs"]["stage 1"][part] for part in ("seen", "unseen", "all"))
    assert seen["queries"] + unseen["queries"] == overall["queries"] == len(labelled)
    assert 0 < overall["map@25"]["low"] <= overall["map@25"]["value"] <= overall["map@25"]["high"] <= 1
    assert set(metrics["weights"]["stage_one"]) == {"threshold", "neighbours", "lexical"}


def test_run_json_holds_times_and_machine(finished: Path) -> None:
    run = json.loads((finished / "run.json").read_text(encoding="utf-8"))
    assert run["total_seconds"] > 0
    assert run["machine"]["threads"] == 1
    assert {"commit", "date", "versions"} <= set(run["made_by"])
    assert stages_of(finished)["retriever"] is False
    assert len(stages_of(finished)) == len(run["stages"]), "a stage is told once"


# Again


def test_a_second_run_recomputes_nothing(
    run_folder: Path, arguments: Arguments, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("retrieval.encoder.SentenceEncoder.load", never)
    before, contents = times_of(run_folder), {name: (run_folder / name).read_bytes() for name in COMPARED}
    report = (run_folder / "report.html").read_bytes()
    done = invoke(main, *arguments(run_folder))
    assert done.returncode == 0, done.stderr
    assert made_of(run_folder) == set()
    assert times_of(run_folder) == before
    assert {name: (run_folder / name).read_bytes() for name in COMPARED} == contents
    assert (run_folder / "report.html").read_bytes() == report


def test_another_number_of_candidates_trains_nothing_and_says_why(
    run_folder: Path, arguments: Arguments, invoke: Invoke
) -> None:
    model = (run_folder / "retriever" / "model.safetensors").stat().st_mtime_ns
    done = invoke(main, *arguments(run_folder, "--set", "candidates=40"))
    assert done.returncode == 0, done.stderr
    assert "candidates.parquet: made again, since these keys differ: top" in done.stderr
    assert not {"retriever", "stage_one.json"} & made_of(run_folder)
    assert {"candidates.parquet", "dense.parquet"} <= made_of(run_folder)
    assert (run_folder / "retriever" / "model.safetensors").stat().st_mtime_ns == model
    assert len(read_rankings(run_folder / "candidates.parquet")[0]) == 40


def test_another_recipe_trains_again_and_says_why(run_folder: Path, arguments: Arguments, invoke: Invoke) -> None:
    done = invoke(main, *arguments(run_folder, "--set", "training.epochs=1"))
    assert done.returncode == 0, done.stderr
    assert "retriever: made again, since these keys differ: training" in done.stderr
    assert "stage_one.json: made again, since these keys differ: model_revision" in done.stderr
    assert {"retriever", "stage_one.json", "candidates.parquet", "dense.parquet"} <= made_of(run_folder)
    assert stages_of(run_folder)["zero_shot.parquet"] is True, "the untrained model did not change"


def test_one_changed_question_is_noticed(
    run_folder: Path, arguments: Arguments, invoke: Invoke, tiny_questions: Questions, tmp_path: Path
) -> None:
    _, test = tiny_questions
    write_questions(tmp_path / "shorter.csv", test[:-1])
    done = invoke(main, *arguments(run_folder, test=tmp_path / "shorter.csv"))
    assert done.returncode == 0, done.stderr
    assert "candidates.parquet: made again, since these keys differ: queries" in done.stderr
    assert not {"retriever", "stage_one.json"} & made_of(run_folder)
    assert len(read_submission(run_folder / "submission.csv")) == 3 * (len(test) - 1)


def test_a_removed_artifact_is_made_again_and_the_same(run_folder: Path, arguments: Arguments, invoke: Invoke) -> None:
    before = (run_folder / "candidates.parquet").read_bytes()
    (run_folder / "candidates.parquet").unlink()
    assert invoke(main, *arguments(run_folder)).returncode == 0
    assert made_of(run_folder) == {"candidates.parquet"}
    assert (run_folder / "candidates.parquet").read_bytes() == before


def test_what_a_killed_run_left_behind_is_swept(run_folder: Path, arguments: Arguments, invoke: Invoke) -> None:
    for name in (".submission.csv.abcdefgh", ".candidates.parquet.abcdefgh"):
        (run_folder / name).mkdir()
    (run_folder / ".mine").mkdir()
    (run_folder / "candidates.parquet.manifest.json").unlink()
    assert invoke(main, *arguments(run_folder)).returncode == 0
    assert [path.name for path in run_folder.glob(".*")] == [".mine"]


# Stage 2


@pytest.fixture(scope="session")
def tiny_cross_encoder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """An untrained cross-encoder on the tiny model's words."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("cross") / "tiny-cross"
    AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def test_another_reranker_takes_the_same_candidates(
    run_folder: Path, arguments: Arguments, invoke: Invoke, tiny_cross_encoder: Path
) -> None:
    before = times_of(run_folder)
    spec = f"cross-encoder:{tiny_cross_encoder}"
    done = invoke(main, *arguments(run_folder, "--reranker", spec))
    assert done.returncode == 0, done.stderr
    after = times_of(run_folder)
    assert {name: after[name] for name in before} == before, "stage 1 was touched"
    assert made_of(run_folder) and all("tiny-cross" in name for name in made_of(run_folder))
    metrics = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))
    assert f"reranked ({spec})" in metrics["runs"]
    again = invoke(main, *arguments(run_folder, "--reranker", spec))
    assert again.returncode == 0 and made_of(run_folder) == set()


# Without labels, zero-shot, hints


def test_without_test_labels_numbers_come_from_a_held_out_part_and_say_so(
    run_folder: Path, arguments: Arguments, invoke: Invoke, tiny_questions: Questions, tmp_path: Path
) -> None:
    bare = unlabelled(tmp_path / "bare.csv", tiny_questions[1])
    done = invoke(main, *arguments(run_folder, test=bare))
    assert done.returncode == 0, done.stderr
    assert "retriever" not in made_of(run_folder)
    assert "Measured on a validation part held out of the training file" in done.stdout
    metrics = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))
    assert "no labels" in metrics["measured_on"]
    held_out = json.loads((run_folder / "retriever" / "manifest.json").read_text(encoding="utf-8"))["made_from"]
    assert 0 < metrics["queries"] < len(queries_of(tiny_questions[0], labelled_only=True))
    assert len(held_out["fitted_on"]) < len(tiny_questions[0])
    assert "validation part" in (run_folder / "report.html").read_text(encoding="utf-8")


def test_a_given_model_trains_nothing(
    tmp_path: Path, arguments: Arguments, invoke: Invoke, tiny_model: Path, tiny_questions: Questions
) -> None:
    bare = unlabelled(tmp_path / "bare.csv", tiny_questions[1])
    # The config's own model is not there; nobody needs it.
    done = invoke(
        main,
        *arguments(tmp_path / "out", "--retriever", tiny_model, "--set", "retriever.model=./nowhere", test=bare),
    )
    assert done.returncode == 0, done.stderr
    assert "retriever" not in stages_of(tmp_path / "out")
    assert not (tmp_path / "out" / "retriever").exists()
    runs = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))["runs"]
    assert list(runs)[:2] == ["given retriever", "stage 1"]


def test_a_model_scored_on_its_own_training_questions_is_told(
    tmp_path: Path, finished: Path, arguments: Arguments, invoke: Invoke, tiny_files: Files
) -> None:
    done = invoke(main, *arguments(tmp_path / "out", "--retriever", finished / "retriever", test=tiny_files.train))
    assert done.returncode == 0, done.stderr
    warnings = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))["warnings"]
    told = [count for text, count in warnings.items() if "fitted on" in text]
    made_from = json.loads((finished / "retriever" / "manifest.json").read_text(encoding="utf-8"))["made_from"]
    assert told == [len(made_from["fitted_on"])]


@pytest.mark.parametrize("how", ["text", "view", "off"])
def test_hints_and_explanations(
    tmp_path: Path, arguments: Arguments, invoke: Invoke, tiny_files: Files, tiny_questions: Questions, how: str
) -> None:
    train, test = tiny_questions
    first, second = hints_for(tmp_path / "h1.csv", train), hints_for(tmp_path / "h2.csv", test)
    plain = ["--set", f"text.hint={how}", "--set", f"text.explanation={how}", "--set", "training.epochs=1"]
    told = ["--hints", first, "--hints", second, "--explanations", tiny_files.explanations]
    with_both = invoke(main, *arguments(tmp_path / "out", *plain, *told))
    assert with_both.returncode == 0, with_both.stderr
    assert (tmp_path / "out" / "bank" / "bank-explanations.safetensors").exists() == (how == "view")
    assert (tmp_path / "out" / "submission.csv").is_file()
    shutil.copytree(tmp_path / "out", tmp_path / "bare")
    without = invoke(main, *arguments(tmp_path / "bare", *plain))
    assert without.returncode == 0, without.stderr
    ranked = [read_rankings(tmp_path / name / "dense.parquet") for name in ("out", "bare")]
    assert (ranked[0] == ranked[1]) == (how == "off")


def test_refit_trains_on_all_rows_for_the_submission(run_folder: Path, arguments: Arguments, invoke: Invoke) -> None:
    done = invoke(main, *arguments(run_folder, "--set", "training.refit=true"))
    assert done.returncode == 0, done.stderr
    assert "retriever" not in made_of(run_folder) and "retriever-refit" in made_of(run_folder)
    fitted = {
        name: json.loads((run_folder / name / "manifest.json").read_text(encoding="utf-8"))["made_from"]["fitted_on"]
        for name in ("retriever", "retriever-refit")
    }
    assert set(fitted["retriever"]) < set(fitted["retriever-refit"])


# Killed


def kill_when(process: "subprocess.Popen[bytes]", seen: Callable[[], bool], seconds: float = 240) -> None:
    """Kill a process without warning as soon as something is seen."""
    end = time.monotonic() + seconds
    found = False
    while not found:
        assert process.poll() is None, f"ended with {process.returncode} before it could be killed"
        assert time.monotonic() < end, "was never seen"
        time.sleep(0.005)
        with contextlib.suppress(FileNotFoundError):  # a folder that went while it was listed
            found = seen()
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path,
    finished: Path,
    arguments: Arguments,
    pipeline_process: Callable[..., tuple[list[str], dict[str, str]]],
    run_pipeline: Invoke,
) -> None:
    output = tmp_path / "killed"
    moments: list[tuple[str, Callable[[], bool]]] = [
        ("training begins", lambda: (output / "retriever.training" / "settings.json").exists()),
        ("in the middle of training", lambda: any((output / "retriever.training").glob("checkpoint-*/complete"))),
        ("after the first artifact", lambda: (output / "retriever" / "manifest.json").exists()),
        ("weights are fitted", lambda: (output / "stage_one.json.manifest.json").exists()),
        ("before the end", lambda: (output / "submission.csv").exists()),
    ]
    for _name, seen in moments:
        command, environment = pipeline_process("end_to_end", *arguments(output))
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            kill_when(process, seen)
    done = run_pipeline("end_to_end", *arguments(output))
    assert done.returncode == 0, done.stderr
    assert stages_of(output)["retriever"] is True, "the trained model was made again"
    for name in COMPARED:
        assert (output / name).read_bytes() == (finished / name).read_bytes(), name
    # `.manifest.json` included: no holder of a killed write stays.
    assert not list(output.rglob(".*"))


# Bad input


def csv_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def faulty(tmp_path: Path, name: str, lines: Sequence[str]) -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


HEADER = (
    "QuestionId,ConstructId,ConstructName,SubjectId,SubjectName,CorrectAnswer,QuestionText,AnswerAText,AnswerBText,"
    "AnswerCText,AnswerDText,MisconceptionAId,MisconceptionBId,MisconceptionCId,MisconceptionDId"
)
BAD_ROWS: dict[str, tuple[list[str], list[str]]] = {
    "a missing column": (
        [HEADER.replace("CorrectAnswer", "CorectAnswer"), "1,,c,,s,A,q,1,2,3,4,,0,1,"],
        ["CorrectAnswer", "did you mean 'CorectAnswer'"],
    ),
    "a repeated question id": (
        [HEADER, "1,,c,,s,A,q,1,2,3,4,,0,1,", "1,,c,,s,A,r,1,2,3,4,,0,1,"],
        ["line 3", "QuestionId", "occurs once"],
    ),
    "a correct answer beyond D": ([HEADER, "1,,c,,s,E,q,1,2,3,4,,0,1,"], ["line 2", "CorrectAnswer", "'E'"]),
    "an empty question": ([HEADER, "1,,c,,s,A, ,1,2,3,4,,0,1,"], ["line 2", "QuestionText"]),
    "an empty answer": ([HEADER, "1,,c,,s,A,q,1,,3,4,,0,1,"], ["line 2", "AnswerBText"]),
    "a label that is not in the bank": ([HEADER, "1,,c,,s,A,q,1,2,3,4,,99999,1,"], ["MisconceptionBId", "99999"]),
    "a label on the correct answer": ([HEADER, "1,,c,,s,A,q,1,2,3,4,0,1,,"], ["line 2", "MisconceptionAId"]),
    "a label that is no whole number": ([HEADER, "1,,c,,s,A,q,1,2,3,4,,1.5,,"], ["MisconceptionBId", "'1.5'"]),
    "an empty file": ([""], ["is empty"]),
    "no rows": ([HEADER], ["has no rows"]),
}


def refuse(done: "subprocess.CompletedProcess[str]", folder: Path, *words: str) -> None:
    """Check that a run was refused: status 2, one message, no traceback, nothing written."""
    told = done.stderr
    assert done.returncode == 2, told
    assert told.count("Stopped by ") == 1 and "Traceback" not in told
    for word in words:
        assert word in told, f"{word!r} is not in {told!r}"
    assert not folder.exists()


@pytest.mark.parametrize("case", BAD_ROWS)
@pytest.mark.parametrize("option", ["train", "test"])
def test_a_bad_question_file_is_refused(
    tmp_path: Path, arguments: Arguments, invoke: Invoke, case: str, option: str
) -> None:
    lines, words = BAD_ROWS[case]
    path = faulty(tmp_path, "bad.csv", lines)
    refuse(invoke(main, *arguments(tmp_path / "out", **{option: path})), tmp_path / "out", "bad.csv", *words)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["MisconceptionId,MisconceptionName", "1,a", "1,b"], ["line 3", "MisconceptionId", "occurs once"]),
        (["MisconceptionId,MisconceptionName", "1,"], ["line 2", "MisconceptionName"]),
        (["MisconceptionId,MisconceptionNam", "1,a"], ["MisconceptionName", "did you mean"]),
        (["MisconceptionId,MisconceptionName", "x,a"], ["line 2", "a whole number"]),
    ],
)
def test_a_bad_bank_is_refused(
    tmp_path: Path, arguments: Arguments, invoke: Invoke, lines: list[str], words: list[str]
) -> None:
    path = faulty(tmp_path, "bank.csv", lines)
    refuse(invoke(main, *arguments(tmp_path / "out", misconceptions=path)), tmp_path / "out", "bank.csv", *words)


def test_a_file_that_is_not_there_or_not_utf8_is_refused(tmp_path: Path, arguments: Arguments, invoke: Invoke) -> None:
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + "\n1,,c,,s,A,né,1,2,3,4,,0,1,\n".encode("latin-1"))
    done = invoke(main, *arguments(tmp_path / "out", train=tmp_path / "gone.csv", test=tmp_path / "latin.csv"))
    refuse(done, tmp_path / "out", "gone.csv", "there is no such file", "latin.csv, line 2", "expected UTF-8")


def test_an_output_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, arguments: Arguments, invoke: Invoke
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = invoke(main, *arguments(tmp_path / "file" / "out"))
    refuse(done, tmp_path / "file" / "out", "expected a folder to write into")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.epoch=3", ["training.epoch", "did you mean 'epochs'"]),
        ("trainin.epochs=3", ["trainin", "did you mean 'training'"]),
        ("training.epochs=0", ["training.epochs", "1"]),
        ("training.epochs=many", ["training.epochs", "many"]),
        ("split.validation_share=0.95", ["split.validation_share"]),
        ("neighbours.thresholds=[]", ["neighbours.thresholds"]),
        ("neighbours.weights=[]", ["neighbours.weights"]),
        ("neighbours.thresholds=[1.5]", ["neighbours.thresholds"]),
        ('text.fields=["hint"]', ["text.fields", "question, correct, incorrect"]),
        ("training.window_from=60", ["window_to"]),
        ("prior.grid=[inf]", ["prior.grid"]),
        ("index.kind=flat", ["index.kind", "exact"]),
        ("retriever.max_length=500", ["retriever.max_length", "at most 128"]),
        ("retriever.model=./nowhere", ["./nowhere", "no such folder", "train_retriever.py"]),
        ("retriever.model=bundled:all-MiniLM-L6-v3", ["did you mean 'all-MiniLM-L6-v2'"]),
        ("retriever.model=some/model", ["needs a pinned revision"]),
        ("reranker=cross-encoder:./nowhere", ["./nowhere", "no such folder"]),
        ("reranker=identiy", ["did you mean 'identity'"]),
    ],
)
def test_a_bad_setting_is_refused(
    tmp_path: Path, arguments: Arguments, invoke: Invoke, setting: str, words: list[str]
) -> None:
    done = invoke(main, *arguments(tmp_path / "out", "--set", setting))
    refuse(done, tmp_path / "out", *words)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, arguments: Arguments, invoke: Invoke) -> None:
    (tmp_path / "empty").mkdir()
    done = invoke(main, *arguments(tmp_path / "out", "--retriever", tmp_path / "empty"))
    refuse(done, tmp_path / "out", "neither config.json nor modules.json")


def test_a_pickled_model_is_refused(tmp_path: Path, arguments: Arguments, invoke: Invoke) -> None:
    (tmp_path / "pickle").mkdir()
    (tmp_path / "pickle" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pickle" / "pytorch_model.bin").write_bytes(b"x")
    done = invoke(main, *arguments(tmp_path / "out", "--retriever", tmp_path / "pickle"))
    refuse(done, tmp_path / "out", "no *.safetensors weights")


def test_missing_options_are_told_together(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke(main, "--output", tmp_path / "out", "--set", "training.epochs=0")
    refuse(done, tmp_path / "out", "--train: ", "--misconceptions: ", "--test: ", "training.epochs")


def test_too_few_questions_to_hold_some_out_are_refused(
    tmp_path: Path, arguments: Arguments, invoke: Invoke, tiny_questions: Questions
) -> None:
    write_questions(tmp_path / "few.csv", tiny_questions[0][:3])
    done = invoke(main, *arguments(tmp_path / "out", train=tmp_path / "few.csv"))
    refuse(done, tmp_path / "out", "held out")


@pytest.mark.slow
def test_all_faults_are_told_at_once_before_any_model_library_loads(tmp_path: Path, arguments: Arguments) -> None:
    lines, _ = BAD_ROWS["a correct answer beyond D"]
    train = faulty(tmp_path, "train.csv", lines)
    test = faulty(tmp_path, "test.csv", BAD_ROWS["an empty question"][0])
    bank = faulty(tmp_path, "bank.csv", ["MisconceptionId,MisconceptionName", "0,a", "1,b", "1,c"])
    given = arguments(
        tmp_path / "out",
        "--retriever",
        "./nowhere",
        "--reranker",
        "identiy",
        train=train,
        test=test,
        misconceptions=bank,
    )
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_path('pipelines/end_to_end.py', run_name='__main__')\n"
        "finally:\n    print({'torch', 'transformers', 'sentence_transformers', 'faiss'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *given],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    words = ["train.csv, line 2", "test.csv, line 2", "bank.csv, line 4", "./nowhere", "did you mean 'identity'"]
    refuse(done, tmp_path / "out", *words)
    assert done.stdout.strip() == "set()"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank.csv", "test.csv", "train.csv"]


def test_what_is_odd_but_fine(
    tmp_path: Path, arguments: Arguments, invoke: Invoke, tiny_files: Files, tiny_model: Path
) -> None:
    """A BOM, CRLF, an extra column, a multi-line field, labels like `12.0`, two equal answers (a warning)."""
    rows = [
        HEADER + ",Remark",
        '900,,,,,A,"two\r\nlines",1,2,3,4,,0.0,,,x',
        "901,,,,,B,three answers,5,6,7,7,1,,,,x",
    ]
    test = tmp_path / "odd.csv"
    test.write_bytes("﻿".encode() + "\r\n".join(rows).encode() + b"\r\n")
    done = invoke(main, *arguments(tmp_path / "out", "--retriever", tiny_model, test=test))
    assert done.returncode == 0, done.stderr
    assert "warning: " in done.stderr and "equal answers" in done.stderr
    assert list(read_submission(tmp_path / "out" / "submission.csv")) == [
        "900_B", "900_C", "900_D", "901_A", "901_C", "901_D",
    ]  # fmt: skip
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["queries"] == 2 and len(metrics["input_warnings"]) == 1


def test_help_explains(run_pipeline: Invoke) -> None:
    done = run_pipeline("end_to_end", "--help")
    assert done.returncode == 0
    for word in ("submission.csv", "--train", "--hints", "exit status", "examples:"):
        assert word in done.stdout


def test_without_files_it_is_the_sample(invoke: Invoke) -> None:
    done = invoke(main, "--set", "training.epochs=0")
    assert done.returncode == 2
    assert "training.epochs" in done.stderr and "--train" not in done.stderr, "no file is asked for"
