"""One round of writing: slots become prompts, answers become rows, and every attempt is accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.records import LETTERS, Misconception, Question
from synth.asking import Asker, Request
from synth.chain import Check, run_checks
from synth.examples import ExamplePool, parents_of
from synth.ledger import Asked
from synth.outcomes import Outcome
from synth.parsing import Written, parse_written
from synth.prompts import SCHEMA, Built, Parts, QuestionPrompter
from synth.rows import SyntheticRow
from synth.rules import check_rules
from synth.slots import Slot, question_id_of
from synth.verdicts import Verdict, passed

TASK = "write"
PARSE, RULES = "parse", "rules"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How answers are drawn.

    Attributes:
        temperature: 0 is greedy.
        max_tokens: Longest answer.
        seed: The n-th attempt at a misconception's k-th row has seed + 100 k + n.
        guided: Hand the engine the JSON schema.
    """

    temperature: float
    max_tokens: int
    seed: int
    guided: bool = True


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How many examples of its own each prompt shows."""

    random: int
    same: int


class RowWriter:
    """Writes rows for slots.

    Args:
        bank: The misconceptions by id.
        similar: Misconceptions like each one, most alike first.
        pool: Real questions to show.
        prompter: Writes prompts.
        shown: How many examples of its own each prompt shows.
        sampling: How answers are drawn.
        language: Expected language of the questions; None does not check it.
    """

    def __init__(
        self,
        *,
        bank: Mapping[int, Misconception],
        similar: Mapping[int, Sequence[int]],
        pool: ExamplePool,
        prompter: QuestionPrompter,
        shown: Shown,
        sampling: Sampling,
        language: str | None,
    ) -> None:
        self._bank = bank
        self._similar = similar
        self._pool = pool
        self._prompter = prompter
        self._shown = shown
        self._sampling = sampling
        self._language = language

    def prompt(self, slot: Slot, attempt: int) -> Built:
        """Return the prompt of one attempt.

        Raises:
            InputError: The shortest one does not fit.
        """
        id = slot.misconception_id
        similar = tuple(self._bank[other] for other in self._similar.get(id, ()))
        examples = self._pool.for_row(
            slot.key(attempt),
            id,
            [entry.id for entry in similar],
            random=self._shown.random,
            same=self._shown.same,
            shown=self._prompter.shared,
        )
        return self._prompter.build(Parts(misconception=self._bank[id], similar=similar, examples=examples))

    def round(
        self,
        slots: Sequence[Slot],
        attempt: int,
        asker: Asker,
        checks: Sequence[Check],
        kept: Sequence[SyntheticRow],
    ) -> list[Outcome]:
        """Ask once for each slot and check what comes.

        Args:
            slots: The slots.
            attempt: Which attempt, from 0.
            asker: Asks the model.
            checks: Checks of the rows that parse and keep the rules.
            kept: Rows accepted so far.

        Returns:
            What became of each slot, in order.
        """
        built = [self.prompt(slot, attempt) for slot in slots]
        requests = [self._request(slot, attempt, one) for slot, one in zip(slots, built, strict=True)]
        made_up_for = {
            asker.key(request)
            for slot, request in zip(slots, requests, strict=True)
            if self._made_up_for(slot, attempt, request, asker)
        }
        asked = asker.ask(requests, leave=made_up_for)
        outcomes = [
            self._outcome(slot, attempt, one, answer) for slot, one, answer in zip(slots, built, asked, strict=True)
        ]
        rows = [outcome.row for outcome in outcomes if outcome.row is not None]
        checked = {found.row.key: found for found in run_checks(rows, kept, checks)}
        return [outcome.with_checks(checked[outcome.key]) if outcome.row else outcome for outcome in outcomes]

    def _made_up_for(self, slot: Slot, attempt: int, request: Request, asker: Asker) -> bool:
        """Say whether a request failed in an earlier run and the attempt after it brought a row.

        Asked again it might bring another row in that one's place, and a rerun would change what it made.
        """
        known = asker.known(request)
        if known is None or known.error is None or attempt + 1 >= slot.attempts:
            return False
        built = self.prompt(slot, attempt + 1)
        later = asker.known(self._request(slot, attempt + 1, built))
        return later is not None and self._outcome(slot, attempt + 1, built, later).row is not None

    def _request(self, slot: Slot, attempt: int, built: Built) -> Request:
        sampling = self._sampling
        return Request(
            task=TASK,
            row=slot.key(attempt),
            messages=built.messages,
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            # Without examples all prompts of a misconception are equal: only the seed makes its rows differ.
            seed=sampling.seed + 100 * slot.number + attempt,
            schema=SCHEMA if sampling.guided else None,
        )

    def _outcome(self, slot: Slot, attempt: int, built: Built, asked: Asked) -> Outcome:
        key, id, parents = slot.key(attempt), slot.misconception_id, parents_of(built.examples)
        facts: dict[str, Any] = {"key": key, "misconception_id": id, "asked": asked, "parents": parents}
        parsed = parse_written(asked)
        if isinstance(parsed, Verdict):
            return Outcome(**facts, written=None, row=None, verdicts=((PARSE, parsed),))
        ruled = check_rules(parsed, self._bank[id], language=self._language)
        row = row_of(parsed, key=key, misconception_id=id, parents=parents) if ruled.accepted else None
        return Outcome(**facts, written=parsed, row=row, verdicts=((PARSE, passed()), (RULES, ruled)))


def row_of(written: Written, *, key: str, misconception_id: int, parents: tuple[str, ...]) -> SyntheticRow:
    """Return a written question as a row; it keeps the rules, so it is a question."""
    labels = tuple((misconception_id,) if letter == written.letter else () for letter in LETTERS)
    a, b, c, d = labels
    question = Question(
        id=question_id_of(key, written.question),
        text=written.question,
        answers=written.answers,
        correct=written.correct,
        labels=(a, b, c, d),
        construct=written.construct,
        subject=written.subject,
    )
    return SyntheticRow(
        question=question,
        misconception_id=misconception_id,
        letter=written.letter,
        rationale=written.rationale,
        key=key,
        parents=parents,
        source="llm",
    )


def write_all(writer: RowWriter, slots: Sequence[Slot], asker: Asker, checks: Sequence[Check]) -> list[Outcome]:
    """Ask for all slots, and again for those that were rejected, as often as each may be asked.

    Returns:
        All attempts, round by round.

    Raises:
        AskingError: Nothing is answered any more; what was finished is in the ledger of requests.
    """
    done: list[Outcome] = []
    kept: list[SyntheticRow] = []
    waiting = list(slots)
    attempt = 0
    while waiting:
        found = writer.round(waiting, attempt, asker, checks, kept)
        done += found
        kept += [outcome.row for outcome in found if outcome.accepted and outcome.row is not None]
        attempt += 1
        waiting = [
            slot
            for slot, outcome in zip(waiting, found, strict=True)
            if not outcome.accepted and slot.attempts > attempt
        ]
    return done
