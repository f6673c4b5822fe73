"""What stage 2 asks of a language model: exact scores of some next tokens, or a text.

`core/transformers_engine.py`, `core/vllm_engine.py` and `core/vllm_server.py` implement both; vLLM in process also
gives each text as soon as it is there (`StreamingGenerator`).
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from core.errors import UserError

Float32Array = npt.NDArray[np.float32]
TokenIds = Sequence[int]


class ScoringError(UserError):
    """A label's score did not come back, or is no number: never replaced by a default.

    Args:
        faults: See `UserError`.
        prompt: Number of the prompt in the call, from 0, so that a reranker can name its query; None where not known.
    """

    def __init__(self, faults: str | Iterable[str], *, prompt: int | None = None) -> None:
        super().__init__(faults)
        self.prompt = prompt


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelScores:
    """The next token's scores after one prompt.

    Attributes:
        logprobs: Log-softmax over the prompt's own labels, float32, shape (labels,), in the order they were asked in.
        mass: The labels' total probability in the whole vocabulary, 0 to 1; None where the engine cannot know it.
    """

    logprobs: Float32Array
    mass: float | None


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One generated text, or why there is none.

    Attributes:
        text: What was generated; empty after an error.
        finish_reason: `stop` (the model ended, or the schema is complete), `length` (cut at `max_tokens`) or `error`.
        prompt_tokens: Tokens read.
        output_tokens: Tokens written.
        error: What went wrong; None where nothing did.
    """

    text: str
    finish_reason: Literal["stop", "length", "error"]
    prompt_tokens: int
    output_tokens: int
    error: str | None = None


@dataclass(kw_only=True)
class EngineStats:
    """What an engine has done since it was opened; counts only grow.

    Attributes:
        prompts: Prompts scored or continued.
        prompt_tokens: Their tokens.
        cached_tokens: How many of those came out of the prefix cache; 0 where the engine does not say.
        seconds: Wall time inside the engine, loading left out.
        path: How exact scores are asked for, e.g. `logprob_token_ids`; empty before the first call.
    """

    prompts: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    path: str = ""


class TokenScorer(Protocol):
    """Scores given next tokens exactly."""

    @property
    def stats(self) -> EngineStats:
        """Counts since the engine was opened."""
        ...

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """Return the scores of each prompt's labels as its next token.

        Args:
            prompts: Token ids, n prompts, none empty.
            labels: The tokens to score after each prompt, n lists of distinct ids, at least one each; they may differ.

        Returns:
            n scores in the order of the prompts.

        Raises:
            ScoringError: A label's score did not come back, or is NaN or infinite; names the prompt.
            ValueError: Lengths differ, a prompt or a label list is empty, or a label stands twice.
        """
        ...


class TextGenerator(Protocol):
    """Continues prompts with text."""

    @property
    def stats(self) -> EngineStats:
        """Counts since the engine was opened."""
        ...

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Generation]:
        """Return one continuation of each prompt; a request that failed is a `Generation` with its error.

        Args:
            prompts: Token ids, n prompts.
            max_tokens: Longest continuation, in tokens.
            temperature: 0 is greedy.
            seed: Of the sampling.
            schema: A JSON schema that the text must follow; engines that cannot constrain decoding leave it to the
                caller's strict parsing.
        """
        ...


@runtime_checkable
class StreamingGenerator(TextGenerator, Protocol):
    """Gives each text as soon as it is there, and takes the next prompt in its place."""

    def generate_each(
        self,
        prompts: Iterable[TokenIds],
        *,
        in_flight: int,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> Generator[list[tuple[int, Generation]]]:
        """Yield (place of the prompt, its continuation) of the prompts that ended together, as they end.

        Closed before its end, or ended by an error, it leaves nothing of itself in the engine; until then the engine
        can be asked nothing else.

        Args:
            prompts: Token ids; each is taken when there is room for it.
            in_flight: Prompts that are worked on or wait in the engine at most, at least 1.
            max_tokens: See `TextGenerator.generate`, as for all that follows.
            temperature: 0 is greedy.
            seed: Of the sampling: one for all, or one for each prompt.
            schema: A JSON schema.

        Raises:
            ValueError: `in_flight` is below 1, or the engine is streaming already.
        """
        ...


def seed_at(seed: int | Sequence[int], place: int) -> int:
    """Return the seed of a prompt, of one for all or one for each.

    Raises:
        ValueError: There is none for this place.
    """
    if isinstance(seed, int):
        return seed
    if place >= len(seed):
        raise ValueError(f"expected a seed for each prompt, or one for all; got {len(seed)}, and a prompt {place}")
    return seed[place]


def check_prompts(prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> None:
    """Refuse what no engine can score.

    Raises:
        ValueError: See `TokenScorer.score`.
    """
    if len(prompts) != len(labels):
        raise ValueError(f"expected labels for each of {len(prompts)} prompts; got {len(labels)} lists")
    for number, (prompt, wanted) in enumerate(zip(prompts, labels, strict=True)):
        if not len(prompt):
            raise ValueError(f"prompt {number} has no tokens")
        if not len(wanted) or len(set(wanted)) != len(wanted):
            raise ValueError(f"prompt {number}: expected distinct labels, at least one; got {list(wanted)}")


def label_scores(logprobs: Sequence[float], labels: TokenIds, *, prompt: int, mass_known: bool = True) -> LabelScores:
    """Return log-probabilities over the vocabulary, renormalised over the labels.

    Args:
        logprobs: One for each label; over the whole vocabulary, or over the labels where `mass_known` is False.
        labels: The tokens, for messages.
        prompt: The prompt's number, for messages.
        mass_known: Whether the values are log-softmax over the whole vocabulary.

    Raises:
        ScoringError: A value is missing, NaN or infinite.
    """
    values = np.asarray(logprobs, dtype=np.float64)
    if len(values) != len(labels):
        raise ScoringError(
            f"prompt {prompt}: expected scores of {len(labels)} labels, {len(values)} came back", prompt=prompt
        )
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ScoringError(f"prompt {prompt}: the score of token {labels[bad]} is {values[bad]}", prompt=prompt)
    top = values.max()
    total = top + np.log(np.exp(values - top).sum())
    mass = float(min(1.0, np.exp(total))) if mass_known else None
    return LabelScores(logprobs=(values - total).astype(np.float32), mass=mass)
