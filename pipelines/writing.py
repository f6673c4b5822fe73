"""Open the language model that writes: from a `WriterSettings` table to a `ChatWriter`, whichever engine runs it."""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.artifacts import folder_hash
from core.chat_endpoint import EndpointChatWriter
from core.chat_writer import ChatWriter, ConcurrentChatWriter, StreamingTokenChatWriter, TokenChatWriter
from core.errors import ConfigError, InputError, ModelError, UserError, did_you_mean
from core.http_json import HttpError, JsonClient
from core.models import LocalModel, locate_model
from core.served_models import served_model
from core.tokenizer import Tokenizer, load_tokenizer
from core.vllm_requests import EXACT
from core.vllm_server import VllmServer
from pipelines.engine_pool import EngineKey, EnginePool, PooledEngine
from pipelines.engine_settings import EngineSettings
from pipelines.engines import engine_faults
from pipelines.lm_reranker import check_is_language_model
from pipelines.settings import Settings
from pipelines.writer_settings import WriterSettings
from synth.asking import Asker
from synth.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class OpenWriter:
    """A model that writes.

    Attributes:
        writer: Writes; an engine in this process is opened when it is first asked.
        engine: The engine's kind.
        model: The model's name.
        revision: The model's commit or content hash, and its adapter's; None where a server does not tell.
        context: Tokens that prompt and answer may have together; None where not known.
        batch: Requests to ask together, or to have in flight where each answer is kept as it comes.
    """

    writer: ChatWriter
    engine: str
    model: str
    revision: str | None
    context: int | None
    batch: int

    def asker(self, ledger: Ledger, *, progress: Callable[[int, int], None] | None = None) -> Asker:
        """Return what asks this model through a ledger."""
        return Asker(
            self.writer,
            ledger,
            engine=self.engine,
            model=self.model,
            revision=self.revision,
            batch=self.batch,
            progress=progress,
        )


class AskingBar:
    """A progress bar over requests, anew for each call of an asker; silent where nobody looks."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        """Show how many requests of how many are done."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=total, desc="asking", unit="request", disable=None)
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def add_writer_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model writes; `with_options` puts them into a table."""
    group = parser.add_argument_group("the model that writes")
    group.add_argument("--model", metavar="MODEL", help="bundled:NAME, a folder, or a hub id; default: the config's")
    group.add_argument(
        "--engine", metavar="NAME", help="transformers, or an [engines.NAME] table of the config; default: the config's"
    )


def with_options(chosen: WriterSettings, options: argparse.Namespace) -> WriterSettings:
    """Return a table with what the command line says in place of its own; another model comes without its adapter."""
    changes: dict[str, str | None] = {"engine": options.engine} if options.engine else {}
    if options.model and options.model != chosen.model:
        changes |= {"model": options.model, "revision": None, "adapter": None}
    return chosen.model_copy(update=changes)


def check_writer(where: str, chosen: WriterSettings, settings: Settings) -> None:
    """Check all that can be checked of a writer before any cost; a server is asked whether it is there.

    Args:
        where: The table's key in the config, e.g. `synthesis.writer`, for messages.
        chosen: The table.
        settings: The config, for its engines.

    Raises:
        InputError: With every fault.
    """
    if chosen.engine not in settings.engine_names:
        meant, known = did_you_mean(chosen.engine, settings.engine_names), ", ".join(settings.engine_names)
        raise InputError(f"{where}.engine: no table [engines.{chosen.engine}]{meant}; there is {known}")
    engine = settings.engine(chosen.engine)
    faults = [*engine_faults(chosen.engine, engine), *_unfit(where, chosen, engine)]
    if chosen.model is not None:
        try:
            model = _model(chosen, engine)
            check_is_language_model(where, model, "an instruct model")
            _tokenizer(model)
            _adapter(chosen)
        except UserError as error:
            faults += [f"{where}: {fault}" for fault in error.faults]
    if not faults and engine.base_url is not None:
        try:
            _reach(engine)
        except UserError as error:
            faults += [f"{where}: {fault}" for fault in error.faults]
    if faults:
        raise InputError(faults)


def open_writer(chosen: WriterSettings, settings: Settings, pool: EnginePool) -> OpenWriter:
    """Return the writer of a table; engines in this process come out of the pool, which holds one at a time.

    Args:
        chosen: The table, checked by `check_writer`.
        settings: The config, for its engines.
        pool: Holds the engine; the caller closes it.

    Raises:
        ConfigError: There is no such engine, or the table does not fit it.
        ModelError: The model is not there or has no chat template, or the server does not answer.
    """
    engine = settings.engine(chosen.engine)
    batch = chosen.batch or (512 if engine.kind == "vllm" else 8)
    if unfit := _unfit("the writer", chosen, engine):
        raise ConfigError(unfit)
    model = None if chosen.model is None else _model(chosen, engine)
    tokenizer = None if model is None else _tokenizer(model)
    if engine.kind == "endpoint":
        endpoint = _endpoint(engine, tokenizer)
        writer: ChatWriter = ConcurrentChatWriter(endpoint, engine.concurrency)
        name, revision = endpoint.model, None
    elif model is None or tokenizer is None:
        raise ConfigError(f"an engine of kind {engine.kind} needs a model")
    elif engine.kind == "vllm-server":
        server, name = _vllm_server(engine)
        writer, revision = ConcurrentChatWriter(TokenChatWriter(server, tokenizer), engine.concurrency), None
    else:
        adapter = _adapter(chosen)
        key = EngineKey(settings=engine, folder=model.folder, adapter=adapter.folder if adapter else None)
        pooled = PooledEngine(pool, key)
        writer = (
            StreamingTokenChatWriter(pooled, tokenizer, batch) if pooled.streams else TokenChatWriter(pooled, tokenizer)
        )
        name = model.name
        revision = model.revision + (f"+{adapter.revision}" if adapter else "")
    return OpenWriter(
        writer=writer,
        engine=engine.kind,
        model=name,
        revision=revision,
        context=_context(engine, model),
        batch=batch,
    )


def _unfit(where: str, chosen: WriterSettings, engine: EngineSettings) -> list[str]:
    faults = []
    if chosen.model is None and engine.kind != "endpoint":
        faults.append(
            f"{where}.model: expected the model that writes (--model MODEL: bundled:NAME, a folder, or a hub id), got "
            "none; an instruct model of 7 B or more writes questions that pass the checks"
        )
    if chosen.adapter is not None and engine.base_url is not None:
        faults.append(f"{where}.adapter: a server loads adapters itself: name it with engines.….served_model instead")
    return faults


def _model(chosen: WriterSettings, engine: EngineSettings) -> LocalModel:
    needs_weights = engine.base_url is None and engine.load_format != "dummy"
    return locate_model(str(chosen.model), revision=chosen.revision, needs_weights=needs_weights)


def _adapter(chosen: WriterSettings) -> LocalModel | None:
    if chosen.adapter is None:
        return None
    folder = Path(chosen.adapter)
    if not (folder / "adapter_config.json").is_file():
        raise ModelError(f"adapter: expected a folder with adapter_config.json, found none in {folder.absolute()}")
    return LocalModel(name=chosen.adapter, folder=folder, revision=f"sha256:{folder_hash(folder)}")


def _tokenizer(model: LocalModel) -> Tokenizer:
    tokenizer = load_tokenizer(model.folder)
    if not tokenizer.inner.chat_template:
        raise ModelError(
            f"model '{model.name}': its tokenizer has no chat template, so it was not made to follow instructions; use "
            "an instruct model, or put the template into its tokenizer_config.json"
        )
    return tokenizer


def _context(engine: EngineSettings, model: LocalModel | None) -> int | None:
    held = [engine.max_model_len]
    file = model.folder / "config.json" if model is not None else None
    if file is not None and file.is_file():
        config = json.loads(file.read_text(encoding="utf-8"))
        held.append(config.get("max_position_embeddings"))
    return min((most for most in held if isinstance(most, int)), default=None)


def _key(engine: EngineSettings) -> str | None:
    return os.environ.get(engine.api_key_env) if engine.api_key_env else None


def _endpoint(engine: EngineSettings, tokenizer: Tokenizer | None) -> EndpointChatWriter:
    return EndpointChatWriter.connect(
        str(engine.base_url),
        model=engine.served_model,
        api_key=_key(engine),
        concurrency=engine.concurrency,
        timeout_seconds=engine.timeout_seconds,
        retries=engine.retries,
        guide=engine.guide,
        tokenizer=tokenizer,
    )


def _vllm_server(engine: EngineSettings) -> tuple[VllmServer, str]:
    """Connect without the probe for exact scores: a server that only writes needs no start-up flags."""
    client = JsonClient(
        str(engine.base_url),
        api_key=_key(engine),
        connections=engine.concurrency,
        timeout_seconds=engine.timeout_seconds,
        retries=engine.retries,
    )
    try:
        name = served_model(client, f"vLLM server {engine.base_url}", engine.served_model).name
    except HttpError as error:
        raise ModelError(
            f"vLLM server {engine.base_url}: {error}. Is it running, is base_url right (it usually ends in /v1)?"
        ) from error
    return VllmServer(client, model=name, path=EXACT, concurrency=engine.concurrency), name


def _reach(engine: EngineSettings) -> None:
    """Ask a server once whether it is there; what keeps trying belongs to the run itself."""
    once = engine.model_copy(update={"retries": min(engine.retries, 1)})
    if engine.kind == "endpoint":
        _endpoint(once, None).close()
    else:
        _vllm_server(once)[0].close()
