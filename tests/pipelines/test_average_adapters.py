"""Averages from the command line: every method and way of weighing, measured, refused, gone on with."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from adapter_toys import randomise, toy_adapter
from decoder_toys import adapted

from core.adapters import read_adapter
from core.artifacts import folder_hash, read_manifest, write_manifest
from core.models import locate_model
from pipelines import average_adapters, held_out_scores
from pipelines.adapter_base import adapter_base
from pipelines.held_out_scores import Candidate, HeldOutScore, HeldOutScores
from pipelines.job import Job, fingerprints
from pipelines.plan import make_plan
from pipelines.settings import RetrieverSettings
from retrieval.adapted import save_encoder

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture(scope="module")
def three(tiny_lm: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return [toy_adapter(tiny_lm, folder / f"fold{seed}", seed=seed) for seed in range(3)]


@pytest.fixture
def measured(tiny_files: Files, tiny_config: Path, tiny_model: Path, three: list[Path]) -> Callable[..., list[object]]:
    """The command line that measures the three adapters and their average."""

    def given(output: Path, *more: object) -> list[object]:
        data = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config]
        return ["--adapters", *three, "--output", output, "--retriever", tiny_model, *data, "--kind", "listwise", *more]

    return given


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Give scores by the candidate's name in place of measuring; what is asked must be in it."""
    scores: dict[str, float] = {}

    def score(self: HeldOutScores, candidate: Candidate) -> HeldOutScore:
        return HeldOutScore(map25=scores[candidate.name], alone=None)

    monkeypatch.setattr(held_out_scores.HeldOutScores, "score", score)
    return scores


@pytest.mark.parametrize(
    ("method", "rank", "said"),
    [
        ("concatenate", 12, "concatenate at rank 12: the exact mean of what the adapters add"),
        ("svd", 4, "svd at rank 4: 0."),
        ("factors", 4, "factors at rank 4: 0."),
    ],
)
def test_without_data_by_hand(
    invoke: Invoke, three: list[Path], tmp_path: Path, method: str, rank: int, said: str
) -> None:
    output = tmp_path / "average"
    given = ["--adapters", *three, "--method", method, "--weights", "2,1,1", "--output", output]
    done = invoke(average_adapters.main, *given)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout and "0.500" in done.stdout
    assert read_adapter(output).rank == rank
    told = json.loads((output / "average.json").read_text(encoding="utf-8"))
    assert (told["rank"], told["error"] > 0.1) == (rank, method != "concatenate")
    manifest = read_manifest(output)
    assert manifest is not None
    assert [(name, share) for name, _, share in manifest["adapters"]] == [
        (str(folder), share) for folder, share in zip(three, [0.5, 0.25, 0.25], strict=True)
    ]
    assert manifest["scores"] is None
    before = folder_hash(output)
    again = invoke(average_adapters.main, *given)
    assert again.returncode == 0 and "up to date, reused" in again.stderr and folder_hash(output) == before


def test_merged_at_full_rank_it_is_a_whole_model(
    invoke: Invoke, three: list[Path], tmp_path: Path, tiny_lm: Path
) -> None:
    output = tmp_path / "model"
    done = invoke(average_adapters.main, "--adapters", *three, "--method", "merge", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "merge: the exact mean of what the adapters add, rounded once" in done.stdout
    assert (output / "model.safetensors").is_file() and (output / "tokenizer.json").is_file()
    assert not (output / "adapter_config.json").exists()
    manifest = read_manifest(output)
    assert manifest is not None and manifest["model"] == str(tiny_lm) and manifest["merged"][:2] == ["16bit", "auto"]


def test_a_greedy_soup_is_never_worse_than_the_best_single_one(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, scripted: dict[str, float], three: list[Path]
) -> None:
    """Singles 0.40, 0.50, 0.45; with the third it rises, with the first it falls."""
    scripted.update({"adapter-0": 0.40, "adapter-1": 0.50, "adapter-2": 0.45})
    scripted.update({"average-1x0.500-2x0.500": 0.53, "average-0x0.333-1x0.333-2x0.333": 0.52})
    output = tmp_path / "soup"
    done = invoke(average_adapters.main, *measured(output, "--weights", "greedy"))
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(output)
    assert manifest is not None
    assert [(name, share) for name, _, share in manifest["adapters"]] == [(str(three[1]), 0.5), (str(three[2]), 0.5)]
    assert manifest["scores"]["average"]["map@25"] == 0.53
    assert manifest["scores"]["soup"] == [[[1], 0.5, True], [[1, 2], 0.53, True], [[1, 2, 0], 0.52, False]]
    assert read_adapter(output).rank == 8
    # Where every addition harms, it is the best single one.
    scripted.update({"average-1x0.500-2x0.500": 0.49, "average-0x0.500-1x0.500": 0.1, "average-1x1.000": 0.50})
    alone = invoke(average_adapters.main, *measured(tmp_path / "alone", "--weights", "greedy"))
    assert alone.returncode == 0, alone.stderr
    assert read_adapter(tmp_path / "alone").rank == 4


def test_weights_by_score(
    measured: Callable[..., list[object]],
    invoke: Invoke,
    tiny_job: Callable[..., Job],
    tmp_path: Path,
    scripted: dict[str, float],
) -> None:
    scripted.update({"adapter-0": 0.2, "adapter-1": 0.2, "adapter-2": 0.4, "average-0x0.250-1x0.250-2x0.500": 0.41})
    output = tmp_path / "average"
    done = invoke(average_adapters.main, *measured(output, "--weights", "score"))
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(output)
    assert manifest is not None and [share for _, _, share in manifest["adapters"]] == [0.25, 0.25, 0.5]
    job = tiny_job()
    assert manifest["scored_on"] == fingerprints(make_plan(job, job.train).validation)


def test_singles_and_average_are_measured(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, three: list[Path]
) -> None:
    """Each number is that of `held_out_scores`; a run killed after the first one goes on behind it."""
    output = tmp_path / "average"
    real = HeldOutScores.score

    def dies_at_the_second(self: HeldOutScores, candidate: Candidate) -> HeldOutScore:
        if candidate.name == "adapter-1":
            raise KeyboardInterrupt
        return real(self, candidate)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HeldOutScores, "score", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            average_adapters.main([str(part) for part in measured(output)])
    assert not output.exists()
    done = invoke(average_adapters.main, *measured(output))
    assert done.returncode == 0, done.stderr
    assert "score-adapter-0.json: up to date, reused" in done.stderr
    assert "score-adapter-1.json: made in" in done.stderr
    manifest = read_manifest(output)
    assert manifest is not None
    singles = manifest["scores"]["singles"]
    assert list(singles) == [str(folder) for folder in three]
    assert len({score["alone"] for score in singles.values()}) > 1
    assert manifest["scores"]["average"]["alone"] is not None and manifest["scored_on"] == []
    assert not list((tmp_path / "average.work").glob("average-*"))
    again = invoke(average_adapters.main, *measured(output))
    assert again.returncode == 0 and "made in" not in again.stderr


def test_retrievers_of_a_4_bit_base_are_measured_and_served_on_it(
    tiny_files: Files, tiny_config: Path, toy_decoder: Path, invoke: Invoke, tmp_path: Path
) -> None:
    """Their average too: its manifest says so. The base has moved, and --base says where to."""
    pytest.importorskip("bitsandbytes")
    made_from = {"revision": locate_model(str(toy_decoder)).revision, "training": {"method": "qlora"}}
    folders = [tmp_path / f"fold{seed}" for seed in (1, 2)]
    for seed, folder in enumerate(folders, start=1):
        encoder = adapted(toy_decoder, four_bit=True, seed=seed)
        randomise(encoder.model, seed)
        encoder.model.transformers_model.peft_config["default"].base_model_name_or_path = "/gone"
        encoder.model.transformers_model.peft_config["default"].revision = made_from["revision"]
        save_encoder(encoder.model, folder)
        write_manifest(folder, made_from)
    data = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config]
    output = tmp_path / "average"
    given = ["--adapters", *folders, "--base", toy_decoder, *data, "--output", output]
    done = invoke(average_adapters.main, *given)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(output)
    assert manifest is not None and len(manifest["scores"]["singles"]) == 2
    assert manifest["training"] == {"method": "qlora"}
    found = adapter_base(output, RetrieverSettings(base=str(toy_decoder)))
    assert found is not None and found.four_bit


@pytest.mark.slow
def test_the_process_killed_in_its_midst_goes_on(
    measured: Callable[..., list[object]], pipeline_process: Callable[..., Any], run_pipeline: Invoke, tmp_path: Path
) -> None:
    """kill -9 once the first number is there: nothing stands under the final name, and the number is not made again."""
    output = tmp_path / "average"
    process = pipeline_process("average_adapters", *measured(output))
    with subprocess.Popen(
        process.command,
        env=process.environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        first = tmp_path / "average.work" / "score-adapter-0.json.manifest.json"
        until = time.monotonic() + 120
        while not first.is_file() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
    assert first.is_file() and not (output / "manifest.json").exists()
    done = run_pipeline("average_adapters", *measured(output))
    assert done.returncode == 0, done.stderr
    assert "score-adapter-0.json: up to date, reused" in done.stderr
    assert (output / "manifest.json").is_file()


def test_every_fault_is_told_at_once(invoke: Invoke, three: list[Path], tmp_path: Path, tiny_lm: Path) -> None:
    other = toy_adapter(tiny_lm, tmp_path / "other", target_modules=["q_proj"])
    done = invoke(
        average_adapters.main,
        *["--adapters", three[0], other, "--rank", 3, "--weights", "1,2,3", "--into", "16bit"],
    )
    assert done.returncode == 2
    for said in (
        "--output: expected a path, got none",
        "rank 3: is read by the method svd only",
        "change different target modules: 12 are in one only",
        "--weights: expected a number for each of 2 adapters, got 3",
        "--into: is read by the method merge only",
    ):
        assert said in done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--weights", "greedy"], "--weights greedy: needs --train and --misconceptions"),
        (["--weights", "score"], "--weights score: needs --train and --misconceptions"),
        (["--weights", "1,x,2"], "--weights: expected equal, score, greedy, or a number for each adapter"),
        (["--weights", "1,0,2"], "expected finite numbers above 0"),
        (["--max-lora-rank", "8"], "the average has rank 12, the engine serves up to max_lora_rank 8"),
        (["--method", "merge", "--base", "/nowhere"], "no such folder"),
    ],
)
def test_bad_options_stop_it_before_any_cost(
    invoke: Invoke, three: list[Path], tmp_path: Path, more: list[str], said: str
) -> None:
    done = invoke(average_adapters.main, "--adapters", *three, "--output", tmp_path / "average", *more)
    assert done.returncode == 2 and said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_adapters_that_do_not_go_together_are_refused(invoke: Invoke, three: list[Path], tmp_path: Path) -> None:
    def refused(*folders: Path) -> str:
        done = invoke(average_adapters.main, "--adapters", *folders, "--output", tmp_path / "average")
        assert done.returncode == 2 and not (tmp_path / "average").exists()
        return done.stderr

    assert "--adapters: expected two or more, got 1" in refused(three[0])
    assert "is named twice" in refused(three[0], three[0])
    assert "expected a folder with adapter_config.json" in refused(three[0], tmp_path / "nowhere")
    pair = [shutil.copytree(folder, tmp_path / folder.name) for folder in three[:2]]
    write_manifest(pair[0], {"model": "base", "revision": "sha256:1", "prompts": "one"})
    write_manifest(pair[1], {"model": "base", "revision": "sha256:1", "prompts": "two"})
    assert "were trained with other prompts" in refused(*pair)
    write_manifest(pair[1], {"model": "base", "revision": "sha256:2", "prompts": "one"})
    assert "are of different bases" in refused(*pair)


def test_an_average_over_a_vouched_copy_stays_one_of_the_hubs_base(
    invoke: Invoke, three: list[Path], tmp_path: Path, tiny_lm: Path
) -> None:
    commit = "c" * 40
    adapters = [shutil.copytree(one, tmp_path / one.name) for one in three[:2]]
    for one in adapters:
        write_manifest(one, {"model": "owner/model", "revision": commit})
    given = ["--adapters", *adapters, "--output", tmp_path / "average", "--base", tiny_lm]
    refused = invoke(average_adapters.main, *given)
    assert refused.returncode == 2 and refused.stderr.count("was trained on the base") == 2
    done = invoke(average_adapters.main, *given, "--base-revision", commit)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "average")
    assert manifest is not None and manifest["vouched_copy_of"] == commit
    assert read_adapter(tmp_path / "average").base_revision == commit
