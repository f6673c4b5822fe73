"""What the prompts of both rerankers share: the frame of the chat, the question, candidates as tokens, the budget."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.errors import InputError
from core.records import Misconception, Query
from core.text import normalise
from core.tokenizer import ChatPart, Tokenizer
from rerank.prompt_budget import require_room
from rerank.prompt_question import QuestionWriter, Simplify, chat_around
from rerank.prompt_template import Example, PromptTemplate, one_line

_KEPT_LINES = 1 << 16
_KEPT_QUESTIONS = 1 << 12  # lengths are checked before the first prompt is asked: the questions need not be read twice


@dataclass(frozen=True, kw_only=True)
class BuiltPrompt:
    """One prompt.

    Attributes:
        token_ids: The prompt.
        label_ids: The tokens whose scores are asked: listwise one a slot, pointwise Yes and No.
        cut_tokens: Tokens of the question that were cut away to keep to the budget.
        candidate_ids: The misconception in each slot; None is "none of these", always the last slot.
        shared_tokens: Length of the beginning that holds no candidate: equal for all orders of the same candidates.
    """

    token_ids: tuple[int, ...]
    label_ids: tuple[int, ...]
    cut_tokens: int
    candidate_ids: tuple[int | None, ...]
    shared_tokens: int


class Prompter(ABC):
    """The base of `rerank.prompts.ListwisePrompter` and `PointwisePrompter`, whose arguments it takes.

    An example of a query's own question would show one of its answers, so that query's prompt goes without it.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: PromptTemplate,
        *,
        instruction: str,
        simplify: Simplify | None,
        subjects: Mapping[int, str] | None,
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self._system = ChatPart(role="system", content=template.instruction or instruction)
        self._question = QuestionWriter(tokenizer, template, simplify=simplify, subjects=subjects)
        self._told = lru_cache(maxsize=_KEPT_QUESTIONS)(self._question.write)
        self._closing = tuple(tokenizer.encode_text(template.closing))
        self._candidate = lru_cache(maxsize=_KEPT_LINES)(self._encode_candidate)
        self._frame = lru_cache(maxsize=None)(self._write_frame)
        self._solved = [(item.query.question.id, normalise(item.query.question.text)) for item in template.examples]

    def require_room(self, lists: Iterable[tuple[Query, Sequence[Misconception]]], *, shown: int) -> None:
        """Refuse prompts that no cut of the question would make fit.

        Args:
            lists: Queries with all the candidates they may be asked about, at least one each: the `shown` with the
                longest lines are taken.
            shown: The most candidates in one prompt, at most what it takes.

        Raises:
            InputError: A prompt is too long; see `rerank.prompt_budget.require_room`.
        """
        needed = {query.key: self._needed(query, self.longest(candidates, shown)) for query, candidates in lists}
        require_room(needed, max_tokens=self.template.max_tokens, shown=shown)

    def longest(self, candidates: Sequence[Misconception], shown: int) -> Sequence[Misconception]:
        """Return the candidates with the longest lines, at most `shown`; as they came where there are no more."""
        if len(candidates) <= shown:
            return candidates
        return sorted(candidates, key=lambda entry: -len(self._candidate(entry)))[:shown]

    def _needed(self, query: Query, candidates: Sequence[Misconception]) -> int:
        """Return the tokens of a prompt whose question is cut as far as it may be."""
        head, tail = self._around(query)
        return len(head) + len(tail) + self._told(query).least + len(self._body(candidates))

    def _around(self, query: Query) -> tuple[list[int], list[int]]:
        """Return what stands before the question and behind the candidates."""
        if not self._solved:
            return self._frame(())
        id, text = query.question.id, normalise(query.question.text)
        return self._frame(tuple(n for n, (own, copy) in enumerate(self._solved) if own != id and copy != text))

    def _write_frame(self, examples: tuple[int, ...]) -> tuple[list[int], list[int]]:
        turns = [turn for number in examples for turn in self._turns(self.template.examples[number])]
        return chat_around(self.tokenizer, [self._system, *turns])

    @abstractmethod
    def _turns(self, example: Example) -> list[ChatPart]:
        """Return a solved example as turns of the chat."""

    @abstractmethod
    def _body(self, candidates: Sequence[Misconception]) -> list[int]:
        """Return the tokens that stand between the question and the end: candidates and closing words."""

    def _encode_candidate(self, candidate: Misconception) -> tuple[int, ...]:
        plain = self._question.plain
        explained = self.template.with_explanations and candidate.explanation
        text = one_line([plain(candidate.name), plain(candidate.explanation or "") if explained else None])
        return tuple(self.tokenizer.encode_text(f" {text}\n"))

    def _assemble(
        self, query: Query, body: Sequence[int], *, before_candidates: int, candidates: int
    ) -> tuple[tuple[int, ...], int, int]:
        """Return the whole prompt, what was cut, and the length of the shared beginning."""
        head, tail = self._around(query)
        question = self._told(query)
        room = self.template.max_tokens - len(head) - len(body) - len(tail)
        if room < question.least:
            raise InputError(
                f"query {query.key}: {candidates} candidates and the instruction take "
                f"{self.template.max_tokens - room} tokens and the question {question.least} at its shortest: over "
                f"max_tokens = {self.template.max_tokens}. Raise max_tokens, show fewer candidates at once (windows), "
                "or leave out explanations or examples; candidates are never cut."
            )
        written, cut = question.fitted(room)
        ids = (*head, *written, *body, *tail)
        return ids, cut, len(head) + len(written) + before_candidates
