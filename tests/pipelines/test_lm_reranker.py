import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from adapter_toys import toy_adapter, toy_base

from core.artifacts import write_manifest
from core.errors import ArtifactMismatchError, InputError, ModelError
from pipelines.engine_pool import EnginePool
from pipelines.engine_settings import EngineSettings
from pipelines.job import Job
from pipelines.lm_prompts import prompts_hash
from pipelines.lm_reranker import (
    check_adapter,
    check_language_model,
    check_prompts,
    language_model_made_from,
    locate_adapter,
    locate_language_model,
    open_language_model_reranker,
    order_plan,
    pooled_engine,
    score_store,
)
from pipelines.reranker_settings import AdaptiveSettings, PromptSettings, RerankerSettings, WindowSettings
from pipelines.settings import Settings
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker


@pytest.fixture
def job(tiny_job: Callable[..., Job]) -> Job:
    return tiny_job()


@pytest.fixture
def listwise(tiny_lm: Path) -> RerankerSettings:
    return RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=8)


def test_what_is_there_passes(listwise: RerankerSettings, tiny_lm: Path) -> None:
    check_language_model("mine", listwise, Settings())
    found = locate_language_model(listwise, Settings())
    assert found.folder == tiny_lm and found.revision.startswith("sha256:")


def test_all_faults_of_a_table_are_told_at_once(tiny_lm: Path, tmp_path: Path) -> None:
    settings = Settings(engines={"short": EngineSettings(kind="vllm-server", base_url="http://x", max_model_len=100)})
    chosen = RerankerSettings(
        kind="listwise",
        model=str(tiny_lm),
        adapter=str(tmp_path / "gone"),
        engine="short",
        prompt=PromptSettings(subjects=str(tmp_path / "none.csv"), max_tokens=9000),
    )
    with pytest.raises(InputError) as caught:
        check_language_model("mine", chosen, settings)
    for words in (
        "adapter_config.json",
        "none.csv",
        "at most 8192 tokens",
        "must be below engines.short.max_model_len",
        "loads adapters itself",
    ):
        assert words in str(caught.value)


def test_an_adapter_that_does_not_go_with_the_model_is_refused_before_it_loads(
    listwise: RerankerSettings, tiny_lm: Path, tmp_path: Path
) -> None:
    adapter = toy_adapter(tiny_lm, tmp_path / "adapter")
    chosen = listwise.model_copy(update={"adapter": str(adapter)})
    check_language_model("mine", chosen, Settings())
    wide = toy_base(tmp_path / "wide", hidden=128)
    with pytest.raises(InputError, match=r"does not fit the base .*wide"):
        check_language_model("mine", chosen.model_copy(update={"model": str(wide)}), Settings())
    config = json.loads((wide / "config.json").read_text(encoding="utf-8"))
    (wide / "config.json").write_text(json.dumps({**config, "quantization_config": {}}), encoding="utf-8")
    check_adapter(adapter, locate_language_model(chosen.model_copy(update={"model": str(wide)}), Settings()))
    write_manifest(adapter, {"model": "x", "revision": "sha256:of another base"})
    with pytest.raises(InputError, match=r"was trained on the base .* at sha256:of another base"):
        check_language_model("mine", chosen, Settings())
    write_manifest(adapter, {"model": "owner/model", "revision": "c" * 40})
    with pytest.raises(InputError, match="`revision` beside `model` in a reranker's table"):
        check_language_model("mine", chosen, Settings())
    check_language_model("mine", chosen.model_copy(update={"revision": "c" * 40}), Settings())
    (adapter / "manifest.json").unlink()
    stated = adapter / "adapter_config.json"
    of_encoder = {**json.loads(stated.read_text(encoding="utf-8")), "task_type": "FEATURE_EXTRACTION"}
    stated.write_text(json.dumps(of_encoder), encoding="utf-8")
    with pytest.raises(InputError, match="is that of a retriever"):
        check_language_model("mine", chosen, Settings())
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"adapter_model.safetensors: corrupted"):
        check_language_model("mine", chosen, Settings())


def test_an_encoder_is_no_language_model(tiny_model: Path) -> None:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_model))
    with pytest.raises(InputError, match="no causal language model"):
        check_language_model("mine", chosen, Settings())


def test_made_up_weights_need_a_config_alone(tiny_lm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(tiny_lm, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    chosen = RerankerSettings(kind="listwise", model=str(folder), engine="fast")
    with pytest.raises(ModelError, match=r"no .*safetensors"):
        locate_language_model(chosen, Settings(engines={"fast": EngineSettings(kind="vllm")}))
    dummy = Settings(engines={"fast": EngineSettings(kind="vllm", load_format="dummy")})
    assert locate_language_model(chosen, dummy).folder == folder


def test_an_adapter_is_pinned_by_its_files(tmp_path: Path, listwise: RerankerSettings) -> None:
    assert locate_adapter(listwise) is None
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    chosen = listwise.model_copy(update={"adapter": str(folder)})
    before = locate_adapter(chosen)
    (folder / "adapter_config.json").write_text('{"r": 1}', encoding="utf-8")
    after = locate_adapter(chosen)
    assert before is not None and after is not None and before.revision != after.revision


def test_prompts_must_be_those_of_training(job: Job, listwise: RerankerSettings, tmp_path: Path, tiny_lm: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_lm, folder)
    chosen = listwise.model_copy(update={"model": str(folder)})
    check_prompts(job, chosen)  # nobody stated its prompts
    write_manifest(folder, {"prompts": "others"})
    with pytest.raises(ArtifactMismatchError, match="prompts"):
        check_prompts(job, chosen)
    write_manifest(folder, {"prompts": prompts_hash(job, chosen.prompt)})
    check_prompts(job, chosen)


def test_labels_are_checked_against_the_tokenizer(job: Job, tiny_lm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_lm, folder)
    state = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    state["model"]["vocab"].pop("Q")
    state["model"]["merges"] = [pair for pair in state["model"]["merges"] if "Q" not in "".join(pair)]
    (folder / "tokenizer.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(ModelError, match="label"):
        check_prompts(job, RerankerSettings(kind="listwise", model=str(folder)))


def test_what_scores_depend_on_and_what_not(tiny_job: Callable[..., Job], listwise: RerankerSettings) -> None:
    def made(job: Job, **changes: object) -> dict[str, object]:
        return language_model_made_from(job, listwise.model_copy(update=changes))

    job = tiny_job()
    plain = made(job)
    for changes in (
        {"orders": "ascending"},
        {"candidates": 7},
        {"average": "probability"},
        {"order_seed": 3},
        {"windows": WindowSettings(kind="sliding", size=5, stride=2)},
        {"prompt": PromptSettings(none_label=True)},
        {"adaptive": AdaptiveSettings(mode="share")},
        {"kind": "pointwise"},
    ):
        assert made(job, **changes) != plain, changes
    assert made(job, batch_queries=3, bias_sample=1, weights=(1.0,), fusion="score") == plain
    assert made(tiny_job('engines.transformers.dtype="float16"')) != plain
    assert made(tiny_job("engines.transformers.batch_tokens=99")) == plain
    auto = plain["engine"]["dtype"]  # type: ignore[index]
    assert made(tiny_job(f'engines.transformers.dtype="{auto}"')) == plain  # `auto` is told as it turns out


def test_tables_of_one_model_share_their_stored_scores(
    job: Job, listwise: RerankerSettings, tiny_job: Callable[..., Job], tmp_path: Path
) -> None:
    pool = EnginePool()
    one = score_store(job, listwise, tmp_path, pool)
    assert score_store(job, listwise.model_copy(update={"orders": "ascending"}), tmp_path, pool) is one
    other = tiny_job('engines.transformers.dtype="float16"')
    assert score_store(other, listwise, tmp_path, pool) is not one


def test_rerankers_open_without_an_engine(job: Job, listwise: RerankerSettings) -> None:
    pool = EnginePool(lambda key: pytest.fail("no engine is needed yet"))
    engine = pooled_engine(job, listwise, pool)
    assert isinstance(open_language_model_reranker(job, listwise, engine, store=None), ListwiseReranker)
    pointwise = listwise.model_copy(update={"kind": "pointwise"})
    assert isinstance(open_language_model_reranker(job, pointwise, engine, store=None), PointwiseReranker)
    plan = order_plan(listwise.model_copy(update={"orders": "cyclic", "order_count": 3}))
    assert [order.tolist() for order in plan.permutations(3, "k")] == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
