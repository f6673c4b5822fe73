"""Merging from the command line: both ways measured, the better kept, bad input told before any cost."""

import errno
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest
from adapter_toys import toy_adapter, toy_base

from core.adapter_merge import merged_bytes
from core.artifacts import file_hash, folder_hash, read_manifest, write_manifest
from core.records import Misconception
from pipelines import merge_adapter
from pipelines.held_out_scores import HeldOutScore
from pipelines.job import Job, fingerprints
from pipelines.merge_adapter import better
from pipelines.plan import make_plan

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


class Toys(NamedTuple):
    """A base and an adapter on it."""

    base: Path
    adapter: Path


@pytest.fixture(scope="module")
def toys(tiny_lm: Path, tmp_path_factory: pytest.TempPathFactory, tiny_bank: tuple[Misconception, ...]) -> Toys:
    pytest.importorskip("bitsandbytes")
    return Toys(tiny_lm, toy_adapter(tiny_lm, tmp_path_factory.mktemp("adapters") / "adapter"))


@pytest.fixture
def measured(tiny_files: Files, tiny_config: Path, tiny_model: Path, toys: Toys) -> Callable[..., list[object]]:
    """The command line that measures both merges."""

    def given(output: Path, *more: object, adapter: Path | None = None) -> list[object]:
        data = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config]
        asked = ["--adapter", adapter or toys.adapter, "--output", output, "--retriever", tiny_model, *data]
        return [*asked, "--dtype", "float32", "--kind", "listwise", *more]

    return given


def test_both_merges_are_measured_and_the_better_is_kept(
    measured: Callable[..., list[object]], invoke: Invoke, tiny_job: Callable[..., Job], tmp_path: Path, toys: Toys
) -> None:
    output = tmp_path / "models" / "merged"
    first = invoke(merge_adapter.main, *measured(output))
    assert first.returncode == 0, first.stderr
    manifest = read_manifest(output)
    assert manifest is not None
    scores = {into: HeldOutScore(map25=n["map@25"], alone=n["alone"]) for into, n in manifest["scores"].items()}
    assert set(scores) == {"16bit", "dequantised"}
    assert scores["16bit"] != scores["dequantised"]  # two models
    assert manifest["into"] == better(scores)  # type: ignore[arg-type]
    for into, score in scores.items():
        assert f"{into:<12} {score.map25:.4f}   alone {score.alone:.4f}" in first.stdout
    assert manifest["adapter_revision"] == f"sha256:{folder_hash(toys.adapter)}"
    assert manifest["model"] == str(toys.base)
    job = tiny_job()
    assert manifest["scored_on"] == fingerprints(make_plan(job, job.train).validation)
    # The kept folder is the merge that its manifest names.
    other = tmp_path / "told"
    told = invoke(
        merge_adapter.main,
        "--adapter",
        toys.adapter,
        "--into",
        manifest["into"],
        "--dtype",
        "float32",
        "--output",
        other,
    )
    assert told.returncode == 0, told.stderr
    assert file_hash(other / "model.safetensors") == file_hash(output / "model.safetensors")
    assert not list((tmp_path / "models" / "merged.work").glob("merged-*"))

    before = folder_hash(output)
    second = invoke(merge_adapter.main, *measured(output))
    assert second.returncode == 0, second.stderr
    assert folder_hash(output) == before
    assert "made in" not in second.stderr and second.stderr.count("up to date, reused") >= 3
    # The numbers are kept; a result that was removed is merged again from them.
    shutil.rmtree(output)
    third = invoke(merge_adapter.main, *measured(output))
    assert third.returncode == 0, third.stderr
    assert folder_hash(output) == before and "score-16bit.json: up to date" in third.stderr


def test_the_better_one_is_the_one_with_the_higher_number() -> None:
    def score(map25: float, alone: float | None = None) -> HeldOutScore:
        return HeldOutScore(map25=map25, alone=alone)

    assert better({"16bit": score(0.5), "dequantised": score(0.4)}) == "16bit"
    assert better({"16bit": score(0.4), "dequantised": score(0.5)}) == "dequantised"
    assert better({"16bit": score(0.5, 0.3), "dequantised": score(0.5, 0.2)}) == "16bit"
    assert better({"16bit": score(0.5, 0.3), "dequantised": score(0.5, 0.3)}) == "dequantised"


def test_a_run_killed_between_stages_goes_on(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "merged"
    real = merge_adapter.merge_adapter
    made: list[str] = []

    def dies_at_the_second(*given: Any, into: str, **named: Any) -> Path:
        made.append(into)
        if len(made) == 2:
            raise KeyboardInterrupt
        return real(*given, into=into, **named)

    monkeypatch.setattr(merge_adapter, "merge_adapter", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        merge_adapter.main([str(part) for part in measured(output)])
    assert made == ["16bit", "dequantised"] and not output.exists()
    done = invoke(merge_adapter.main, *measured(output))
    assert done.returncode == 0, done.stderr
    assert made == ["16bit", "dequantised", "dequantised"]  # the first merge and its number stood
    assert "score-16bit.json: up to date, reused" in done.stderr


def test_a_way_that_is_named_is_measured_alone(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path
) -> None:
    output = tmp_path / "merged"
    done = invoke(merge_adapter.main, *measured(output, "--into", "16bit"))
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(output)
    assert manifest is not None
    assert (manifest["into"], list(manifest["scores"]), manifest["scored_on"]) == ("16bit", ["16bit"], [])


def test_without_data_the_way_must_be_named(invoke: Invoke, tmp_path: Path, toys: Toys) -> None:
    done = invoke(merge_adapter.main, "--adapter", toys.adapter, "--output", tmp_path / "merged")
    assert done.returncode == 2
    assert "--into: expected 16bit or dequantised, or --train and --misconceptions" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("with_data", [False, True])
def test_every_fault_is_told_at_once_before_any_cost(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, toys: Toys, with_data: bool
) -> None:
    adapter = shutil.copytree(toys.adapter, tmp_path / "adapter")
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    output = tmp_path / "merged"
    output.mkdir()
    (output / "thesis.txt").write_text("x", encoding="utf-8")
    more: list[object] = ["--set", "seed=3"]
    given = measured(output, *more, adapter=adapter)
    done = invoke(merge_adapter.main, *(given if with_data else ["--adapter", adapter, "--output", output, *more]))
    assert done.returncode == 2
    for said in ("adapter_model.safetensors: corrupted", "expected a new or empty folder", "seed: unknown key"):
        assert said in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "merged"]


def test_bases_that_are_not_the_adapters_are_refused(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, toys: Toys
) -> None:
    other = toy_base(tmp_path / "other", hidden=128)
    done = invoke(merge_adapter.main, *measured(tmp_path / "out", "--base", other))
    assert done.returncode == 2 and "does not fit the base" in done.stderr
    done = invoke(merge_adapter.main, *measured(tmp_path / "out", "--base", tmp_path / "nowhere"))
    assert done.returncode == 2 and "no such folder" in done.stderr
    adapter = shutil.copytree(toys.adapter, tmp_path / "adapter")
    write_manifest(adapter, {"model": "x", "revision": "sha256:of another base"})
    done = invoke(merge_adapter.main, *measured(tmp_path / "out", adapter=adapter))
    assert done.returncode == 2
    assert f"was trained on the base '{toys.base}' at sha256:of another base, came" in done.stderr
    config = adapter / "adapter_config.json"
    changed = {**json.loads(config.read_text(encoding="utf-8")), "base_model_name_or_path": "/gone/base"}
    config.write_text(json.dumps(changed), encoding="utf-8")
    done = invoke(merge_adapter.main, "--adapter", adapter, "--into", "16bit", "--output", tmp_path / "out")
    assert done.returncode == 2 and "the base that the adapter" in done.stderr and "--base names" in done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.work").exists()


def test_a_disk_that_fills_up_is_an_error_with_nothing_left(
    invoke: Invoke, tmp_path: Path, toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: Path, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    output = tmp_path / "models" / "merged"
    done = invoke(merge_adapter.main, "--adapter", toys.adapter, "--into", "16bit", "--output", output)
    assert done.returncode == 2 and "the disk is full" in done.stderr
    assert list(output.parent.iterdir()) == []


def test_room_for_both_merges_is_looked_for_before_the_first(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = merged_bytes(toys.base, dtype="float32") * 3 // 2
    usage = shutil.disk_usage(tmp_path)._replace(free=room)
    monkeypatch.setattr("core.disk.shutil.disk_usage", lambda path: usage)
    done = invoke(merge_adapter.main, *measured(tmp_path / "merged"))
    assert done.returncode == 2 and "GB of disk, but" in done.stderr
    assert list(tmp_path.iterdir()) == []
    one = invoke(merge_adapter.main, *measured(tmp_path / "merged", "--into", "16bit"))
    assert one.returncode == 0, one.stderr


def test_an_adapter_that_knows_the_held_out_questions_is_not_measured(
    measured: Callable[..., list[object]], invoke: Invoke, tiny_job: Callable[..., Job], tmp_path: Path, toys: Toys
) -> None:
    adapter = shutil.copytree(toys.adapter, tmp_path / "adapter")
    job = tiny_job()
    write_manifest(adapter, {"kind": "pointwise", "fitted_on": fingerprints(job.train)})
    done = invoke(merge_adapter.main, *measured(tmp_path / "out", adapter=adapter))
    assert done.returncode == 2 and "the adapters were fitted on" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_manifest_takes_kind_prompts_and_known_questions_over(invoke: Invoke, tmp_path: Path, toys: Toys) -> None:
    adapter = shutil.copytree(toys.adapter, tmp_path / "adapter")
    made_from = {"kind": "listwise", "prompts": "p", "fitted_on": ["a", "b"], "scored_on": ["c"]}
    write_manifest(adapter, made_from)
    output = tmp_path / "merged"
    done = invoke(merge_adapter.main, "--adapter", adapter, "--into", "16bit", "--output", output)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(output)
    assert manifest is not None and {key: manifest[key] for key in made_from} == made_from
    assert manifest["scores"] == {}


def test_other_prompts_than_the_adapters_are_refused_before_merging(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, toys: Toys
) -> None:
    adapter = shutil.copytree(toys.adapter, tmp_path / "adapter")
    write_manifest(adapter, {"kind": "listwise", "prompts": "others"})
    done = invoke(merge_adapter.main, *measured(tmp_path / "out", adapter=adapter))
    assert done.returncode == 2 and "keys of its manifest differ: prompts" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_copy_of_a_hubs_base_is_taken_where_its_user_vouches_for_it(
    measured: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, toys: Toys
) -> None:
    commit = "c" * 40
    adapter = shutil.copytree(toys.adapter, tmp_path / "adapter")
    write_manifest(adapter, {"model": "owner/model", "revision": commit})
    given = measured(tmp_path / "merged", "--into", "16bit", "--base", toys.base, adapter=adapter)
    done = invoke(merge_adapter.main, *given)
    assert done.returncode == 2 and "you vouch for it: --base FOLDER --base-revision COMMIT" in done.stderr
    done = invoke(merge_adapter.main, *given, "--base-revision", "main")
    assert done.returncode == 2 and "expected 40 hexadecimal digits, got 'main'" in done.stderr
    assert not (tmp_path / "merged").exists()
    done = invoke(merge_adapter.main, *given, "--base-revision", commit)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "merged")
    assert manifest is not None
    assert (manifest["model"], manifest["vouched_copy_of"]) == (str(toys.base), commit)
    assert manifest["revision"].startswith("sha256:") and "16bit" in manifest["scores"]
