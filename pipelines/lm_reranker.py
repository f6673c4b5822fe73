"""Rerankers that read a language model, from the config: what their scores depend on, checks, and how they open."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.adapter_merge import check_fits
from core.adapters import read_adapter, require_base
from core.artifacts import content_hash, folder_hash, require_match
from core.errors import ConfigError, InputError, ModelError
from core.language_model import TokenScorer
from core.model_files import read_model_config
from core.models import LocalModel, locate_model, vouched
from pipelines.engine_pool import EngineKey, EnginePool, PooledEngine
from pipelines.engines import engine_faults, engine_made_from
from pipelines.job import Job, check_positions
from pipelines.lm_prompts import listwise_prompter, pointwise_prompter, prompts_hash, subjects_of
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from pipelines.train_stage import own_manifest
from rerank.adaptive import ImposedSkip, SkipPolicy
from rerank.listwise import ListwiseReranker
from rerank.listwise_plans import OrderPlan, WindowPlan
from rerank.pointwise import PointwiseReranker
from rerank.prompts import ListwisePrompter, PointwisePrompter
from rerank.score_store import ScoreStore


def locate_language_model(chosen: RerankerSettings, settings: Settings) -> LocalModel:
    """Find the model of a table; the weights need not be there where a server holds them or they are made up.

    Raises:
        ModelError: It is not there.
    """
    engine = settings.engine(chosen.engine)
    needs_weights = engine.kind != "vllm-server" and engine.load_format != "dummy"
    found = locate_model(str(chosen.model), revision=chosen.revision, needs_weights=needs_weights)
    return vouched(found, chosen.revision)


def locate_adapter(chosen: RerankerSettings) -> LocalModel | None:
    """Find the adapter of a table; None where it names none.

    Raises:
        ModelError: The folder holds no adapter.
    """
    if chosen.adapter is None:
        return None
    folder = Path(chosen.adapter)
    if not (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"adapter '{chosen.adapter}': expected a folder with adapter_config.json (tried {folder.absolute()}); make "
            "one with pipelines/train_reranker.py --kind listwise"
        )
    return LocalModel(name=chosen.adapter, folder=folder, revision=f"sha256:{folder_hash(folder)}")


def check_language_model(spec: str, chosen: RerankerSettings, settings: Settings) -> None:
    """Check what can be checked without loading anything: model, adapter, engine, lengths; all faults at once.

    Raises:
        InputError: With every fault.
    """
    faults: list[str] = []
    engine = settings.engine(chosen.engine)
    model = _tried(faults, lambda: locate_language_model(chosen, settings))
    adapter = _tried(faults, lambda: locate_adapter(chosen))
    _tried(faults, lambda: subjects_of(chosen.prompt))
    if model is not None:
        _tried(faults, lambda: check_is_language_model(f"reranker '{spec}'", model, "or kind cross-encoder"))
        _tried(faults, lambda: check_positions(model, chosen.prompt.max_tokens, "prompt.max_tokens"))
    if model is not None and adapter is not None:
        _tried(faults, lambda: check_adapter(adapter.folder, model, with_weights=engine.load_format != "dummy"))
    faults += engine_faults(chosen.engine, engine)
    if engine.kind == "vllm-server" and chosen.adapter is not None:
        faults.append(
            f"reranker '{spec}': a vLLM server loads adapters itself (--lora-modules): leave `adapter` out and name it "
            f"with engines.{chosen.engine}.served_model"
        )
    if engine.max_model_len is not None and chosen.prompt.max_tokens >= engine.max_model_len:
        faults.append(
            f"reranker '{spec}': prompt.max_tokens ({chosen.prompt.max_tokens}) must be below engines."
            f"{chosen.engine}.max_model_len ({engine.max_model_len}), which holds the answer too"
        )
    if faults:
        raise InputError(faults)


def _tried(faults: list[str], find: Callable[[], Any]) -> Any:  # noqa: ANN401 - gives on what it is given
    try:
        return find()
    except (ModelError, InputError, ConfigError) as error:
        faults += error.faults
        return None


def check_adapter(folder: Path, model: LocalModel, *, with_weights: bool = True) -> None:
    """Refuse a corrupted adapter, an encoder's, and one of another base; reads headers alone.

    On a quantised form of its base, another folder with another content, nothing tells whose form that is.

    Args:
        folder: The adapter.
        model: What it would be put on.
        with_weights: Whether its weights are there.

    Raises:
        ModelError: It is one of these.
    """
    adapter = read_adapter(folder)
    if adapter.is_encoder:
        raise ModelError(
            f"adapter {folder}: is that of a retriever ({adapter.task}), expected one of a reranker (CAUSAL_LM); make "
            "one with pipelines/train_reranker.py"
        )
    config = read_model_config(model.folder)
    if "quantization_config" in config:
        return
    require_base(adapter, model)
    # Models with further parts name their weights otherwise in files than in memory.
    plain = not any("ConditionalGeneration" in name for name in config.get("architectures") or ())
    if with_weights and plain and not adapter.unsupported:
        check_fits(model.folder, [adapter])


def check_is_language_model(what: str, model: LocalModel, otherwise: str) -> None:
    """Refuse encoders and cross-encoders by the architecture that their config names.

    Args:
        what: What the model is for, for the message.
        model: The model.
        otherwise: What else to do, for the message.

    Raises:
        ModelError: It is no causal language model.
    """
    import json

    config = model.folder / "config.json"
    names = json.loads(config.read_text(encoding="utf-8")).get("architectures") if config.is_file() else None
    if names and not any("CausalLM" in name or "ConditionalGeneration" in name for name in names):
        raise ModelError(
            f"{what}: {model.folder} is no causal language model (config.json names {names}); use one, {otherwise}"
        )


def check_prompts(job: Job, chosen: RerankerSettings) -> None:
    """Check labels against the tokenizer, and an adapter's prompts against the config's; loads the tokenizer alone.

    Raises:
        ModelError: The tokenizer cannot serve the labels.
        ArtifactMismatchError: The adapter was trained by this project with other prompts.
    """
    trained = locate_adapter(chosen) or locate_language_model(chosen, job.settings)
    stated = own_manifest(trained).get("prompts")
    if stated is not None:
        require_match(trained.folder, {"prompts": prompts_hash(job, chosen.prompt)})
    table_prompter(job, chosen)


def language_model_made_from(job: Job, chosen: RerankerSettings) -> dict[str, Any]:
    """Return what the scores of a table depend on besides queries, candidates and bank, for manifests."""
    adapter = locate_adapter(chosen)
    found: dict[str, Any] = {
        "kind": chosen.kind,
        "model_revision": locate_language_model(chosen, job.settings).revision,
        "adapter": adapter.revision if adapter else None,
        "engine": engine_made_from(job.settings.engine(chosen.engine)),
        "depth": chosen.candidates,
        "prompts": prompts_hash(job, chosen.prompt),
    }
    if chosen.kind == "listwise":
        found["orders"] = [chosen.orders, chosen.order_count, chosen.order_seed, chosen.average]
        found["windows"] = chosen.windows.model_dump(mode="json")
        share = chosen.adaptive.skip_share if chosen.adaptive.mode == "share" else None
        found["skip_share"] = share
    return found


def pooled_engine(job: Job, chosen: RerankerSettings, pool: EnginePool) -> PooledEngine:
    """Return the engine of a table; nothing is opened before it is asked."""
    adapter = locate_adapter(chosen)
    key = EngineKey(
        settings=job.settings.engine(chosen.engine),
        folder=locate_language_model(chosen, job.settings).folder,
        adapter=adapter.folder if adapter else None,
    )
    return PooledEngine(pool, key)


def score_store(job: Job, chosen: RerankerSettings, folder: Path, pool: EnginePool) -> ScoreStore:
    """Open the file of finished scores for a table's model and engine; tables that share both share it."""
    made = language_model_made_from(job, chosen)
    pinned = content_hash([made["model_revision"], made["adapter"], made["engine"]])
    return pool.store(folder / f"scores-{pinned[:12]}.jsonl", pinned)


def open_language_model_reranker(
    job: Job,
    chosen: RerankerSettings,
    engine: TokenScorer,
    *,
    store: ScoreStore | None,
    adaptive: SkipPolicy | None = None,
    orders: OrderPlan | None = None,
) -> ListwiseReranker | PointwiseReranker:
    """Return the reranker of a listwise or pointwise table; its probabilities are those at temperature 1.

    Args:
        job: The job.
        chosen: The table.
        engine: Its engine.
        store: Where finished scores are kept; None keeps none.
        adaptive: Leaves further orders out; None: as the config's imposed share says.
        orders: In place of the config's, for probes.
    """
    prompter: Any = table_prompter(job, chosen)
    if chosen.kind == "pointwise":
        return PointwiseReranker(engine, prompter, batch_queries=chosen.batch_queries, store=store, show_progress=True)
    windows = chosen.windows
    if adaptive is None and chosen.adaptive.mode == "share" and orders is None:
        adaptive = ImposedSkip(share=chosen.adaptive.skip_share, seed=chosen.order_seed)
    return ListwiseReranker(
        engine,
        prompter,
        orders=orders or order_plan(chosen),
        windows=None
        if windows.kind == "none"
        else WindowPlan(kind=windows.kind, size=windows.size, stride=windows.stride, passes=windows.passes),
        adaptive=adaptive,
        batch_queries=chosen.batch_queries,
        store=store,
        show_progress=True,
    )


def order_plan(chosen: RerankerSettings) -> OrderPlan:
    """Return the orders that a table asks for."""
    return OrderPlan(kind=chosen.orders, count=chosen.order_count, seed=chosen.order_seed, space=chosen.average)


def table_prompter(job: Job, chosen: RerankerSettings) -> ListwisePrompter | PointwisePrompter:
    """Return the writer of a table's prompts; loads the tokenizer alone.

    Raises:
        ModelError: The tokenizer cannot serve the labels.
        InputError: The file of subjects cannot be used.
    """
    from core.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(locate_language_model(chosen, job.settings).folder)
    if chosen.kind == "listwise":
        return listwise_prompter(job, chosen.prompt, tokenizer)
    return pointwise_prompter(job, chosen.prompt, tokenizer)
