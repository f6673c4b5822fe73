"""QLoRA steps of a decoder as a retriever, cached label-aware loss: through this project's trainer, and by hand.

Both see the same rows and columns. The product embeds each distinct document of a batch once and puts it in all its
places; the loop by hand does the plain thing and embeds every column. What each really embeds is counted.
"""

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from listwise_inputs import read_work
from lora_counts import matrices_of, padded_tokens, step_operations
from lora_timing import Timed, loading_by_hand, padded, synchronise, timed_steps

from core.device import resolve_dtype
from core.lora import PRESETS
from core.records import Query
from rerank.processes import Processes
from retrieval.batches import distinct_documents
from retrieval.mine import BankTexts, MiningRule
from retrieval.pairs import training_pairs
from retrieval.session import Session
from retrieval.text import MisconceptionTemplate, QueryTemplate, misconception_text, query_text

INSTRUCTION = "Instruct: Find the misconception that explains the student's incorrect answer.\nQuery: "
TEMPERATURE, DECAY, NORM, SEED = 0.05, 0.01, 1.0, 0


class RetrieverSteps:
    """The batches of a run, and the two ways of training on them; arguments as of `RerankerSteps`."""

    def __init__(self, options: argparse.Namespace, folder: Path, processes: Processes) -> None:
        self.options, self.folder, self.processes = options, folder, processes
        self.dtype = resolve_dtype("auto", processes.device)
        self.preset = PRESETS[options.preset]
        self.rows = (options.warm_up + options.steps) * options.batch
        work = read_work(options.data, queries=self.rows, candidates=2, warm_up=0)
        template = QueryTemplate()
        queries: list[Query] = work.queries
        texts = [INSTRUCTION + query_text(query, template, with_hint=False) for query in queries]
        self.pairs = training_pairs(queries, texts)[: self.rows]
        form = MisconceptionTemplate()
        self.bank = {entry.id: misconception_text(entry, form) for entry in work.bank}
        self.distinct = False

    def product(self) -> Timed:
        """Time the steps of `train_retriever` itself; it is left after the last one, before anything is saved."""
        from retrieval.train import train_retriever

        self.distinct = True
        model = self._open()
        self.matrices = matrices_of(model)
        output = self.options.work / "retriever"
        made = Timed()
        watched = _watched(made, self.options.warm_up + self.options.steps, self.processes.device)
        with watched, suppress(_Enough):
            train_retriever(
                model,
                self.pairs,
                self.bank,
                output_dir=output,
                epochs=1,
                batch_size=self.options.batch // self.processes.world,
                learning_rate=self.preset.learning_rate,
                temperature=TEMPERATURE,
                negatives_per_query=self.options.negatives,
                first_negatives="random",
                mini_batch_size=self.options.micro_texts,
                gradient_checkpointing=self.options.checkpointing,
                max_length=self.options.max_length,
                warmup_ratio=0.0,
                weight_decay=DECAY,
                seed=SEED,
                resume=False,
                log_every=1,
                progress=False,
            )
        if self.processes.first:
            shutil.rmtree(output.with_name(f"{output.name}.training"), ignore_errors=True)
        return made.read_peak(self.processes.device)

    def hand(self) -> Timed:
        """Time cached gradients written out (Gao et al. 2021) with transformers and peft alone, the same columns."""
        import torch
        from transformers import AutoTokenizer, get_cosine_schedule_with_warmup

        self.distinct = False
        model = self._open_by_hand()
        self.matrices = matrices_of(model)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.preset.learning_rate, weight_decay=DECAY)
        batches = self._texts()
        schedule = get_cosine_schedule_with_warmup(optimizer, 0, len(batches))
        tokenizer = AutoTokenizer.from_pretrained(str(self.folder))
        device = self.processes.device
        autocast = {"enabled": self.dtype == torch.bfloat16, "dtype": torch.bfloat16}

        def embed(texts: Sequence[str]) -> Any:  # noqa: ANN401
            ids, mask, last = padded(self._token_ids(tokenizer, texts), device)
            with torch.autocast(torch.device(device).type, **autocast):
                states = model(input_ids=ids, attention_mask=mask).last_hidden_state
            return torch.nn.functional.normalize(states[torch.arange(len(texts), device=device), last].float(), dim=-1)

        def step(number: int) -> float:
            columns, ids = batches[number]
            size = self.options.micro_texts
            chunks = [column[at : at + size] for column in columns for at in range(0, len(column), size)]
            optimizer.zero_grad(set_to_none=True)
            with torch.no_grad():
                made = [embed(chunk) for chunk in chunks]
            leaves = [part.requires_grad_() for part in made]
            vectors = torch.cat(leaves)
            rows = len(columns[0])
            scores = vectors[:rows] @ vectors[rows:].T / TEMPERATURE
            columns_of = ids.T.reshape(-1).to(device)  # document column by column
            same = ids[:, :1].to(device) == columns_of
            own = torch.arange(rows, device=device)
            same[own, own] = False
            loss = torch.nn.functional.cross_entropy(scores.masked_fill(same, -torch.inf), own)
            loss.backward()
            for chunk, leaf in zip(chunks, leaves, strict=True):
                (embed(chunk) * leaf.grad).sum().backward()
            torch.nn.utils.clip_grad_norm_(trained, NORM)
            optimizer.step()
            schedule.step()
            return float(loss.detach())

        return timed_steps(step, len(batches), device=device)

    def facts(self) -> dict[str, Any]:
        """Return what a step of the way last timed embeds, over all processes, as means of the timed steps."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(self.folder))
        world = self.processes.world
        batches = self._texts()[self.options.warm_up * world :]
        tokens, texts, passes = 0, 0, []
        bank = BankTexts.of(self.bank)
        for columns, ids in batches:
            documents = [distinct_documents(ids.numpy(), bank)[0]] if self.distinct else columns[1:]
            for column in (columns[0], *documents):
                texts += len(column)
                lengths = [len(ids) for ids in self._token_ids(tokenizer, column)]
                tokens += sum(lengths)
                size = self.options.micro_texts
                passes += [lengths[at : at + size] for at in range(0, len(lengths), size)]
        steps = len(batches) / world
        return {
            "tokens_a_step": tokens / steps,
            "padded_tokens_a_step": padded_tokens(passes) / steps,
            "places_a_step": self.options.batch * (2 + self.options.negatives),
            "texts_a_step": texts / steps,
            "base_weights": self.matrices.base,
            "adapter_weights": self.matrices.adapter,
            "operations": step_operations(
                self.matrices, round(tokens / steps), recomputed=self.options.checkpointing, embedded_first=True
            ),
        }

    def _token_ids(self, tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:  # noqa: ANN401
        """Return each text's tokens, cut, with the end-of-text token behind them."""
        found = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [[*ids[: self.options.max_length - 1], tokenizer.eos_token_id] for ids in found]

    def _texts(self) -> list[tuple[list[list[str]], Any]]:
        """Return each batch's columns of texts (queries, positives, negatives), and its document ids."""
        import torch

        labelled = {label for pair in self.pairs for label in pair.labels}
        session = Session(
            model=None,  # type: ignore[arg-type]
            pairs=self.pairs,
            bank=BankTexts.of(self.bank),
            rule=MiningRule(
                per_query=self.options.negatives,
                rank_window=(1, 50),
                skip_top=0,
                absolute_margin=None,
                relative_margin=None,
            ),
            mine_every=1,
            first_random=True,
            near_duplicates=None,
            hint_dropout=0.0,
            score=None,
            evaluate_every=1,
            patience=None,
            epochs=1,
            batch_size=self.options.batch // self.processes.world,
            mining_batch_size=1,
            processes=self.processes.world,
            seed=SEED,
            show_progress=False,
            checkpoint_every=None,
        )
        assert labelled <= self.bank.keys()
        session.begin_epoch(0)
        made = []
        for batch in session.batches(0):
            rows = sorted(batch, key=lambda row: (len(session.texts[row]), row))  # as the trainer's collator does
            ids = session.labels[rows][:, : 1 + self.options.negatives]
            columns = [[session.texts[row] for row in rows]]
            columns += [[self.bank[int(id)] for id in column] for column in ids.T]
            made.append((columns, torch.from_numpy(ids)))
        return made

    def _open(self) -> Any:  # noqa: ANN401 - SentenceTransformer
        from retrieval.adapted import put_adapter
        from retrieval.encoder import SentenceEncoder

        encoder = SentenceEncoder.load(
            str(self.folder),
            pooling="last",
            device=self.processes.device,
            max_length=self.options.max_length,
            four_bit=self.options.method == "qlora",
        )
        put_adapter(encoder.model, self.preset, base_name=str(self.folder), base_revision=None, seed=SEED)
        return encoder.model.train()

    def _open_by_hand(self) -> Any:  # noqa: ANN401
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModel

        options = loading_by_hand(self.options.method, dtype=self.dtype, device=self.processes.device)
        model = AutoModel.from_pretrained(str(self.folder), **options)
        model.requires_grad_(False)
        model.config.use_cache = False
        if self.options.checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        torch.manual_seed(SEED)
        shape = LoraConfig(
            task_type="FEATURE_EXTRACTION",
            r=self.preset.rank,
            lora_alpha=self.preset.alpha,
            target_modules="all-linear",
        )
        return get_peft_model(model, shape).train()


class _Enough(Exception):
    """The wanted steps are done."""


@contextmanager
def _watched(made: Timed, steps: int, device: str) -> Iterator[None]:
    """Let the trainer's own events keep each step's time and loss, and end the run after so many steps."""
    from retrieval.events import SessionEvents

    kept, last = SessionEvents.on_step_end, [0.0]

    def begun(self: SessionEvents, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
        if not made.seconds:
            synchronise(device)
            last[0] = time.perf_counter()

    def ended(self: SessionEvents, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ANN401
        kept(self, args, state, control, **more)
        synchronise(device)
        now = time.perf_counter()
        made.seconds.append(now - last[0])
        last[0] = now

    def logged(self: SessionEvents, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ANN401
        if "loss" in (more.get("logs") or {}):
            made.losses.append(float(more["logs"]["loss"]))
            if len(made.losses) == steps:
                raise _Enough

    SessionEvents.on_step_begin = begun  # type: ignore[attr-defined]
    SessionEvents.on_step_end = ended  # type: ignore[method-assign]
    SessionEvents.on_log = logged  # type: ignore[attr-defined]
    try:
        yield
    finally:
        SessionEvents.on_step_end = kept  # type: ignore[method-assign]
        del SessionEvents.on_step_begin, SessionEvents.on_log  # type: ignore[attr-defined]
