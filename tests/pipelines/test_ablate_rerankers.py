import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from core.artifacts import write_manifest
from core.records import Ranking
from core.tables import read_rankings
from pipelines import ablate_rerankers
from pipelines.job import Job, fingerprints
from pipelines.plan import Plan, make_plan
from pipelines.stage_two import reranker_texts_hash
from rerank.cross_encoder import CrossEncoderReranker

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
WRITTEN = ("ablation.csv", "metrics.json", "report.html")


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture(scope="module")
def random_heads(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two cross-encoders with random heads."""
    import torch

    from rerank.cross_encoder import open_cross_encoder

    folders = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("cross") / "model"
        torch.manual_seed(seed)
        model = open_cross_encoder(tiny_model, device="cpu", dtype=torch.float32, max_length=48)
        model.save_pretrained(str(folder), create_model_card=False)
        folders.append(folder)
    return folders[0], folders[1]


@pytest.fixture
def plan(tiny_job: Callable[..., Job]) -> Plan:
    job = tiny_job()
    return make_plan(job, job.train)


@pytest.fixture
def ablated(tiny_files: Files, tiny_config: Path, tiny_model: Path, invoke: Invoke, tmp_path: Path) -> Invoke:
    """Run the pipeline over the untrained tiny model: `ablated("identity", "cross-encoder:DIR")`."""

    def run(*specs: object, more: tuple[object, ...] = ()) -> "subprocess.CompletedProcess[str]":
        named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config]
        asked = ["--rerankers", ",".join(map(str, specs))] if specs else []
        given = ["--retriever", tiny_model, "--output", tmp_path / "out"]
        return invoke(ablate_rerankers.main, *named, *given, *asked, *more)

    return run


def stated(folder: Path, target: Path, **made_from: object) -> Path:
    """Copy a model and give it a manifest."""
    shutil.copytree(folder, target)
    write_manifest(target, made_from)
    return target


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "ablation.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def speeds_of(line: str) -> list[str]:
    """Return queries/s, tokens/query and GPU-s/1,000 of a row of the table."""
    return line.split()[-3:]


def test_every_reranker_gets_the_same_candidates_and_a_row_for_each_use(
    ablated: Invoke, random_heads: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[Ranking]] = []
    plain = CrossEncoderReranker.rerank

    def rerank(reranker: CrossEncoderReranker, *rest: list[Ranking]) -> list[Ranking]:
        given.append(list(rest[1]))
        return plain(reranker, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CrossEncoderReranker, "rerank", rerank)
    first, second = (f"cross-encoder:{folder}" for folder in random_heads)
    output = tmp_path / "out"
    done = ablated("identity", first, second)
    assert done.returncode == 0, done.stderr
    candidates = read_rankings(output / "validation_candidates.parquet")
    assert given == [[ranking.top(25) for ranking in candidates]] * 2

    found = [(row["reranker"], row["used"]) for row in rows(output)]
    uses = ("alone", "fused", "fused + prior")
    pairs = [(spec, used) for spec in (first, second) for used in uses]
    assert found == [("stage 1", "as it is"), ("identity", "fused + prior"), *pairs]
    assert [row["difference"] == "" for row in rows(output)] == [True] + [False] * 7
    base = float(rows(output)[0]["map@25"])
    for row in rows(output)[1:]:
        assert float(row["map@25"]) - base == pytest.approx(float(row["difference"]), abs=2e-6)
        assert 0 < float(row["p"]) <= 1
    for spec, used in pairs:
        assert any(spec in line and used in line for line in done.stdout.splitlines())

    numbers = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    assert numbers["reference"] == "stage 1"
    assert set(numbers["runs"]) == {"stage 1", "identity, fused + prior", *(f"{spec}, {used}" for spec, used in pairs)}
    speeds = json.loads((output / "run.json").read_text(encoding="utf-8"))["queries_per_second"]
    assert speeds["identity"] is None and speeds[first] > 0 and speeds[second] > 0
    assert "Rerankers on the same candidates" in (output / "report.html").read_text(encoding="utf-8")

    # Again: nothing is computed, and what is promised to repeat repeats byte for byte.
    before = {name: (output / name).read_bytes() for name in WRITTEN}
    again = ablated("identity", first, second)
    assert again.returncode == 0 and len(given) == 2
    assert {name: (output / name).read_bytes() for name in WRITTEN} == before
    line = next(line for line in again.stdout.splitlines() if first in line and "alone" in line)
    assert speeds_of(line) == speeds_of(
        next(line for line in done.stdout.splitlines() if first in line and "alone" in line)
    )

    # Another order: the first SPEC, fused, is what the others are compared with; still nothing is computed.
    turned = ablated(second, first)
    assert turned.returncode == 0 and len(given) == 2
    reference = next(row for row in rows(output) if (row["reranker"], row["used"]) == (second, "fused"))
    assert reference["difference"] == reference["p"] == ""


def test_a_reranker_that_knows_the_questions_is_refused_before_any_cost(
    ablated: Invoke, random_heads: tuple[Path, Path], plan: Plan, tmp_path: Path
) -> None:
    scored, fitted = fingerprints(plan.validation), fingerprints(plan.fit)
    knows = stated(random_heads[0], tmp_path / "knows", fitted_on=[*fitted, *scored[:3]])
    done = ablated("identity", f"cross-encoder:{knows}")
    assert done.returncode == 2
    assert f"was fitted on 3 of the {len(scored)} questions" in done.stderr
    assert not (tmp_path / "out").exists()


def test_other_texts_are_refused_before_any_cost_together_with_the_rest(
    ablated: Invoke, random_heads: tuple[Path, Path], plan: Plan, tmp_path: Path
) -> None:
    knows = stated(random_heads[0], tmp_path / "knows", fitted_on=fingerprints(plan.validation))
    other = stated(random_heads[1], tmp_path / "other", fitted_on=[], texts="of another config")
    done = ablated(f"cross-encoder:{knows}", f"cross-encoder:{other}")
    assert done.returncode == 2
    assert "was fitted on" in done.stderr and f"{other}: was made under other conditions" in done.stderr
    assert not (tmp_path / "out").exists()


def test_one_fitted_elsewhere_is_measured_and_a_chosen_epoch_is_told(
    ablated: Invoke, random_heads: tuple[Path, Path], plan: Plan, tiny_job: Callable[..., Job], tmp_path: Path
) -> None:
    scored = fingerprints(plan.validation)
    texts = reranker_texts_hash(tiny_job())
    folder = stated(
        random_heads[0], tmp_path / "model", fitted_on=fingerprints(plan.fit), scored_on=scored, texts=texts
    )
    done = ablated(f"cross-encoder:{folder}", more=("--set", "prior.enabled=false"))
    assert done.returncode == 0, done.stderr
    assert [row["used"] for row in rows(tmp_path / "out")] == ["as it is", "alone", "fused"]
    numbers = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert numbers["warnings"][ablate_rerankers.CHOSEN_BY] == len(scored)


def test_all_faults_are_told_at_once_and_nothing_is_written(ablated: Invoke, tiny_model: Path, tmp_path: Path) -> None:
    done = ablated(
        "identity", "identity", "identiti", f"cross-encoder:{tmp_path / 'gone'}", f"cross-encoder:{tiny_model}"
    )
    assert done.returncode == 2
    for part in ("identity is named twice", "did you mean 'identity'", "no such folder", "is no cross-encoder"):
        assert part in done.stderr
    assert not (tmp_path / "out").exists()
    none = ablated()
    assert none.returncode == 2 and "--rerankers: expected SPEC,SPEC" in none.stderr


def test_a_table_of_the_config_is_a_spec(ablated: Invoke, random_heads: tuple[Path, Path], tmp_path: Path) -> None:
    table = [f"rerankers.mine.model={random_heads[0]}", "rerankers.mine.kind=cross-encoder"]
    table += ["rerankers.mine.candidates=10", "rerankers.mine.weights=[1.0]"]
    done = ablated("mine", more=tuple(option for value in table for option in ("--set", value)))
    assert done.returncode == 0, done.stderr
    alone, fused = rows(tmp_path / "out")[1:3]
    assert (alone["reranker"], alone["weight_half0"], fused["weight_half0"]) == ("mine", "1.0", "1.0")
    assert alone["map@25"] == fused["map@25"]  # at weight 1 there is no difference


def test_a_model_is_opened_once_for_its_scores_and_its_bias(ablated: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    other = tmp_path / "other-lm"
    shutil.copytree(tiny_lm, other)
    weights = other / "model.safetensors"
    values = bytearray(weights.read_bytes())
    values[-4:] = b"\0\0\0\0"  # another revision
    weights.write_bytes(bytes(values))
    tables = [
        part
        for name, folder in (("a", tiny_lm), ("b", other))
        for part in (
            *("--set", f"rerankers.{name}.kind=listwise", "--set", f"rerankers.{name}.model={folder}"),
            *("--set", f"rerankers.{name}.candidates=4", "--set", f"rerankers.{name}.bias_sample=8"),
        )
    ]
    fitted = ("--set", "rerankers.b.adaptive.mode=fitted", "--set", "rerankers.b.adaptive.tolerance=1.0")
    done = ablated("a", "b", more=(*tables, *fitted))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("opening the engine") == 2
    found = [(row["reranker"], row["used"]) for row in rows(tmp_path / "out")]
    assert ("b", "fused, all orders") in found and ("a", "fused, all orders") not in found
