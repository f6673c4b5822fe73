"""Keeping to a number of tokens: cutting a text in its middle, and refusing prompts that no cut makes fit."""

from collections.abc import Mapping, Sequence

from core.errors import InputError


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


def require_room(needed: Mapping[str, int], *, max_tokens: int, shown: int) -> None:
    """Refuse prompts that are too long even with their question at its shortest.

    Args:
        needed: The tokens of such a prompt by query, or what they can be at most where candidates are not known yet.
        max_tokens: The longest prompt.
        shown: The most candidates in one prompt, for the message.

    Raises:
        InputError: One is too long; names the longest, counts them, and says what to set.
    """
    over = {key: tokens for key, tokens in needed.items() if tokens > max_tokens}
    if over:
        worst = max(over, key=lambda key: over[key])
        raise InputError(
            f"query {worst}: {shown} candidates, the instruction and the question at its shortest can take "
            f"{over[worst]} tokens: over max_tokens = {max_tokens}, as in {len(over)} of {len(needed)} queries. Raise "
            f"max_tokens to {over[worst]}, show fewer candidates at once (windows), or leave out explanations or "
            "examples; candidates are never cut."
        )
