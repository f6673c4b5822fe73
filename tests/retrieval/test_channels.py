import tracemalloc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from core.records import Ranking
from retrieval.channels import Channels, Voters, rescored

BANK = np.array([40, 10, 30])
COLUMNS = ["fused", "retriever", "skill to entry", "skill to nearest example", "own to nearest example"]


def at(*degrees: float) -> npt.NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def channels(
    *,
    groups: Sequence[int] = (1, 2),
    voter_groups: Sequence[int] = (1, 3, 3, 4),
    labels: Sequence[Sequence[int]] = ((10,), (10, 30), (10,), (30,)),
) -> Channels:
    """Return two queries, at 0 and 90 degrees, four voters, and entries at 0, 60 and 90 degrees."""
    return Channels(
        groups=np.array(groups),
        views={"skill": at(0, 90), "own": at(0, 0)},
        voters=Voters(
            groups=np.array(voter_groups),
            labels=labels,
            views={"skill": at(0, 60, 90, 120), "own": at(0, 0, 60, 90)},
        ),
        bank_ids=BANK,
        bank={"skill": at(0, 60, 90)},
    )


def runs() -> tuple[list[Ranking], list[Ranking]]:
    fused = [
        Ranking.from_scores("a", [10, 30, 40], [3.0, 2.0, 1.0]),
        Ranking.from_scores("b", [30, 10], [0.5, 0.25]),
    ]
    dense = [Ranking.from_scores("a", [40, 10, 30], [0.9, 0.8, 0.7]), Ranking.from_scores("b", [40, 10], [0.6, 0.4])]
    return fused, dense


def test_worked_by_hand() -> None:
    made = channels()
    fused, dense = runs()
    first, second = made.features(fused, {"retriever": dense})
    assert list(made.names(["retriever"])) == [*COLUMNS, "no example", "log examples"]
    # Query a lies in group 1, as the voter at 0 degrees does: entry 10 keeps the voters at 60 and 90 degrees.
    expected_a = [
        [3.0, 0.8, 0.5, 0.5 + 1, 1 + 1, 0, np.log(3)],
        [2.0, 0.7, 0.0, 0.5 + 1, 1 + 1, 0, np.log(3)],
        [1.0, 0.9, 1.0, 0.0, 0.0, 1, 0.0],
    ]
    assert first == pytest.approx(np.array(expected_a), abs=1e-6)
    sine = np.sin(np.radians(60))
    # Nobody shares group 2. The dense run lacks entry 30: it counts as that run's lowest.
    expected_b = [
        [0.5, 0.4, 1.0, sine + 1, 1 + 1, 0, np.log(3)],
        [0.25, 0.4, sine, 1 + 1, 1 + 1, 0, np.log(4)],
    ]
    assert second == pytest.approx(np.array(expected_b), abs=1e-6)


def test_an_entry_that_only_the_own_group_shows_has_no_example() -> None:
    made = channels(groups=(3, 2), labels=((30,), (10,), (10,), (30,)))
    fused, dense = runs()
    (first, _) = made.features(fused, {"retriever": dense})
    names = list(made.names(["retriever"]))
    assert first[0, [names.index("no example"), names.index("log examples")]].tolist() == [1, 0]
    assert first[0, names.index("skill to nearest example")] == 0


def test_each_retriever_is_a_column() -> None:
    fused, dense = runs()
    words = [Ranking.from_scores("a", [30], [0.3]), Ranking.from_scores("b", [], [])]
    made = channels()
    first, second = made.features(fused, {"retriever": dense, "words": words})
    assert made.names(["retriever", "words"])[:3] == ("fused", "retriever", "words")
    assert first[:, 2].tolist() == [0.3, 0.3, 0.3] and second[:, 2].tolist() == [0.0, 0.0]


def test_a_part_has_the_same_features() -> None:
    fused, dense = runs()
    whole = channels().features(fused, {"retriever": dense})
    (alone,) = channels().part([1]).features(fused[1:], {"retriever": dense[1:]})
    assert np.array_equal(alone, whole[1])


def test_more_queries_than_a_block() -> None:
    number = 600
    many = Channels(
        groups=np.arange(number) + 10,
        views={"own": at(*np.linspace(0, 90, number))},
        voters=Voters(groups=np.array([1]), labels=[(30,)], views={"own": at(0)}),
        bank_ids=BANK,
        bank={},
    )
    rankings = [Ranking.from_scores(f"{row}", [30], [1.0]) for row in range(number)]
    found = np.concatenate(many.features(rankings, {}))[:, 1]
    assert found == pytest.approx(np.cos(np.radians(np.linspace(0, 90, number))) + 1, abs=1e-5)


def test_only_entries_that_a_voter_shows_take_memory() -> None:
    number = 200_000
    large = Channels(
        groups=np.arange(256) + 10,
        views={"own": at(*[0] * 256)},
        voters=Voters(groups=np.array([1]), labels=[(70_000,)], views={"own": at(0)}),
        bank_ids=np.arange(number),
        bank={},
    )
    rankings = [Ranking.from_scores(f"{row}", [70_000, 5], [1.0, 0.5]) for row in range(256)]
    tracemalloc.start()
    found = large.features(rankings, {})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[0][:, 1:] == pytest.approx(np.array([[2.0, 0, np.log(2)], [0, 1, 0]]))
    assert most < 50e6, "256 queries times the bank are 205 MB"


def test_rescored_orders_by_the_weighted_channels() -> None:
    fused, _ = runs()
    features = [np.array([[3.0, 0.0], [2.0, 2.0], [1.0, 1.0]]), np.array([[0.5, 0.0], [0.25, 0.0]])]
    first, second = rescored(fused, features, np.array([1.0, 2.0]), top=2)
    assert (first.ids.tolist(), first.scores.tolist()) == ([30, 10], [6.0, 3.0])
    assert second.ids.tolist() == [30, 10] and second.key == "b"


def test_impossible_input_is_refused() -> None:
    fused, dense = runs()
    with pytest.raises(ValueError, match=r"rankings of lengths \[1, 2\] for 2 queries"):
        channels().features(fused[:1], {"retriever": dense})
    strange = [fused[0], Ranking.from_scores("b", [99], [1.0])]
    with pytest.raises(ValueError, match="query b: candidate 99 is not in the bank"):
        channels().features(strange, {})
    voters = channels().voters
    with pytest.raises(ValueError, match="voters"):
        Channels(groups=np.array([1]), views={"skill": at(0)}, voters=voters, bank_ids=BANK, bank={})
    with pytest.raises(ValueError, match="entries of lengths"):
        Channels(
            groups=np.array([1]),
            views={"skill": at(0), "own": at(0)},
            voters=voters,
            bank_ids=BANK,
            bank={"skill": at(0)},
        )
