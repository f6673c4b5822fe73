"""QLoRA steps of a listwise reranker: through this project's trainer, and by a loop written by hand."""

import argparse
from pathlib import Path
from typing import Any

from listwise_inputs import read_work
from lora_counts import matrices_of, padded_tokens, step_operations
from lora_timing import Timed, loading_by_hand, padded, timed_steps

from core.ahead import made_ahead
from core.device import resolve_dtype
from core.lora import PRESETS, open_trainable
from core.tokenizer import load_tokenizer
from core.training_batches import training_batches
from rerank.lm_lessons import ListLessons
from rerank.lm_passes import micro_batches
from rerank.lm_source import TaskSource
from rerank.lm_step import LanguageModelStepper
from rerank.lm_tasks import Task
from rerank.processes import Processes
from rerank.prompts import ListwisePrompter, PromptTemplate
from retrieval.text import simplify_latex

DECAY, NORM, SEED = 0.01, 1.0, 0


class RerankerSteps:
    """The batches of a run, and the two ways of training on them.

    Args:
        options: Of `lora_steps.py`.
        folder: A model folder without weights.
        processes: Who takes part.
    """

    def __init__(self, options: argparse.Namespace, folder: Path, processes: Processes) -> None:
        self.options, self.folder, self.processes = options, folder, processes
        self.dtype = resolve_dtype("auto", processes.device)
        self.preset = PRESETS[options.preset]
        wanted = (options.warm_up + options.steps) * options.batch
        work = read_work(options.data, queries=wanted, candidates=options.candidates, warm_up=0)
        template = PromptTemplate(max_tokens=options.max_tokens)
        self.source = TaskSource(
            queries=work.queries,
            candidates=work.rankings(work.queries),
            by_id={entry.id: entry for entry in work.bank},
            kind="listwise",
            prompter=ListwisePrompter(load_tokenizer(folder), template, simplify=simplify_latex),
            sizes=(options.candidates, options.candidates),
            window=options.candidates,
            spread=1.0,
            none_share=0.0,
            hint_dropout=0.0,
            teacher=None,
            teacher_weight=0.0,
            teacher_temperature=1.0,
            seed=SEED,
        )
        self.lists, self.shown = self.source.lists(0), self.source.shown(0)
        lengths = [self.source.length(one) for one in self.lists]
        batches = training_batches(lengths, batch_size=options.batch, seed=SEED, epoch=0)
        self.batches = [batch for batch in batches if len(batch) == options.batch][: options.warm_up + options.steps]

    def product(self) -> Timed:
        """Time the trainer's own steps, with the thread that builds the next prompts in a run, too."""
        model = open_trainable(
            self.folder,
            method=self.options.method,
            lora=self.preset,
            device=self.processes.device,
            dtype=self.dtype,
            gradient_checkpointing=self.options.checkpointing,
            seed=SEED,
        )
        stepper = LanguageModelStepper(
            model,
            processes=self.processes,
            device=self.processes.device,
            dtype=self.dtype,
            total_steps=len(self.batches),
            learning_rate=self.preset.learning_rate,
            warmup=0.0,
            weight_decay=DECAY,
            max_norm=NORM,
            micro_tokens=self.options.micro_tokens,
            seed=SEED,
        )
        lessons = ListLessons(
            model=model,
            stepper=stepper,
            source=self.source,
            processes=self.processes,
            batch_queries=self.options.batch,
            seed=SEED,
        )
        lessons.batches(0)
        self.matrices = matrices_of(model)
        with made_ahead(lessons.prepare, self.batches) as ready:
            # A run reads a loss one step late; here each step's is waited for, as in the loop by hand.
            return timed_steps(
                lambda number: float(lessons.step(next(ready), number)),
                len(self.batches),
                device=self.processes.device,
            )

    def hand(self) -> Timed:
        """Time transformers and peft alone on ready token ids, cut into the same forward passes; for one process."""
        import torch
        from transformers import get_cosine_schedule_with_warmup

        model = self._open_by_hand()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.preset.learning_rate, weight_decay=DECAY)
        schedule = get_cosine_schedule_with_warmup(optimizer, 0, len(self.batches))
        ready = [micro_batches(self._own(number), self.options.micro_tokens) for number in range(len(self.batches))]
        self.matrices = matrices_of(model)
        device = self.processes.device
        kind = torch.device(device).type
        bare = model.get_base_model()

        def step(number: int) -> float:
            optimizer.zero_grad(set_to_none=True)
            total = torch.zeros((), device=device)
            for micro in ready[number]:
                ids, mask, last = padded([task.prompts[0] for task in micro], device)
                labels = torch.tensor([task.labels[0] for task in micro], device=device)
                truth = torch.tensor([int(task.targets.argmax()) for task in micro], device=device)
                with torch.autocast(kind, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16):
                    hidden = bare.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
                    logits = bare.lm_head(hidden[torch.arange(len(micro), device=device), last])
                chosen = logits.float().gather(1, labels)
                loss = torch.nn.functional.cross_entropy(chosen, truth, reduction="sum") / self.options.batch
                loss.backward()
                total += loss.detach()
            torch.nn.utils.clip_grad_norm_(trained, NORM)
            optimizer.step()
            schedule.step()
            return float(total)

        return timed_steps(step, len(self.batches), device=device)

    def facts(self) -> dict[str, Any]:
        """Return what a step works on, over all processes, as means of the timed steps."""
        timed = range(self.options.warm_up, len(self.batches))
        tasks = [[self.source.task(self.lists[row], self.shown) for row in self.batches[number]] for number in timed]
        tokens = sum(task.longest for batch in tasks for task in batch) / len(timed)
        padded = 0
        for batch in tasks:
            for rank in range(self.processes.world):
                cut = micro_batches(batch[rank :: self.processes.world], self.options.micro_tokens)
                padded += padded_tokens([[task.longest for task in micro] for micro in cut])
        return {
            "tokens_a_step": tokens,
            "padded_tokens_a_step": padded / len(timed),
            "texts_a_step": self.options.batch,
            "base_weights": self.matrices.base,
            "adapter_weights": self.matrices.adapter,
            "operations": step_operations(self.matrices, round(tokens), recomputed=self.options.checkpointing),
        }

    def _own(self, number: int) -> list[Task]:
        own = self.batches[number][self.processes.rank :: self.processes.world]
        return [self.source.task(self.lists[row], self.shown) for row in own]

    def _open_by_hand(self) -> Any:  # noqa: ANN401
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        options = loading_by_hand(self.options.method, dtype=self.dtype, device=self.processes.device)
        model = AutoModelForCausalLM.from_pretrained(str(self.folder), **options)
        model.requires_grad_(False)
        if self.options.checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        torch.manual_seed(SEED)
        shape = LoraConfig(
            task_type="CAUSAL_LM", r=self.preset.rank, lora_alpha=self.preset.alpha, target_modules="all-linear"
        )
        return get_peft_model(model, shape).train()
