"""JSON over HTTP: pooled connections, bounded retries with jittered back-off."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import urllib3
from urllib3.util import Retry, Timeout

from core.errors import ConfigError

S = TypeVar("S")
T = TypeVar("T")

RETRY_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_WAIT = 60.0
"""Seconds; a server that asks for a longer pause (Retry-After) is asked again sooner."""


class HttpError(Exception):
    """A request failed for good.

    Args:
        message: What happened; never holds the key.
        status: The HTTP status; None where no answer came, or it could not be read.
    """

    def __init__(self, message: str, *, status: int | None) -> None:
        self.status = status
        super().__init__(message)


class _PatientRetry(Retry):
    def get_retry_after(self, response: Any) -> float | None:  # noqa: ANN401 - as urllib3 types it
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, LONGEST_WAIT)


class JsonClient:
    """Sends and reads JSON under one base URL; safe to share between threads. Redirects are not followed.

    Args:
        base_url: Starts with http:// or https://.
        api_key: Sent as a bearer token.
        connections: Kept open at most.
        timeout_seconds: For one attempt.
        retries: Further attempts after 408, 429, 5xx, a time-out or a broken connection.
        backoff: Seconds before the second attempt, doubled each time up to 60, plus as much jitter.

    Raises:
        ConfigError: The base URL is none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        connections: int = 32,
        timeout_seconds: float = 120.0,
        retries: int = 6,
        backoff: float = 0.5,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url: expected http://… or https://…, got {base_url!r}")
        self._base = base_url.rstrip("/")
        retry = _PatientRetry(
            total=retries,
            redirect=0,
            allowed_methods=None,  # POST as well: scoring changes nothing on the server
            status_forcelist=RETRY_STATUSES,
            backoff_factor=backoff,
            backoff_max=LONGEST_WAIT,
            backoff_jitter=backoff,
            raise_on_status=False,
            raise_on_redirect=False,
        )
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        self._pool = urllib3.PoolManager(
            maxsize=connections, block=True, headers=headers, retries=retry, timeout=Timeout(total=timeout_seconds)
        )

    def get(self, path: str) -> dict[str, Any]:
        """Return the answer to GET base/path."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to POST base/path.

        Raises:
            HttpError: No answer after all attempts, a status other than 200, or an answer that is no JSON object.
        """
        return self._ask("POST", path, json.dumps(body).encode())

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        url = f"{self._base}/{path}"
        try:
            answer = self._pool.request(method, url, body=body)
        except urllib3.exceptions.HTTPError as error:
            raise HttpError(f"{method} {url}: {error}", status=None) from error
        text = answer.data.decode("utf-8", errors="replace")
        if answer.status != 200:
            raise HttpError(f"{method} {url}: the server answered {answer.status}: {text[:500]}", status=answer.status)
        try:
            value = json.loads(text)
        except ValueError as error:
            raise HttpError(f"{method} {url}: no JSON came back: {text[:200]!r}", status=200) from error
        if not isinstance(value, dict):
            raise HttpError(f"{method} {url}: expected a JSON object, got {text[:200]!r}", status=200)
        return value


def answers_in_order(one: Callable[[S], T], items: Iterable[S], *, concurrency: int) -> list[T]:
    """Return what `one` makes of each item, in order, so many at a time; after a failure none is begun any more.

    Args:
        one: Called from several threads.
        items: What it is called with.
        concurrency: Calls at a time, at least 1.
    """
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        waiting = [pool.submit(one, item) for item in items]
        try:
            return [future.result() for future in waiting]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
