from dataclasses import replace

from made_rows import made_question

from synth.question_text import shown_question


def test_a_question_is_shown_as_it_stands() -> None:
    question = replace(made_question(), subject="BIDMAS")
    told = "Question: What is \\( 3 + 4 \\times 2 \\)?\nA) \\( 11 \\)\nB) \\( 14 \\)\nC) \\( 9 \\)\nD) \\( 24 \\)"
    assert shown_question(question) == told
    assert shown_question(question, with_topic=True) == f"Topic: BIDMAS\n{told}"
