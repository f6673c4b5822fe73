"""Exact label scores and texts from a running vLLM server, over its OpenAI-compatible HTTP API."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from core.errors import ModelError
from core.http_json import HttpError, JsonClient, answers_in_order
from core.language_model import (
    EngineStats,
    Generation,
    LabelScores,
    ScoringError,
    TokenIds,
    check_prompts,
    label_scores,
)
from core.served_models import ServedModel, served_model
from core.vllm_requests import (
    EXACT,
    MASKED,
    NEVER,
    PLAIN,
    START_UP_FLAGS,
    ScorePath,
    exact_path,
    score_body,
    top_logprobs,
)

T = TypeVar("T")
_log = logging.getLogger(__name__)


class VllmServer:
    """Implements `TokenScorer` and `TextGenerator` over POST /completions; made by `connect`.

    Args:
        client: Speaks to the server.
        model: The name it serves the model (or adapter) by.
        path: How exact scores are asked for.
        concurrency: Requests in flight at most.
        max_labels: Most labels a prompt may have on the `allowed_token_ids` path.
    """

    def __init__(
        self, client: JsonClient, *, model: str, path: ScorePath, concurrency: int = 32, max_labels: int = 64
    ) -> None:
        self._client = client
        self._model = model
        self._path = path
        self._concurrency = concurrency
        self._max_labels = max_labels
        self._stats = EngineStats(path=path)
        self._lock = threading.Lock()

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
        max_labels: int = 64,
        labels_path: Literal["auto", "logprob_token_ids", "allowed_token_ids"] = "auto",
    ) -> "VllmServer":
        """Find the model on the server and try which way of asking brings exact scores.

        The probe asks for two improbable labels: two tokens that are not among the likeliest. A server that ignores
        `logprob_token_ids` (vLLM 0.24 answers 200) gives them away, and so does one whose `allowed_token_ids` mask does
        not reach the log-probabilities.

        Args:
            base_url: Where it listens, e.g. `http://127.0.0.1:8000/v1`.
            model: The served model's or adapter's name; None: the only one.
            api_key: Sent as a bearer token.
            concurrency: Requests in flight at most.
            timeout_seconds: For one attempt of one request.
            retries: Further attempts after 429, 5xx, a time-out or a broken connection.
            max_labels: Most labels a prompt may have on the `allowed_token_ids` path; asked for in the probe.
            labels_path: Try only this way.

        Raises:
            ModelError: The server cannot be reached, does not serve the model, or gives exact scores in neither way;
                then with the flags it must be started with.
        """
        client = JsonClient(
            base_url, api_key=api_key, connections=concurrency, timeout_seconds=timeout_seconds, retries=retries
        )
        try:
            name = served_model(client, f"vLLM server {base_url}", model).name
            path = exact_path(client, name, max_labels, [EXACT, MASKED] if labels_path == "auto" else [labels_path])
        except HttpError as error:
            raise ModelError(f"vLLM server {base_url}: {error}") from error
        if path is None:
            raise ModelError(
                f"vLLM server {base_url}: scores of improbable labels do not come back, so no score of it would be "
                f"exact. Start it with: {START_UP_FLAGS.format(count=max_labels)} (any vLLM), or use a newer vLLM, "
                "whose server knows logprob_token_ids."
            )
        _log.info("vLLM server %s, model %s: label scores by %s", base_url, name, path)
        return cls(client, model=name, path=path, concurrency=concurrency, max_labels=max_labels)

    @property
    def stats(self) -> EngineStats:
        """Counts since the connection was opened; cached tokens only where the server tells them."""
        return self._stats

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """Return the scores of each prompt's labels as its next token; see `core.language_model.TokenScorer`.

        Raises:
            ScoringError: A request failed for good, or a label's score did not come back; names the prompt.
            ValueError: Lengths differ, a prompt or a label list is empty, or a label stands twice.
        """
        check_prompts(prompts, labels)
        if self._path == MASKED and max(map(len, labels), default=0) > self._max_labels:
            raise ValueError(
                f"expected at most {self._max_labels} labels a prompt on the path {MASKED}; raise the limit"
            )

        def one(number: int) -> LabelScores:
            tokens = labels[number]
            try:
                answer = self._client.post("completions", score_body(self._model, prompts[number], tokens, self._path))
                found = top_logprobs(answer)
            except HttpError as error:
                raise ScoringError(f"prompt {number}: {error}", prompt=number) from error
            self._count(answer, prompts[number])
            missing = [token for token in tokens if found.get(token, -float("inf")) <= NEVER]
            if missing:
                raise ScoringError(f"prompt {number}: the server sent no score of token {missing[0]}", prompt=number)
            values = [found[token] for token in tokens]
            return label_scores(values, tokens, prompt=number, mass_known=self._path == EXACT)

        return self._each(len(prompts), one)

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Generation]:
        """Return one continuation of each prompt; see `core.language_model.TextGenerator`."""

        def one(number: int) -> Generation:
            prompt = prompts[number]
            body: dict[str, Any] = {"model": self._model, "prompt": list(prompt), "max_tokens": max_tokens}
            body |= {"temperature": temperature, "seed": seed, **PLAIN}
            if schema is not None:
                named = {"name": "answer", "schema": dict(schema), "strict": True}
                body["response_format"] = {"type": "json_schema", "json_schema": named}
            try:
                answer = self._client.post("completions", body)
                self._count(answer, prompt)
                choice = answer["choices"][0]
                text, reason = str(choice["text"]), choice["finish_reason"]
                written = int(answer["usage"]["completion_tokens"])
            except HttpError as error:
                return _failed(prompt, str(error))
            except (KeyError, IndexError, TypeError, ValueError):
                return _failed(prompt, f"not an answer of /completions: {str(answer)[:200]}")
            if reason not in ("stop", "length"):
                return _failed(prompt, f"the server ended it with finish_reason {reason!r}")
            return Generation(text=text, finish_reason=reason, prompt_tokens=len(prompt), output_tokens=written)

        return self._each(len(prompts), one)

    def _each(self, count: int, one: Callable[[int], T]) -> list[T]:
        """Run timed requests, so many in flight."""
        with self._clock():
            return answers_in_order(one, range(count), concurrency=self._concurrency)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stats.seconds += time.perf_counter() - started

    def _count(self, answer: Mapping[str, Any], prompt: TokenIds) -> None:
        usage = answer.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        with self._lock:
            self._stats.prompts += 1
            self._stats.prompt_tokens += len(prompt)
            self._stats.cached_tokens += int(details.get("cached_tokens") or 0)


def found_on_server(
    base_url: str,
    *,
    model: str | None = None,
    api_key: str | None = None,
    timeout_seconds: float = 120.0,
    retries: int = 6,
) -> ServedModel:
    """Ask a server which model it would score with, for manifests; a short request, nothing is scored.

    Args:
        base_url: See `VllmServer.connect`, as for the other arguments.
        model: The served model's or adapter's name; None: the only one.
        api_key: Sent as a bearer token.
        timeout_seconds: For one attempt.
        retries: Further attempts.

    Raises:
        ModelError: The server cannot be reached, or does not serve the model.
    """
    client = JsonClient(base_url, api_key=api_key, connections=1, timeout_seconds=timeout_seconds, retries=retries)
    try:
        return served_model(client, f"vLLM server {base_url}", model)
    except HttpError as error:
        raise ModelError(
            f"vLLM server {base_url}: {error}. Start it, even to read finished scores: it alone tells whose they are"
        ) from error
    finally:
        client.close()


def _failed(prompt: TokenIds, error: str) -> Generation:
    return Generation(text="", finish_reason="error", prompt_tokens=len(prompt), output_tokens=0, error=error)
