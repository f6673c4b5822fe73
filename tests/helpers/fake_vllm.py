"""A server that answers as vLLM's /v1 does: as 0.32, as 0.24, or as 0.24 started with a mask before its log-probs.

The shapes are those of recorded answers: https://docs.vllm.ai writes the fields, the quirks are in the field notes.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

VOCABULARY = 256
Answer = tuple[int, dict[str, str], dict]


def logprobs_of(prompt: list[int]) -> np.ndarray:
    """Log-softmax over the vocabulary after a prompt; tokens 0 to 4 are always the likeliest."""
    logits = np.random.default_rng(prompt).normal(size=VOCABULARY)
    logits[:5] += 12
    return logits - np.log(np.exp(logits).sum())


@dataclass
class FakeVllm:
    """What it serves, what it was asked, and what it is told to do."""

    kind: str = "new"  # new: 0.32; old: 0.24; masked: 0.24 with the start-up flags
    max_logprobs: int = 20
    models: tuple[str, ...] = ("base",)
    root: str = "weights"  # the folder of the models
    script: list[Answer] = field(default_factory=list)  # answers given first, to POST
    change: Callable[[dict, dict], None] | None = None  # changes an answer: (request, answer)
    asked: list[dict] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def answer(self, body: dict) -> Answer:
        if self.script:
            return self.script.pop(0)
        if "prompt" not in body or any(token >= VOCABULARY for token in body["prompt"]):
            return 400, {}, {"error": {"message": "token id out of vocabulary", "code": 400}}
        known = {"logprob_token_ids"} if self.kind == "new" else set()
        values = logprobs_of(body["prompt"])
        wanted = body.get("logprobs") or 0
        exact = body.get("logprob_token_ids") if "logprob_token_ids" in known else None
        if exact is None and wanted > self.max_logprobs:
            return 400, {}, {"error": {"message": f"requested {wanted} logprobs, max {self.max_logprobs}", "code": 400}}
        allowed = body.get("allowed_token_ids")
        masked = values.copy()
        if allowed is not None:
            masked[:] = -np.inf
            masked[allowed] = values[allowed]
        sampled = int(masked.argmax())
        told = masked - np.log(np.exp(masked).sum()) if self.kind == "masked" else values
        shown = list(exact) if exact else [int(token) for token in np.argsort(-told, kind="stable")[:wanted]]
        top = {f"token_id:{token}": max(float(told[token]), -9999.0) for token in [sampled, *shown]}
        text = {"index": 0, "text": f"t{sampled}", "finish_reason": "length", "logprobs": {"top_logprobs": [top]}}
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 1}
        usage["prompt_tokens_details"] = {"cached_tokens": 1}
        return 200, {}, {"object": "text_completion", "choices": [text], "usage": usage}

    def handle(self, body: dict) -> Answer:
        with self.lock:
            self.asked.append(body)
            status, headers, answer = self.answer(body)
        if status == 200 and self.change is not None:
            self.change(body, answer)
        return status, headers, answer


@contextmanager
def serving(fake: FakeVllm) -> Iterator[FakeVllm]:
    """Listen on a free port of this machine; `fake.url` is the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data = [{"id": name, "root": f"{fake.root}/{name}", "parent": None} for name in fake.models]
            self._send(200, {}, {"object": "list", "data": data})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with fake.lock:
                fake.headers.append(dict(self.headers))
                fake.at_once += 1
                fake.most_at_once = max(fake.most_at_once, fake.at_once)
            try:
                self._send(*fake.handle(body))
            finally:
                with fake.lock:
                    fake.at_once -= 1

        def _send(self, status: int, headers: dict[str, str], answer: dict) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # It looks every 0.01 s whether it shall end; by default every 0.5 s, which each test would wait.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
