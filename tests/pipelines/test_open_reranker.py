import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.artifacts import write_manifest
from core.config import load_config
from core.errors import ArtifactMismatchError, ConfigError, InputError
from pipelines.engine_pool import EnginePool
from pipelines.job import Job
from pipelines.open_reranker import (
    check_reranker,
    check_reranker_texts,
    open_reranker,
    parts_of,
    reranker_made_from,
    reranker_models,
    resolve_reranker,
)
from pipelines.reranker_settings import CascadeStage, RerankerSettings
from pipelines.settings import Settings
from rerank.cascade import CascadeReranker
from rerank.identity import IdentityReranker
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker


def cascade(model: Path) -> dict[str, RerankerSettings]:
    return {
        "wide": RerankerSettings(kind="pointwise", model=str(model), candidates=20),
        "best": RerankerSettings(kind="listwise", model=str(model), candidates=5),
        "all": RerankerSettings(
            kind="cascade",
            candidates=20,
            stages=(
                CascadeStage(reranker="wide", first=1, last=20),
                CascadeStage(reranker="best", first=1, last=5, weight=0.5),
            ),
        ),
    }


@pytest.fixture
def cascaded(tiny_job: Callable[..., Job], tiny_lm: Path) -> Job:
    stages = '[{reranker="wide",first=1,last=20},{reranker="best",first=1,last=5,weight=0.5}]'
    return tiny_job(
        "rerankers.wide.kind=pointwise",
        f"rerankers.wide.model={tiny_lm}",
        "rerankers.best.kind=listwise",
        f"rerankers.best.model={tiny_lm}",
        "rerankers.all.kind=cascade",
        f"rerankers.all.stages={stages}",
    )


@pytest.mark.parametrize("kind", ["listwise", "pointwise"])
def test_a_language_model_is_a_spec(kind: str) -> None:
    for model in ("bundled:SmolLM2-135M-Instruct", "models/x", "Qwen/Qwen2.5-32B-Instruct"):
        found = resolve_reranker(f"{kind}:{model}", Settings())
        assert (found.kind, found.model, found.engine) == (kind, model, "transformers")


def test_a_cascade_is_a_table_only() -> None:
    with pytest.raises(ConfigError, match="KIND one of identity, boosted, cross-encoder, listwise, pointwise"):
        resolve_reranker("cascade:models/x", Settings())


def test_parts_and_models(tiny_lm: Path) -> None:
    settings = Settings(rerankers=cascade(tiny_lm))
    assert parts_of(settings.rerankers["all"], settings) == [settings.rerankers["wide"], settings.rerankers["best"]]
    assert parts_of(settings.rerankers["wide"], settings) == [settings.rerankers["wide"]]
    assert [model.folder for model in reranker_models(settings.rerankers["all"], settings)] == [tiny_lm, tiny_lm]
    assert reranker_models(RerankerSettings(), settings) == []


def test_a_cascade_is_checked_in_every_stage(tmp_path: Path, tiny_lm: Path, tiny_model: Path) -> None:
    tables = cascade(tiny_lm)
    check_reranker("all")(Settings(rerankers=tables))
    tables["wide"] = tables["wide"].model_copy(update={"model": str(tmp_path / "gone")})
    tables["best"] = tables["best"].model_copy(update={"model": str(tiny_model)})
    with pytest.raises(InputError, match=r"no such folder(.|\n)*no causal language model"):
        check_reranker("all")(Settings(rerankers=tables))


def test_a_hub_id_without_a_commit_is_refused() -> None:
    with pytest.raises(Exception, match="needs a pinned revision"):
        check_reranker("listwise:Qwen/Qwen2.5-32B-Instruct")(Settings())


@pytest.mark.parametrize("name", ["h200", "listwise_24gb", "listwise_2x16gb", "listwise_80gb"])
def test_the_configs_name_a_reranker_that_resolves(name: str) -> None:
    path = Path(__file__).parents[2] / "pipelines" / "configs" / f"{name}.toml"
    settings = load_config(Settings, path)
    for table in settings.rerankers.values():
        for part in parts_of(table, settings):
            engine = settings.engine(part.engine)
            assert engine.kind == "vllm" and (engine.max_model_len or 0) > part.prompt.max_tokens
    assert resolve_reranker(settings.reranker, settings).kind == "listwise"


def test_what_opens(tiny_job: Callable[..., Job], tiny_lm: Path, cascaded: Job, tmp_path: Path) -> None:
    pool = EnginePool(lambda key: pytest.fail("no engine is needed yet"))
    job = tiny_job()
    assert isinstance(open_reranker(job, RerankerSettings()), IdentityReranker)
    listwise = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=5)
    assert isinstance(open_reranker(job, listwise, pool=pool), ListwiseReranker)
    opened = open_reranker(cascaded, cascaded.settings.rerankers["all"], pool=pool, scores=tmp_path)
    assert isinstance(opened, CascadeReranker)
    assert [type(stage.reranker) for stage in opened.stages] == [PointwiseReranker, ListwiseReranker]
    assert [(stage.first, stage.last, stage.weight) for stage in opened.stages] == [(1, 20, 1.0), (1, 5, 0.5)]


def test_a_cascade_depends_on_all_its_stages(cascaded: Job) -> None:
    tables = dict(cascaded.settings.rerankers)
    before = reranker_made_from(cascaded, tables["all"])
    assert [stage[:3] for stage in before["stages"]] == [[1, 20, 1.0], [1, 5, 0.5]]
    shorter = tables["all"].model_copy(update={"stages": tables["all"].stages[:1]})
    assert reranker_made_from(cascaded, shorter) != before


def test_a_language_model_trained_with_other_prompts_is_refused(
    tiny_job: Callable[..., Job], tiny_lm: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_lm, folder)
    write_manifest(folder, {"prompts": "others"})
    chosen = RerankerSettings(kind="listwise", model=str(folder))
    with pytest.raises(ArtifactMismatchError, match="prompts"):
        check_reranker_texts(tiny_job(), chosen)
    with pytest.raises(ArtifactMismatchError, match="prompts"):
        open_reranker(tiny_job(), chosen)
