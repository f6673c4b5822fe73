"""The question in a prompt."""

import pytest

from core.records import Query, Question
from core.tokenizer import ChatPart, TransformersTokenizer
from rerank.prompt_question import LEAST_QUESTION, QuestionTokens, QuestionWriter, chat_around
from rerank.prompt_template import PromptTemplate

QUERY = Query(
    question=Question(
        id=1,
        text=" What is \\( 2^{3} \\)?\n",
        answers=("8", "6", "5", "9"),
        correct="A",
        construct="Calculate powers",
        subject="Indices",
        subject_id=7,
    ),
    letter="B",
    hint="Multiplied.",
)


def told(tokenizer: TransformersTokenizer, template: PromptTemplate, **options: object) -> str:
    written = QuestionWriter(tokenizer, template, **options).write(QUERY)  # type: ignore[arg-type]
    return tokenizer.decode([*written.before, *written.text, *written.after, *written.hint])


def test_the_question_by_eye(any_tokenizer: TransformersTokenizer) -> None:
    assert told(any_tokenizer, PromptTemplate()) == (
        "Skill: Calculate powers\nSubject: Indices\nQuestion: What is \\( 2^{3} \\)?\n"
        "Correct answer: 8\nStudent's wrong answer: 6\n"
    )


def test_options_by_eye(byte_tokenizer: TransformersTokenizer) -> None:
    template = PromptTemplate(fields=("subject", "incorrect"), with_hint=True, with_subjects=True)
    text = told(byte_tokenizer, template, subjects={7: "Number > Indices"}, simplify=str.upper)
    assert (
        text == "Subject: NUMBER > INDICES\nStudent's wrong answer: 6\nA colleague's guess at the cause: MULTIPLIED.\n"
    )
    assert "Subject: Indices" in told(byte_tokenizer, template, subjects={8: "Algebra"})
    with pytest.raises(ValueError, match="pass `subjects`"):
        QuestionWriter(byte_tokenizer, template)


def test_the_question_may_stand_last(byte_tokenizer: TransformersTokenizer) -> None:
    text = told(byte_tokenizer, PromptTemplate(fields=("incorrect", "question")))
    assert text == "Student's wrong answer: 6\nQuestion: What is \\( 2^{3} \\)?\n"


def tokens(text: int, hint: int) -> QuestionTokens:
    return QuestionTokens(
        before=(-1, -2), text=tuple(range(text)), after=(-3,), hint=tuple(range(100, 100 + hint)), marker=(-9,)
    )


def test_the_text_is_cut_first_and_the_hint_after_it() -> None:
    question = tokens(40, 30)
    assert (len(question), question.least) == (73, 3 + 2 * LEAST_QUESTION)
    assert question.fitted(80) == ([-1, -2, *range(40), -3, *range(100, 130)], 0)
    shorter, cut = question.fitted(72)
    assert (len(shorter), cut) == (72, 2)  # a place goes to the marker
    assert shorter == [-1, -2, *range(19), -9, *range(21, 40), -3, *range(100, 130)]
    shortest, cut = question.fitted(question.least)
    assert (len(shortest), cut) == (question.least, 25 + 15)
    assert shortest[:3] == [-1, -2, 0]
    with pytest.raises(ValueError, match="needs 35 tokens"):
        question.fitted(34)


@pytest.mark.parametrize(("text", "hint"), [(0, 0), (3, 0), (0, 50), (90, 2), (16, 16)])
def test_every_room_is_kept_to(text: int, hint: int) -> None:
    question = tokens(text, hint)
    for room in range(question.least, len(question) + 3):
        kept, cut = question.fitted(room)
        assert len(kept) == min(room, len(question))
        assert (cut == 0) == (room >= len(question))
        assert [token for token in kept if token in (-1, -2, -3)] == [-1, -2, -3]


def test_a_chat_is_parted_around_its_last_content(byte_tokenizer: TransformersTokenizer) -> None:
    head, tail = chat_around(byte_tokenizer, [ChatPart(role="system", content="Judge.")])
    assert byte_tokenizer.decode(head) == "<|im_start|>system\nJudge.<|im_end|>\n<|im_start|>user\n"
    assert byte_tokenizer.decode(tail) == "<|im_end|>\n<|im_start|>assistant\n"
