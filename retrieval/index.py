"""The search index over the bank. The only file that imports faiss."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from core.artifacts import atomic_path, require_match, write_manifest
from core.errors import InputError
from core.records import IntArray, Ranking
from retrieval.vectors import IndexKind, checked_bank, checked_queries, exact_scores

_INDEX, _IDS = "index.faiss", "ids.npy"
# Entries fetched beyond the cut, and how close to the cut a score must be (relative to the lengths of the vectors) to
# count as a possible tie: blocked matrix products round one and the same inner product differently by a few 1e-7.
_SLACK, _CLOSE = 8, 2e-6


class MisconceptionIndex:
    """Finds the bank entries with the largest inner product.

    Make one with `build` or `load`. Entries are held in rising order of id.

    Args:
        ids: int64, shape (n,), rising.
        index: The faiss index over them.
        kind: Its kind.
        threads: Threads of a search; None leaves faiss's own setting.
    """

    def __init__(self, *, ids: IntArray, index: Any, kind: IndexKind, threads: int | None = None) -> None:  # noqa: ANN401 (faiss has no types)
        self.ids = ids
        self.kind = kind
        self.threads = threads
        self._index = index
        self._longest: float | None = None

    @classmethod
    def build(
        cls,
        ids: Sequence[int] | IntArray,
        embeddings: npt.NDArray[np.float32],
        *,
        kind: IndexKind = "exact",
        hnsw_m: int = 32,
        ef_construction: int = 200,
        ef_search: int = 128,
        ivf_lists: int | None = None,
        ivf_probes: int = 10,
        threads: int | None = None,
        seed: int = 0,
    ) -> Self:
        """Build an index.

        Args:
            ids: n distinct misconception ids, in any order.
            embeddings: float32, shape (n, d), finite; rows of length 1 make the score a cosine.
            kind: `exact` compares with every entry; `hnsw` (Malkov and Yashunin 2016, a graph) and `ivf` (inverted
                lists around k-means centres) are approximate, for banks from about 100,000 entries.
            hnsw_m: Links an entry in the graph.
            ef_construction: Width of the search while the graph is built.
            ef_search: Width of the search afterwards: more is slower and finds more.
            ivf_lists: Number of lists; None takes 2 √n, at most n / 39 (fewer entries a centre make poor centres).
            ivf_probes: Lists looked through a query. Of a million noisy copies of the real bank, 8 of 2,048 lists found
                0.977 of the true 25 at 32 times the speed of `exact`, 16 found 0.993 at 18 times (one thread).
            threads: Threads of building and searching; None leaves faiss's own setting. A graph built with more than
                one thread differs from run to run.
            seed: Seed of the k-means.

        Raises:
            ValueError: Shapes do not fit, an id occurs twice, a value is not finite, or a parameter is out of range.
        """
        import faiss

        id_array, rows = checked_bank(ids, embeddings, kind)
        count, width = rows.shape
        index: Any
        with _threads(threads):
            if kind == "hnsw":
                index = faiss.IndexHNSWFlat(width, hnsw_m, faiss.METRIC_INNER_PRODUCT)
                index.hnsw.efConstruction = ef_construction
                index.hnsw.efSearch = ef_search
            elif kind == "ivf":
                lists = ivf_lists or max(1, min(round(2 * count**0.5), count // 39))
                if not 1 <= lists <= count:
                    raise ValueError(f"ivf_lists is {lists}, expected 1 to {count} (the size of the bank)")
                index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
                index.cp.seed = seed
                # A quarter of the library's 256: centres need no more, and training is most of the building.
                index.cp.max_points_per_centroid = 64
                index.nprobe = min(ivf_probes, lists)
                index.train(rows)
            else:
                index = faiss.IndexFlatIP(width)
            index.add(rows)
        return cls(ids=id_array, index=index, kind=kind, threads=threads)

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Length of an entry's vector."""
        return int(self._index.d)

    def search(self, embeddings: npt.NDArray[np.float32], keys: Sequence[str], *, top_n: int) -> list[Ranking]:
        """Return one ranking a query: its `top_n` entries of largest inner product, ties by rising id.

        With `exact` this is the whole truth, also where entries of equal score stand on both sides of the cut, and it
        does not depend on which queries are searched together. The approximate kinds break ties by id among what they
        found, and may find fewer than `top_n`.

        Args:
            embeddings: float32, shape (q, d), finite.
            keys: The queries' keys, q of them.
            top_n: At least 1; the whole bank where it is smaller.

        Raises:
            ValueError: Shapes do not fit, a value is not finite, or `top_n` is less than 1.
        """
        rows = checked_queries(embeddings, keys, self.dimension, top_n)
        wanted = min(top_n, len(self))
        with _threads(self.threads):
            if self.kind == "exact":
                places, scores = self._exact(rows, wanted)
            else:
                scores, places = self._index.search(rows, wanted)
        # Places stand in rising order of id, so ties by place are ties by id; what was not found (-1) goes last.
        scores = np.where(places >= 0, scores, -np.inf).astype(np.float64)
        order = np.lexsort((places, -scores), axis=-1)[:, :wanted]
        scores, places = np.take_along_axis(scores, order, 1), np.take_along_axis(places, order, 1)
        found = (places >= 0).sum(axis=1)
        return [
            Ranking(key=key, ids=self.ids[row[:n]], scores=values[:n])
            for key, row, values, n in zip(keys, places, scores, found, strict=True)
        ]

    def _exact(self, rows: npt.NDArray[np.float32], wanted: int) -> tuple[IntArray, npt.NDArray[np.float32]]:
        bank = self._vectors()
        depth = min(wanted + _SLACK, len(self))
        scores, places = self._index.search(rows, depth)
        scores = exact_scores(rows, bank, places)
        open_rows = np.flatnonzero(self._cut_is_open(rows, scores, wanted))
        if len(open_rows):
            # More ties at the cut than were fetched: for these rows alone, score the whole bank.
            every = np.arange(len(self))
            for row in open_rows:
                full = exact_scores(rows[row : row + 1], bank, every[None, :])[0]
                best = np.lexsort((every, -full))[:depth]
                scores[row], places[row] = full[best], best
        return places, scores

    def _cut_is_open(
        self, rows: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], wanted: int
    ) -> npt.NDArray[np.bool_]:
        """Return which rows fetched nothing clearly below their place `wanted`, so that more ties may lie outside."""
        if scores.shape[1] == len(self):
            return np.zeros(len(rows), dtype=np.bool_)
        if self._longest is None:
            self._longest = float(np.linalg.norm(self._vectors(), axis=1).max())
        close = _CLOSE * self._longest * np.linalg.norm(rows, axis=1)
        ordered = -np.sort(-scores, axis=1)
        found: npt.NDArray[np.bool_] = ordered[:, -1] >= ordered[:, wanted - 1] - close
        return found

    def _vectors(self) -> npt.NDArray[np.float32]:
        """Return a view, not a copy, of the vectors of an exact index, shape (n, d)."""
        import faiss

        flat = faiss.rev_swig_ptr(self._index.get_xb(), len(self) * self.dimension)
        return np.asarray(flat, dtype=np.float32).reshape(len(self), self.dimension)

    def save(self, path: Path, made_from: Mapping[str, Any] | None = None) -> None:
        """Write the index as a folder with a manifest, whole or not at all.

        Args:
            path: The folder; one that is there is replaced.
            made_from: What the manifest records besides kind, size and width.
        """
        import faiss

        with atomic_path(path) as temporary:
            temporary.mkdir()
            faiss.write_index(self._index, str(temporary / _INDEX))
            np.save(temporary / _IDS, self.ids)
            write_manifest(temporary, {**(made_from or {}), **self._facts()})

    @classmethod
    def load(cls, path: Path, *, expected: Mapping[str, Any] | None = None, threads: int | None = None) -> Self:
        """Read what `save` wrote.

        Args:
            path: The folder.
            expected: Manifest keys that must match.
            threads: Threads of a search; None leaves faiss's own setting.

        Raises:
            InputError: There is no such index, or it is corrupted.
            ArtifactMismatchError: A key of the manifest differs.
        """
        import faiss

        require_match(path, expected or {})
        try:
            index = faiss.read_index(str(path / _INDEX))
            ids = np.load(path / _IDS, allow_pickle=False)
        except (RuntimeError, OSError, ValueError) as error:
            raise InputError(f"{path}: corrupted ({str(error).splitlines()[0]}). Remove it and run again.") from error
        kind: IndexKind = "exact"
        if hasattr(index, "hnsw"):
            kind = "hnsw"
        elif hasattr(index, "nprobe"):
            kind = "ivf"
        made = cls(ids=ids, index=index, kind=kind, threads=threads)
        require_match(path, made._facts())
        return made

    def _facts(self) -> dict[str, Any]:
        return {"kind": self.kind, "entries": len(self), "dimension": self.dimension}


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Give faiss so many threads inside the block; its setting is global, so it is put back."""
    import faiss

    before = faiss.omp_get_max_threads()
    if count is not None:
        faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
