"""Ask a language model through the ledger: what is finished is never asked again, what failed is told and counted."""

import logging
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from core.artifacts import content_hash
from core.chat_writer import DECLINED, ChatMessage, ChatWriter, StreamingChatWriter
from core.errors import UserError
from core.language_model import Generation
from synth.keeping import Keeper
from synth.ledger import Asked, Ledger

logger = logging.getLogger(__name__)

STOP_AFTER = 64
"""So many failures in a row are no accident: the server is dead, or no request can be answered."""


class AskingError(UserError):
    """Nothing is answered any more; what was finished before is in the ledger."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One thing to ask.

    Attributes:
        task: What for: `write`, `solve`, `judge`, `explain`, `hint`, …
        row: Which row (or entry, or query) it serves.
        messages: The chat.
        max_tokens: Longest answer, in tokens.
        temperature: 0 is greedy.
        seed: Of the sampling; another seed is another request, e.g. for a further attempt.
        schema: A JSON schema that the answer must follow, or None.
    """

    task: str
    row: str
    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    schema: Mapping[str, Any] | None = None

    @cached_property  # asked for with each of a request's keys, and it reads the whole chat
    def prompt_hash(self) -> str:
        """SHA-256 of the messages."""
        return content_hash([[message.role, message.text] for message in self.messages])


class Asker:
    """Asks one model; answers are on the disk batch by batch, or as they come where the writer gives them so.

    A kill loses the batch under way; with a `StreamingChatWriter` the requests in flight, and the answers that the disk
    is busy with. `progress` is told of none of those.

    Attributes:
        asked: Requests sent by this object.
        reused: Requests whose answers came out of the ledger.
        used: Keys of all requests that were asked for, new or known.

    Args:
        writer: Writes.
        ledger: Keeps every request; an asker of another model may share it.
        engine: The kind of engine, for the ledger.
        model: The model's name. It and the revision are part of what an answer depends on, the engine is not.
        revision: The model's commit or content hash; None where a server does not tell.
        batch: Requests a call of the writer, at least 1; a streaming writer gets all at once.
        progress: Told how many requests of how many are done, as they are kept.

    Raises:
        ValueError: `batch` is below 1.
    """

    def __init__(
        self,
        writer: ChatWriter,
        ledger: Ledger,
        *,
        engine: str,
        model: str,
        revision: str | None,
        batch: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch: expected at least 1, got {batch}")
        self._writer = writer
        self._ledger = ledger
        self._engine = engine
        self._model = model
        self._revision = revision
        self._batch = batch
        self._progress = progress
        self._failed_in_a_row = 0
        self.asked = 0
        self.reused = 0
        self.used: set[str] = set()

    def key(self, request: Request) -> str:
        """Return the hash of all that a request's answer depends on: request, model and revision."""
        told = [request.task, request.row, request.prompt_hash, request.max_tokens, request.temperature, request.seed]
        return content_hash([*told, request.schema, self._model, self._revision])

    def known(self, request: Request) -> Asked | None:
        """Return what the ledger has on a request; None where it was never asked."""
        return self._ledger.get(self.key(request))

    def ask(self, requests: Sequence[Request], *, leave: Collection[str] = ()) -> list[Asked]:
        """Return an answer to each request, in order; one with an error where it failed.

        Args:
            requests: Put those that share a beginning next to each other. Equal ones are asked once. Batches are made
                of neighbours that share max_tokens, temperature, seed and schema; streams of those that share all but
                the seed.
            leave: Keys of requests that failed in an earlier run and are not asked again.

        Raises:
            AskingError: `STOP_AFTER` requests in a row failed; they are in the ledger with their errors.
            InputError: The ledger cannot be written.
            ModelError: The model's chat template refuses such a chat.
        """
        keys = [self.key(request) for request in requests]
        waiting: dict[str, Request] = {}
        for key, request in zip(keys, requests, strict=True):
            known = self._ledger.get(key)
            if known is None or (known.error is not None and key not in leave):
                waiting[key] = request
        self.reused += len(set(keys) - set(waiting) - self.used)
        self.used.update(keys)
        done = 0
        streams = isinstance(self._writer, StreamingChatWriter)
        for _, group in groupby(waiting.items(), key=lambda item: _settings(item[1], seeds_differ=streams)):
            alike = list(group)
            size = len(alike) if streams else self._batch
            for first in range(0, len(alike), size):
                for kept in self._ask(alike[first : first + size]):
                    done += kept
                    if self._progress is not None:
                        self._progress(done, len(waiting))
        return [self._known(key) for key in keys]

    def _known(self, key: str) -> Asked:
        known = self._ledger.get(key)
        assert known is not None, "every request was asked or known"
        return known

    def _ask(self, batch: Sequence[tuple[str, Request]]) -> Generator[int]:
        """Ask, keep, and yield how many answers were kept."""
        like = batch[0][1]
        chats = [request.messages for _, request in batch]
        started = time.perf_counter()
        if isinstance(self._writer, StreamingChatWriter):
            seeds = [request.seed for _, request in batch]
            coming = self._writer.write_each(
                chats, max_tokens=like.max_tokens, temperature=like.temperature, seed=seeds, schema=like.schema
            )
            # Closed now, not when the error's traceback goes: what waits must not be sent any more.
            with closing(coming), Keeper(self._ledger) as keeper:
                for together in coming:
                    now = time.perf_counter()
                    found = [made for _, made in together]
                    keeper.put(self._lines([batch[place] for place, _ in together], found, now - started))
                    started = now
                    self._count(found)
                    if kept := keeper.kept():
                        yield kept
            if kept := keeper.kept():
                yield kept
            return
        found = self._writer.write(
            chats, max_tokens=like.max_tokens, temperature=like.temperature, seed=like.seed, schema=like.schema
        )
        self._ledger.extend(self._lines(batch, found, time.perf_counter() - started))
        self._count(found)
        yield len(batch)

    def _count(self, found: Sequence[Generation]) -> None:
        self.asked += len(found)
        for one in found:
            alive = one.error is None or one.error.startswith(DECLINED)
            self._failed_in_a_row = 0 if alive else self._failed_in_a_row + 1
        if self._failed_in_a_row >= STOP_AFTER:
            raise AskingError(
                f"{self._model}: {self._failed_in_a_row} requests in a row failed, the last: {found[-1].error}. What "
                f"was finished before is kept in {self._ledger.path}: mend the cause (is the server up? does the "
                "engine take JSON schemas? else set guide=false) and run the same command again"
            )

    def _lines(self, batch: Sequence[tuple[str, Request]], found: Sequence[Generation], seconds: float) -> list[Asked]:
        each = seconds / len(batch)
        return [self._line(key, request, one, each) for (key, request), one in zip(batch, found, strict=True)]

    def _line(self, key: str, request: Request, made: Generation, seconds: float) -> Asked:
        return Asked(
            key=key,
            task=request.task,
            row=request.row,
            engine=self._engine,
            model=self._model,
            revision=self._revision,
            prompt_hash=request.prompt_hash,
            seed=request.seed,
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            prompt_tokens=made.prompt_tokens,
            output_tokens=made.output_tokens,
            seconds=round(seconds, 4),
            text=made.text,
            finish_reason=made.finish_reason,
            error=made.error,
        )


def _settings(request: Request, *, seeds_differ: bool) -> tuple[int, float, int | None, str]:
    seed = None if seeds_differ else request.seed
    return request.max_tokens, request.temperature, seed, content_hash(request.schema)
