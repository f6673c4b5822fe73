"""Two-time retrieval: the model writes in its own words what the student got wrong; stage 1 searches again with it."""

import re
from collections.abc import Mapping

from core.errors import InputError
from core.records import Query
from core.tokenizer import ChatPart, Tokenizer
from rerank.prompt_question import QuestionWriter, Simplify, chat_around
from rerank.prompt_template import PromptTemplate

DESCRIBE_INSTRUCTION = (
    "You are an expert mathematics teacher. A student chose a wrong answer to a question. "
    "In one sentence, state the misconception that led to it: what the student believes or does, in general terms, "
    "without numbers of this question. Write that sentence only."
)
_ASK = "Misconception:"
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_BULLET = re.compile(r"^(?:[-*#>]+\s+|\d+[.)]\s+)+")
_OPENING = re.compile(
    r"^(?:the |student'?s? |likely |main )*misconception\b(?: here)?(?: is(?: that)?\b)?"
    r"\**(?:\s*:|\s+[-–](?=\s))?\**\s*",
    re.IGNORECASE,
)
_QUOTES = "\"'`*“”‘’ "


def describe_prompt(
    tokenizer: Tokenizer,
    query: Query,
    *,
    simplify: Simplify | None = None,
    subjects: Mapping[int, str] | None = None,
    with_hint: bool = False,
    max_tokens: int = 2048,
    instruction: str = DESCRIBE_INSTRUCTION,
) -> tuple[tuple[int, ...], int]:
    """Return the prompt, as token ids, that asks for the misconception behind a wrong answer, and how much was cut.

    Args:
        tokenizer: The model's tokenizer.
        query: The query.
        simplify: Applied to every text; as is where None.
        subjects: Subject id -> its text with its parents; the subject's own name where None.
        with_hint: Write the query's hint where it has one.
        max_tokens: The longest prompt; the question is cut in its middle to keep to it.
        instruction: What the model is to do.

    Returns:
        The prompt, and how many tokens of the question were left out.

    Raises:
        InputError: The shortest question exceeds `max_tokens`.
    """
    template = PromptTemplate(with_hint=with_hint, with_subjects=subjects is not None, max_tokens=max_tokens)
    head, tail = chat_around(tokenizer, [ChatPart(role="system", content=instruction)])
    ask = tokenizer.encode_text(_ASK)
    question = QuestionWriter(tokenizer, template, simplify=simplify, subjects=subjects).write(query)
    room = max_tokens - len(head) - len(ask) - len(tail)
    if room < question.least:
        raise InputError(
            f"query {query.key}: the instruction takes {max_tokens - room} tokens and the question {question.least} at "
            f"its shortest: over max_tokens = {max_tokens}. Raise max_tokens."
        )
    told, cut = question.fitted(room)
    return (*head, *told, *ask, *tail), cut


def parse_description(text: str, *, longest: int = 400) -> str | None:
    """Return the misconception that a model wrote, ready to search with, or None where it wrote none.

    Thoughts in `<think>` tags, an opening such as "Misconception:" and quotation marks go; of several paragraphs the
    first stays.

    Args:
        text: What was generated.
        longest: Characters to keep; a longer text is cut at a word.
    """
    text = _THOUGHT.sub("", text)
    if "<think>" in text:  # cut off before it stopped thinking
        return None
    paragraphs = [part for block in re.split(r"\n\s*\n", text) if (part := _cleaned(block))]
    if not paragraphs:
        return None
    first = paragraphs[0]
    if len(first) > longest:
        first = first[: longest + 1].rsplit(" ", 1)[0][:longest].rstrip(" ,;:")
    return first or None


def _cleaned(block: str) -> str:
    line = " ".join(block.split()).strip(_QUOTES)
    return _OPENING.sub("", _BULLET.sub("", line)).strip(_QUOTES)
