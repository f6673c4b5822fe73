"""The bias and calibration of a reranker as a section of the report."""

from collections.abc import Mapping, Sequence
from html import escape

from eval.bias import Bias
from eval.calibration import Calibration
from eval.line_chart import Line, line_chart
from eval.report import Section

_NONE = "–"


def bias_section(bias: Bias, *, name: str, measured_on: str) -> Section:
    """Return the bias report of one reranker.

    Args:
        bias: What was measured.
        name: The reranker's, plain text.
        measured_on: Which queries, plain text.
    """
    how = (
        "How to read this: a slot is a label's place in the prompt. Where a language model looks at contents alone, "
        "the mean probability in a slot before averaging equals the mean, averaged over the orders, of the candidates "
        "that stood in it. What is left after averaging is measured with a probe: the same queries with their "
        "candidates in a random order show what each slot adds by itself."
    )
    slots = bias.slots
    numbers = range(1, len(slots.before) + 1)
    lines = [
        Line(name="before averaging, all orders", points=_points(numbers, slots.before.tolist())),
        Line(name="after averaging", points=_points(numbers, slots.after.tolist())),
    ]
    if len(slots.by_order) > 1:
        lines += [
            Line(name=f"order {order + 1} alone", points=_points(numbers, values.tolist()), dashed=True)
            for order, values in list(slots.by_order.items())[:4]
        ]
    charts = [
        "<h3>Mean label probability by slot</h3>",
        line_chart(lines, title="Mean label probability by slot", x_label="slot", y_label="mean probability"),
    ]
    if bias.effects is not None:
        effects = [Line(name="effect of the slot", points=_points(numbers, bias.effects.effects.tolist()))]
        charts += [
            "<h3>What a slot adds by itself (nats)</h3>",
            line_chart(effects, title="Slot effects in nats", x_label="slot", y_label="nats", from_zero=False),
        ]
    if bias.truth:
        truth = [
            Line(name="one order alone", points=tuple((float(t.slot), t.before) for t in bias.truth)),
            Line(name="averaged over orders", points=tuple((float(t.slot), t.after) for t in bias.truth)),
        ]
        charts += [
            "<h3>MAP@25 by the slot in which the truth stood</h3>",
            line_chart(truth, title="MAP@25 by slot of the truth", x_label="slot of the truth", y_label="MAP@25"),
        ]
    html = f'<p class="how">{escape(how)}</p><p class="how">Measured on {escape(measured_on)}.</p>'
    return Section(title=f"Bias of the reranker: {name}", html=html + _table(_facts(bias)) + "".join(charts))


def calibration_section(found: Mapping[str, Calibration], *, name: str) -> Section:
    """Return reliability diagrams: accuracy of the first answer against its probability.

    Args:
        found: What is compared (e.g. before and after the temperature), at least one.
        name: The reranker's, plain text.
    """
    how = (
        "How to read this: answers are put into bins by the probability that the reranker gives its first candidate. "
        "On the diagonal they are right as often as that says. The expected calibration error is the mean distance "
        "from it. A truth that is no candidate makes every answer wrong."
    )
    lines = [Line(name="honest", points=((0.0, 0.0), (1.0, 1.0)), dashed=True)]
    lines += [
        Line(name=which, points=tuple((item.confidence, item.accuracy) for item in one.bins))
        for which, one in found.items()
    ]
    facts = [
        (
            which,
            f"expected calibration error {one.error:.3f}; mean probability {one.confidence:.3f}, right "
            f"{one.accuracy:.3f} (n = {one.n})",
        )
        for which, one in found.items()
    ]
    chart = line_chart(lines, title="Reliability", x_label="probability of the first answer", y_label="share right")
    return Section(
        title=f"Honesty of the probabilities: {name}", html=f'<p class="how">{escape(how)}</p>{_table(facts)}{chart}'
    )


def _facts(bias: Bias) -> list[tuple[str, str]]:
    effects, moved = bias.effects, bias.instability
    share = f"{100 * bias.changed / bias.compared:.1f} %" if bias.compared else _NONE
    facts = [
        ("Queries", f"{bias.queries}"),
        ("Best candidate differs between orders", f"{share} ({bias.changed} of {bias.compared})"),
    ]
    if effects is not None:
        facts += [
            ("Spread of slot effects in one order", f"{effects.one_order:.4f} nats"),
            ("Spread left after averaging", f"{effects.averaged:.4f} nats (noise {effects.noise:.4f})"),
        ]
    if moved is not None:
        facts.append(
            (
                "The same prompts in other company",
                f"labels move by {moved.mean:.2g} nats on average, {moved.largest:.2g} at most; the best candidate "
                f"changes in {moved.flips} of {moved.prompts} prompts",
            )
        )
    if bias.mass is not None:
        facts.append(("Probability of all labels in the vocabulary", f"{bias.mass:.4f}"))
    if bias.none is not None:
        facts.append(("Probability of “none of these”", f"{bias.none:.4f}"))
    return facts


def _table(facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<dl class="facts">{rows}</dl>'


def _points(numbers: Sequence[int] | range, values: Sequence[float]) -> tuple[tuple[float, float], ...]:
    return tuple((float(number), value) for number, value in zip(numbers, values, strict=True))
