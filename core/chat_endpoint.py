"""Texts from any OpenAI-compatible endpoint: POST /chat/completions, messages as text, JSON schemas where known."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from core.chat_writer import DECLINED, Chat
from core.errors import ModelError
from core.http_json import HttpError, JsonClient, answers_in_order
from core.language_model import Generation
from core.served_models import served_model
from core.tokenizer import Tokenizer

Guide = Literal["json_schema", "guided_json", "none"]
_BYTES_PER_TOKEN = 2.5
"""Fewer than any usual vocabulary has in English with LaTeX (3 to 4), so that a budget is kept."""


class EndpointChatWriter:
    """A `ChatWriter` over HTTP with bounded concurrency; made by `connect`.

    Args:
        client: Speaks to the endpoint; retries and backs off.
        model: The model's name there.
        concurrency: Requests in flight at most.
        guide: How a schema is sent: `json_schema` (`response_format`, as OpenAI and vLLM have it), `guided_json` (older
            vLLM), or not at all.
        tokenizer: Counts tokens exactly; None estimates from above.
    """

    def __init__(
        self,
        client: JsonClient,
        *,
        model: str,
        concurrency: int = 32,
        guide: Guide = "json_schema",
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self._client = client
        self._model = model
        self._concurrency = concurrency
        self._guide = guide
        self._tokenizer = tokenizer

    @classmethod
    def connect(
        cls,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        concurrency: int = 32,
        timeout_seconds: float = 120.0,
        retries: int = 6,
        guide: Guide = "json_schema",
        tokenizer: Tokenizer | None = None,
    ) -> "EndpointChatWriter":
        """Ask the endpoint which models it serves, so that a wrong address or key shows before any cost.

        Args:
            base_url: Where it listens, e.g. `http://127.0.0.1:8000/v1`.
            model: The model's name there; None: the only one it serves.
            api_key: Sent as a bearer token.
            concurrency: Requests in flight at most.
            timeout_seconds: For one attempt of one request.
            retries: Further attempts after 429, 5xx, a time-out or a broken connection.
            guide: See the class.
            tokenizer: See the class.

        Raises:
            ModelError: The endpoint does not answer, refuses the key, or does not serve the model.
        """
        client = JsonClient(
            base_url, api_key=api_key, connections=concurrency, timeout_seconds=timeout_seconds, retries=retries
        )
        name = _served_name(client, base_url, model)
        return cls(client, model=name, concurrency=concurrency, guide=guide, tokenizer=tokenizer)

    @property
    def model(self) -> str:
        """The model's name at the endpoint."""
        return self._model

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def write(
        self,
        chats: Sequence[Chat],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        schema: Mapping[str, Any] | None,
    ) -> list[Generation]:
        """See `core.chat_writer.ChatWriter.write`."""
        settings: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        settings |= self._guided(schema)
        return answers_in_order(lambda chat: self._one(chat, settings), chats, concurrency=self._concurrency)

    def count_tokens(self, text: str) -> int:
        """Return a text's tokens: exactly where a tokenizer was handed in, else an estimate from above."""
        if self._tokenizer is not None:
            return len(self._tokenizer.encode_text(text))
        return math.ceil(len(text.encode()) / _BYTES_PER_TOKEN)

    def _guided(self, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        if schema is None or self._guide == "none":
            return {}
        if self._guide == "guided_json":
            return {"guided_json": dict(schema)}
        named = {"name": "answer", "schema": dict(schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": named}}

    def _one(self, chat: Chat, settings: Mapping[str, Any]) -> Generation:
        messages = [{"role": message.role, "content": message.text} for message in chat]
        try:
            answer = self._client.post("chat/completions", {"model": self._model, "messages": messages, **settings})
        except HttpError as error:
            return _failed(str(error))
        return read_answer(answer)


def _served_name(client: JsonClient, base_url: str, model: str | None) -> str:
    """Return the name by which an endpoint serves a model.

    An endpoint without a list of models (404) is believed where a name was given.

    Raises:
        ModelError: See `EndpointChatWriter.connect`.
    """
    try:
        return served_model(client, f"endpoint {base_url}", model).name
    except HttpError as error:
        if model is not None and error.status in (404, 405):
            return model
        raise ModelError(
            f"endpoint {base_url}: {error}. Is it running, is base_url right (it usually ends in /v1), is the key set "
            "(api_key_env)?"
        ) from error


def read_answer(answer: Mapping[str, Any]) -> Generation:
    """Return what an answer of /chat/completions says; a refusal, or an answer of another form, is an error."""
    try:
        choice = answer["choices"][0]
        message, reason = choice["message"], choice["finish_reason"]
        text, refusal = message.get("content"), message.get("refusal")
        usage = answer.get("usage") or {}
        read, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return _failed(f"not an answer of /chat/completions: {str(answer)[:200]}")
    if refusal:
        return _failed(f"{DECLINED}: {str(refusal)[:200]}", read, written)
    if reason not in ("stop", "length"):
        return _failed(f"the endpoint ended it with finish_reason {reason!r}", read, written)
    if not isinstance(text, str):
        return _failed("the answer has no text", read, written)
    return Generation(text=text, finish_reason=reason, prompt_tokens=read, output_tokens=written)


def _failed(error: str, read: int = 0, written: int = 0) -> Generation:
    return Generation(text="", finish_reason="error", prompt_tokens=read, output_tokens=written, error=error)
