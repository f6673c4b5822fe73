"""What is asked of a vLLM server and read from its answers, and the probe that finds an exact way of asking."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from core.http_json import HttpError, JsonClient
from core.language_model import TokenIds

ScorePath = Literal["logprob_token_ids", "allowed_token_ids"]

EXACT: ScorePath = "logprob_token_ids"
MASKED: ScorePath = "allowed_token_ids"
START_UP_FLAGS = "--logprobs-mode processed_logprobs --max-logprobs {count}"
NEVER = -9000.0
"""A score below this is none: the server writes -9999 for minus infinity."""
_PROBE = (1, 2, 3, 4, 5, 6, 7, 8)
# Said in full: a server adds what the model's generation_config holds (Qwen2.5: a repetition penalty).
PLAIN = {
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
}
_log = logging.getLogger(__name__)


def exact_path(client: JsonClient, model: str, max_labels: int, paths: Sequence[ScorePath]) -> ScorePath | None:
    """Return the first path that brings the scores of two improbable labels, None where none does.

    Args:
        client: Speaks to the server.
        model: The model's name there.
        max_labels: Most labels that a prompt will have; a masked server must be started for as many.
        paths: What to try, in this order.

    Raises:
        HttpError: The server cannot be reached, or refuses the key.
    """
    plain = {**score_body(model, _PROBE, (), EXACT), "logprobs": 5}
    del plain["logprob_token_ids"]
    likely = top_logprobs(client.post("completions", plain))
    pair = [token for token in range(10, 20) if token not in likely][:2]
    for path in paths:
        body = score_body(model, _PROBE, pair, path)
        try:
            found = top_logprobs(client.post("completions", body))
            if path == MASKED:
                # The start-up limit of log-probabilities shows only when as many are asked for.
                client.post("completions", {**body, "logprobs": max_labels})
        except HttpError as error:
            if error.status is None or error.status in (401, 403) or error.status >= 500:
                raise
            _log.info("vLLM server, path %s: %s", path, error)
            continue
        if all(found.get(token, -float("inf")) > NEVER for token in pair):
            return path
    return None


def score_body(model: str, prompt: TokenIds, labels: TokenIds, path: ScorePath) -> dict[str, Any]:
    """Return the body of POST /completions that asks for the log-probabilities of some next tokens."""
    body: dict[str, Any] = {"model": model, "prompt": list(prompt), "max_tokens": 1, "temperature": 0.0, **PLAIN}
    body["return_tokens_as_token_ids"] = True
    if path == EXACT:  # 0.32's server wants `logprobs` set beside the ids
        return {**body, "logprobs": 1, "logprob_token_ids": list(labels)}
    return {**body, "logprobs": len(labels), "allowed_token_ids": list(labels)}


def top_logprobs(answer: Mapping[str, Any]) -> dict[int, float]:
    """Return what came back for the one new token: token id -> log-probability, NaN where the server wrote null.

    Raises:
        HttpError: There are no log-probabilities of exactly one token.
    """
    try:
        (top,) = answer["choices"][0]["logprobs"]["top_logprobs"]
        pairs = [(name.removeprefix("token_id:"), value) for name, value in top.items()]
        return {int(name): float("nan" if value is None else value) for name, value in pairs}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise HttpError(f"no log-probabilities in the answer: {json.dumps(answer)[:200]}", status=None) from error
