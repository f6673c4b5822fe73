import pytest
from made_rows import BANK, made_question
from scripted_writer import ScriptedWriter, failed, in_turn, made, question

from core.fingerprint import fingerprint
from synth import reasons
from synth.asking import Asker
from synth.examples import ExamplePool
from synth.ledger import Ledger
from synth.parsing import parse_written
from synth.prompts import SCHEMA, QuestionPrompter
from synth.slots import Slot, slots_of
from synth.verdicts import passed, rejected
from synth.writing import RowWriter, Sampling, Shown, row_of, write_all

REAL = [made_question(text=f"What is {n} + 2?", id=n, label=1 + n % 3) for n in range(9)]


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "r.jsonl") as opened:
        yield opened


def writer(guided=True, real=REAL, **changes):
    sampling = Sampling(temperature=0.8, max_tokens=99, seed=40, guided=guided)
    facts = {
        "bank": BANK,
        "similar": {1: (2, 3)},
        "pool": ExamplePool(real, BANK, seed=0),
        "prompter": QuestionPrompter(lambda text: len(text.split()), max_tokens=5000),
        "shown": Shown(random=1, same=1),
        "sampling": sampling,
        "language": "en",
    }
    return RowWriter(**{**facts, **changes})


def run(ledger, script, *, slots=None, checks=(), attempts=1, batch=8, **changes):
    model = ScriptedWriter(script)
    asker = Asker(model, ledger, engine="scripted", model="m", revision=None, batch=batch)
    slots = slots or [Slot(misconception_id=1, number=0, attempts=attempts)]
    return write_all(writer(**changes), slots, asker, checks), model


def said(outcomes):
    return [(o.key, o.rejection and (o.rejection[0], o.rejection[1].reason)) for o in outcomes]


def test_a_good_answer_becomes_a_row_with_its_parents(ledger):
    (outcome,), model = run(ledger, lambda _: question())
    assert outcome.accepted and outcome.rejection is None
    row = outcome.row
    assert (row.misconception_id, row.letter, row.source, row.key) == (1, "C", "llm", "m1-0-0")
    assert row.question.labels == ((), (), (1,), ()) and row.question.correct == "B"
    assert (row.question.subject, row.question.construct) == ("Fractions", "Add fractions")
    shown = model.asked[0][1].text
    parents = {fingerprint(real) for real in REAL if f'"What is {real.id} + 2?"' in shown}
    assert set(row.parents) == set(outcome.parents) == parents and len(parents) == 2
    assert "Adds before multiplying" in shown and "- Adds numerators and denominators" in shown
    assert model.calls[0] == {"chats": 1, "max_tokens": 99, "temperature": 0.8, "seed": 40, "schema": SCHEMA}


ANSWERS = {"A": "1", "B": "2", "C": "3", "D": "4"}
REJECTIONS = {
    "not JSON at all": (reasons.NOT_JSON, "parse"),
    "I'm sorry, I can't do that.": (reasons.REFUSED, "parse"),
    question()[:-2]: (reasons.NOT_JSON, "parse"),
    question(rationale=...): (reasons.MISSING, "parse"),
    question(extra=1): (reasons.UNKNOWN, "parse"),
    question(answers="ABCD"): (reasons.WRONG_TYPE, "parse"),
    question(correct="E"): (reasons.NO_LETTER, "parse"),
    question(misconception_answer="B"): (reasons.SAME_LETTER, "rules"),
    question(answers={**ANSWERS, "D": "1"}): (reasons.EQUAL_ANSWERS, "rules"),
    question(question="What is 3? The correct answer is B."): (reasons.LEAKED, "rules"),
    question(question="Bob adds before multiplying. What is it?"): (reasons.NAMED, "rules"),
    question(question="What is in the picture?"): (reasons.PICTURE, "rules"),
    question(question="Which? A) 1 B) 2 C) 3"): (reasons.OPTIONS, "rules"),
    question(question="What is \\( 3?"): (reasons.BROKEN_LATEX, "rules"),
    question(question="x" * 9000): (reasons.TOO_LONG, "rules"),
    question(question="Quelle est la somme de deux nombres dans le plan?"): (reasons.LANGUAGE, "rules"),
}


def test_every_reason_is_counted_once(ledger):
    """One slot a script line: what cannot be used is rejected with its own reason and nothing is lost."""
    scripts = [*REJECTIONS, "", failed("timed out"), made(question()[:50], reason="length"), question()]
    slots = [Slot(misconception_id=1, number=n, attempts=1) for n in range(len(scripts))]
    left = list(scripts)
    outcomes, model = run(ledger, lambda _: left.pop(0), slots=slots)
    expected = [
        *((check, reason) for reason, check in REJECTIONS.values()),
        ("parse", reasons.EMPTY),
        ("parse", reasons.FAILED),
        ("parse", reasons.CUT_OFF),
        None,
    ]
    assert [reason for _, reason in said(outcomes)] == expected
    told = {reason for _, reason in filter(None, expected)}
    assert told == {*reasons.ROW_REASONS["parse"], *reasons.ROW_REASONS["rules"]}
    assert len(ledger) == len(model.asked) == len(scripts)


def test_a_rejected_row_is_asked_for_again_with_another_seed_and_other_examples(ledger):
    answers = ["no", "no", question()]
    outcomes, model = run(ledger, lambda _: answers.pop(0), attempts=5)
    assert said(outcomes) == [("m1-0-0", ("parse", "not JSON")), ("m1-0-1", ("parse", "not JSON")), ("m1-0-2", None)]
    assert [call["seed"] for call in model.calls] == [40, 41, 42]
    assert len({chat[1].text for chat in model.asked}) > 1


def test_retries_are_bounded_and_only_for_what_is_wanted_at_least(ledger):
    slots = slots_of([BANK[1]], {}, at_least=1, at_most=2, attempts=3)
    outcomes, model = run(ledger, lambda _: "no", slots=slots)
    assert [key for key, _ in said(outcomes)] == ["m1-0-0", "m1-1-0", "m1-0-1", "m1-0-2"]
    assert [call["seed"] for call in model.calls] == [40, 140, 41, 42]


class Reject:
    """Rejects every row once, and keeps what it was told is kept already."""

    name = "twice"

    def __init__(self):
        self.kept, self.seen = [], set()

    def verdicts(self, rows, kept):
        self.kept.append([row.key for row in kept])
        new = [row.misconception_id for row in rows]
        found = [passed(score=9.0) if id in self.seen or id == 2 else rejected("not yet") for id in new]
        self.seen.update(new)
        return found


def test_checks_see_what_earlier_rounds_kept(ledger):
    check = Reject()
    slots = slots_of([BANK[1], BANK[2]], {}, at_least=1, at_most=1, attempts=3)
    outcomes, _ = run(ledger, lambda _: question(), slots=slots, checks=[check])
    assert said(outcomes) == [("m1-0-0", ("twice", "not yet")), ("m2-0-0", None), ("m1-0-1", None)]
    assert check.kept == [[], ["m2-0-0"]] and outcomes[1].score("twice") == 9.0
    assert [name for name, _ in outcomes[0].verdicts] == ["parse", "rules", "twice"]


def test_a_second_run_asks_nothing_and_ends_the_same(ledger):
    slots = slots_of(list(BANK.values()), {}, at_least=1, at_most=2, attempts=2)
    texts = iter([question(n) if n % 2 else "no" for n in range(99)])
    first, model = run(ledger, lambda _: next(texts), slots=slots)
    again, idle = run(ledger, lambda _: "must not be asked", slots=slots)
    assert model.asked and not idle.asked and again == first


def test_a_request_that_failed_is_not_asked_again_where_the_next_attempt_brought_a_row(ledger):
    first, _ = run(ledger, in_turn(failed("HTTP 500"), question(1)).answer, attempts=3)
    assert [(o.key, o.accepted) for o in first] == [("m1-0-0", False), ("m1-0-1", True)]
    again, model = run(ledger, lambda _: question(7), attempts=3)
    assert not model.asked and [(o.key, o.row) for o in again] == [(o.key, o.row) for o in first]
    # Where the next attempt brought nothing, the failed one has its second chance.
    other = [Slot(misconception_id=2, number=0, attempts=2)]
    run(ledger, in_turn(failed("HTTP 500"), "not JSON").answer, slots=other)
    found, model = run(ledger, lambda _: question(3), slots=other)
    assert len(model.asked) == 1 and [(o.key, o.accepted) for o in found] == [("m2-0-0", True)]


def test_without_examples_or_schema(ledger):
    (outcome,), model = run(ledger, lambda _: question(), real=[], guided=False, similar={})
    assert outcome.accepted and outcome.parents == () and model.calls[0]["schema"] is None
    assert "Examples" not in model.asked[0][1].text


def test_a_row_is_built_from_what_was_written():
    from made_rows import asked

    written = parse_written(asked(question(3)))
    row = row_of(written, key="k", misconception_id=2, parents=("p",))
    assert row.question.text == written.question and row.question.labels[2] == (2,) and row.rationale
