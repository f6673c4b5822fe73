"""An engine for worker processes: scores are a function of the prompt, some prompts are trouble."""

import os
import time

from core.errors import ModelError
from core.language_model import EngineStats, Generation, label_scores

DIES, IS_NAN, REFUSED, CRASHES, SLOW = 901, 902, 903, 904, 905


class FakeEngine:
    """Says in the mass which process and GPU answered."""

    def __init__(self, fault=None):
        if fault == "error":
            raise ModelError("no such weights")
        if fault == "exit":
            os._exit(3)
        if fault is not None and fault == os.environ.get("CUDA_VISIBLE_DEVICES"):
            raise ModelError("no such GPU")
        self.stats = EngineStats(path="fake")

    def score(self, prompts, labels):
        for number, prompt in enumerate(prompts):
            if prompt[0] == DIES:
                os._exit(7)
            if prompt[0] == SLOW:
                time.sleep(60)
            if prompt[0] == REFUSED:
                raise ValueError("refused")
            if prompt[0] == CRASHES:
                raise RuntimeError("out of memory")
            if prompt[0] == IS_NAN:
                label_scores([float("nan")], [5], prompt=number)
        self.stats.prompts += len(prompts)
        self.stats.prompt_tokens += sum(map(len, prompts))
        self.stats.cached_tokens += 1
        return [
            label_scores([-float(sum(prompt) % 7 + label) for label in wanted], wanted, prompt=0)
            for prompt, wanted in zip(prompts, labels, strict=True)
        ]

    def generate(self, prompts, *, max_tokens, temperature=0.0, seed=0, schema=None):
        place = os.environ.get("CUDA_VISIBLE_DEVICES", "-")
        told = f"{place} {max_tokens} {temperature} {seed} {schema}"
        return [
            Generation(text=f"{prompt[0]} {told}", finish_reason="stop", prompt_tokens=len(prompt), output_tokens=1)
            for prompt in prompts
        ]

    def close(self):
        path = os.environ.get("FAKE_CLOSED")
        if path:
            with open(path, "a", encoding="utf-8") as stream:  # noqa: PTH123
                stream.write("closed\n")
