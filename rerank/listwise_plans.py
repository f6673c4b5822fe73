"""How a listwise reranker asks: in which orders, and in which windows."""

from dataclasses import dataclass
from typing import Literal

from core.records import IntArray
from rerank.orders import ORDER_KINDS, OrderKind, Space, order_permutations
from rerank.windows import overlapping_windows, sliding_windows

WindowKind = Literal["sliding", "overlapping"]


@dataclass(frozen=True, kw_only=True)
class OrderPlan:
    """The orders in which each list is shown.

    Attributes:
        kind: See `rerank.orders.order_permutations`.
        count: How many cyclic or random orders; None: as many cyclic ones as there are candidates, two random ones.
        seed: Of random orders.
        space: Where the orders are averaged: log-probabilities or probabilities.

    Raises:
        ValueError: A value is unknown or out of range.
    """

    kind: OrderKind = "both"
    count: int | None = None
    seed: int = 0
    space: Space = "log"

    def __post_init__(self) -> None:
        if self.kind not in ORDER_KINDS:
            raise ValueError(f"order kind is {self.kind!r}, expected one of {', '.join(ORDER_KINDS)}")
        if self.space not in ("log", "probability"):
            raise ValueError(f"space is {self.space!r}, expected 'log' or 'probability'")
        if self.count is not None and self.count < 1:
            raise ValueError(f"expected at least one order; got {self.count}")

    def permutations(self, n: int, key: str) -> list[IntArray]:
        """Return the orders of n >= 1 candidates of the query `key`: slot -> place, the first asked first."""
        count = self.count or (n if self.kind == "cyclic" else 2)
        return order_permutations(n, kind=self.kind, count=count, seed=self.seed, key=key)


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """How more candidates are asked than one prompt takes.

    Attributes:
        kind: `sliding` goes from the bottom up and carries the best of each window into the next; `overlapping` asks
            windows of the stage-1 order, all at once, and averages.
        size: Candidates a window, at least 2; lists up to it are asked whole.
        stride: Places between two windows, 1 to `size`; equal to it, windows share nothing, and a sliding one carries
            nothing upwards.
        passes: How often sliding windows go from bottom to top; 1 for overlapping ones.

    Raises:
        ValueError: A value is unknown or out of range.
    """

    kind: WindowKind
    size: int
    stride: int
    passes: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("sliding", "overlapping"):
            raise ValueError(f"window kind is {self.kind!r}, expected 'sliding' or 'overlapping'")
        if self.size < 2 or not 1 <= self.stride <= self.size or self.passes < 1:
            raise ValueError(
                f"expected size >= 2, stride 1 to size, passes >= 1; got {self.size}, {self.stride}, {self.passes}"
            )
        if self.kind == "overlapping" and self.passes != 1:
            raise ValueError(f"overlapping windows do not move: more than one pass changes nothing; got {self.passes}")

    def one_pass(self, n: int) -> list[range]:
        """Return one pass of windows over n places, in the order they are asked."""
        windows = sliding_windows if self.kind == "sliding" else overlapping_windows
        return windows(n, size=self.size, stride=self.stride)
