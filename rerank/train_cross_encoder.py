"""Training of a cross-encoder: softmax cross-entropy over each query's candidates.

A plain torch loop, because the library's listwise loss takes no stage-1 offset and its trainer no fresh draw of
candidates each epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.device import Dtype, resolve_device, resolve_dtype
from core.records import Misconception, Query, Ranking
from core.stage_one_fusion import StageOneForm
from core.training_batches import training_batches
from rerank.cross_encoder import CrossEncoderReranker, open_cross_encoder
from rerank.hint_dropout import drop_hints
from rerank.listwise_step import GroupPass, ListwiseStepper
from rerank.processes import Processes
from rerank.reranker import Reranker
from rerank.run_fingerprint import run_fingerprint
from rerank.text import CandidateText, QueryText, pair_texts
from rerank.training_groups import CandidateGroup, FoldProvenance, training_groups
from rerank.training_run import TrainedReranker, check_numbers, checked_bank, run_training

if TYPE_CHECKING:
    import torch
    from sentence_transformers import CrossEncoder


@dataclass(frozen=True, kw_only=True)
class TrainedCrossEncoder(TrainedReranker):
    """What a training run made: a sentence-transformers CrossEncoder folder.

    Attributes:
        groups: Candidate groups (query and label) an epoch.
    """

    groups: int


@dataclass(kw_only=True, eq=False)
class GroupLessons:
    """What each epoch of a cross-encoder shows: fresh groups, with or without hints, as texts.

    Attributes:
        model: The cross-encoder.
        stepper: Its optimiser.
        queries: The training queries.
        lengths: Of their texts, in characters: queries of like length share a batch.
        by_id: The bank.
        draw: Returns an epoch's groups.
        query_text: Query -> text.
        candidate_text: Misconception -> text.
        batch_queries: Groups a step.
        hint_dropout: Share of the queries that lose their hint.
        seed: Of order and hints.
    """

    model: CrossEncoder
    stepper: ListwiseStepper
    queries: Sequence[Query]
    lengths: Sequence[int]
    by_id: Mapping[int, Misconception]
    draw: Callable[[int], list[CandidateGroup]]
    query_text: QueryText
    candidate_text: CandidateText
    batch_queries: int
    hint_dropout: float
    seed: int
    drawn: list[CandidateGroup] = field(default_factory=list, init=False)
    shown: list[Query] = field(default_factory=list, init=False)

    def batches(self, epoch: int) -> list[list[int]]:
        """Draw an epoch; see `Lessons`."""
        self.drawn = self.draw(epoch)
        self.shown = drop_hints(self.queries, self.hint_dropout, seed=self.seed, epoch=epoch)
        self.model.train()
        lengths = [self.lengths[group.query_index] for group in self.drawn]
        return training_batches(lengths, batch_size=self.batch_queries, seed=self.seed, epoch=epoch)

    def prepare(self, batch: Sequence[int]) -> list[GroupPass]:
        """Write and tokenise the texts of some groups of the epoch; see `Lessons`."""
        rows = [self.drawn[row] for row in batch]
        pairs = pair_texts(
            [self.shown[group.query_index] for group in rows],
            [group.ids for group in rows],
            self.by_id,
            query_text=self.query_text,
            candidate_text=self.candidate_text,
        )
        return self.stepper.passes(rows, pairs)

    def step(self, prepared: list[GroupPass], number: int) -> torch.Tensor:
        """Make a step on such groups; see `Lessons`."""
        return self.stepper.step(prepared, number)


def train_cross_encoder(
    base: str | Path,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    bank: Sequence[Misconception],
    *,
    query_text: QueryText,
    candidate_text: CandidateText,
    output_dir: str | Path,
    epochs: int = 2,
    group_size: int = 8,
    window: int = 25,
    batch_queries: int = 16,
    micro_queries: int | None = None,
    learning_rate: float = 5e-5,
    warmup: float = 0.1,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,
    dropout: float | None = None,
    hint_dropout: float = 0.0,
    max_length: int = 192,
    use_stage_one: bool = False,
    stage_one_weight: float = 1.0,
    stage_one_form: StageOneForm = "rank",
    stage_one_temperature: float = 1.0,
    provenance: Sequence[FoldProvenance] | None = None,
    groups: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Dtype = "auto",
    score: Callable[[Reranker], float] | None = None,
    patience: int | None = None,
    score_batch_size: int = 64,
    resume: bool = True,
    checkpoint_steps: int | None = None,
    show_progress: bool = True,
) -> TrainedCrossEncoder:
    """Train a cross-encoder and save it to `output_dir`, replacing what is there as a whole.

    Progress is kept in a folder beside it (`NAME.training`) until the end. On a CPU with a fixed number of threads a
    run that was killed and started again ends with the same weights as one that was not.

    Args:
        base: Folder of a cross-encoder, or of a bi-encoder (the bundled MiniLM, better the trained retriever), which
            gets a fresh head.
        queries: Training queries; those without a label are left out.
        candidates: Their stage-1 rankings from out-of-fold retrievers: candidates of a retriever that was fitted on the
            same question are too easy.
        bank: The misconceptions.
        query_text: Query -> text; the same at inference.
        candidate_text: Misconception -> text; the same at inference.
        output_dir: Where the model goes.
        epochs: Passes over the groups.
        group_size: The truth and wrong candidates a group.
        window: How far down a ranking wrong candidates are drawn from; a fresh draw each epoch.
        batch_queries: Groups a step.
        micro_queries: Groups a forward pass, for memory; the gradient is the same. All of the step's where None.
        learning_rate: Peak of a linear warm-up and linear decay (AdamW, Loshchilov and Hutter 2019).
        warmup: Share of the steps that warm up, 0 to 1.
        weight_decay: Of matrices only.
        max_norm: Gradients are clipped to this norm.
        dropout: Sets every dropout of the model; as the base has it where None.
        hint_dropout: Share of the queries that lose their hint, other ones each epoch, so that the model works without.
        max_length: Tokens a pair is cut to, longer text first and from its left end, so that the wrong answer at the
            end of a query stays. Eedi queries: median 83 tokens, 95 % under 176; names: median 15.
        use_stage_one: Add the stage-1 log-score to the logit in training only. The model then learns what stage 1
            lacks, not what it knows already, and is meant for `fuse_with_stage_one` (an idea of this house).
        stage_one_weight: What that log-score is multiplied by; 1 asks for a fusion weight of 0.5.
        stage_one_form: See `core.fusion.stage_one_log_scores`.
        stage_one_temperature: Likewise.
        provenance: Who made the rankings, checked; where None a warning says that nobody checked.
        groups: The question group of each query for that check; the question's id where None.
        weights: What each query's loss is multiplied by, above 0; 1 where None.
        seed: Of head, draws, order and dropout.
        device: `auto` or a torch device name.
        precision: `auto` or a dtype's name; weights stay in float32, forward passes run in this type.
        score: Validation score of a reranker after each epoch, higher is better; the best epoch's weights are kept.
        patience: Stop after so many epochs without a better score.
        score_batch_size: Pairs a forward pass while scoring.
        resume: Go on from what a killed run left; start afresh where False.
        checkpoint_steps: Also keep progress every so many steps within an epoch.
        show_progress: Whether to show a bar.

    Raises:
        InputError: No query has a label, or a ranking was made by a model fitted on its question.
        ModelError: The base is no model, or training ran into a loss that is not finite.
        ValueError: Keys differ, a candidate or label is not in the bank, or a number is out of range.
    """
    by_id = checked_bank(queries, candidates, bank, provenance)
    check_numbers(
        epochs=epochs,
        batch_queries=batch_queries,
        learning_rate=learning_rate,
        warmup=warmup,
        hint_dropout=hint_dropout,
    )

    def draw(epoch: int) -> list[CandidateGroup]:
        return training_groups(
            queries,
            candidates,
            group_size=group_size,
            seed=seed,
            epoch=epoch,
            window=window,
            form=stage_one_form,
            temperature=stage_one_temperature,
            provenance=provenance if epoch == 0 else None,  # the same for every draw
            groups=groups,
            weights=weights,
        )

    first = draw(0)
    device = resolve_device(device)
    dtype = resolve_dtype(precision, device)
    settings = [
        *(epochs, group_size, window, batch_queries, micro_queries, learning_rate, warmup, weight_decay, max_norm),
        *(dropout, hint_dropout, max_length, use_stage_one, stage_one_weight, stage_one_form, stage_one_temperature),
        *(seed, str(dtype), score is not None, patience),
        *([list(weights)] if weights else []),
    ]
    model = _open_base(base, device, max_length=max_length, dropout=dropout, seed=seed)
    n_steps = -(-len(first) // batch_queries)
    stepper = ListwiseStepper(
        model,
        device=device,
        dtype=dtype,
        total_steps=n_steps * epochs,
        learning_rate=learning_rate,
        warmup=warmup,
        weight_decay=weight_decay,
        max_norm=max_norm,
        offset=stage_one_weight if use_stage_one else 0.0,
        micro_groups=micro_queries or batch_queries,
    )
    texts = [query_text(query) for query in queries]
    names = [candidate_text(by_id[id]) for id in sorted(by_id)]
    lessons = GroupLessons(
        model=model,
        stepper=stepper,
        queries=queries,
        lengths=[len(text) for text in texts],
        by_id=by_id,
        draw=draw,
        query_text=query_text,
        candidate_text=candidate_text,
        batch_queries=batch_queries,
        hint_dropout=hint_dropout,
        seed=seed,
    )
    reranker = CrossEncoderReranker(
        model, query_text=query_text, candidate_text=candidate_text, batch_size=score_batch_size
    )
    trained = run_training(
        lessons,
        model,
        stepper.optimizer,
        output=Path(output_dir),
        fingerprint=run_fingerprint(base, texts, names, queries, candidates, settings),
        write=lambda folder: model.save_pretrained(str(folder), create_model_card=False),
        epochs=epochs,
        steps=n_steps,
        title="cross-encoder",
        processes=Processes(device=device),
        score=None if score is None else partial(_scored, model, reranker, score),
        patience=patience,
        resume=resume,
        checkpoint_steps=checkpoint_steps,
        show_progress=show_progress,
    )
    return TrainedCrossEncoder(**vars(trained), groups=len(first))


def _scored(model: CrossEncoder, reranker: Reranker, score: Callable[[Reranker], float]) -> float:
    model.eval()
    return score(reranker)


def _open_base(base: str | Path, device: str, *, max_length: int, dropout: float | None, seed: int) -> CrossEncoder:
    """Open the base with a head drawn from the seed, left truncation and the dropout asked for."""
    import torch

    torch.manual_seed(seed)
    model = open_cross_encoder(base, device=device, dtype=torch.float32, max_length=max_length)
    model.tokenizer.truncation_side = "left"
    if dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
    torch.manual_seed(seed)  # dropout must not depend on whether the head had to be drawn
    return model
