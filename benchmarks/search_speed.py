"""How fast the search is: the real bank exactly, and a bank of a million, exactly and approximately.

    python benchmarks/search_speed.py --train T.csv --misconceptions M.csv [--retriever MODEL] [--threads 2]

The large bank is the real one, repeated, each copy moved by noise so that its cosine to its parent is 0.8 +/- 0.05; one
more row a kind has isotropic vectors instead, where nothing is near anything and no approximate index can be good. Each
index is built and searched in a process of its own, so that its peak memory is its own; the vectors come from a file
that is mapped, not read. Writes JSON and prints a table.
"""

import argparse
import json
import logging
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.artifacts import made_by, write_json
from core.models import locate_model
from core.records import queries_of
from core.tables import read_misconceptions, read_questions
from retrieval.encoder import SentenceEncoder
from retrieval.index import MisconceptionIndex
from retrieval.text import MisconceptionTemplate, QueryTemplate, misconception_text, query_text

Vectors = npt.NDArray[np.float32]
_log = logging.getLogger("benchmarks.search_speed")
_TOP_N = 25
_CHUNK = 20_000
_SETTINGS = {"hnsw": ("hnsw_m", "ef_construction", "ef_search"), "ivf": ("ivf_lists", "ivf_probes")}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: times in seconds, sizes in MiB."""

    data: str
    index: str
    entries: int
    queries: int
    build_s: float
    search_s: float
    recall: float
    speed_up: float
    index_mib: float
    peak_mib: float


def main() -> None:
    """Make the vectors, run every index in its own process, write the table."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.measure:
        _measure(json.loads(arguments.measure))
        return
    bank, queries = _embed(arguments)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as name:
        folder = Path(name)
        np.save(folder / "queries.npy", queries)
        np.save(folder / "real.npy", bank)
        rows += _compare(folder, "real", ["exact"], arguments)
        for data in ("near parents", "isotropic"):
            _grow(folder / f"{data}.npy", bank, arguments.entries, arguments.seed, isotropic=data == "isotropic")
            rows += _compare(folder, data, ["exact", *arguments.kinds], arguments)
            (folder / f"{data}.npy").unlink()
    report = {
        "rows": [asdict(row) for row in rows],
        "threads": arguments.threads,
        "top_n": _TOP_N,
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "load_1_min": os.getloadavg()[0]},
        "settings": {"hnsw": _settings("hnsw", arguments), "ivf": _settings("ivf", arguments)},
        "retriever": arguments.retriever,
        "made_by": made_by(),
    }
    write_json(arguments.output, report)
    _log.info("%s\nwritten to %s", _table(rows), arguments.output)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, help="questions whose wrong answers are the queries")
    parser.add_argument("--misconceptions", type=Path, help="the bank")
    parser.add_argument("--retriever", default="bundled:all-MiniLM-L6-v2", help="model (default: %(default)s)")
    parser.add_argument("--queries", type=int, default=4370, help="queries searched (default: %(default)s)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="size of the large bank (default: %(default)s)")
    parser.add_argument(
        "--kinds",
        nargs="*",
        default=["ivf"],
        choices=["ivf", "hnsw"],
        help="approximate kinds; hnsw takes tens of minutes to build (default: ivf)",
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="threads of building and searching (default: %(default)s)"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="searches timed, the fastest counts (default: %(default)s)"
    )
    parser.add_argument("--hnsw-m", type=int, default=32)
    parser.add_argument("--ef-construction", type=int, default=200)
    parser.add_argument("--ef-search", type=int, default=128)
    parser.add_argument("--ivf-lists", type=int, default=None)
    parser.add_argument("--ivf-probes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--scratch", type=Path, default=None, help="folder for 1.6 GB of vectors (default: the system's)"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "search_speed.json")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.measure and not (arguments.train and arguments.misconceptions):
        parser.error("--train and --misconceptions are needed")
    return arguments


def _embed(arguments: argparse.Namespace) -> tuple[Vectors, Vectors]:
    """Return the real bank's vectors in rising order of id, and those of the queries."""
    bank = sorted(read_misconceptions(arguments.misconceptions), key=lambda entry: entry.id)
    queries = queries_of(read_questions(arguments.train).questions)[: arguments.queries]
    encoder = SentenceEncoder.load(str(locate_model(arguments.retriever).folder), progress=True)
    return (
        encoder.encode_documents([misconception_text(entry, MisconceptionTemplate()) for entry in bank]),
        encoder.encode_queries([query_text(query, QueryTemplate()) for query in queries]),
    )


def _grow(path: Path, bank: Vectors, entries: int, seed: int, *, isotropic: bool) -> None:
    random = np.random.default_rng(seed)
    width = bank.shape[1]
    noise: Vectors
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(entries, width))
    for start in range(0, entries, _CHUNK):
        place = np.arange(start, min(entries, start + _CHUNK))
        noise = random.standard_normal((len(place), width), dtype=np.float32)
        if not isotropic:
            parent = bank[place % len(bank)]
            cosine = np.clip(random.normal(0.8, 0.05, (len(place), 1)), -1, 1).astype(np.float32)
            noise -= (noise * parent).sum(axis=1, keepdims=True) * parent
            noise /= np.linalg.norm(noise, axis=1, keepdims=True)
            noise = np.asarray(cosine * parent + np.sqrt(1 - cosine**2) * noise, dtype=np.float32)
        rows[place] = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    rows.flush()


def _settings(kind: str, arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in _SETTINGS.get(kind, ())}


def _compare(folder: Path, data: str, kinds: Sequence[str], arguments: argparse.Namespace) -> list[Row]:
    """Run each kind in a process of its own; the first is exact, and the others are measured against it."""
    rows: list[Row] = []
    for kind in kinds:
        _log.info("%s: %s ...", data, kind)
        task = {
            "folder": str(folder),
            "data": data,
            "kind": kind,
            "threads": arguments.threads,
            "repeats": arguments.repeats,
            "seed": arguments.seed,
            "settings": _settings(kind, arguments),
        }
        done = subprocess.run(
            [sys.executable, __file__, "--measure", json.dumps(task)], check=True, capture_output=True, text=True
        )
        found = json.loads(done.stdout)
        truth = np.load(folder / f"{data}.exact.npy")
        ids = np.load(folder / f"{data}.{kind}.npy")
        hits = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(truth, ids, strict=True)]
        exact_s = rows[0].search_s if rows else found["search_s"]
        recall, speed_up = float(np.mean(hits)), exact_s / found["search_s"]
        rows.append(Row(data=data, index=kind, recall=recall, speed_up=speed_up, **found))
        _log.info("%s", _table(rows[-1:]))
    return rows


def _measure(task: dict[str, Any]) -> None:
    """Build and search one index; print its figures as JSON (this is the child process)."""
    folder = Path(task["folder"])
    data, kind = task["data"], task["kind"]
    rows = np.load(folder / f"{data}.npy", mmap_mode="r")
    queries = np.load(folder / "queries.npy")
    keys = [f"{i}_A" for i in range(len(queries))]
    started = time.perf_counter()
    index = MisconceptionIndex.build(
        np.arange(len(rows)), rows, kind=kind, threads=task["threads"], seed=task["seed"], **task["settings"]
    )
    build_s = time.perf_counter() - started
    searches = []
    for _ in range(task["repeats"]):
        started = time.perf_counter()
        rankings = index.search(queries, keys, top_n=_TOP_N)
        searches.append(time.perf_counter() - started)
    ids = np.full((len(rankings), _TOP_N), -1, dtype=np.int64)
    for row, ranking in enumerate(rankings):
        ids[row, : len(ranking)] = ranking.ids
    np.save(folder / f"{data}.{kind}.npy", ids)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    index.save(folder / "saved")
    size = sum(path.stat().st_size for path in (folder / "saved").iterdir()) / 2**20
    figures = {
        "entries": len(rows),
        "queries": len(queries),
        "build_s": build_s,
        "search_s": min(searches),
        "index_mib": size,
        "peak_mib": peak,
    }
    sys.stdout.write(json.dumps(figures))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _table(rows: Sequence[Row]) -> str:
    head = f"{'vectors':<13}{'index':<7}{'entries':>9}{'build s':>9}{'search s':>10}{'recall':>8}{'x exact':>9}"
    lines = [head + f"{'index MiB':>11}{'peak MiB':>10}"]
    lines += [
        f"{row.data:<13}{row.index:<7}{row.entries:>9}{row.build_s:>9.1f}{row.search_s:>10.3f}{row.recall:>8.3f}"
        f"{row.speed_up:>9.1f}{row.index_mib:>11.0f}{row.peak_mib:>10.0f}"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
