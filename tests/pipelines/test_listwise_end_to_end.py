"""The main job with listwise, pointwise and cascading rerankers over a tiny random language model."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from core.records import Question
from core.tables import read_rankings, write_questions
from pipelines.end_to_end import main

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def test(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture(scope="module")
def run_folder(
    tmp_path_factory: pytest.TempPathFactory, tiny_files: Files, tiny_config: Path, tiny_model: Path
) -> Path:
    """A run with stage 1 done; tests copy it."""
    from pipelines.cli import run_main

    folder = tmp_path_factory.mktemp("listwise") / "out"
    named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--test", tiny_files.test]
    given = [*named, "--config", tiny_config, "--retriever", tiny_model, "--output", folder]
    assert run_main(lambda: main([str(one) for one in given])) == 0
    return folder


@pytest.fixture
def ranked(
    run_folder: Path, tmp_path: Path, tiny_files: Files, tiny_config: Path, tiny_model: Path, invoke: Invoke
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Rerank in a copy of the run: `ranked("--reranker", spec, …)`; its folder is `tmp_path / "out"`."""
    shutil.copytree(run_folder, tmp_path / "out")
    named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--test", tiny_files.test]
    given = [*named, "--config", tiny_config, "--retriever", tiny_model, "--output", tmp_path / "out"]
    return lambda *more: invoke(main, *given, *more)


def numbers_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def sets(**values: object) -> list[str]:
    return [
        part for key, value in values.items() for part in ("--set", f"rerankers.mine.{key.replace('__', '.')}={value}")
    ]


def test_listwise_makes_a_submission_a_bias_report_and_repeats_itself(
    ranked: Invoke, tiny_lm: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    more = sets(kind="listwise", model=tiny_lm, candidates=8, bias_sample=12)
    done = ranked("--reranker", "mine", *more)
    assert done.returncode == 0, done.stderr
    with (output / "submission.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows and all(len(row["MisconceptionId"].split()) == 25 for row in rows)

    numbers = numbers_of(output)
    bias = numbers["bias"]
    assert isinstance(bias, dict)
    assert len(bias["mean_probability_by_slot"]["before"]) == 8
    assert sum(bias["mean_probability_by_slot"]["before"]) == pytest.approx(1.0, abs=1e-4)
    assert 0 <= bias["top1_changes_between_orders"] <= 1
    assert bias["instability"]["prompts"] > 0 and bias["instability"]["largest"] < 1e-3
    assert bias["slot_effects"]["queries"] == 12
    assert len(bias["map_by_slot_of_truth"]) >= 1
    assert isinstance(numbers["calibration"], dict) and len(numbers["calibration"]) == 2
    assert numbers["unreached"] == {}
    page = (output / "report.html").read_text(encoding="utf-8")
    for part in ("Bias of the reranker: mine", "Honesty of the probabilities", "Mean label probability by slot"):
        assert part in page

    kept = ("submission.csv", "metrics.json", "report.html")
    before = {name: (output / name).read_bytes() for name in kept}
    again = ranked("--reranker", "mine", *more)
    assert again.returncode == 0
    assert {name: (output / name).read_bytes() for name in kept} == before
    assert "opening the engine" not in again.stderr  # nothing was scored


def test_another_engine_setting_that_only_costs_time_scores_nothing_anew(
    ranked: Invoke, tiny_lm: Path, tmp_path: Path
) -> None:
    more = sets(kind="listwise", model=tiny_lm, candidates=5, bias_sample=0)
    assert ranked("--reranker", "mine", *more).returncode == 0
    again = ranked(
        "--reranker", "mine", *more, *sets(batch_queries=3), "--set", "engines.transformers.batch_tokens=999"
    )
    assert again.returncode == 0 and "opening the engine" not in again.stderr
    other = ranked("--reranker", "mine", *more, *sets(orders="ascending"))
    assert other.returncode == 0
    assert re.search(r"reranked-mine-\w+.parquet: made again, since these keys differ: orders", other.stderr)
    # The ascending order was stored already: the engine has nothing to do, and stays closed.
    assert "opening the engine" not in other.stderr


def test_pointwise_by_its_spec(ranked: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    done = ranked("--reranker", f"pointwise:{tiny_lm}", "--set", "prior.enabled=false")
    assert done.returncode == 0, done.stderr
    numbers = numbers_of(tmp_path / "out")
    assert numbers["bias"] is None and isinstance(numbers["calibration"], dict)
    assert "Honesty of the probabilities" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    (path,) = (tmp_path / "out").glob("reranked-tiny-lm-*.parquet")
    assert all(len(ranking) == 25 for ranking in read_rankings(path))


def test_a_cascade_reorders_stretch_by_stretch(ranked: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    stages = '[{reranker="wide",first=1,last=12},{reranker="mine",first=1,last=4}]'
    wide = ["rerankers.wide.kind=pointwise", f"rerankers.wide.model={tiny_lm}", "rerankers.wide.candidates=12"]
    own = ["rerankers.all.kind=cascade", f"rerankers.all.stages={stages}", "rerankers.all.candidates=12"]
    more = [part for value in (*wide, *own) for part in ("--set", value)]
    done = ranked("--reranker", "all", *more, *sets(kind="listwise", model=tiny_lm, candidates=4))
    assert done.returncode == 0, done.stderr
    candidates = read_rankings(tmp_path / "out" / "candidates.parquet")
    (path,) = (tmp_path / "out").glob("reranked-all-*.parquet")
    for first, second in zip(candidates, read_rankings(path), strict=True):
        assert set(first.ids[:12].tolist()) == set(second.ids.tolist())
    assert len(list((tmp_path / "out").glob("scores-*.jsonl"))) == 1  # one model, one file of scores


def test_the_time_limit_always_ends_with_a_whole_submission(ranked: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    more = sets(kind="listwise", model=tiny_lm, candidates=8, weights="[1.0]")
    done = ranked("--reranker", "mine", *more, "--time-limit", "1s")  # all of it is kept for writing the results
    assert done.returncode == 0, done.stderr
    numbers = numbers_of(output)
    with (output / "submission.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    unreached = numbers["unreached"]
    assert isinstance(unreached, dict) and unreached["reranked"] == len(rows)
    assert f"{len(rows)} of {len(rows)} test queries were not reranked and keep stage 1's order" in done.stdout
    candidates = read_rankings(output / "candidates.parquet")
    by_key = {ranking.key: ranking for ranking in candidates}
    for row in rows:
        assert row["MisconceptionId"].split() == [str(id) for id in by_key[row["QuestionId_Answer"]].ids[:25].tolist()]
    assert "plan for" in done.stderr and "prompt tokens read a query" in done.stderr

    whole = ranked("--reranker", "mine", *more)
    assert whole.returncode == 0 and numbers_of(output)["unreached"] == {}
    bad = ranked("--reranker", "mine", *more, "--time-limit", "9h")
    assert bad.returncode == 0 and numbers_of(output)["unreached"] == {}


def test_adaptive_orders_are_fitted_on_the_held_out_part(ranked: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    more = sets(kind="listwise", model=tiny_lm, candidates=6, bias_sample=0, adaptive__mode="fitted")
    done = ranked("--reranker", "mine", *more, *sets(adaptive__tolerance=1.0))
    assert done.returncode == 0, done.stderr
    adaptive = numbers_of(tmp_path / "out")["adaptive"]
    assert isinstance(adaptive, dict)
    assert adaptive["skip_share"] == 1.0  # any loss is tolerated
    assert adaptive["curve"][0][0] == 0.0 and adaptive["curve"][-1][0] == 1.0
    facts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((tmp_path / "out").glob("facts-*.json"))]
    test, held_out = facts
    assert len(adaptive["halves"]) == 2 and "policy" not in adaptive["halves"][0]
    assert held_out["prompts"] == 2 * held_out["queries"]
    assert test["prompts"] < 2 * test["queries"]
    assert "Adaptive orders: mine" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_two_time_retrieval_widens_the_candidates(ranked: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    more = sets(kind="listwise", model=tiny_lm, candidates=5, bias_sample=0, describe="true", describe_extra=3)
    done = ranked("--reranker", "mine", *more)
    assert done.returncode == 0, done.stderr
    candidates = read_rankings(tmp_path / "out" / "candidates.parquet")
    (path,) = (tmp_path / "out").glob("described-test-mine-*.parquet")
    (reranked,) = (tmp_path / "out").glob("reranked-mine-*.parquet")
    wider = 0
    for first, second, last in zip(candidates, read_rankings(path), read_rankings(reranked), strict=True):
        assert second.ids[:5].tolist() == first.ids[:5].tolist()
        assert sorted(last.ids.tolist()) == sorted(second.ids[:8].tolist())
        wider += second.ids[:8].tolist() != first.ids[:8].tolist()
    assert wider > 0


def test_faults_of_language_models_are_told_before_any_cost(
    tiny_files: Files, tiny_config: Path, tiny_lm: Path, invoke: Invoke, tmp_path: Path
) -> None:
    named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--test", tiny_files.test]
    given = [*named, "--config", tiny_config, "--output", tmp_path / "out"]
    gone = invoke(main, *given, "--reranker", f"listwise:{tmp_path / 'gone'}")
    assert gone.returncode == 2 and "no such folder" in gone.stderr
    many = invoke(main, *given, "--reranker", "mine", *sets(kind="listwise", model=tiny_lm, candidates=60))
    assert many.returncode == 2 and "there are 52 labels" in many.stderr
    late = invoke(main, *given, "--reranker", "mine", *sets(kind="listwise", model=tiny_lm, adapter=tmp_path))
    assert late.returncode == 2 and "adapter_config.json" in late.stderr
    assert not (tmp_path / "out").exists()


def test_what_was_cut_is_in_metrics_and_report_also_where_scores_are_reused(
    ranked: Invoke, tiny_lm: Path, tmp_path: Path
) -> None:
    more = sets(kind="pointwise", model=tiny_lm, candidates=2)
    first = ranked("--reranker", "mine", *more)
    assert first.returncode == 0, first.stderr
    assert numbers_of(tmp_path / "out")["cut"]["reranked"]["cut_queries"] == 0  # type: ignore[index]
    tight = sets(kind="pointwise", model=tiny_lm, candidates=2, prompt__max_tokens=237)  # the least that passes is 236
    for told in ("pointwise: the question was cut in", "tokens in all"):
        done = ranked("--reranker", "mine", *tight)
        assert done.returncode == 0, done.stderr
        assert told in done.stderr
        cut = numbers_of(tmp_path / "out")["cut"]
        assert isinstance(cut, dict)
        for name, people in (("validation_reranked", "held-out queries"), ("reranked", "test queries")):
            assert 0 < cut[name]["cut_queries"] <= cut[name]["queries"] and cut[name]["cut_tokens"] > 0
            page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
            assert f"{people} whose question was cut in its middle" in page
            assert f"{people}, " in page and "tokens a query" in page


def test_prompts_without_room_are_told_before_stage_one(
    tmp_path: Path, tiny_files: Files, tiny_config: Path, tiny_model: Path, tiny_lm: Path, invoke: Invoke
) -> None:
    named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--test", tiny_files.test]
    given = [*named, "--config", tiny_config, "--retriever", tiny_model, "--output", tmp_path / "out"]
    more = sets(kind="listwise", model=tiny_lm, candidates=25, prompt__max_tokens=400)
    done = invoke(main, *given, "--reranker", "mine", *more)
    assert done.returncode == 2
    assert "25 candidates, the instruction and the question at its shortest can take" in done.stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_without_test_labels_the_numbers_are_those_of_the_policy_and_all_orders_have_a_row(
    ranked: Invoke, tiny_lm: Path, tmp_path: Path, tiny_questions: tuple[list[Question], list[Question]]
) -> None:
    bare = tmp_path / "bare.csv"
    write_questions(bare, [replace(question, labels=((), (), (), ())) for question in tiny_questions[1]])
    more = sets(kind="listwise", model=tiny_lm, candidates=25, bias_sample=8, adaptive__mode="fitted", weights="[1.0]")
    done = ranked("--test", bare, "--reranker", "mine", *more, *sets(adaptive__tolerance=1.0))
    assert done.returncode == 0, done.stderr
    numbers = numbers_of(tmp_path / "out")
    runs = numbers["runs"]
    assert isinstance(runs, dict)
    assert runs["reranked (mine)"] != runs["reranked (mine), all orders"]
    bias = numbers["bias"]
    assert isinstance(bias, dict) and bias["queries_in_several_orders"] == bias["queries"]  # before: every order
    assert numbers["time_limit"] is None


def test_too_little_time_is_told_before_the_run_and_lowers_the_orders(
    ranked: Invoke, tiny_lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.pace import TimeShares

    monkeypatch.setattr(TimeShares, "left", lambda shares: 1e-3)  # after the held-out part the time is nearly over
    more = sets(kind="listwise", model=tiny_lm, candidates=8, bias_sample=0)
    done = ranked("--reranker", "mine", *more, "--time-limit", "20m")
    assert done.returncode == 0, done.stderr
    assert "held-out queries reranked at" in done.stderr  # each batch tells what is left
    numbers = numbers_of(tmp_path / "out")
    told = numbers["time_limit"]
    assert isinstance(told, dict)
    assert (told["fewer_orders"]["orders_of_the_table"], told["fewer_orders"]["orders_asked"]) == (2, 1)
    assert numbers["unreached"] == {}
    assert "asked in one order instead of 2, for the time limit" in (tmp_path / "out" / "report.html").read_text(
        encoding="utf-8"
    )


def test_help_says_what_is_not_limited(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "Not limited: stage 1 (training and search)" in " ".join(capsys.readouterr().out.split())
