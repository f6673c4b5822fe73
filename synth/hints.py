"""Hints for wrong answers, asked of a language model through the ledger; a rejected answer is asked for again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from core.hint_table import Hint
from core.records import Query
from synth.asking import Asker, Request
from synth.hint_parsing import SCHEMA, Form, HintLimits, parse_hint
from synth.hint_prompt import HintPrompt
from synth.ledger import Asked, Ledger
from synth.replies import ReplyError, read_text
from synth.verdicts import Verdict, rejected

TASK = "hint"


@dataclass(frozen=True, kw_only=True)
class HintSampling:
    """How answers are drawn.

    Attributes:
        max_tokens: Longest answer, in tokens.
        temperature: Of a query's first attempt; 0 is greedy.
        retry_temperature: Of further attempts, at least: a greedy model would repeat itself.
        seed: Of the first attempt; each further one takes the next.
        attempts: Answers asked for a query in one call, at most; the next call goes on from there.

    Raises:
        ValueError: A number is out of range.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    retry_temperature: float = 0.7
    seed: int = 0
    attempts: int = 2

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.attempts < 1 or self.temperature < 0 or self.retry_temperature <= 0:
            raise ValueError(
                "expected max_tokens and attempts of at least 1, temperature >= 0, retry_temperature > 0; got "
                f"{self.max_tokens}, {self.attempts}, {self.temperature}, {self.retry_temperature}"
            )


@dataclass(frozen=True, kw_only=True)
class WrittenHint:
    """A hint and the request that it came from."""

    hint: Hint
    asked: Asked


@dataclass(frozen=True, kw_only=True)
class HintsWritten:
    """What came of asking.

    Attributes:
        hints: By query key, in the order of the queries.
        missing: The last rejection of each query that was asked about and has no hint, in the same order.
        rejections: How many answers were rejected, by reason, those of earlier calls included.
    """

    hints: dict[str, WrittenHint]
    missing: dict[str, Verdict]
    rejections: Counter[str]


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """Where a query stands: its hint if there is one, its rejected answers, and the attempt that comes next."""

    found: WrittenHint | None
    rejections: tuple[Verdict, ...]
    attempt: int


class HintWriter:
    """Asks one model for hints.

    Args:
        asker: Asks, and keeps every answer.
        ledger: The asker's.
        prompt: What is asked.
        form: What the answer looks like.
        guided: With the form `json`: send its schema to the engine.
        sampling: How answers are drawn.
        limits: What a hint must keep.
    """

    def __init__(
        self,
        asker: Asker,
        ledger: Ledger,
        *,
        prompt: HintPrompt,
        form: Form,
        sampling: HintSampling,
        limits: HintLimits,
        guided: bool = True,
    ) -> None:
        self._asker, self._ledger = asker, ledger
        self._prompt, self._form, self._guided = prompt, form, guided
        self._sampling, self._limits = sampling, limits

    def request(self, query: Query, attempt: int) -> Request:
        """Return a query's request.

        Args:
            query: The query; its labels and its hint are not read.
            attempt: From 0.
        """
        drawn = self._sampling
        return Request(
            task=TASK,
            row=query.key,
            messages=self._prompt.messages(query),
            max_tokens=drawn.max_tokens,
            temperature=max(drawn.temperature, drawn.retry_temperature) if attempt else drawn.temperature,
            seed=drawn.seed + attempt,
            schema=SCHEMA if self._form == "json" and self._guided else None,
        )

    def write(self, queries: Sequence[Query]) -> HintsWritten:
        """Ask for a hint of each query that has none yet, and return what came of all calls so far.

        Answers in the ledger count as attempts of an earlier call. A request that failed is not repeated in this call,
        but in the next.

        Args:
            queries: With distinct keys; put those of a question next to each other.

        Raises:
            AskingError: Nothing is answered any more.
            InputError: The ledger cannot be written.
        """
        standing = [(query, self._standing(query)) for query in queries]
        waiting = [(query, stands.attempt) for query, stands in standing if stands.found is None]
        for _ in range(self._sampling.attempts):
            waiting.sort(key=lambda pair: pair[1])  # requests of one seed and temperature share a batch
            answers = self._asker.ask([self.request(query, attempt) for query, attempt in waiting])
            waiting = [
                (query, attempt + 1)
                for (query, attempt), asked in zip(waiting, answers, strict=True)
                if asked.error is None and isinstance(self._parsed(asked), Verdict)
            ]
        return self.collect(queries)

    def collect(self, queries: Sequence[Query]) -> HintsWritten:
        """Return what the ledger holds for the queries; nothing is asked."""
        made = HintsWritten(hints={}, missing={}, rejections=Counter())
        for query in queries:
            stands = self._standing(query)
            made.rejections.update(verdict.reason or "" for verdict in stands.rejections)
            if stands.found is not None:
                made.hints[query.key] = stands.found
            elif stands.rejections:
                made.missing[query.key] = stands.rejections[-1]
        return made

    def _standing(self, query: Query) -> _Standing:
        rejections: list[Verdict] = []
        for attempt in count():
            asked = self._ledger.get(self._asker.key(self.request(query, attempt)))
            if asked is None:
                return _Standing(found=None, rejections=tuple(rejections), attempt=attempt)
            parsed = self._parsed(asked)
            if isinstance(parsed, Hint):
                found = WrittenHint(hint=parsed, asked=asked)
                return _Standing(found=found, rejections=tuple(rejections), attempt=attempt)
            rejections.append(parsed)
            if asked.error is not None:
                return _Standing(found=None, rejections=tuple(rejections), attempt=attempt)
        raise AssertionError("a ledger has an end")

    def _parsed(self, asked: Asked) -> Hint | Verdict:
        try:
            text = read_text(asked)
        except ReplyError as error:
            return rejected(error.reason, detail=error.detail)
        return parse_hint(text, form=self._form, limits=self._limits)
