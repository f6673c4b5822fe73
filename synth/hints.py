"""Hints for wrong answers, asked of a language model through the ledger; a rejected answer is asked for again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.hint_table import Hint
from core.records import Query
from synth.asking import Asker, Request
from synth.hint_parsing import SCHEMA, Form, HintLimits, parse_hint
from synth.hint_prompt import HintPrompt
from synth.ledger import Asked, Ledger
from synth.verdicts import Verdict, rejected

TASK = "hint"
NO_ANSWER = "no answer"


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
        missing: The last rejection of each query that has no hint, in the same order.
        rejections: How many answers were rejected, by reason, those of earlier calls included.
    """

    hints: dict[str, WrittenHint]
    missing: dict[str, Verdict]
    rejections: Counter[str]


class HintWriter:
    """Asks one model for hints.

    Args:
        asker: Asks, and keeps every answer.
        ledger: The asker's.
        prompt: What is asked.
        form: What the answer looks like; `json` also sends a schema.
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
    ) -> None:
        self._asker, self._ledger = asker, ledger
        self._prompt, self._form = prompt, form
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
            schema=SCHEMA if self._form == "json" else None,
        )

    def write(self, queries: Sequence[Query]) -> HintsWritten:
        """Return a hint for each query that the model has a sound one for.

        Answers in the ledger count as attempts of an earlier call. A request that failed is not repeated in this call,
        but in the next.

        Args:
            queries: With distinct keys; put those of a question next to each other.

        Raises:
            AskingError: Nothing is answered any more.
            InputError: The ledger cannot be written.
        """
        found: dict[str, WrittenHint] = {}
        missing: dict[str, Verdict] = {}
        rejections: Counter[str] = Counter()

        def judge(query: Query, asked: Asked) -> bool:
            """Note what an answer is; return whether another attempt may be made in this call."""
            parsed = self._parsed(asked)
            if isinstance(parsed, Hint):
                found[query.key] = WrittenHint(hint=parsed, asked=asked)
                missing.pop(query.key, None)
                return False
            missing[query.key] = parsed
            rejections[parsed.reason or ""] += 1
            return asked.error is None

        waiting = []
        for query in queries:
            attempt = 0
            while (known := self._ledger.get(self._asker.key(self.request(query, attempt)))) is not None:
                if known.error is not None:
                    break
                if not judge(query, known):
                    break
                attempt += 1
            if query.key not in found:
                waiting.append((query, attempt))
        for _ in range(self._sampling.attempts):
            waiting.sort(key=lambda pair: pair[1])  # requests of one seed and temperature share a batch
            answers = self._asker.ask([self.request(query, attempt) for query, attempt in waiting])
            waiting = [
                (query, attempt + 1)
                for (query, attempt), asked in zip(waiting, answers, strict=True)
                if judge(query, asked)
            ]
        keys = [query.key for query in queries]
        return HintsWritten(
            hints={key: found[key] for key in keys if key in found},
            missing={key: missing[key] for key in keys if key in missing},
            rejections=rejections,
        )

    def _parsed(self, asked: Asked) -> Hint | Verdict:
        if asked.error is not None:
            return rejected(NO_ANSWER, detail=asked.error[:200])
        return parse_hint(asked.text, finish_reason=asked.finish_reason, form=self._form, limits=self._limits)
