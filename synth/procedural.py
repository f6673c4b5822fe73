"""Makes multiple-choice questions whose wrong answers are computed by mal-rules.

A task's numbers are drawn, the right procedure gives the right answer and three of its mal-rules the wrong ones.
Draws in which that would mislead are thrown away: two equal answers, a wrong answer equal to the right one, or a wrong
answer that two rules of the task would give, so that a label is never a guess.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from core.errors import InputError, did_you_mean
from core.records import LETTERS, Misconception, Question
from synth.answers import Answer
from synth.mal_rule import Parameter, Task
from synth.mal_rules import ALL_RULES, ALL_TASKS

PEOPLE = ("Amara", "Ben", "Chloe", "Dev", "Elif", "Finn", "Grace", "Hugo", "Iris", "Jamal", "Keiko", "Luca", "Maya")
TRIES = 2_000
"""Draws after which a task counts as exhausted; a task with fitting draws left needs about ten."""
FIRST_CONSTRUCT_ID = 100
FIRST_SUBJECT_ID = 10


@dataclass(frozen=True, kw_only=True)
class ProceduralQuestion:
    """A question together with how it was made.

    Attributes:
        question: The question, labelled with the ids that were asked for.
        task: Slug of its task.
        parameters: The drawn parameters, in the task's order.
        rules: For A to D the slug of the mal-rule that computed the answer, labelled or not; None for the right
            answer and for a plausible slip that no rule explains.
        values: For A to D the exact value (a Fraction for numbers, else a tuple; see `synth.answers`).
    """

    question: Question
    task: str
    parameters: tuple[Parameter, ...]
    rules: tuple[str | None, str | None, str | None, str | None]
    values: tuple[Hashable, Hashable, Hashable, Hashable]


def rule_ids(bank: Sequence[Misconception]) -> dict[str, int]:
    """Return the bank's id of each mal-rule whose name stands in the bank, by slug."""
    by_name = {entry.name: entry.id for entry in bank}
    return {rule.slug: by_name[rule.name] for rule in ALL_RULES if rule.name in by_name}


def generate_questions(
    n: int,
    *,
    seed: int,
    bank: Sequence[Misconception],
    rules: Collection[str] | None = None,
    exclude: Collection[str] = (),
    taken: Collection[str] = (),
    first_id: int = 0,
) -> list[Question]:
    """Return `n` labelled questions; the labels are the ids of the bank's entries that bear the rules' names.

    `generate_procedural` says what the other arguments mean and what is raised.
    """
    made = generate_procedural(
        n, seed=seed, ids=rule_ids(bank), rules=rules, exclude=exclude, taken=taken, first_id=first_id
    )
    return [one.question for one in made]


def generate_procedural(
    n: int,
    *,
    seed: int,
    ids: Mapping[str, int],
    rules: Collection[str] | None = None,
    exclude: Collection[str] = (),
    taken: Collection[str] = (),
    first_id: int = 0,
) -> list[ProceduralQuestion]:
    """Return `n` questions with different texts, tasks in turn.

    Args:
        n: How many.
        seed: Same seed and arguments, same questions.
        ids: Misconception id by rule slug. An answer whose rule has no id is made but left unlabelled, so a user's
            own id for one rule gives rows that are labelled with that misconception alone.
        rules: At least one wrong answer of every question is computed by one of these rules; None: by any.
        exclude: Rules that are never labelled; one of them computes an (unlabelled) wrong answer only where the task
            offers nothing else for the third place.
        taken: Question texts that must not be made again.
        first_id: Id of the first question; the others follow.

    Raises:
        InputError: A slug is unknown, or so many questions cannot be made without repeating a text.
    """
    check_slugs((*ids, *(rules or ()), *exclude))
    wanted = frozenset(rule.slug for rule in ALL_RULES) if rules is None else frozenset(rules)
    barred = frozenset(exclude)
    labelled = {slug: (id,) for slug, id in ids.items() if slug not in barred}
    rng = Random(seed)
    tasks = [task for task in ALL_TASKS if any(rule.slug in wanted - barred for rule, _ in task.wrong)]
    texts = {text_key(text) for text in taken}
    shown: Counter[tuple[str, str | None]] = Counter()
    made: list[ProceduralQuestion] = []
    while len(made) < n:
        if not tasks:
            raise InputError(
                f"expected {n} procedural questions, only {len(made)} with different texts can be made from these "
                "rules: ask for fewer, or allow more rules"
            )
        rng.shuffle(tasks)
        for task in tuple(tasks)[: n - len(made)]:
            one = draw_question(
                task,
                rng=rng,
                labels=labelled,
                wanted=wanted,
                barred=barred,
                shown=shown,
                texts=texts,
                id=first_id + len(made),
            )
            if one is None:
                tasks.remove(task)
            else:
                texts.add(text_key(one.question.text))
                shown.update((one.task, slug) for slug in one.rules)
                made.append(one)
    return made


def check_slugs(slugs: Collection[str]) -> None:
    """Refuse unknown mal-rules.

    Raises:
        InputError: A slug names no mal-rule; all such slugs are listed.
    """
    known = [rule.slug for rule in ALL_RULES]
    unknown = sorted(set(slugs) - set(known))
    if unknown:
        raise InputError([f"there is no mal-rule {slug!r}{did_you_mean(slug, known)}" for slug in unknown])


def text_key(text: str) -> str:
    """Return what makes two question texts the same: their letters, without case and spacing."""
    return " ".join(text.casefold().split())


def draw_question(
    task: Task,
    *,
    rng: Random,
    labels: Mapping[str, tuple[int, ...]],
    wanted: frozenset[str],
    barred: frozenset[str] = frozenset(),
    shown: Counter[tuple[str, str | None]],
    texts: Collection[str],
    id: int,
    catalogue: Sequence[Task] = ALL_TASKS,
) -> ProceduralQuestion | None:
    """Draw until a fit, new question comes; None where none comes in `TRIES` draws.

    Args:
        task: What is asked.
        rng: Draws the numbers, the wording and the order of the answers.
        labels: Misconception ids by rule slug; an answer of another rule is left unlabelled.
        wanted: At least one wrong answer is computed by one of these rules.
        barred: Rules that compute an answer only where nothing else is left.
        shown: How often the task has shown each rule; the rarer goes first.
        texts: Keys (`text_key`) of question texts that must not be made again.
        id: The question's id.
        catalogue: All tasks, which number constructs and subjects.
    """
    for _ in range(TRIES):
        parameters = task.draw(rng)
        if not task.keep(*parameters):
            continue
        right = task.right(*parameters)
        chosen = (
            None
            if right is None
            else _wrong_answers(task, parameters, right, rng, wanted=wanted, barred=barred, shown=shown)
        )
        if right is None or chosen is None:
            continue
        text = task.worded(rng.choice(task.wordings), parameters, rng.choice(PEOPLE))
        if text_key(text) in texts:
            continue
        answers = [(None, right), *chosen]
        return _assembled(task, parameters, text, answers, rng, labels=labels, id=id, catalogue=catalogue)
    return None


def _wrong_answers(
    task: Task,
    parameters: tuple[Parameter, ...],
    right: Answer,
    rng: Random,
    *,
    wanted: frozenset[str],
    barred: frozenset[str],
    shown: Counter[tuple[str, str | None]],
) -> list[tuple[str | None, Answer]] | None:
    """Choose three wrong answers (rule slug, answer), at least one by a wanted rule; None where they collide."""
    by_value: dict[Hashable, list[tuple[str, Answer]]] = {}
    for rule, procedure in task.wrong:
        answer = procedure(*parameters)
        if answer is not None and answer.value != right.value and answer.text != right.text:
            by_value.setdefault(answer.value, []).append((rule.slug, answer))
    clear: list[tuple[str | None, Answer]] = [found[0] for found in by_value.values() if len(found) == 1]
    rng.shuffle(clear)
    # What the task has shown least goes first, so that each rule gets its share of a small sample.
    clear.sort(key=lambda found: shown[task.slug, found[0]])
    first = next((found for found in clear if found[0] in wanted - barred), None)
    if first is None:
        return None
    used = {right.value, *by_value}
    slips: list[tuple[str | None, Answer]] = []
    for slip in task.slips:
        answer = slip(*parameters)
        if answer is not None and answer.value not in used:
            used.add(answer.value)
            slips.append((None, answer))
    others = [found for found in clear if found is not first and found[0] not in barred]
    chosen = [first, *others, *slips, *(found for found in clear if found[0] in barred)][:3]
    texts = {answer.text for _, answer in chosen} | {right.text}
    return chosen if len(chosen) == 3 and len(texts) == 4 else None


def _assembled(
    task: Task,
    parameters: tuple[Parameter, ...],
    text: str,
    answers: list[tuple[str | None, Answer]],
    rng: Random,
    *,
    labels: Mapping[str, tuple[int, ...]],
    id: int,
    catalogue: Sequence[Task],
) -> ProceduralQuestion:
    """Put four answers, the right one first, in random order and make the records."""
    order = rng.sample(range(4), 4)
    a, b, c, d = (answers[place] for place in order)
    subjects = list(dict.fromkeys(other.subject for other in catalogue))
    constructs = list(dict.fromkeys(other.construct for other in catalogue))
    own = [labels.get(slug, ()) if slug is not None else () for slug, _ in (a, b, c, d)]
    question = Question(
        id=id,
        text=text,
        answers=(a[1].text, b[1].text, c[1].text, d[1].text),
        correct=LETTERS[order.index(0)],
        labels=(own[0], own[1], own[2], own[3]),
        construct=task.construct,
        subject=task.subject,
        construct_id=FIRST_CONSTRUCT_ID + constructs.index(task.construct),
        subject_id=FIRST_SUBJECT_ID + subjects.index(task.subject),
    )
    return ProceduralQuestion(
        question=question,
        task=task.slug,
        parameters=parameters,
        rules=(a[0], b[0], c[0], d[0]),
        values=(a[1].value, b[1].value, c[1].value, d[1].value),
    )
