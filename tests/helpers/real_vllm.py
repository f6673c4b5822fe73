"""A real vLLM server on this machine's CPU, for as long as a test needs it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from core.http_json import HttpError, JsonClient


@contextmanager
def vllm_serving(model: Path, log: Path, *flags: str) -> Iterator[SimpleNamespace]:
    """Serve a model under the name `base`; `.url` is the base URL, `.process` leads a process group."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "base", "--dtype", "float32"]
    command += ["--enforce-eager", "--max-model-len", "2048"]
    command += ["--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}', *flags]
    fixed = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "TORCHDYNAMO_DISABLE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    environment = {**os.environ, **fixed, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    with log.open("w") as told:
        process = subprocess.Popen(command, env=environment, stdout=told, stderr=told, start_new_session=True)
    url = f"http://127.0.0.1:{port}/v1"
    client = JsonClient(url, retries=0, timeout_seconds=5)
    deadline = time.monotonic() + 240
    try:
        while True:
            try:
                client.get("models")
                break
            except HttpError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}") from None
                time.sleep(0.5)
        yield SimpleNamespace(url=url, process=process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
