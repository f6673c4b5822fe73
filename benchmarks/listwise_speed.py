"""How fast the listwise path is: this project against bare vLLM and transformers, adaptive orders, the whole job.

Independent actions; each appends one line of JSON to --output as it comes, and several share one engine:

    SPEED="python benchmarks/listwise_speed.py --tokenizer QWEN --data EEDI --output OUT.jsonl"
    $SPEED product adaptive --quantization fp8
    $SPEED product --quantization bf16 --tensor-parallel 2
    $SPEED transformers
    $SPEED end-to-end --quantization fp8 --retriever MODEL --set engines.vllm.load_format=dummy
    $SPEED summary

`--tiny` takes the smallest shape, 16 queries and float32: a rehearsal on a CPU (`--engine transformers` where there is
no vLLM). Weights are random (`load_format=dummy`): nothing here says anything about quality.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from listwise_baseline import end_to_end, summary, transformers_baseline
from listwise_inputs import Work, read_tokens, read_work, write_model
from listwise_options import ENGINE_ACTIONS, read_options

from core.artifacts import made_by, package_version
from core.language_model import TokenScorer
from core.tokenizer import load_tokenizer
from pipelines.cli import set_up_logging
from pipelines.engine_settings import EngineSettings
from pipelines.engines import open_engine
from rerank.adaptive import ImposedSkip
from rerank.listwise import ListwiseReranker
from rerank.orders import order_permutations
from rerank.prompts import ListwisePrompter, PromptTemplate
from retrieval.text import simplify_latex

Prompts = tuple[list[tuple[int, ...]], list[tuple[int, ...]]]


def main() -> None:
    options = read_options(__doc__ or "")
    set_up_logging(0)
    if "summary" in options.actions:
        summary(options.output)
        return
    name = f"{options.shape}-awq" if options.quantization == "awq" else options.shape
    folder = write_model(
        options.work / name,
        options.tokenizer,
        options.shape,
        awq=options.quantization == "awq",
        weights=options.engine == "transformers",
    )
    work = read_work(options.data, queries=options.queries, candidates=options.candidates, warm_up=options.warm_up)
    template = PromptTemplate(max_tokens=options.max_model_len - 8)
    prompter = ListwisePrompter(load_tokenizer(folder), template, simplify=simplify_latex)
    if set(options.actions) & set(ENGINE_ACTIONS):
        started = time.perf_counter()
        scorer = open_engine(_engine(options), folder)
        bench = Bench(options, scorer, prompter, work)
        bench.start_seconds = time.perf_counter() - started
        bench.warm_up()
        for action in options.actions:
            if action in ENGINE_ACTIONS:
                _append(options, action, getattr(bench, action)())
    if "transformers" in options.actions:
        _append(options, "transformers", transformers_baseline(options, folder, prompts_of(prompter, work)))
    if "end-to-end" in options.actions:
        _append(options, "end-to-end", end_to_end(options, folder))


class Bench:
    """One open engine, and what is timed on it."""

    def __init__(
        self, options: argparse.Namespace, scorer: TokenScorer, prompter: ListwisePrompter, work: Work
    ) -> None:
        self.options, self.scorer, self.prompter, self.work = options, scorer, prompter, work
        self.prompts = prompts_of(prompter, work)
        self.start_seconds = 0.0
        llm = _llm(scorer)
        self.block = 16 if llm is None else int(llm.llm_engine.vllm_config.cache_config.block_size)

    def warm_up(self) -> None:
        self._rerank(self.work.warm_up)

    def product(self) -> dict[str, Any]:
        """Time the reranker and the bare engine on the same token ids, in turns, each from an empty prefix cache."""
        ways: dict[str, Callable[[], int]] = {"bare": self._bare, "product": lambda: self._rerank(self.work.queries)}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        cached: dict[str, int] = {}
        for _ in range(self.options.repeats):
            for name, run in ways.items():
                self._forget()
                started = time.perf_counter()
                cached[name] = run()
                seconds[name].append(time.perf_counter() - started)
        n = len(self.work.queries)
        rates = {name: n / statistics.median(values) for name, values in seconds.items()}
        return {
            **self._facts(),
            "queries_per_second": rates["product"],
            "bare_queries_per_second": rates["bare"],
            "share_of_bare": rates["product"] / rates["bare"],
            "best_share_of_bare": min(seconds["bare"]) / min(seconds["product"]),
            "seconds": seconds,
            "cached_tokens": cached,
        }

    def adaptive(self) -> dict[str, Any]:
        """Time imposed shares of skipped second orders against what the cost model says from the share of none."""
        rows: list[dict[str, Any]] = []
        keys = [query.key for query in self.work.queries]
        for share in self.options.skip_shares:
            skipped = ImposedSkip(share=share).chosen(keys)
            asked = [
                ids for key, pair in zip(keys, self._pairs(), strict=True) for ids in pair[: 1 + (key not in skipped)]
            ]
            tokens, seconds, cached = read_tokens(asked, block=self.block), [], 0
            for _ in range(self.options.repeats):
                self._forget()
                started = time.perf_counter()
                cached = self._rerank(self.work.queries, skip=ImposedSkip(share=share))
                seconds.append(time.perf_counter() - started)
            rows.append(
                {
                    "skip_share": share,
                    "prompts": len(asked),
                    "prompt_tokens": sum(map(len, asked)),
                    "tokens_read_by_model": tokens,
                    "cached_tokens": cached,
                    "seconds": seconds,
                    "queries_per_second": len(keys) / statistics.median(seconds),
                }
            )
        base = rows[0]
        for row in rows:
            row["predicted_queries_per_second"] = (
                base["queries_per_second"] * base["tokens_read_by_model"] / row["tokens_read_by_model"]
            )
            row["measured_over_predicted"] = row["queries_per_second"] / row["predicted_queries_per_second"]
        return {**self._facts(), "shares": rows}

    def _facts(self) -> dict[str, Any]:
        ids = self.prompts[0]
        return {
            "queries": len(self.work.queries),
            "prompts": len(ids),
            "prompt_tokens": sum(map(len, ids)),
            "tokens_a_prompt": sum(map(len, ids)) / len(ids),
            "tokens_read_by_model": read_tokens(ids, block=self.block),
            "cache_block": self.block,
            "path": self.scorer.stats.path,
            "start_seconds": self.start_seconds,
        }

    def _pairs(self) -> list[Sequence[tuple[int, ...]]]:
        ids = self.prompts[0]
        return [ids[place : place + 2] for place in range(0, len(ids), 2)]

    def _rerank(self, queries: Sequence[Any], *, skip: ImposedSkip | None = None) -> int:
        """Run the product's reranker, prompts built anew, and return how many tokens came out of the cache."""
        before = self.scorer.stats.cached_tokens
        reranker = ListwiseReranker(self.scorer, self.prompter, adaptive=skip, batch_queries=self.options.batch_queries)
        ranked = reranker.rerank(queries, self.work.rankings(queries), self.work.bank)
        if any(len(ranking) != self.options.candidates for ranking in ranked):
            raise SystemExit("a query came back without scores for all of its candidates")
        return self.scorer.stats.cached_tokens - before

    def _bare(self) -> int:
        """Hand all token ids to the engine itself in one call, and return how many tokens came out of the cache."""
        ids, labels = self.prompts
        llm = _llm(self.scorer)
        if llm is None:
            before = self.scorer.stats.cached_tokens
            self.scorer.score(ids, labels)
            return self.scorer.stats.cached_tokens - before
        from vllm import SamplingParams

        params = [
            SamplingParams(max_tokens=1, temperature=0.0, detokenize=False, logprob_token_ids=list(wanted))
            for wanted in labels
        ]
        made = llm.generate([{"prompt_token_ids": list(prompt)} for prompt in ids], params, use_tqdm=False)
        if any(len(found.outputs[0].logprobs[0]) < len(wanted) for found, wanted in zip(made, labels, strict=True)):
            raise SystemExit("bare vLLM left a label's log-probability out")
        return sum(found.num_cached_tokens or 0 for found in made)

    def _forget(self) -> None:
        llm = _llm(self.scorer)
        for _ in range(100 if llm is not None else 0):  # the last step's blocks are given back a moment later
            if llm.reset_prefix_cache() is not False:
                return
            time.sleep(0.02)
        if llm is not None:
            raise SystemExit("the prefix cache could not be emptied")


def _llm(scorer: TokenScorer) -> Any:  # noqa: ANN401 - vllm.LLM
    """Return the engine's own `vllm.LLM`, or None for another engine."""
    return getattr(scorer, "_llm", None)


def prompts_of(prompter: ListwisePrompter, work: Work) -> Prompts:
    """Return the token ids and label ids of all timed queries, the two orders of a query side by side."""
    bank = {entry.id: entry for entry in work.bank}
    ids, labels = [], []
    for query, ranking in zip(work.queries, work.rankings(work.queries), strict=True):
        for order in order_permutations(len(ranking), kind="both"):
            built = prompter.build(query, [bank[int(ranking.ids[place])] for place in order])
            ids.append(tuple(built.token_ids))
            labels.append(tuple(built.label_ids))
    return ids, labels


def _engine(options: argparse.Namespace) -> EngineSettings:
    if options.engine == "transformers":
        return EngineSettings(kind="transformers", dtype="float32" if options.tiny else "bfloat16")
    return EngineSettings(
        kind="vllm",
        quantization="fp8" if options.quantization == "fp8" else "none",
        dtype="float32" if options.tiny else "auto",
        load_format="dummy",
        tensor_parallel_size=options.tensor_parallel,
        max_model_len=options.max_model_len,
        max_num_batched_tokens=options.batch_tokens,
        enforce_eager=True if options.enforce_eager else None,
        gpu_memory_utilization=options.memory,
    )


def _append(options: argparse.Namespace, action: str, numbers: dict[str, Any]) -> None:
    keys = ("shape", "quantization", "engine", "tensor_parallel", "candidates", "batch_queries", "batch_tokens", "tiny")
    line = {"action": action, **{key: getattr(options, key) for key in keys}, **numbers, **_machine()}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    sys.stdout.write(json.dumps({key: value for key, value in line.items() if key != "made_by"}) + "\n")
    sys.stdout.flush()


def _machine() -> dict[str, Any]:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"gpu": gpu, "gpus": torch.cuda.device_count(), "vllm": package_version("vllm"), "made_by": made_by()}


if __name__ == "__main__":
    main()
