"""Asking a list in windows, and one score a candidate from their scores."""

from collections.abc import Callable, Generator, Sequence

import numpy as np

from core.fusion import log_softmax
from core.language_model import LabelScores
from core.records import FloatArray, IntArray
from rerank.asked_list import Asking, Scored
from rerank.listwise_plans import WindowPlan
from rerank.prompts import BuiltPrompt
from rerank.windows import merge_windows, slide

Ask = Callable[[Sequence[tuple[int, IntArray]]], Asking]
"""Asks stretches of a query's list, each a first place and the candidates' places."""

Windowed = Generator[list[BuiltPrompt], list[LabelScores], Scored]


def ask_overlapping(ask: Ask, plan: WindowPlan, places: IntArray) -> Windowed:
    """Ask all windows at once and merge their scores; see `rerank.windows.merge_windows`.

    Args:
        ask: See `Ask`.
        plan: Where the windows lie.
        places: 0..n-1, the stage-1 order.

    Returns:
        Log-probabilities by place and of "none of these".
    """
    stretches = [(window.start, places[window.start : window.stop]) for window in plan.one_pass(len(places))]
    found = yield from ask(stretches)
    return _merged([members for _, members in stretches], found, len(places))


def ask_sliding(ask: Ask, plan: WindowPlan, places: IntArray) -> Windowed:
    """Ask windows from the bottom up, each sorted before the next is asked (RankGPT, EMNLP 2023).

    The order is the one the windows leave behind. Its scores are the merged ones of all windows and passes, handed out
    from the top in falling order: a candidate that was carried up by the last window may have merged scores below its
    neighbour's.

    Args:
        ask: See `Ask`.
        plan: Size, stride and passes.
        places: 0..n-1, the stage-1 order.

    Returns:
        Log-probabilities by place and of "none of these"; the places' order is strict.
    """
    order = places
    members: list[IntArray] = []
    found: list[Scored] = []
    for _ in range(plan.passes):
        for window in plan.one_pass(len(places)):
            stretch = order[window.start : window.stop]
            [scored] = yield from ask([(window.start, stretch)])
            members.append(stretch)
            found.append(scored)
            order = slide(order, window, scored[0])
    logprobs, none = _merged(members, found, len(places))
    falling = np.sort(logprobs)[::-1]
    for place in range(1, len(falling)):
        if falling[place] >= falling[place - 1]:
            falling[place] = np.nextafter(falling[place - 1], -np.inf)
    placed = np.empty_like(logprobs)
    placed[order] = falling
    return placed, none


def _merged(members: Sequence[IntArray], found: Sequence[Scored], n: int) -> Scored:
    """Merge windows to log-probabilities over all candidates and "none of these"."""
    nones = [none for _, none in found if none is not None]
    scores: list[FloatArray] = [logprobs for logprobs, _ in found]
    if len(nones) < len(found):
        return log_softmax(merge_windows(members, scores, n)), None
    joined = log_softmax(np.append(merge_windows(members, scores, n, anchors=nones), 0.0))
    return joined[:n], float(joined[n])
