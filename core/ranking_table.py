"""Rankings ⇄ parquet, so that a second stage or another run starts from the same candidates."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from core.artifacts import atomic_path
from core.errors import InputError
from core.records import Ranking

_SCHEMA = {"key": pl.String, "rank": pl.Int32, "id": pl.Int64, "score": pl.Float64}


def write_rankings(path: Path, rankings: Sequence[Ranking]) -> None:
    """Write rankings, one row per entry; the same rankings give the same bytes (with the same polars).

    Args:
        path: A parquet file with the columns key (String), rank (Int32, 1 is the best), id (Int64) and score (Float64).
        rankings: With distinct keys and at least one entry each.

    Raises:
        ValueError: A ranking is empty or a key occurs twice.
    """
    keys = [ranking.key for ranking in rankings]
    if len(set(keys)) != len(keys):
        raise ValueError(f"{path}: expected one ranking a key, came {len(keys)} rankings of {len(set(keys))} keys")
    for ranking in rankings:
        if not len(ranking):
            raise ValueError(f"{path}: ranking {ranking.key} has no entry, so it cannot be written")
    sizes = [len(ranking) for ranking in rankings]
    columns = {
        "key": [key for key, size in zip(keys, sizes, strict=True) for _ in range(size)],
        "rank": np.concatenate([np.arange(1, size + 1, dtype=np.int32) for size in sizes] or [np.empty(0, np.int32)]),
        "id": np.concatenate([ranking.ids for ranking in rankings] or [np.empty(0, np.int64)]),
        "score": np.concatenate([ranking.scores for ranking in rankings] or [np.empty(0)]),
    }
    with atomic_path(path) as unfinished:
        pl.DataFrame(columns, schema=_SCHEMA).write_parquet(unfinished, compression="zstd", statistics=False)


def read_rankings(path: Path) -> list[Ranking]:
    """Read rankings as `write_rankings` wrote them, in the same order.

    Raises:
        InputError: The file is missing, is not parquet, lacks a column, or its rows are not well-formed rankings.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; run the pipeline that makes it")
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path}: expected a parquet file of rankings, came one that cannot be read ({error})"
        ) from error
    if dict(frame.schema) != _SCHEMA:
        raise InputError(f"{path}: expected the columns {_names(_SCHEMA)}, came {_names(dict(frame.schema))}")
    if frame.null_count().sum_horizontal().item():
        raise InputError(f"{path}: expected a value in every cell, came empty ones; make the file again")
    ranks, keys = frame["rank"].to_numpy(), frame["key"].to_list()
    ids, scores = frame["id"].to_numpy(), frame["score"].to_numpy()
    starts = np.flatnonzero(ranks == 1)
    sizes = np.diff(starts, append=len(ranks))
    if sizes.sum() != len(ranks) or not np.array_equal(ranks, np.arange(len(ranks)) - np.repeat(starts, sizes) + 1):
        raise InputError(f"{path}: expected ranks that count up from 1 in each ranking; make the file again")
    rankings = []
    try:
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            end = start + size
            if len(set(keys[start:end])) != 1:
                raise ValueError(f"ranking {keys[start]}: holds rows of another key")
            rankings.append(Ranking(key=keys[start], ids=ids[start:end], scores=scores[start:end]))
    except ValueError as error:
        raise InputError(f"{path}: {error}; make the file again") from error
    if len({ranking.key for ranking in rankings}) != len(rankings):
        raise InputError(f"{path}: expected one ranking a key, came a key twice; make the file again")
    return rankings


def _names(schema: dict[str, type[pl.DataType]] | dict[str, pl.DataType]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in schema.items())
