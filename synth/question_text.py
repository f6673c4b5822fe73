"""A question as a language model is shown it."""

from core.records import LETTERS, Question


def shown_question(question: Question, *, with_topic: bool = False) -> str:
    """Return the question's text and its four answers, a line each, LaTeX as it came.

    Args:
        question: The question.
        with_topic: Put subject and construct before it, where it has them.
    """
    lines = []
    if with_topic:
        named = (("Topic", question.subject), ("Skill", question.construct))
        lines += [f"{name}: {text}" for name, text in named if text]
    lines.append(f"Question: {question.text.strip()}")
    lines += [f"{letter}) {answer.strip()}" for letter, answer in zip(LETTERS, question.answers, strict=True)]
    return "\n".join(lines)
