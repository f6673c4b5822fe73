from core.records import Question
from eval.groups import question_groups, text_overlap


def question(id: int, text: str) -> Question:
    return Question(id=id, text=text, answers=("1", "2", "3", "4"), correct="A")


def test_components_link_through_ids_and_texts() -> None:
    questions = [
        question(1, "first"),
        question(2, "second"),
        question(3, "Third"),
        question(2, "first"),  # links 1 and 2
        question(4, "third "),
        question(5, r"Work out \( 1 + 2 \)"),
        question(6, r"Work out \(1+2\)"),
    ]
    assert question_groups(questions).tolist() == [0, 0, 1, 0, 1, 2, 2]


def test_no_questions_no_groups() -> None:
    assert question_groups([]).tolist() == []


def test_overlap_counts_test_questions() -> None:
    train = [question(1, "One"), question(2, "two")]
    assert text_overlap(train, [question(8, "ONE"), question(9, " one"), question(10, "three")]) == 2
