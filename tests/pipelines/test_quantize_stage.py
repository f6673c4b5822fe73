"""The stages up to the gate."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.artifacts import read_manifest, write_json, write_manifest
from core.errors import InputError
from core.models import LocalModel, locate_model
from core.records import Question
from pipelines.job import ROOT, Job
from pipelines.quantization_settings import QuantizationSettings
from pipelines.quantize_stage import QuantizeRun, environments_folder, merged_into, quantise_options
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from rerank.calibration_prompts import read_calibration


@pytest.fixture
def run(tiny_job: Callable[..., Job], tiny_model: Path, tiny_lm: Path, tmp_path: Path) -> Callable[..., QuantizeRun]:
    def make(*overrides: str, own: list[Question] | None = None) -> QuantizeRun:
        job = tiny_job("quantization.group_size=32", "quantization.prompts=6", *overrides)
        stages = Stages(folder=tmp_path / "work")
        one = StageOneRun(job, stages, job.train, given=locate_model(str(tiny_model)))
        chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=4)
        return QuantizeRun(one, chosen, stages, own=own)

    return make


def test_calibration_prompts_are_of_fitted_questions_alone(run: Callable[..., QuantizeRun]) -> None:
    made = run("quantization.back_end=auto-round")
    path = made.calibration()
    assert path is not None
    prompts = read_calibration(path)
    assert [prompt.order for prompt in prompts] == ["ascending", "descending"] * 3
    asked = {int(prompt.key.split("_")[0]) for prompt in prompts}
    assert asked <= {question.id for question in made.one.plan.fit}
    assert asked.isdisjoint(question.id for question in made.one.plan.validation)
    before = path.stat().st_mtime_ns
    again = run("quantization.back_end=auto-round").calibration()
    assert again is not None and again.stat().st_mtime_ns == before


def test_own_questions_calibrate_where_they_are_given(run: Callable[..., QuantizeRun]) -> None:
    fit = list(run().one.plan.fit[:2])
    path = run("quantization.back_end=auto-round", own=fit).calibration()
    assert path is not None
    assert {prompt.key.split("_")[0] for prompt in read_calibration(path)} <= {str(question.id) for question in fit}
    held_out = list(run().one.plan.validation[:1])
    with pytest.raises(InputError, match="held-out part"):
        run("quantization.back_end=auto-round", own=held_out).calibration()


def test_rounding_reads_no_prompts_and_changes_when_its_options_do(run: Callable[..., QuantizeRun]) -> None:
    first = run("quantization.back_end=rtn")
    assert first.calibration() is None
    revision = locate_model(str(first.quantised())).revision
    assert locate_model(str(run("quantization.back_end=rtn").quantised())).revision == revision
    assert (
        locate_model(str(run("quantization.back_end=rtn", "quantization.group_size=16").quantised())).revision
        != revision
    )


def test_what_is_published_is_linked_and_vouched_for(run: Callable[..., QuantizeRun], tmp_path: Path) -> None:
    made = run("quantization.back_end=rtn")
    folder = made.publish(tmp_path / "final", {"accepted": True})
    inside = made.quantised() / "model.safetensors"
    assert (folder / "model.safetensors").stat().st_ino == inside.stat().st_ino
    told = read_manifest(folder)
    assert told is not None and told["gate"] == {"accepted": True} and told["kind"] == "listwise"
    own = read_manifest(made.quantised())
    assert own is not None and own["artifact"] == "quantised model" and "gate" not in own


def test_an_adapter_of_a_4_bit_base_is_merged_into_that(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    write_json(folder / "adapter_config.json", {})
    adapter = LocalModel(name="a", folder=folder, revision="r")
    settings = QuantizationSettings()
    assert merged_into(settings, adapter) == "16bit"
    write_manifest(folder, {"training": {"method": "qlora"}})
    assert merged_into(settings, adapter) == "dequantised"
    assert merged_into(settings.model_copy(update={"merge_into": "16bit"}), adapter) == "16bit"


def test_options_and_environments() -> None:
    settings = QuantizationSettings(group_size=64, iterations=7)
    assert quantise_options(settings).group_size == 64 and quantise_options(settings).iterations == 7
    assert environments_folder(settings) == ROOT / ".environments"
    assert environments_folder(settings.model_copy(update={"environments": str(ROOT / "x")})) == ROOT / "x"
