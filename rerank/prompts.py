"""Prompts of the listwise and the pointwise reranker, as token ids: one function for training and inference.

The instruction, the examples and the question come first, the candidates last, so that all orders of a query's
candidates (and, but for the wrong answer, all queries of a question) share their beginning in an engine's prefix cache.
The label is the first token of the assistant's answer. What people wrote is never read as a control token.
"""

from collections.abc import Mapping, Sequence

from core.records import Misconception, Query
from core.tokenizer import ChatPart, Tokenizer
from rerank.labels import ALPHABETS, DIGITS, LETTERS, label_tokens
from rerank.prompt_question import Simplify, chat_around
from rerank.prompt_template import (
    LISTWISE_INSTRUCTION,
    NONE_TEXT,
    POINTWISE_INSTRUCTION,
    QUESTION_FIELDS,
    Example,
    PromptTemplate,
    QuestionField,
)
from rerank.prompter import BuiltPrompt, Prompter

__all__ = [
    "ALPHABETS",
    "DIGITS",
    "LETTERS",
    "QUESTION_FIELDS",
    "BuiltPrompt",
    "Example",
    "ListwisePrompter",
    "PointwisePrompter",
    "PromptTemplate",
    "QuestionField",
]


class ListwisePrompter(Prompter):
    """Writes prompts that show all candidates at once, one a line, and ask for a label.

    Attributes:
        template: The form of the prompts.
        tokenizer: The model's tokenizer.
        labels: The labels and their tokens, "none of these" included where the template has it.

    Args:
        tokenizer: The model's tokenizer.
        template: The form of the prompts.
        simplify: Applied to every text, e.g. `retrieval.text.simplify_latex`; as is where None. Put it into manifests.
        subjects: Subject id -> its text with its parents; needed where the template says `with_subjects`.

    Raises:
        ModelError: A label is not one token of its own in its place.
        ValueError: The template wants subjects and there are none, or an example has more candidates than labels.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: PromptTemplate,
        *,
        simplify: Simplify | None = None,
        subjects: Mapping[int, str] | None = None,
    ) -> None:
        super().__init__(tokenizer, template, instruction=LISTWISE_INSTRUCTION, simplify=simplify, subjects=subjects)
        encode = tokenizer.encode_text
        self._heading, self._separator = encode("Misconceptions:\n"), encode(template.separator)
        self._none = encode(f" {NONE_TEXT}\n") if template.none_label else []
        head, tail = chat_around(tokenizer, [self._system])
        self.labels = label_tokens(tokenizer, [*head, *self._closing, *tail], template.alphabet)
        self._frame(tuple(range(len(template.examples))))  # an example that does not fit is told now

    @property
    def capacity(self) -> int:
        """The most candidates in one prompt."""
        return len(self.labels) - int(self.template.none_label)

    def build(self, query: Query, candidates: Sequence[Misconception]) -> BuiltPrompt:
        """Return the prompt that shows the candidates in the order given.

        Args:
            query: The query.
            candidates: 1 to `capacity` of them, distinct, in any order: element s stands in slot s.

        Raises:
            InputError: Candidates and the shortest question exceed `max_tokens`.
            ValueError: None or too many candidates, or one twice.
        """
        ids = [candidate.id for candidate in candidates]
        if not 1 <= len(ids) <= self.capacity or len(set(ids)) != len(ids):
            raise ValueError(
                f"query {query.key}: expected 1 to {self.capacity} distinct candidates; got {len(ids)}, "
                f"{len(set(ids))} distinct"
            )
        token_ids, cut, shared = self._assemble(
            query,
            self._body(candidates),
            before_candidates=len(self._heading),
            candidates=len(ids),
        )
        slots: tuple[int | None, ...] = (*ids, None) if self.template.none_label else tuple(ids)
        return BuiltPrompt(
            token_ids=token_ids,
            label_ids=self.labels.ids[: len(slots)],
            cut_tokens=cut,
            candidate_ids=slots,
            shared_tokens=shared,
        )

    def _body(self, candidates: Sequence[Misconception]) -> list[int]:
        """Return the lines of the list. A slot's label is the very token that is read as the answer."""
        body = list(self._heading)
        for label, candidate in zip(self.labels.ids, candidates, strict=False):
            body += (label, *self._separator, *self._candidate(candidate))
        if self.template.none_label:
            body += (self.labels.ids[len(candidates)], *self._separator, *self._none)
        return [*body, *self._closing]

    def _turns(self, example: Example) -> list[ChatPart]:
        ids = [candidate.id for candidate in example.candidates]
        if len(ids) > self.capacity:
            raise ValueError(f"example {example.query.key}: {len(ids)} candidates for {self.capacity} labels")
        slot = len(ids) if example.answer is None else ids.index(example.answer)
        question = self._question.write(example.query)
        told, _ = question.fitted(len(question))
        return [
            ChatPart(role="user", content=(*told, *self._body(example.candidates))),
            ChatPart(role="assistant", content=(self.labels.ids[slot],)),
        ]


class PointwisePrompter(Prompter):
    """Writes prompts that show one candidate and ask for Yes or No.

    Attributes:
        template: The form of the prompts; alphabet and none label are not read.
        tokenizer: The model's tokenizer.
        labels: Yes and No with their tokens.

    Args and errors are those of `ListwisePrompter`; an example becomes one turn a candidate.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: PromptTemplate,
        *,
        simplify: Simplify | None = None,
        subjects: Mapping[int, str] | None = None,
    ) -> None:
        super().__init__(tokenizer, template, instruction=POINTWISE_INSTRUCTION, simplify=simplify, subjects=subjects)
        self._heading = tokenizer.encode_text("Misconception:")
        head, tail = chat_around(tokenizer, [self._system])
        self.labels = label_tokens(tokenizer, [*head, *self._closing, *tail], ("Yes", "No"))
        self._frame(tuple(range(len(template.examples))))  # an example that does not fit is told now

    def build(self, query: Query, candidate: Misconception) -> BuiltPrompt:
        """Return the prompt that asks whether the candidate explains the wrong answer.

        Raises:
            InputError: The candidate and the shortest question exceed `max_tokens`.
        """
        token_ids, cut, shared = self._assemble(
            query, self._body([candidate]), before_candidates=len(self._heading), candidates=1
        )
        return BuiltPrompt(
            token_ids=token_ids,
            label_ids=self.labels.ids,
            cut_tokens=cut,
            candidate_ids=(candidate.id,),
            shared_tokens=shared,
        )

    def _body(self, candidates: Sequence[Misconception]) -> list[int]:
        [candidate] = candidates
        return [*self._heading, *self._candidate(candidate), *self._closing]

    def _turns(self, example: Example) -> list[ChatPart]:
        question = self._question.write(example.query)
        told, _ = question.fitted(len(question))
        turns = []
        for candidate in example.candidates:
            label = self.labels.ids[0 if candidate.id == example.answer else 1]
            turns.append(ChatPart(role="user", content=(*told, *self._body([candidate]))))
            turns.append(ChatPart(role="assistant", content=(label,)))
        return turns
