"""Several adapters of one base as one: the mean of what they add, exactly or at a stated error.

What an adapter adds to a weight is `scale * B @ A`. The mean of these deltas has the summed rank: `concatenate` keeps
all of it, `svd` its best part of rank r, `merge` adds it to the base's weights. `factors` averages A and B apart, which
is what many do and is NOT the mean of the deltas, since mean(B) @ mean(A) mixes one adapter's B with another's A; its
distance from the mean of the deltas is told.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.adapter_factors import load_factors, write_adapter
from core.adapter_merge import Into, check_merge, merge_adapters
from core.adapters import Adapter, read_adapter
from core.average_weights import equal_weights
from core.errors import ConfigError, InputError, ModelError, UserError
from core.low_rank import distance, mean_factors, norm, padded, refactored, stacked, times

Method = Literal["concatenate", "svd", "merge", "factors"]
METHODS: tuple[Method, ...] = ("concatenate", "svd", "merge", "factors")
MOST_SERVED_RANK = 512
"""The largest rank that vLLM serves (0.24 to 0.32)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Average:
    """What became of several adapters.

    Attributes:
        folder: An adapter, or with `merge` a whole model.
        method: How they were averaged.
        rank: Of the adapter; None with `merge`.
        error: Distance from the exact mean of the deltas, relative to its size, over all modules (Frobenius norm); 0 is
            exact up to float32.
        worst: The module with the largest relative distance, and that; None where the method is exact.
    """

    folder: Path
    method: Method
    rank: int | None
    error: float
    worst: tuple[str, float] | None


def average_adapters(
    folders: Sequence[Path],
    output: Path,
    *,
    method: Method,
    weights: Sequence[float] | None = None,
    rank: int | None = None,
    max_lora_rank: int = MOST_SERVED_RANK,
    base: Path | None = None,
    into: Into = "16bit",
    dtype: str = "auto",
    device: str = "auto",
) -> Average:
    """Write the average of adapters; see the module for the methods.

    Args:
        folders: The adapters; config, tokenizer and further modules of the result are the first one's.
        output: The folder to write, whole or not at all.
        method: See above.
        weights: Of each adapter, above 0 and 1 together; None weighs all the same.
        rank: `svd`: of the result; None takes the adapters' largest.
        max_lora_rank: `concatenate` and `svd`: the largest rank that the engine serves.
        base: `merge`: the base's folder.
        into: `merge`: see `core.adapter_merge`.
        dtype: `merge`: the same.
        device: `merge`: the same.

    Raises:
        ModelError: An adapter is missing, corrupted or no plain one; or they do not go together.
        ConfigError: An option does not fit the method.
        InputError: Several of these faults, or the disk is full.
    """
    adapters = [read_adapter(folder) for folder in folders]
    shares = list(weights) if weights is not None else equal_weights(len(adapters))
    check_average(adapters, method=method, weights=shares, rank=rank, max_lora_rank=max_lora_rank, base=base)
    if method == "merge" and base is not None:
        check_merge(base, adapters, into=into, dtype=dtype)
        pairs = list(zip(adapters, shares, strict=True))
        merge_adapters(base, pairs, output, into=into, dtype=dtype, device=device)
        return Average(folder=output, method=method, rank=None, error=0.0, worst=None)
    first = adapters[0]
    loaded = [load_factors(adapter) for adapter in adapters]
    exact = {module: stacked([own[module] for own in loaded], shares) for module in first.target_modules}
    changes: dict[str, object] = {}
    if method == "factors":
        made = {module: mean_factors([own[module] for own in loaded], shares) for module in first.target_modules}
        size = first.rank
        distances = {module: distance(times(made[module], first.scales[module]), exact[module]) for module in exact}
    else:
        size = summed_rank(adapters) if method == "concatenate" else rank or max(one.rank for one in adapters)
        cut = {module: (pair, 0.0) for module, pair in exact.items()}
        if method == "svd":
            cut = {module: refactored(pair, size) for module, pair in exact.items()}
        made = {module: padded(pair, size) for module, (pair, _) in cut.items()}
        distances = {module: (lost, norm(exact[module])) for module, (_, lost) in cut.items()}
        changes = {"r": size, "lora_alpha": size, "use_rslora": False, "rank_pattern": {}, "alpha_pattern": {}}
    write_adapter(output, made, like=first, changes=changes)
    found = _average(output, method, size, distances)
    _log.info("%s: %d adapters averaged (%s), rank %d, error %.2e", output, len(adapters), method, size, found.error)
    return found


def summed_rank(adapters: Sequence[Adapter]) -> int:
    """Return the rank of the exact mean: the largest sum of ranks of a module."""
    return max(sum(one.shapes[module][2] for one in adapters) for module in adapters[0].target_modules)


def check_average(
    adapters: Sequence[Adapter],
    *,
    method: Method,
    weights: Sequence[float] | None = None,
    rank: int | None = None,
    max_lora_rank: int = MOST_SERVED_RANK,
    base: Path | None = None,
) -> None:
    """Refuse what cannot be averaged, before any factor is read; all faults at once.

    Args:
        adapters: What `read_adapter` returned.
        method: See the module.
        weights: See `average_adapters`; None where they are not known yet.
        rank: See `average_adapters`.
        max_lora_rank: The same.
        base: The same.

    Raises:
        ModelError: The adapters do not go together; with every reason.
        ConfigError: Options do not go together; with every reason.
        InputError: Both.
    """
    wrong = _option_faults(len(adapters), method, weights, rank, base)
    apart = [
        f"adapter {one.folder}: {reason}; its average would be wrong" for one in adapters for reason in one.unsupported
    ]
    for other in adapters[1:]:
        apart += _differences(adapters[0], other, method)
    folders = [one.folder.absolute() for one in adapters]
    apart += [f"adapter {folder}: is named twice" for folder in dict.fromkeys(folders) if folders.count(folder) > 1]
    if not wrong and not apart:
        size = {"concatenate": summed_rank(adapters), "svd": rank or 0}.get(method, 0)
        if size > max_lora_rank:
            wrong.append(
                f"method {method}: the average has rank {size}, the engine serves up to max_lora_rank {max_lora_rank}; "
                "use the method svd with a smaller rank (its error is told), or merge"
            )
        elif method == "svd" and size > summed_rank(adapters):
            wrong.append(f"rank {size} is above the summed rank {summed_rank(adapters)}: use concatenate, it is exact")
    if wrong or apart:
        kind: type[UserError] = InputError if wrong and apart else ConfigError if wrong else ModelError
        raise kind([*wrong, *apart])


def _option_faults(
    count: int, method: Method, weights: Sequence[float] | None, rank: int | None, base: Path | None
) -> list[str]:
    wrong = []
    if method not in METHODS:
        wrong.append(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if count < 1:
        wrong.append("expected adapters to average, got none")
    if rank is not None and (method != "svd" or rank < 1):
        wrong.append(f"rank {rank}: is read by the method svd only, and is at least 1; the method is {method}")
    if (base is None) == (method == "merge"):
        wrong.append(f"the method merge needs the base, the others do not read it; the method is {method}, got {base}")
    if weights is not None:
        right = len(weights) == count and all(weight > 0 for weight in weights)
        if not right or not math.isclose(math.fsum(weights), 1.0, abs_tol=1e-6):
            wrong.append(f"weights: expected {count} numbers above 0 that are 1 together, got {list(weights)}")
    return wrong


def _differences(first: Adapter, other: Adapter, method: Method) -> list[str]:
    """Say why two adapters cannot be averaged."""
    pair = f"adapters {first.folder} and {other.folder}"
    found = []
    known = first.base_revision is not None and other.base_revision is not None
    same = first.base_revision == other.base_revision if known else first.base_name == other.base_name
    if not same:
        bases = [f"'{one.base_name}'" + f" at {one.base_revision}" * known for one in (first, other)]
        found.append(f"{pair}: are of different bases, {bases[0]} and {bases[1]}; deltas of two models have no mean")
    if first.task != other.task:
        found.append(f"{pair}: were trained for different tasks, {first.task!r} and {other.task!r}")
    if first.target_modules != other.target_modules:
        alone = sorted({*first.target_modules}.symmetric_difference(other.target_modules))
        found.append(f"{pair}: change different target modules: {len(alone)} are in one only, for example {alone[0]}")
        return found
    if wide := [module for module in first.shapes if first.shapes[module][:2] != other.shapes[module][:2]]:
        found.append(f"{pair}: {wide[0]} has another shape: {first.shapes[wide[0]]}, {other.shapes[wide[0]]}")
    if method == "factors":
        if odd := [module for module in first.shapes if first.shapes[module][2] != other.shapes[module][2]]:
            ranks = [one.shapes[odd[0]][2] for one in (first, other)]
            found.append(f"{pair}: factors are averaged at equal ranks only; {odd[0]} has {ranks[0]} and {ranks[1]}")
        elif uneven := [module for module in first.scales if first.scales[module] != other.scales[module]]:
            scales = [one.scales[uneven[0]] for one in (first, other)]
            found.append(
                f"{pair}: factors are averaged at equal scales (alpha over rank) only; {uneven[0]} has {scales[0]:g} "
                f"and {scales[1]:g}"
            )
    return found


def _average(folder: Path, method: Method, rank: int, distances: Mapping[str, tuple[float, float]]) -> Average:
    if method == "concatenate":
        return Average(folder=folder, method=method, rank=rank, error=0.0, worst=None)
    relative = {module: lost / size if size else 0.0 for module, (lost, size) in distances.items()}
    whole = math.hypot(*(size for _, size in distances.values()))
    error = math.hypot(*(lost for lost, _ in distances.values())) / whole if whole else 0.0
    worst = max(relative, key=lambda module: relative[module])
    return Average(folder=folder, method=method, rank=rank, error=error, worst=(worst, relative[worst]))
