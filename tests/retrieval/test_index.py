from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from core.errors import ArtifactMismatchError, InputError
from core.records import Ranking
from retrieval.index import MisconceptionIndex
from retrieval.vectors import IndexKind

Vectors = npt.NDArray[np.float32]


def unit(rows: npt.NDArray[np.floating]) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def random_bank(n: int, d: int, seed: int) -> tuple[npt.NDArray[np.int64], Vectors]:
    random = np.random.default_rng(seed)
    return random.permutation(3 * n)[:n].astype(np.int64), unit(random.normal(size=(n, d)))


def clustered(n: int, d: int, parents: int, seed: int) -> tuple[Vectors, Vectors]:
    random = np.random.default_rng(seed)
    centres = unit(random.normal(size=(parents, d)))
    noise = unit(random.normal(size=(n, d)))
    bank = unit(0.8 * centres[random.integers(parents, size=n)] + 0.6 * noise)
    queries = unit(0.8 * centres[random.integers(parents, size=100)] + 0.6 * unit(random.normal(size=(100, d))))
    return bank, queries


def keys(n: int) -> list[str]:
    return [f"{i}_A" for i in range(n)]


def brute_force(ids: npt.NDArray[np.int64], bank: Vectors, queries: Vectors, top_n: int) -> list[list[int]]:
    scores = queries.astype(np.float64) @ bank.astype(np.float64).T
    return [ids[np.lexsort((ids, -row))[:top_n]].tolist() for row in scores]


@pytest.mark.parametrize("top_n", [1, 25, 300, 1000])
def test_exact_equals_brute_force(top_n: int) -> None:
    ids, bank = random_bank(300, 32, seed=1)
    queries = unit(np.random.default_rng(2).normal(size=(70, 32)))
    found = MisconceptionIndex.build(ids, bank).search(queries, keys(70), top_n=top_n)
    assert [ranking.ids.tolist() for ranking in found] == brute_force(ids, bank, queries, top_n)
    assert [ranking.key for ranking in found] == keys(70)
    best = (queries @ bank.T).max(axis=1)
    assert np.allclose([ranking.scores[0] for ranking in found], best, atol=1e-6)


def test_ties_stand_by_id_even_across_the_cut() -> None:
    # 60 copies of one vector, far more than a search fetches beyond the cut, among other entries.
    random = np.random.default_rng(3)
    bank = unit(random.normal(size=(200, 48)))
    ids = random.permutation(200).astype(np.int64)
    copies = random.choice(200, size=60, replace=False)
    bank[copies] = bank[copies[0]]
    query = unit(bank[copies[:1]] + 0.1 * random.normal(size=(1, 48)))
    found = MisconceptionIndex.build(ids, bank).search(query, ["1_A"], top_n=25)[0]
    assert found.ids.tolist() == sorted(ids[copies].tolist())[:25]
    assert len(set(found.scores.tolist())) == 1, "equal vectors must get equal scores, to the last bit"


def test_the_company_of_a_query_does_not_change_its_ranking() -> None:
    ids, bank = random_bank(500, 384, seed=4)
    bank[100:140] = bank[100]
    queries = unit(np.random.default_rng(5).normal(size=(33, 384)))
    index = MisconceptionIndex.build(ids, bank)
    together = index.search(queries, keys(33), top_n=25)
    alone = [index.search(queries[i : i + 1], [f"{i}_A"], top_n=25)[0] for i in range(33)]
    assert together == alone


def test_the_order_of_the_bank_does_not_change_a_ranking() -> None:
    ids, bank = random_bank(100, 16, seed=6)
    queries = unit(np.random.default_rng(7).normal(size=(9, 16)))
    order = np.random.default_rng(8).permutation(100)
    assert MisconceptionIndex.build(ids, bank).search(queries, keys(9), top_n=10) == MisconceptionIndex.build(
        ids[order], bank[order]
    ).search(queries, keys(9), top_n=10)


def recall(found: list[Ranking], truth: list[list[int]]) -> float:
    return float(np.mean([len(set(r.ids.tolist()) & set(t)) / len(t) for r, t in zip(found, truth, strict=True)]))


@pytest.mark.parametrize(("kind", "at_least"), [("hnsw", 0.95), ("ivf", 0.9)])
def test_approximate_recall_on_clustered_data(kind: IndexKind, at_least: float) -> None:
    bank, queries = clustered(8000, 64, parents=100, seed=9)
    ids = np.arange(8000, dtype=np.int64)
    truth = brute_force(ids, bank, queries, 25)
    index = MisconceptionIndex.build(ids, bank, kind=kind, ivf_lists=100, ivf_probes=16, threads=1)
    found = index.search(queries, keys(100), top_n=25)
    assert recall(found, truth) >= at_least
    if kind == "ivf":
        narrow = MisconceptionIndex.build(ids, bank, kind=kind, ivf_lists=100, ivf_probes=1, threads=1)
        assert recall(narrow.search(queries, keys(100), top_n=25), truth) < recall(found, truth)
    repeated = MisconceptionIndex.build(ids, bank, kind=kind, ivf_lists=100, ivf_probes=16, threads=1)
    assert repeated.search(queries, keys(100), top_n=25) == found, "one thread and one seed: the same index"


def test_an_approximate_search_may_find_fewer_but_never_an_unknown() -> None:
    ids, bank = random_bank(400, 8, seed=10)
    index = MisconceptionIndex.build(ids, bank, kind="ivf", ivf_lists=10, ivf_probes=1)
    found = index.search(bank[:5], keys(5), top_n=400)
    assert all(0 < len(ranking) < 400 and set(ranking.ids.tolist()) <= set(ids.tolist()) for ranking in found)


@pytest.mark.parametrize("kind", ["exact", "hnsw", "ivf"])
def test_saved_and_loaded_it_answers_the_same(tmp_path: Path, kind: IndexKind) -> None:
    ids, bank = random_bank(200, 16, seed=11)
    index = MisconceptionIndex.build(ids, bank, kind=kind, threads=1)
    index.save(tmp_path / "index", {"model": "m"})
    again = MisconceptionIndex.load(tmp_path / "index", expected={"model": "m"}, threads=1)
    assert again.kind == kind
    assert again.search(bank[:7], keys(7), top_n=5) == index.search(bank[:7], keys(7), top_n=5)
    assert [path.name for path in tmp_path.iterdir()] == ["index"], "no temporary is left behind"


def test_a_foreign_or_corrupted_index_is_refused(tmp_path: Path) -> None:
    ids, bank = random_bank(20, 4, seed=12)
    MisconceptionIndex.build(ids, bank).save(tmp_path / "index", {"model": "m"})
    with pytest.raises(ArtifactMismatchError, match="model"):
        MisconceptionIndex.load(tmp_path / "index", expected={"model": "other"})
    with pytest.raises(InputError, match="no such artifact"):
        MisconceptionIndex.load(tmp_path / "nowhere")
    (tmp_path / "index" / "index.faiss").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="corrupted"):
        MisconceptionIndex.load(tmp_path / "index")


def test_impossible_input_is_refused() -> None:
    ids, bank = random_bank(10, 4, seed=13)
    with pytest.raises(ValueError, match="occurs twice"):
        MisconceptionIndex.build(np.zeros(10, dtype=np.int64), bank)
    with pytest.raises(ValueError, match="expected \\(n,\\)"):
        MisconceptionIndex.build(ids[:5], bank)
    with pytest.raises(ValueError, match="not finite"):
        MisconceptionIndex.build(ids, np.full_like(bank, np.nan))
    with pytest.raises(ValueError, match="ivf_lists"):
        MisconceptionIndex.build(ids, bank, kind="ivf", ivf_lists=11)
    index = MisconceptionIndex.build(ids, bank)
    with pytest.raises(ValueError, match="expected \\(1, 4\\)"):
        index.search(bank[:1, :3], ["1_A"], top_n=1)
    with pytest.raises(ValueError, match="top_n"):
        index.search(bank[:1], ["1_A"], top_n=0)
    with pytest.raises(ValueError, match="not finite"):
        index.search(np.full_like(bank[:1], np.inf), ["1_A"], top_n=1)
    assert index.search(bank[:0], [], top_n=3) == []


def test_threads_are_put_back() -> None:
    import faiss

    before = faiss.omp_get_max_threads()
    ids, bank = random_bank(10, 4, seed=14)
    MisconceptionIndex.build(ids, bank, threads=before + 1).search(bank[:1], ["1_A"], top_n=1)
    assert faiss.omp_get_max_threads() == before
