"""Chats in, texts out: what every pipeline that lets a language model write asks of it, whichever engine runs it.

`TokenChatWriter` writes with an engine that reads token ids (transformers, vLLM in process, a vLLM server),
`StreamingTokenChatWriter` with one that gives each answer as it comes (vLLM in process);
`core.chat_endpoint` writes through any OpenAI-compatible endpoint, which reads messages.
"""

import os
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from core.ahead import made_ahead
from core.language_model import Generation, StreamingGenerator, TextGenerator
from core.tokenizer import ChatPart, Role, Tokenizer

ROLES: tuple[Role, ...] = ("system", "user", "assistant")


@dataclass(frozen=True, kw_only=True)
class ChatMessage:
    """One message of a chat.

    Attributes:
        role: Who speaks.
        text: What is said; a text of a user stays a text, even where it reads like a control token.

    Raises:
        ValueError: There is no such role.
    """

    role: Literal["system", "user", "assistant"]
    text: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role: expected one of {', '.join(ROLES)}, got {self.role!r}")


Chat = Sequence[ChatMessage]
_RENDERED_AHEAD = 64
DECLINED = "the model refused"
"""How the error of a request begins that an endpoint says its model refused; the endpoint itself is well."""


class ChatWriter(Protocol):
    """Answers chats."""

    def write(
        self,
        chats: Sequence[Chat],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        schema: Mapping[str, Any] | None,
    ) -> list[Generation]:
        """Return the assistant's next message of each chat; a request that failed is a `Generation` with its error.

        Args:
            chats: n chats, at least one message each; put those that share a beginning next to each other.
            max_tokens: Longest answer, in tokens.
            temperature: 0 is greedy.
            seed: Of the sampling.
            schema: A JSON schema that the answer must follow; a writer that cannot constrain decoding leaves it to the
                caller's strict parsing.

        Returns:
            n answers in the order of the chats.

        Raises:
            ModelError: The model's chat template refuses such a chat.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text takes in a message; where the tokens are not known, an estimate from above."""
        ...


@runtime_checkable
class StreamingChatWriter(ChatWriter, Protocol):
    """A writer that gives answers as soon as they are there, so that they can be kept while others are written."""

    def write_each(
        self,
        chats: Sequence[Chat],
        *,
        max_tokens: int,
        temperature: float,
        seed: int | Sequence[int],
        schema: Mapping[str, Any] | None,
    ) -> Generator[list[tuple[int, Generation]]]:
        """Yield (place of the chat, its answer) of all that came together; see `ChatWriter.write`.

        A seed for each chat, instead of one for all, keeps them in one stream. Closed, it sends no more.

        Raises:
            ValueError: There are other than one or n seeds.
        """
        ...


class ConcurrentChatWriter:
    """A `StreamingChatWriter` over one that answers over a network: so many requests in flight, no waiting for a batch.

    Args:
        inner: Writes; safe to share between threads.
        concurrency: Requests in flight at most.
    """

    def __init__(self, inner: ChatWriter, concurrency: int) -> None:
        self.inner = inner
        self._concurrency = concurrency

    def write(
        self,
        chats: Sequence[Chat],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        schema: Mapping[str, Any] | None,
    ) -> list[Generation]:
        """See `ChatWriter.write`."""
        coming = self.write_each(chats, max_tokens=max_tokens, temperature=temperature, seed=seed, schema=schema)
        found = {place: made for together in coming for place, made in together}
        return [found[place] for place in range(len(chats))]

    def write_each(
        self,
        chats: Sequence[Chat],
        *,
        max_tokens: int,
        temperature: float,
        seed: int | Sequence[int],
        schema: Mapping[str, Any] | None,
    ) -> Generator[list[tuple[int, Generation]]]:
        """See `StreamingChatWriter.write_each`; requests that wait are dropped where the caller stops."""
        seeds = _seeds(seed, len(chats))

        def one(chat: Chat, seed: int) -> Generation:
            (made,) = self.inner.write([chat], max_tokens=max_tokens, temperature=temperature, seed=seed, schema=schema)
            return made

        with ThreadPoolExecutor(max_workers=self._concurrency) as pool:
            waiting = {pool.submit(one, chat, seeds[place]): place for place, chat in enumerate(chats)}
            try:
                left = set(waiting)
                while left:
                    done, left = wait(left, return_when=FIRST_COMPLETED)
                    yield [(waiting[future], future.result()) for future in done]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def count_tokens(self, text: str) -> int:
        """See `ChatWriter.count_tokens`."""
        return self.inner.count_tokens(text)


class TokenChatWriter:
    """A `ChatWriter` over an engine that continues token ids; chats are rendered with the model's own template.

    Args:
        engine: Continues prompts.
        tokenizer: The model's tokenizer.
    """

    def __init__(self, engine: TextGenerator, tokenizer: Tokenizer) -> None:
        self._engine = engine
        self._tokenizer = tokenizer

    def write(
        self,
        chats: Sequence[Chat],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        schema: Mapping[str, Any] | None,
    ) -> list[Generation]:
        """See `ChatWriter.write`."""
        prompts = [self._render(chat) for chat in chats]
        if not prompts:
            return []
        return self._engine.generate(prompts, max_tokens=max_tokens, temperature=temperature, seed=seed, schema=schema)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text takes in a message, exactly."""
        return len(self._tokenizer.encode_text(text))

    def _render(self, chat: Chat) -> list[int]:
        parts = [ChatPart(role=message.role, content=message.text) for message in chat]
        return self._tokenizer.render_chat(parts, generation_prompt=True)


class StreamingTokenChatWriter(TokenChatWriter):
    """A `StreamingChatWriter` over an engine that continues token ids and gives each answer as it comes.

    Attributes:
        in_flight: Requests that the engine has at a time, at most.

    Args:
        engine: Continues prompts.
        tokenizer: The model's tokenizer.
        in_flight: See above.

    Raises:
        ValueError: `in_flight` is below 1.
    """

    def __init__(self, engine: StreamingGenerator, tokenizer: Tokenizer, in_flight: int) -> None:
        super().__init__(engine, tokenizer)
        if in_flight < 1:
            raise ValueError(f"in_flight: expected at least 1, got {in_flight}")
        self._streaming = engine
        self.in_flight = in_flight

    def write_each(
        self,
        chats: Sequence[Chat],
        *,
        max_tokens: int,
        temperature: float,
        seed: int | Sequence[int],
        schema: Mapping[str, Any] | None,
    ) -> Generator[list[tuple[int, Generation]]]:
        """See `StreamingChatWriter.write_each`; chats are rendered by threads, some ahead of their turn."""
        seeds = _seeds(seed, len(chats))
        if not chats:
            return
        self._render(chats[0])  # the template's frames are made once, and not by two threads
        with made_ahead(self._render, chats, depth=_RENDERED_AHEAD, threads=min(4, os.cpu_count() or 1)) as prompts:
            coming = self._streaming.generate_each(
                prompts,
                in_flight=self.in_flight,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seeds,
                schema=schema,
            )
            with closing(coming):
                yield from coming


def _seeds(seed: int | Sequence[int], count: int) -> Sequence[int]:
    seeds = [seed] * count if isinstance(seed, int) else seed
    if len(seeds) != count:
        raise ValueError(f"expected a seed for each of {count} chats, or one for all; got {len(seeds)}")
    return seeds
