"""Training of a reasoner: a small language model that writes hints as a teacher did.

A plain torch loop like those of stage 2, with the same batches, schedule and progress on disk.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from core.artifacts import atomic_path, content_hash, folder_hash
from core.device import Dtype, resolve_device, resolve_dtype
from core.errors import InputError, ModelError
from core.lora import PRESETS, LoraPreset, Method, TrainedWeights, open_trainable, save_trained
from core.optimizer import decayed_adamw, learning_rate_share
from core.tokenizer import load_tokenizer
from core.training_batches import training_batches
from core.training_state import restore_state, save_state
from synth.completion_loss import completion_loss, mean_loss, micro_batches
from synth.lessons import Lesson, TokenLesson, token_lessons

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_SEED_STRIDE = 1 << 20  # steps of a run stay below this, so that no two steps share a dropout mask


@dataclass(frozen=True, kw_only=True)
class TrainedReasoner:
    """What a training run made.

    Attributes:
        folder: A peft adapter, or the whole model where all weights were trained.
        losses: Mean loss of a step in each epoch, in nats a token.
        lessons: Lessons trained on.
        too_long: Keys of the lessons left out because they are too long.
        held_out_before: Mean loss of a token of the held-out lessons before training; None where there are none.
        held_out_after: The same after it.
    """

    folder: Path
    losses: tuple[float, ...]
    lessons: int
    too_long: tuple[str, ...]
    held_out_before: float | None
    held_out_after: float | None


def train_reasoner(
    base: str | Path,
    lessons: Sequence[Lesson],
    *,
    output_dir: str | Path,
    held_out: Sequence[Lesson] = (),
    method: Method = "lora",
    lora: LoraPreset = PRESETS["r64"],
    base_name: str | None = None,
    epochs: int = 3,
    batch_lessons: int = 16,
    micro_tokens: int = 8192,
    max_tokens: int = 1024,
    learning_rate: float | None = None,
    warmup: float = 0.05,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,
    gradient_checkpointing: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: Dtype = "auto",
    resume: bool = True,
    checkpoint_steps: int | None = None,
    show_progress: bool = True,
) -> TrainedReasoner:
    """Train a reasoner and save it to `output_dir`, replacing what is there as a whole.

    The loss is on the answers' tokens alone, each counting alike within a step. The last epoch's weights are kept:
    held-out lessons are measured and choose nothing. Progress is kept in a folder beside it (`NAME.training`) until
    the end; on a CPU with a fixed number of threads a run that was killed and started again ends with the same weights.

    Args:
        base: Folder of a causal language model.
        lessons: What to teach.
        output_dir: Where the result goes.
        held_out: Lessons to measure before and after.
        method: See `core.lora.open_trainable`.
        lora: Shape of the adapter.
        base_name: What the adapter names as its base; the folder where None.
        epochs: Passes over the lessons.
        batch_lessons: Lessons a step.
        micro_tokens: Tokens a forward pass, padding included, for memory; the gradient is the same.
        max_tokens: Longest lesson; longer ones are left out, and told.
        learning_rate: Peak of a linear warm-up and cosine decay; the preset's where None, 2e-5 for `full`.
        warmup: Share of the steps that warm up, 0 to 1.
        weight_decay: Of matrices only.
        max_norm: Gradients are clipped to this norm.
        gradient_checkpointing: Less memory, a third slower.
        seed: Of adapter, order and dropout.
        device: `auto` or a torch device name.
        precision: `auto` or a dtype's name; not float16, whose gradients vanish without scaling.
        resume: Go on from what a killed run left; start afresh where False.
        checkpoint_steps: Also keep progress every so many steps within an epoch.
        show_progress: Whether to show a bar.

    Raises:
        InputError: No lesson is short enough.
        ModelError: The base cannot be trained, or training ran into a loss that is not finite.
        ValueError: A number is out of range.
    """
    began = time.perf_counter()
    rate = learning_rate or (2e-5 if method == "full" else lora.learning_rate)
    if min(epochs, batch_lessons, micro_tokens, max_tokens) < 1 or not rate > 0 or not 0 <= warmup <= 1:
        raise ValueError(
            "expected epochs, batch_lessons, micro_tokens and max_tokens of at least 1, learning_rate > 0 and warmup "
            f"from 0 to 1; got {epochs}, {batch_lessons}, {micro_tokens}, {max_tokens}, {rate}, {warmup}"
        )
    if precision == "float16":
        raise ValueError("precision: expected auto, bfloat16 or float32; float16 gradients vanish without scaling")
    tokenizer = load_tokenizer(base)
    taught, too_long = token_lessons(tokenizer, lessons, max_tokens=max_tokens)
    if not taught:
        raise InputError(
            f"expected a lesson of at most {max_tokens} tokens, came none among {len(lessons)}: raise max_tokens"
        )
    measured, _ = token_lessons(tokenizer, held_out, max_tokens=max_tokens)
    place = resolve_device(device)
    dtype = resolve_dtype(precision, place)
    # Without micro_tokens and gradient_checkpointing: lowered after an out-of-memory, they must not cost the progress.
    settings = [method, asdict(lora), epochs, batch_lessons, rate, warmup, weight_decay, max_norm, seed, str(dtype)]
    fingerprint = content_hash([folder_hash(Path(base)), [asdict(lesson) for lesson in taught], settings])
    model = open_trainable(
        base,
        method=method,
        lora=lora,
        device=place,
        dtype=dtype,
        gradient_checkpointing=gradient_checkpointing,
        seed=seed,
    )
    weights = TrainedWeights(model)
    optimizer = decayed_adamw(weights.parameters(), learning_rate=rate, weight_decay=weight_decay)
    output = Path(output_dir)
    progress = output.with_name(f"{output.name}.training") / "state.pt"
    if not resume:
        shutil.rmtree(progress.parent, ignore_errors=True)
    before = mean_loss(model, measured, micro_tokens=micro_tokens) if measured else None  # what it restores comes later
    state = restore_state(progress, fingerprint, weights, optimizer, place)
    steps = -(-len(taught) // batch_lessons)
    bar = tqdm(total=steps * epochs, initial=state.epoch * steps + state.step, desc=method, disable=not show_progress)
    while state.epoch < epochs:
        batches = training_batches([len(one) for one in taught], batch_size=batch_lessons, seed=seed, epoch=state.epoch)
        for batch in batches[state.step :]:
            number = state.epoch * steps + state.step
            share = learning_rate_share(number, total_steps=steps * epochs, warmup=warmup, shape="cosine")
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            torch_seed = (seed * 31 + 1) * _SEED_STRIDE + number
            rows = [taught[row] for row in batch]
            state.loss_sum += _gradient(model, optimizer, rows, micro_tokens=micro_tokens, dtype=dtype, seed=torch_seed)
            _apply(weights, optimizer, max_norm=max_norm)
            state.step += 1
            bar.update(1)
            if checkpoint_steps and state.step % checkpoint_steps == 0:
                save_state(progress, state, weights, optimizer, place)
        state.close_epoch(weights, None)
        save_state(progress, state, weights, optimizer, place)
    bar.close()
    after = mean_loss(model, measured, micro_tokens=micro_tokens) if measured else None
    with atomic_path(output) as temporary:
        save_trained(model, temporary, base=base, base_name=base_name)
    shutil.rmtree(progress.parent, ignore_errors=True)
    logger.info("%s: %d lessons, %d epochs, %.1f s", output, len(taught), epochs, time.perf_counter() - began)
    return TrainedReasoner(
        folder=output,
        losses=tuple(state.losses),
        lessons=len(taught),
        too_long=too_long,
        held_out_before=before,
        held_out_after=after,
    )


def _gradient(
    model: Any,  # noqa: ANN401 - a transformers model, or peft's wrapper of one
    optimizer: torch.optim.Optimizer,
    lessons: Sequence[TokenLesson],
    *,
    micro_tokens: int,
    dtype: torch.dtype,
    seed: int,
) -> float:
    """Put the gradient of the mean loss of a completion token in place and return that loss."""
    import torch

    torch.manual_seed(seed)
    optimizer.zero_grad(set_to_none=True)
    tokens = sum(len(lesson.completion) for lesson in lessons)
    kind = model.get_input_embeddings().weight.device.type
    total = 0.0
    for micro in micro_batches(lessons, micro_tokens):
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = completion_loss(model, micro) / tokens
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    if total != total or total in (float("inf"), float("-inf")):
        raise ModelError(f"the training loss is {total}; lower learning_rate or use float32")
    return total


def _apply(weights: TrainedWeights, optimizer: torch.optim.Optimizer, *, max_norm: float) -> None:
    import torch

    torch.nn.utils.clip_grad_norm_(weights.parameters(), max_norm)
    optimizer.step()
