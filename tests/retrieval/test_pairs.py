import pytest

from core.errors import InputError
from core.records import Question, queries_of
from retrieval.pairs import TrainingPair, training_pairs

QUESTION = Question(
    id=5, text="What is 1/2 + 1/3?", answers=("5/6", "2/5", "1/6", "1/5"), correct="A", labels=((), (7, 9), (4,), ())
)


def test_one_pair_per_query_and_label_with_the_others_kept_away() -> None:
    pairs = training_pairs(queries_of([QUESTION]), ["b", "c", "d"], ["b!", None, "d!"])
    assert pairs == [
        TrainingPair(query_key="5_B", query_text="b", positive_id=7, other_labels=(9,), hinted_text="b!"),
        TrainingPair(query_key="5_B", query_text="b", positive_id=9, other_labels=(7,), hinted_text="b!"),
        TrainingPair(query_key="5_C", query_text="c", positive_id=4),
    ]
    assert pairs[0].labels == (7, 9)
    assert all(pair.weight == 1.0 for pair in pairs)


def test_a_weight_is_given_to_every_pair() -> None:
    assert {pair.weight for pair in training_pairs(queries_of([QUESTION]), ["b", "c", "d"], weight=0.3)} == {0.3}


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        training_pairs(queries_of([QUESTION]), ["b", "c"])


def test_without_any_label_there_is_nothing_to_train_on() -> None:
    with pytest.raises(InputError, match="nothing to train on"):
        training_pairs(queries_of([QUESTION])[2:], ["d"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"query_text": " "}, "empty"),
        ({"weight": 0.0}, "weight"),
        ({"other_labels": (1,)}, "both"),
        ({"hinted_text": ""}, "empty"),
    ],
)
def test_a_pair_checks_itself(wrong: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {"query_key": "1_A", "query_text": "t", "positive_id": 1, **wrong}
    with pytest.raises(ValueError, match=message):
        TrainingPair(**fields)  # type: ignore[arg-type]
