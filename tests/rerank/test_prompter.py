"""What both prompters share: room for a prompt, and examples that must not show a query its answer."""

from dataclasses import replace

import pytest

from core.errors import InputError
from core.records import Misconception, Query, Question
from core.tokenizer import TransformersTokenizer
from rerank.prompts import Example, ListwisePrompter, PointwisePrompter, PromptTemplate

QUESTION = Question(id=1, text="What is \\( 2 + 3 \\)? " + "Say why. " * 30, answers=("5", "6", "1", "9"), correct="A")
QUERY = Query(question=QUESTION, letter="B")
BANK = [Misconception(id=id, name="believes " + "much " * id) for id in range(6)]


def test_the_room_is_that_of_the_longest_lines_to_the_token(any_tokenizer: TransformersTokenizer) -> None:
    long = ListwisePrompter(any_tokenizer, PromptTemplate())
    assert [entry.id for entry in long.longest(BANK, 3)] == [5, 4, 3]
    assert long.longest(BANK, 6) is BANK
    whole = long.build(QUERY, [BANK[id] for id in (5, 4, 3)])
    question = len(long._told(QUERY))
    needed = len(whole.token_ids) - question + long._told(QUERY).least
    fits = ListwisePrompter(any_tokenizer, PromptTemplate(max_tokens=needed))
    fits.require_room([(QUERY, BANK)], shown=3)
    assert len(fits.build(QUERY, [BANK[id] for id in (5, 4, 3)]).token_ids) == needed
    tight = ListwisePrompter(any_tokenizer, PromptTemplate(max_tokens=needed - 1))
    with pytest.raises(InputError, match=f"query 1_B: 3 candidates.*can take {needed} tokens"):
        tight.require_room([(QUERY, BANK)], shown=3)
    with pytest.raises(InputError, match="3 candidates and the instruction take"):
        tight.build(QUERY, [BANK[id] for id in (5, 4, 3)])
    tight.require_room([(QUERY, BANK)], shown=2)


def test_a_pair_has_room_where_its_longest_candidate_has(byte_tokenizer: TransformersTokenizer) -> None:
    prompter = PointwisePrompter(byte_tokenizer, PromptTemplate())
    needed = len(prompter.build(QUERY, BANK[5]).token_ids) - len(prompter._told(QUERY)) + prompter._told(QUERY).least
    PointwisePrompter(byte_tokenizer, PromptTemplate(max_tokens=needed)).require_room([(QUERY, BANK)], shown=1)
    with pytest.raises(InputError, match="1 candidates"):
        PointwisePrompter(byte_tokenizer, PromptTemplate(max_tokens=needed - 1)).require_room([(QUERY, BANK)], shown=1)


@pytest.mark.parametrize("kind", [ListwisePrompter, PointwisePrompter])
def test_an_example_of_the_same_question_is_left_out(
    byte_tokenizer: TransformersTokenizer, kind: type[ListwisePrompter] | type[PointwisePrompter]
) -> None:
    other = Query(question=Question(id=7, text="Other?", answers=("1", "2", "3", "4"), correct="A"), letter="C")
    examples = tuple(Example(query=query, candidates=(BANK[1],), answer=1) for query in (QUERY, other))
    prompter = kind(byte_tokenizer, PromptTemplate(examples=examples))

    def turns(question: Question) -> tuple[int, bool]:
        asked = replace(QUERY, question=question)
        shown = BANK[2] if isinstance(prompter, PointwisePrompter) else [BANK[2]]
        text = byte_tokenizer.decode(prompter.build(asked, shown).token_ids)  # type: ignore[arg-type]
        return text.count("<|im_start|>assistant") - 1, "Question: Other?" in text

    assert turns(QUESTION) == (1, True)
    # A copy under another id and in other spacing: the example would show its answer too.
    copy = replace(QUESTION, id=99, text=QUESTION.text.replace("2 + 3", "2+3").upper())
    assert turns(copy) == (1, True)
    assert turns(replace(QUESTION, id=1, text="Same id")) == (1, True)
    assert turns(replace(QUESTION, id=99, text="New")) == (2, True)
