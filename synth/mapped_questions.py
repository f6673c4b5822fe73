"""Procedural questions for a user's bank: balanced over its entries, and each verified before it is kept."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from core.records import LETTERS
from synth.mal_rule import Task
from synth.procedural import ProceduralQuestion, draw_question, text_key
from synth.rule_mapping import EVERY_TASK, Labels

FIRST_ID = 10_000_000
"""Far above the ids of real questions, so that a reader sees at once what was made."""

_LEFT_OVER = re.compile(r"<\+?[a-z]+\d?\*?>")
_PLAIN = re.compile(r"\\\( (?:£ )?(-?\d+(?:\.\d+)?)(?: ?\\mathrm\{[^}]*\}(?:\^\{\d\})?| ?\\%|\^\{\\circ\})? \\\)")
_FRACTION = re.compile(r"\\\( (-?)\\frac\{(\d+)\}\{(\d+)\} \\\)")


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What was made.

    Attributes:
        questions: The verified questions.
        rejected: How many drawn questions failed verification, by reason.
        short: Entries of the mapping that got fewer rows than asked, with their number: their tasks ran out of numbers.
    """

    questions: tuple[ProceduralQuestion, ...]
    rejected: dict[str, int]
    short: dict[int, int]


def generate_mapped(
    labels: Labels,
    *,
    rows_each: int,
    seed: int,
    taken: Collection[str] = (),
    first_id: int = FIRST_ID,
    most: int | None = None,
    tasks: Sequence[Task] = EVERY_TASK,
) -> Generated:
    """Make questions until every mapped entry has `rows_each` labelled wrong answers.

    The entry with the fewest rows so far is served next, through the least used of the rules that stand for it. An
    answer carries every entry that its rule stands for in its task.

    Args:
        labels: Misconception ids by (task slug, rule slug).
        rows_each: Rows wanted of each entry.
        seed: Same arguments, same questions.
        taken: Question texts that must not be made: those of validation and test files (leak check).
        first_id: Id of the first question; the others follow.
        most: At most so many questions; None as many as needed.
        tasks: Where the rules are bound.
    """
    rng = Random(seed)
    by_slug = {task.slug: task for task in tasks}
    ways: dict[int, list[tuple[str, str]]] = {}
    for pair in sorted(labels):
        for id in labels[pair]:
            ways.setdefault(id, []).append(pair)
    rows: Counter[int] = Counter({id: 0 for id in ways})
    shown: Counter[tuple[str, str | None]] = Counter()
    texts = {text_key(text) for text in taken}
    made: list[ProceduralQuestion] = []
    rejected: Counter[str] = Counter()
    open_ids = set(ways)
    while open_ids and (most is None or len(made) < most):
        id = min(open_ids, key=lambda entry: (rows[entry], entry))
        if rows[id] >= rows_each:
            break
        task_slug, rule = min(ways[id], key=lambda pair: (shown[pair], pair))
        task = by_slug[task_slug]
        own = {slug: labels[task_slug, slug] for slug in (r.slug for r, _ in task.wrong) if (task_slug, slug) in labels}
        one = draw_question(
            task,
            rng=rng,
            labels=own,
            wanted=frozenset((rule,)),
            shown=shown,
            texts=texts,
            id=first_id + len(made),
            catalogue=tasks,
        )
        fault = None if one is None else verification_fault(one, task)
        if one is None or fault is not None:
            if fault is not None:
                rejected[fault] += 1
            ways[id].remove((task_slug, rule))
            if not ways[id]:
                open_ids.discard(id)
            continue
        texts.add(text_key(one.question.text))
        shown.update((one.task, slug) for slug in one.rules)
        rows.update(label for found in one.question.labels for label in found)
        made.append(one)
    short = {id: count for id, count in sorted(rows.items()) if count < rows_each}
    return Generated(questions=tuple(made), rejected=dict(rejected), short=short)


def verification_fault(one: ProceduralQuestion, task: Task) -> str | None:
    """Return why a question must not be kept, or None: everything is computed again and read back from its text.

    1. The right procedure gives the answer that stands as correct, each rule the one that stands as its own.
    2. No other rule of the task gives the answer of a rule, and no wrong answer is worth the right one.
    3. Plain numbers and fractions read back from the text are worth what was computed.
    4. No placeholder is left in the question.
    """
    question, right = one.question, task.right(*one.parameters)
    procedures = {rule.slug: procedure for rule, procedure in task.wrong}
    by_rule = {slug: procedure(*one.parameters) for slug, procedure in procedures.items()}
    if right is None or question.answer(question.correct) != right.text:
        return "the correct answer is not the right procedure's"
    if _LEFT_OVER.search(question.text):
        return "a placeholder is left in the question"
    if len(set(question.answers)) < len(LETTERS) or len(set(one.values)) < len(LETTERS):
        return "two answers are equal"
    for letter, slug, value in zip(LETTERS, one.rules, one.values, strict=True):
        text = question.answer(letter)
        read = read_back(text)
        if read is not None and isinstance(value, Fraction) and read != value:
            return "an answer's text is not worth its value"
        if slug is None:
            continue
        answer = by_rule[slug]
        if answer is None or answer.text != text:
            return "a wrong answer is not its rule's"
        if any(other is not None and other.value == value for name, other in by_rule.items() if name != slug):
            return "two rules give one wrong answer"
    return None


def read_back(text: str) -> Fraction | None:
    """Return the number that an answer shows, or None where it shows something else than a plain number or fraction."""
    if plain := _PLAIN.fullmatch(text):
        return Fraction(plain[1])
    if parts := _FRACTION.fullmatch(text):
        return Fraction(int(f"{parts[1]}{parts[2]}"), int(parts[3]))
    return None
