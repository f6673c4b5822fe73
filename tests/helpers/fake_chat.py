"""An OpenAI-compatible endpoint that writes: POST /chat/completions with what a function says; see `fake_vllm`."""

from collections.abc import Callable
from dataclasses import dataclass

from fake_vllm import Answer, FakeVllm


def completion(text: str | None, *, reason: str = "stop", **message: object) -> dict:
    told = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text, **message}}
    return {"object": "chat.completion", "choices": [told], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}


@dataclass
class FakeChat(FakeVllm):
    """Writes; like FakeVllm in all else."""

    write: Callable[[dict], str] = lambda body: body["messages"][-1]["content"].upper()

    def answer(self, body: dict) -> Answer:
        if self.script:
            return self.script.pop(0)
        if "messages" not in body:
            return 404, {}, {"error": {"message": "Not Found"}}
        return 200, {}, completion(self.write(body))

    def handle(self, body: dict) -> Answer:
        """Answer without the lock, so that slow answers are written side by side."""
        with self.lock:
            self.asked.append(body)
        return self.answer(body)
