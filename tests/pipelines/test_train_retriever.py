import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.job import Job, fingerprints
from pipelines.loading import load_encoder
from pipelines.plan import make_plan, precision_metric
from pipelines.train_retriever import main, validation_score
from retrieval.index import MisconceptionIndex
from retrieval.text import misconception_text, query_text

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def arguments(tiny_files: tuple[Path, ...], tiny_config: Path) -> Callable[..., list[str]]:
    train, _test, misconceptions, _explanations = tiny_files

    def build(output: Path, *further: object) -> list[str]:
        data = ("--train", train, "--misconceptions", misconceptions, "--output", output, "--config", tiny_config)
        return [*map(str, data), "--set", "training.epochs=1", *map(str, further)]

    return build


def made_from(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["made_from"]
    return found


def test_the_result_is_a_plain_folder_that_others_open(
    tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke, tiny_job: Callable[..., Job]
) -> None:
    from sentence_transformers import SentenceTransformer

    done = invoke(main, *arguments(tmp_path / "models" / "mine"))
    assert done.returncode == 0, done.stderr
    assert SentenceTransformer(str(tmp_path / "models" / "mine"), device="cpu").encode(["x"]).shape == (1, 32)
    assert "validation MAP@25 of" in done.stderr
    job = tiny_job()
    assert made_from(tmp_path / "models" / "mine")["fitted_on"] == fingerprints(make_plan(job, job.train).fit)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
    weights = tmp_path / "models" / "mine" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    again = invoke(main, *arguments(tmp_path / "models" / "mine"))
    assert again.returncode == 0 and weights.stat().st_mtime_ns == before
    assert "mine: up to date, reused" in again.stderr


def test_all_rows_holds_nothing_out(
    tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke, tiny_job: Callable[..., Job]
) -> None:
    done = invoke(main, *arguments(tmp_path / "mine", "--all-rows"))
    assert done.returncode == 0, done.stderr
    assert "validation MAP@25 of" not in done.stderr
    assert made_from(tmp_path / "mine")["fitted_on"] == fingerprints(tiny_job().train)


def test_the_best_epoch_is_kept(tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke) -> None:
    recipe = ("--set", "training.epochs=3", "--set", "training.base_share=0")
    done = invoke(main, *arguments(tmp_path / "mine", "--keep-best", *recipe))
    assert done.returncode == 0, done.stderr
    told = [line.rpartition(" ")[2] for line in done.stderr.splitlines() if "validation MAP@25" in line]
    assert len(told) >= 4, "one an epoch, and the model's that was kept"
    assert max(told[:3]) == told[-1]
    assert made_from(tmp_path / "mine")["scored_on"]


def test_a_folder_with_other_things_is_not_replaced(
    tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work", encoding="utf-8")
    done = invoke(main, *arguments(tmp_path / "thesis"))
    assert done.returncode == 2 and "name another folder" in done.stderr
    assert (tmp_path / "thesis" / "chapter.tex").read_text(encoding="utf-8") == "years of work"
    (tmp_path / "empty").mkdir()
    assert invoke(main, *arguments(tmp_path / "empty", "--all-rows")).returncode == 0


def test_all_rows_and_the_best_epoch_exclude_one_another(
    tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke
) -> None:
    with pytest.raises(SystemExit) as caught:
        invoke(main, *arguments(tmp_path / "mine", "--all-rows", "--keep-best"))
    assert caught.value.code == 2


def test_faults_are_told_before_anything_is_written(
    tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke
) -> None:
    further = ("--set", "training.epoch=1", "--hints", tmp_path / "gone.csv")
    done = invoke(main, *arguments(tmp_path / "mine", *further))
    assert done.returncode == 2
    assert "did you mean 'epochs'" in done.stderr and "gone.csv" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_score_is_map_over_the_held_out_queries(tiny_job: Callable[..., Job], tiny_model: Path) -> None:
    job = tiny_job()
    plan = make_plan(job, job.train)
    encoder = load_encoder(job, tiny_model)
    bank = encoder.encode_documents([misconception_text(entry, job.forms.entry) for entry in job.bank])
    index = MisconceptionIndex.build([entry.id for entry in job.bank], bank)
    texts = [query_text(query, job.forms.query) for query in plan.queries]
    rankings = index.search(encoder.encode_queries(texts), [query.key for query in plan.queries], top_n=25)
    expected = precision_metric(plan.queries)(rankings).mean()
    assert validation_score(job, plan.queries)(encoder.model) == pytest.approx(expected, abs=1e-9)
