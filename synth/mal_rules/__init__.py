"""All tasks and mal-rules, one file a topic."""

from synth.mal_rule import MalRule, Task
from synth.mal_rules import (
    algebra,
    angles,
    coordinates,
    decimals,
    equations,
    fractions,
    measures,
    number,
    ordering,
    percentages,
    powers,
    probability,
    quadratics,
    ratio,
    sequences,
    shapes,
    statistics,
    written_methods,
)

ALL_TASKS: tuple[Task, ...] = (
    *number.TASKS,
    *written_methods.TASKS,
    *powers.TASKS,
    *fractions.TASKS,
    *decimals.TASKS,
    *ordering.TASKS,
    *percentages.TASKS,
    *ratio.TASKS,
    *algebra.TASKS,
    *quadratics.TASKS,
    *equations.TASKS,
    *shapes.TASKS,
    *angles.TASKS,
    *coordinates.TASKS,
    *measures.TASKS,
    *sequences.TASKS,
    *statistics.TASKS,
    *probability.TASKS,
)
"""Every task, in the order of the topics."""

ALL_RULES: tuple[MalRule, ...] = tuple({rule.slug: rule for task in ALL_TASKS for rule, _ in task.wrong}.values())
"""Every mal-rule that some task applies, once, in the order in which they first occur."""
