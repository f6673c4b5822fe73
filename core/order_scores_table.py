"""Order scores ⇄ parquet, so that a second run makes the bias report without scoring anything."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from core.artifacts import atomic_path
from core.errors import InputError
from core.order_scores import OrderScores

_SCHEMA = {
    "prompt": pl.Int64,
    "key": pl.String,
    "order": pl.Int32,
    "window": pl.Int32,
    "slot": pl.Int32,
    "id": pl.Int64,
    "logprob": pl.Float64,
    "none_logprob": pl.Float64,
    "mass": pl.Float64,
}


def write_order_scores(path: Path, records: Sequence[OrderScores]) -> None:
    """Write order scores, one row per slot; the same records give the same bytes (with the same polars).

    Args:
        path: A parquet file with the columns prompt (its number, from 0), key, order, window, slot (from 1), id,
            logprob, and, equal in all rows of a prompt, none_logprob and mass (null where there is none).
        records: In any order, each with one slot or more; possibly none at all.
    """
    sizes = [len(record.ids) for record in records]

    def column(values: Sequence[object]) -> list[object]:
        return [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]

    columns = {
        "prompt": column(range(len(records))),
        "key": column([record.key for record in records]),
        "order": column([record.order for record in records]),
        "window": column([record.window for record in records]),
        "slot": [slot for size in sizes for slot in range(1, size + 1)],
        "id": np.concatenate([record.ids for record in records] or [np.empty(0, np.int64)]),
        "logprob": np.concatenate([record.logprobs for record in records] or [np.empty(0)]),
        "none_logprob": column([record.none_logprob for record in records]),
        "mass": column([record.mass for record in records]),
    }
    with atomic_path(path) as unfinished:
        pl.DataFrame(columns, schema=_SCHEMA).write_parquet(unfinished, compression="zstd", statistics=False)


def read_order_scores(path: Path) -> list[OrderScores]:
    """Read order scores as `write_order_scores` wrote them, in the same order, equal to the bit.

    Raises:
        InputError: The file is missing, is not parquet, or lacks a column.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; run the pipeline that makes it")
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path}: expected a parquet file of order scores, came one that cannot be read ({error})"
        ) from error
    if dict(frame.schema) != _SCHEMA:
        raise InputError(f"{path}: expected the columns {', '.join(_SCHEMA)}, came {', '.join(frame.columns)}")
    ids, logprobs, prompts = (frame[name].to_numpy() for name in ("id", "logprob", "prompt"))
    starts = np.flatnonzero(np.diff(prompts, prepend=-1)).tolist()
    ends = [*starts[1:], len(prompts)] if starts else []
    heads = frame[starts].select("key", "order", "window", "none_logprob", "mass").rows()
    return [
        OrderScores(
            key=key,
            order=order,
            window=window,
            ids=np.array(ids[start:end]),
            logprobs=np.array(logprobs[start:end]),
            none_logprob=none,
            mass=mass,
        )
        for start, end, (key, order, window, none, mass) in zip(starts, ends, heads, strict=True)
    ]
