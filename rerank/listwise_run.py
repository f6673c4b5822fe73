"""What a listwise reranker keeps of a run: for the bias report, for fitting, and to say what was cut or left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.order_scores import OrderScores
from core.records import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class QueryScores:
    """One query's final scores and all that they were made from.

    Attributes:
        key: The query's key.
        ids: The candidates in stage-1 order, int64, shape (n,).
        logprobs: Log-probability of each over candidates and "none of these", before the temperature, float64, shape
            (n,).
        none_logprob: Log-probability of "none of these", before the temperature; None without such a label, or where
            nothing was asked.
        orders: The scores by slot of every prompt, in the order they were asked.
        skipped: Lists (one a query, or one a window) whose further orders were left out.
        prompt_tokens: Tokens of all its prompts.
        cut_tokens: Tokens of the question that were left out, the most of any of its prompts.
    """

    key: str
    ids: IntArray
    logprobs: FloatArray
    none_logprob: float | None
    orders: tuple[OrderScores, ...]
    skipped: int
    prompt_tokens: int
    cut_tokens: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ListwiseRun:
    """What one call of `rerank` read.

    Attributes:
        queries: Per finished query, in the order of the queries.
        unreached: Keys of the queries that the deadline left out.
        seconds: Wall time.
    """

    queries: tuple[QueryScores, ...]
    unreached: tuple[str, ...]
    seconds: float

    @property
    def orders(self) -> list[OrderScores]:
        """Every prompt's scores by slot, query by query."""
        return [scores for query in self.queries for scores in query.orders]

    @property
    def prompts(self) -> int:
        """Prompts asked, those out of a store included."""
        return sum(len(query.orders) for query in self.queries)

    @property
    def prompt_tokens(self) -> int:
        """Tokens of these prompts."""
        return sum(query.prompt_tokens for query in self.queries)

    @property
    def skipped(self) -> int:
        """Lists whose further orders were left out."""
        return sum(query.skipped for query in self.queries)

    @property
    def cut_queries(self) -> int:
        """Queries whose question was cut to keep to the longest prompt."""
        return sum(query.cut_tokens > 0 for query in self.queries)

    def none_logprobs(self, keys: Sequence[str]) -> list[float | None]:
        """Return the log-probability of "none of these" by key, before the temperature; None where there is none."""
        known = {query.key: query.none_logprob for query in self.queries}
        return [known.get(key) for key in keys]
