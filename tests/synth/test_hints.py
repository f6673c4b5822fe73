"""Asking for hints: every answer is in the ledger, a rejected one is asked for again, a finished one never."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hint_toys import ScriptedWriter, failed, question

from core.chat_writer import ChatMessage
from core.errors import UserError
from core.records import Query
from synth.asking import STOP_AFTER, Asker
from synth.hint_parsing import SCHEMA, HintLimits
from synth.hint_prompt import HintPrompt
from synth.hints import HintSampling, HintsWritten, HintWriter
from synth.ledger import Ledger

PROMPT = HintPrompt(system="", user="{question} {incorrect}")
QUERIES = [Query(question=question(number), letter="B") for number in range(1, 5)]
Answer = Callable[[tuple[ChatMessage, ...], int], object]


def number_of(chat: tuple[ChatMessage, ...]) -> int:
    return int(chat[-1].text.split()[2])


def good(number: int) -> str:
    return f"The student writes {number} twice, side by side."


def run(
    path: Path, answer: Answer, *, form: str = "plain", attempts: int = 2, queries: list[Query] = QUERIES
) -> tuple[HintsWritten, ScriptedWriter, list[int]]:
    """Return what came of it, the writer, and the attempts (seeds) asked of each query's number, in order."""
    writer = ScriptedWriter(answer)
    with Ledger(path) as ledger:
        asker = Asker(writer, ledger, engine="test", model="m", revision=None, batch=2)
        made = HintWriter(
            asker,
            ledger,
            prompt=PROMPT,
            form=form,  # type: ignore[arg-type]
            sampling=HintSampling(max_tokens=50, attempts=attempts),
            limits=HintLimits(),
        ).write(queries)
        assert len(ledger) >= len(writer.asked)
    return made, writer, [seed for _, _, _, seed, _ in writer.asked]


def test_every_query_gets_its_own_hint(tmp_path: Path) -> None:
    made, writer, seeds = run(tmp_path / "l.jsonl", lambda chat, seed: good(number_of(chat)))
    assert {key: written.hint.hint for key, written in made.hints.items()} == {
        f"{number}_B": good(number) for number in range(1, 5)
    }
    assert (made.missing, made.rejections, seeds) == ({}, Counter(), [0, 0, 0, 0])
    assert {(tokens, heat, schema) for _, tokens, heat, _, schema in writer.asked} == {(50, 0.0, None)}
    assert made.hints["3_B"].asked.row == "3_B"


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    first, _, _ = run(tmp_path / "l.jsonl", lambda chat, seed: good(number_of(chat)))
    second, writer, _ = run(tmp_path / "l.jsonl", lambda chat, seed: "never asked")
    assert writer.asked == []
    assert second == first


def test_a_rejected_answer_is_asked_again_warmer_and_counted(tmp_path: Path) -> None:
    def answer(chat: tuple[ChatMessage, ...], seed: int) -> str:
        number = number_of(chat)
        return good(number) if seed >= {2: 1, 3: 9}.get(number, 0) else "No."

    made, writer, seeds = run(tmp_path / "l.jsonl", answer)
    assert list(made.hints) == ["1_B", "2_B", "4_B"]
    assert {key: verdict.reason for key, verdict in made.missing.items()} == {"3_B": "too short"}
    assert made.rejections == Counter({"too short": 3})
    assert seeds == [0, 0, 0, 0, 1, 1]
    assert [heat for _, _, heat, seed, _ in writer.asked if seed] == [0.7, 0.7]
    # The next run goes on where this one ended, and for what is missing alone.
    again, writer, seeds = run(tmp_path / "l.jsonl", answer)
    assert (seeds, {number_of(chat) for chat, *_ in writer.asked}) == ([2, 3], {3})
    assert list(again.hints) == ["1_B", "2_B", "4_B"]
    assert again.rejections == Counter({"too short": 5})


def test_a_failed_request_waits_for_the_next_run(tmp_path: Path) -> None:
    def answer(chat: tuple[ChatMessage, ...], seed: int) -> object:
        return failed("read timed out") if number_of(chat) == 2 else good(number_of(chat))

    made, _, seeds = run(tmp_path / "l.jsonl", answer)
    assert seeds == [0, 0, 0, 0]
    assert (made.missing["2_B"].reason, made.missing["2_B"].detail) == ("request failed", "read timed out")
    again, writer, seeds = run(tmp_path / "l.jsonl", lambda chat, seed: good(number_of(chat)))
    assert (seeds, number_of(writer.asked[0][0])) == ([0], 2)
    assert list(again.hints) == ["1_B", "2_B", "3_B", "4_B"]
    assert again.missing == {}


def test_a_refusal_is_a_counted_rejection(tmp_path: Path) -> None:
    made, _, _ = run(tmp_path / "l.jsonl", lambda chat, seed: "I'm sorry, but I can't do that.", queries=QUERIES[:1])
    assert made.missing["1_B"].reason == "refused"
    assert made.rejections == Counter({"refused": 2})


def test_form_json_sends_the_schema_and_parses_strictly(tmp_path: Path) -> None:
    def answer(chat: tuple[ChatMessage, ...], seed: int) -> str:
        return f'{{"reasoning": "r", "hint": "{good(number_of(chat))}"}}' if number_of(chat) > 1 else good(1)

    made, writer, _ = run(tmp_path / "l.jsonl", answer, form="json", attempts=1)
    assert {key: written.hint.reasoning for key, written in made.hints.items()} == dict.fromkeys(
        ("2_B", "3_B", "4_B"), "r"
    )
    assert made.missing["1_B"].reason == "answer not parsed"
    assert all(schema == SCHEMA for *_, schema in writer.asked)


def test_what_was_finished_before_a_crash_is_kept(tmp_path: Path) -> None:
    """The engine dies in the third batch of two: four answers are on the disk."""
    queries = [Query(question=question(number), letter="B") for number in range(1, 8)]

    def dies(chat: tuple[ChatMessage, ...], seed: int) -> object:
        return RuntimeError("engine lost") if number_of(chat) == 6 else good(number_of(chat))

    with pytest.raises(RuntimeError, match="engine lost"):
        run(tmp_path / "l.jsonl", dies, queries=queries)
    made, writer, _ = run(tmp_path / "l.jsonl", lambda chat, seed: good(number_of(chat)), queries=queries)
    assert len(made.hints) == 7
    assert [number_of(chat) for chat, *_ in writer.asked] == [5, 6, 7]


def test_a_dead_server_stops_the_run(tmp_path: Path) -> None:
    queries = [Query(question=question(number), letter="B") for number in range(1, STOP_AFTER + 9)]
    with pytest.raises(UserError, match="connection refused"):
        run(tmp_path / "l.jsonl", lambda chat, seed: failed("connection refused"), queries=queries)


def test_sampling_is_checked() -> None:
    with pytest.raises(ValueError, match="retry_temperature"):
        HintSampling(retry_temperature=0)
