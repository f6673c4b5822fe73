"""The scores a listwise reranker read in one order of one query: what the bias report is made from."""

from dataclasses import dataclass

from core.records import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class OrderScores:
    """One prompt's scores, by slot.

    Attributes:
        key: The query's key.
        order: Which order it was, from 0; 0 is the first asked.
        ids: The misconception in each slot, int64, shape (slots,).
        logprobs: Log-probability of each slot's label over the prompt's labels, float64, shape (slots,); with a "none
            of these" label they sum to less than one.
        none_logprob: Log-probability of "none of these"; None where the prompt has no such label.
        mass: The labels' probability in the vocabulary; None where the engine does not say.
        window: First stage-1 place of the window this prompt held, from 0.
    """

    key: str
    order: int
    ids: IntArray
    logprobs: FloatArray
    none_logprob: float | None
    mass: float | None
    window: int = 0

    def __post_init__(self) -> None:
        if self.ids.shape != self.logprobs.shape or self.ids.ndim != 1:
            raise ValueError(f"{self.key}: {self.ids.shape} ids and {self.logprobs.shape} scores; expected one each")
