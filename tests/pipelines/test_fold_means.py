from core.records import Query, Question, Ranking
from pipelines.fold_means import fold_means, means_table
from pipelines.measures import measure


def fold(ranks, seen):
    """Measure a fold whose queries have label 1 at the given ranks, among 30 candidates."""
    queries, rankings = [], []
    for number, rank in enumerate(ranks):
        labels = ((), (1,), (), ())
        asked = Question(id=number, text=f"q{number}", answers=("1", "2", "3", "4"), correct="A", labels=labels)
        queries.append(Query(question=asked, letter="B"))
        ids = [2 + place for place in range(29)]
        ids.insert(rank - 1, 1)
        rankings.append(Ranking.from_scores(f"{number}_B", ids, [float(-place) for place in range(30)]))
    return measure({"run": rankings}, queries, candidates="run", seen=frozenset(seen), resamples=100)


def test_every_fold_counts_alike_whatever_its_size():
    means = fold_means([fold([1, 1, 1], [1]), fold([2], [1])])
    cell = means[0].cell("all", "map@25")
    assert (cell.mean, cell.low, cell.high, cell.splits) == (0.75, 0.5, 1.0, 2)  # (1 + 1/2) / 2
    assert means[0].cell("all", "recall@1").mean == 0.5
    assert means[0].cell("unseen", "map@25") is None


def test_a_slice_that_a_fold_lacks_is_averaged_over_the_others():
    means = fold_means([fold([1], [1]), fold([4], [])])
    assert means[0].cell("unseen", "map@25").rounded() == [0.25, 0.25, 0.25]
    assert means[0].cell("seen", "map@25").splits == 1


def test_the_table_has_a_line_a_run_and_shows_what_is_missing():
    text = means_table(fold_means([fold([1], [1])]))
    assert text.splitlines()[1].split() == ["run", "1.0000", "1.0000", "–", "1.0000", "–"]
