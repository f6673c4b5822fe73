"""Cutting a text in its middle to a number of tokens."""

from collections.abc import Sequence


def cut_middle(tokens: Sequence[int], *, keep: int, marker: Sequence[int]) -> tuple[list[int], int]:
    """Return tokens cut in the middle to at most `keep`, the marker in the gap, and how many were cut away.

    The two ends keep equally many; the odd token goes to the front, where a question says what it is about.

    Args:
        tokens: Any number.
        keep: The most tokens to return, the marker counted; not negative.
        marker: What stands in the gap (`...`); left out where there is no room for it beside one token.

    Returns:
        The tokens that stay, and the number of original tokens that do not.

    Raises:
        ValueError: `keep` is negative.
    """
    if keep < 0:
        raise ValueError(f"keep must not be negative; got {keep}")
    if len(tokens) <= keep:
        return list(tokens), 0
    gap = list(marker) if keep > len(marker) else []
    room = keep - len(gap)
    front, back = room - room // 2, room // 2
    kept = [*tokens[:front], *gap, *tokens[len(tokens) - back :]]
    return kept, len(tokens) - room
