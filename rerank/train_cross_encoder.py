"""Training of a cross-encoder: softmax cross-entropy over each query's candidates.

A plain torch loop, because the library's listwise loss takes no stage-1 offset and its trainer no fresh draw of
candidates each epoch.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from core.artifacts import atomic_path
from core.device import Dtype, resolve_device, resolve_dtype
from core.records import Misconception, Query, Ranking
from core.stage_one_fusion import StageOneForm
from core.training_batches import training_batches
from core.training_state import restore_state, save_state
from rerank.cross_encoder import CrossEncoderReranker, open_cross_encoder
from rerank.hint_dropout import drop_hints
from rerank.listwise_step import ListwiseStepper
from rerank.pairs import check_candidates
from rerank.reranker import Reranker
from rerank.run_fingerprint import run_fingerprint
from rerank.text import CandidateText, QueryText, pair_texts
from rerank.training_groups import CandidateGroup, FoldProvenance, training_groups

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainedCrossEncoder:
    """What a training run made.

    Attributes:
        folder: The model, a sentence-transformers CrossEncoder folder.
        epochs: Epochs that were run.
        best_epoch: The epoch, from 1, whose weights were kept: the one with the best score, else the last.
        best_score: Its validation score; None where there is no score.
        losses: Mean loss of each epoch.
        scores: Validation score after each epoch; empty where there is no score.
        groups: Candidate groups (query and label) an epoch.
    """

    folder: Path
    epochs: int
    best_epoch: int
    best_score: float | None
    losses: tuple[float, ...]
    scores: tuple[float, ...]
    groups: int


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
    began = time.perf_counter()
    by_id = check_candidates(queries, candidates, bank)
    if provenance is None:
        logger.warning("nobody stated which retriever made the training candidates: they may not be out of fold")

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
    _check(epochs, learning_rate, warmup, hint_dropout, {group.ids[0] for group in first} - by_id.keys())
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
    output = Path(output_dir)
    progress = output.with_name(f"{output.name}.training")
    if not resume:
        shutil.rmtree(progress, ignore_errors=True)
    texts = [query_text(query) for query in queries]
    names = [candidate_text(by_id[id]) for id in sorted(by_id)]
    fingerprint = run_fingerprint(base, texts, names, queries, candidates, settings)
    state = restore_state(progress / "state.pt", fingerprint, model, stepper.optimizer, device)
    reranker = CrossEncoderReranker(
        model, query_text=query_text, candidate_text=candidate_text, batch_size=score_batch_size
    )
    bar = tqdm(
        total=n_steps * epochs,
        initial=state.epoch * n_steps + state.step,
        desc="cross-encoder",
        disable=not show_progress,
    )
    while state.epoch < epochs and not state.out_of_patience(patience):
        drawn = draw(state.epoch)
        shown = drop_hints(queries, hint_dropout, seed=seed, epoch=state.epoch)
        lengths = [len(texts[group.query_index]) for group in drawn]
        batches = training_batches(lengths, batch_size=batch_queries, seed=seed, epoch=state.epoch)
        model.train()
        for batch in batches[state.step :]:
            rows = [drawn[row] for row in batch]
            pairs = pair_texts(
                [shown[group.query_index] for group in rows],
                [group.ids for group in rows],
                by_id,
                query_text=query_text,
                candidate_text=candidate_text,
            )
            state.loss_sum += stepper.step(rows, pairs, state.epoch * n_steps + state.step)
            state.step += 1
            bar.update(1)
            if checkpoint_steps and state.step % checkpoint_steps == 0:
                save_state(progress / "state.pt", state, model, stepper.optimizer, device)
        model.eval()
        state.close_epoch(model, score(reranker) if score else None)
        save_state(progress / "state.pt", state, model, stepper.optimizer, device)
    bar.close()
    if state.best_weights is not None:
        model.load_state_dict(state.best_weights)
    with atomic_path(output) as temporary:
        model.save_pretrained(str(temporary), create_model_card=False)
    shutil.rmtree(progress, ignore_errors=True)
    logger.info("%s: %d groups, %d epochs, %.1f s", output, len(first), state.epoch, time.perf_counter() - began)
    return TrainedCrossEncoder(
        folder=output,
        epochs=state.epoch,
        best_epoch=state.best_epoch or state.epoch,
        best_score=state.scores[state.best_epoch - 1] if state.best_epoch else None,
        losses=tuple(state.losses),
        scores=tuple(state.scores),
        groups=len(first),
    )


def _check(epochs: int, learning_rate: float, warmup: float, hint_dropout: float, unknown: set[int]) -> None:
    """Check what nothing further down checks."""
    if epochs < 1 or not learning_rate > 0 or not 0 <= warmup <= 1 or not 0 <= hint_dropout <= 1:
        raise ValueError(
            "expected epochs >= 1, learning_rate > 0, warmup and hint_dropout between 0 and 1; "
            f"got {epochs}, {learning_rate}, {warmup}, {hint_dropout}"
        )
    if unknown:
        raise ValueError(f"labels {sorted(unknown)[:5]} are not in the bank")


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
