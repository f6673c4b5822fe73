"""Training of a language model as a listwise or pointwise reranker: loss on the label token alone.

A plain torch loop beside `train_cross_encoder`, with the same groups, batches and progress on disk: the library's
trainers know one target token a prompt, not a softmax over the labels in it, nor over a group of prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import folder_hash
from core.device import Dtype, resolve_device, resolve_dtype
from core.language_model import TokenScorer
from core.lora import PRESETS, LoraPreset, Method, TrainedWeights, open_trainable, save_trained
from core.records import Misconception, Query, Ranking
from rerank.lm_lessons import ListLessons
from rerank.lm_scorer import TrainingScorer
from rerank.lm_source import TaskSource
from rerank.lm_step import LanguageModelStepper
from rerank.lm_tasks import ListPrompter, LmKind, PairPrompter
from rerank.processes import Processes, join_processes
from rerank.run_fingerprint import run_fingerprint
from rerank.training_groups import FoldProvenance
from rerank.training_run import TrainedReranker, check_numbers, checked_bank, run_training

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class TrainedLanguageModel(TrainedReranker):
    """What a training run made: a peft adapter, or the whole model where all weights were trained.

    Attributes:
        lists: Candidate lists an epoch.
        cut_prompts: Lists of this process in which something was cut from the question, over this run.
        taught: Lists of this process whose targets a teacher helped to make, over this run.
    """

    lists: int
    cut_prompts: int
    taught: int


def train_language_model(
    base: str | Path,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    bank: Sequence[Misconception],
    *,
    kind: LmKind,
    prompter: ListPrompter | PairPrompter,
    output_dir: str | Path,
    method: Method = "lora",
    lora: LoraPreset = PRESETS["r64"],
    start: str | Path | None = None,
    base_name: str | None = None,
    epochs: int = 1,
    sizes: tuple[int, int] = (3, 52),
    window: int = 52,
    spread: float = 2.0,
    none_share: float = 0.0,
    batch_queries: int = 8,
    micro_tokens: int = 8192,
    learning_rate: float | None = None,
    warmup: float = 0.05,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,
    hint_dropout: float = 0.0,
    gradient_checkpointing: bool = False,
    teacher: Sequence[Ranking] | None = None,
    teacher_weight: float = 0.5,
    teacher_temperature: float = 1.0,
    provenance: Sequence[FoldProvenance] | None = None,
    groups: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Dtype = "auto",
    score: Callable[[TokenScorer], float] | None = None,
    patience: int | None = None,
    resume: bool = True,
    checkpoint_steps: int | None = None,
    show_progress: bool = True,
) -> TrainedLanguageModel:
    """Train a reranker and save it to `output_dir`, replacing what is there as a whole.

    Progress is kept in a folder beside it (`NAME.training`) until the end. On a CPU with a fixed number of threads a
    run that was killed and started again ends with the same weights as one that was not. What only trades memory for
    time (`micro_tokens`, `gradient_checkpointing`) may be changed in between. Under `accelerate launch` or
    torchrun every process calls this with the same arguments and trains on its share of each batch.

    Args:
        base: Folder of a causal language model.
        queries: Training queries; those without a label are left out.
        candidates: Their stage-1 rankings from out-of-fold retrievers: candidates of a retriever that was fitted on the
            same question are too easy.
        bank: The misconceptions.
        kind: `listwise` (softmax over the labels of one prompt) or `pointwise` (softmax over the Yes-No log-odds of a
            query's prompts).
        prompter: Builds the prompts, the same one as at inference: a `ListwisePrompter` or a `PointwisePrompter`.
        output_dir: Where the result goes.
        method: See `core.lora.open_trainable`.
        lora: Shape of the adapter.
        start: What an earlier training of the same base, method and shape made: its weights are trained on. None
            starts afresh.
        base_name: What the adapter names as its base; the folder where None.
        epochs: Passes over the lists.
        sizes: Smallest and largest candidate list, see `training_lists`.
        window: How far down a ranking wrong candidates are drawn from; at least the largest list.
        spread: See `training_lists`.
        none_share: Share of the lists whose truth is withheld, for prompts with a "none of these" label.
        batch_queries: Lists a step, over all processes.
        micro_tokens: Tokens a forward pass, padding included, for memory; the gradient is the same. A pointwise list
            always is one pass.
        learning_rate: Peak of a linear warm-up and cosine decay; the preset's where None, 2e-5 for `full`.
        warmup: Share of the steps that warm up, 0 to 1.
        weight_decay: Of matrices only.
        max_norm: Gradients are clipped to this norm.
        hint_dropout: Share of the queries that lose their hint, other ones each epoch.
        gradient_checkpointing: Less memory, a third slower.
        teacher: For each query a ranking with a teacher's log-probabilities (distillation); a list with a candidate
            that the teacher lacks is trained on the label alone, and counted.
        teacher_weight: The teacher's share in the targets, 0 to 1.
        teacher_temperature: See `soft_targets`.
        provenance: Who made the rankings, checked; where None a warning says that nobody checked.
        groups: The question group of each query for that check; the question's id where None.
        weights: What each query's loss is multiplied by, above 0; 1 where None.
        seed: Of adapter, draws, orders and dropout.
        device: `auto` or a torch device name.
        precision: `auto` or a dtype's name; forward passes and a frozen base are in this type. Not float16, whose
            gradients vanish without scaling.
        score: Validation score of a scorer in memory after each epoch, higher is better, asked in the first process
            alone; the best epoch's weights are kept.
        patience: Stop after so many epochs without a better score.
        resume: Go on from what a killed run left; start afresh where False.
        checkpoint_steps: Also keep progress every so many steps within an epoch.
        show_progress: Whether to show a bar.

    Raises:
        InputError: No query has a label, or a ranking was made by a model fitted on its question.
        ModelError: The base cannot be trained, or training ran into a loss that is not finite.
        ValueError: Keys differ, a candidate or label is not in the bank, or a number is out of range.
    """
    by_id = checked_bank(queries, candidates, bank, provenance)
    rate = learning_rate or (2e-5 if method == "full" else lora.learning_rate)
    _check(micro_tokens, precision)
    check_numbers(
        epochs=epochs, batch_queries=batch_queries, learning_rate=rate, warmup=warmup, hint_dropout=hint_dropout
    )
    source = TaskSource(
        queries=queries,
        candidates=candidates,
        by_id=by_id,
        kind=kind,
        prompter=prompter,
        sizes=sizes,
        window=window,
        spread=spread,
        none_share=none_share,
        hint_dropout=hint_dropout,
        teacher=teacher,
        teacher_weight=teacher_weight,
        teacher_temperature=teacher_temperature,
        seed=seed,
        weights=weights,
    )
    first = source.lists(0, provenance=provenance, groups=groups)
    probe = [source.task(shown, source.shown(0)) for shown in first[:batch_queries]]
    source.cut = source.taught = 0
    processes = join_processes(resolve_device(device))
    dtype = resolve_dtype(precision, processes.device)
    n_steps = -(-len(first) // batch_queries)
    # Without micro_tokens and gradient_checkpointing: lowered after an out-of-memory, they must not cost the progress.
    settings = [
        *(kind, method, asdict(lora), epochs, sizes, window, spread, none_share, batch_queries, rate),
        *(warmup, weight_decay, max_norm, hint_dropout, teacher_weight, teacher_temperature),
        *(seed, str(dtype), score is not None, patience, processes.world),
        [(ranking.ids.tolist(), ranking.scores.tolist()) for ranking in teacher or ()],
        [(task.prompts, task.labels) for task in probe],  # pins tokenizer, template and options of the prompter
        *([list(weights)] if weights else []),
        *([folder_hash(Path(start))] if start else []),
    ]
    model = open_trainable(
        base,
        method=method,
        lora=lora,
        device=processes.device,
        dtype=dtype,
        gradient_checkpointing=gradient_checkpointing,
        start=start,
        seed=seed,
    )
    trained = TrainedWeights(model)
    stepper = LanguageModelStepper(
        model,
        processes=processes,
        device=processes.device,
        dtype=dtype,
        total_steps=n_steps * epochs,
        learning_rate=rate,
        warmup=warmup,
        weight_decay=weight_decay,
        max_norm=max_norm,
        micro_tokens=micro_tokens,
        seed=seed,
    )
    lessons = ListLessons(
        model=model, stepper=stepper, source=source, processes=processes, batch_queries=batch_queries, seed=seed
    )
    texts = [repr(query) for query in queries]
    names = [repr(by_id[id]) for id in sorted(by_id)]
    made = run_training(
        lessons,
        trained,
        stepper.optimizer,
        output=Path(output_dir),
        fingerprint=run_fingerprint(base, texts, names, queries, candidates, settings),
        write=lambda folder: save_trained(model, folder, base=base, base_name=base_name),
        epochs=epochs,
        steps=n_steps,
        title=f"{kind} by {method}",
        processes=processes,
        score=None if score is None else lambda: score(_scorer(model, processes, dtype, micro_tokens)),
        patience=patience,
        resume=resume,
        checkpoint_steps=checkpoint_steps,
        show_progress=show_progress,
    )
    return TrainedLanguageModel(**vars(made), lists=len(first), cut_prompts=source.cut, taught=source.taught)


def _scorer(model: Any, processes: Processes, dtype: torch.dtype, batch_tokens: int) -> TrainingScorer:  # noqa: ANN401
    """Return a scorer; a new one for each epoch, as it puts the model into evaluation mode once."""
    return TrainingScorer(model, device=processes.device, dtype=dtype, batch_tokens=batch_tokens)


def _check(micro_tokens: int, precision: Dtype) -> None:
    """Check what is not the same for all rerankers."""
    if micro_tokens < 1:
        raise ValueError(f"expected micro_tokens of at least 1; got {micro_tokens}")
    if precision == "float16":
        raise ValueError("precision: expected auto, bfloat16 or float32; float16 gradients vanish without scaling")
