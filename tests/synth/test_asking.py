import threading
import time

import pytest
from fake_chat import completion
from scripted_writer import ScriptedWriter, failed, in_turn, made

from core.chat_endpoint import read_answer
from core.chat_writer import ChatMessage
from core.errors import InputError
from synth import asking
from synth.asking import Asker, AskingError, Request
from synth.ledger import Ledger


def request(row, **changes):
    facts = {
        "task": "write",
        "row": row,
        "messages": (ChatMessage(role="user", text=f"ask {row}"),),
        "max_tokens": 50,
        "temperature": 0.5,
        "seed": 1,
    }
    return Request(**{**facts, **changes})


def asker(writer, ledger, batch=2, model="m", **changes):
    return Asker(writer, ledger, engine="scripted", model=model, revision="r", batch=batch, **changes)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "r.jsonl") as opened:
        yield opened


def echo(chat):
    return chat[-1].text.upper()


class OneByOne(ScriptedWriter):
    """Gives each answer as it comes; notes that its stream was closed."""

    def __init__(self, answer, *, between=lambda: None):
        super().__init__(answer)
        self.between = between
        self.closed = False

    def write_each(self, chats, **settings):
        try:
            for answer in enumerate(self.write(chats, **settings)):
                yield [answer]
                self.between()
        finally:
            self.closed = True


def test_answers_come_in_order_and_are_kept_with_all_that_made_them(ledger):
    writer = ScriptedWriter(echo)
    told = []
    one = asker(writer, ledger, progress=lambda done, total: told.append((done, total)))
    found = one.ask([request("a"), request("b"), request("c")])
    assert [asked.text for asked in found] == ["ASK A", "ASK B", "ASK C"]
    assert [call["chats"] for call in writer.calls] == [2, 1] and told == [(2, 3), (3, 3)]
    first = ledger.get(one.key(request("a")))
    assert (first.task, first.row, first.engine, first.model, first.revision) == ("write", "a", "scripted", "m", "r")
    assert (first.seed, first.temperature, first.max_tokens, first.finish_reason) == (1, 0.5, 50, "stop")
    assert first.prompt_hash == request("a").prompt_hash != request("b").prompt_hash
    assert (first.prompt_tokens, first.output_tokens) == (10, 1)


def test_what_is_finished_is_never_asked_again(ledger, tmp_path):
    asker(ScriptedWriter(echo), ledger).ask([request("a"), request("b")])
    ledger.close()
    with Ledger(tmp_path / "r.jsonl") as again:
        writer = ScriptedWriter(lambda _: "other")
        one = asker(writer, again)
        found = one.ask([request("b"), request("c"), request("a")])
        assert [asked.text for asked in found] == ["ASK B", "other", "ASK A"]
        assert (len(writer.asked), one.asked, one.reused, len(one.used)) == (1, 1, 2, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"temperature": 0.0},
        {"max_tokens": 51},
        {"schema": {"type": "object"}},
        {"task": "solve"},
        {"messages": (ChatMessage(role="system", text="ask a"),)},
    ],
)
def test_any_other_setting_is_another_request(ledger, change):
    writer = ScriptedWriter(echo)
    one = asker(writer, ledger)
    one.ask([request("a")])
    one.ask([request("a", **change)])
    assert len(writer.asked) == 2
    asker(writer, ledger, model="other").ask([request("a")])
    assert len(writer.asked) == 3


def test_equal_requests_are_asked_once(ledger):
    writer = ScriptedWriter(echo)
    one, two = asker(writer, ledger).ask([request("a"), request("a")])
    assert one is two and len(writer.asked) == 1


def test_requests_with_other_settings_are_never_in_one_batch(ledger):
    writer = ScriptedWriter(echo)
    asker(writer, ledger, batch=9).ask([request("a"), request("b", seed=2), request("c", seed=2)])
    assert [(call["chats"], call["seed"]) for call in writer.calls] == [(1, 1), (2, 2)]


def test_a_failed_request_is_recorded_returned_and_asked_again(ledger):
    writer = in_turn(failed("timed out"), "fine")
    one = asker(writer, ledger)
    (found,) = one.ask([request("a")])
    assert (found.error, found.text, found.finish_reason) == ("timed out", "", "error")
    assert one.ask([request("a")])[0].text == "fine"
    assert [asked.error for asked in ledger] == ["timed out", None]


def test_a_dead_server_stops_the_run_and_finished_answers_stay(ledger, monkeypatch):
    monkeypatch.setattr(asking, "STOP_AFTER", 4)
    told = iter(["good", *["no"] * 9])
    writer = ScriptedWriter(lambda _: failed("connection refused") if (text := next(told)) == "no" else made(text))
    with pytest.raises(AskingError, match=r"m: 5 requests in a row failed, the last: connection refused.*run the same"):
        asker(writer, ledger).ask([request(str(n)) for n in range(10)])
    assert len(ledger) == 6 and ledger.get(asker(writer, ledger).key(request("0"))).text == "good"


def test_refusals_that_an_endpoint_tells_of_are_no_dead_server(ledger, monkeypatch):
    monkeypatch.setattr(asking, "STOP_AFTER", 2)
    refused = read_answer(completion(None, refusal="I must not."))
    found = asker(ScriptedWriter(lambda _: refused), ledger).ask([request(str(n)) for n in range(6)])
    assert [asked.error for asked in found] == ["the model refused: I must not."] * 6


def test_a_failure_among_answers_does_not_stop(ledger, monkeypatch):
    monkeypatch.setattr(asking, "STOP_AFTER", 2)
    texts = ["bad", "good"] * 5
    writer = ScriptedWriter(lambda _: failed("x") if texts.pop(0) == "bad" else "fine")
    found = asker(writer, ledger).ask([request(str(n)) for n in range(10)])
    assert sum(asked.error is not None for asked in found) == 5


class KilledError(Exception):
    pass


def test_a_kill_loses_the_batch_under_way_and_no_other(ledger, tmp_path):
    count = 0

    def answer(chat):
        nonlocal count
        count += 1
        if count == 6:
            raise KilledError
        return "x"

    requests = [request(str(n)) for n in range(9)]
    with pytest.raises(KilledError):
        asker(ScriptedWriter(answer), ledger).ask(requests)
    ledger.close()
    with Ledger(tmp_path / "r.jsonl") as again:
        assert len(again) == 4  # two batches of two
        writer = ScriptedWriter(echo)
        asker(writer, again).ask(requests)
        assert len(writer.asked) == 5 and len({asked.key for asked in again}) == len(again) == 9


def test_the_time_of_a_batch_is_shared_out(ledger, monkeypatch):
    clock = iter([10.0, 13.0])
    monkeypatch.setattr(asking.time, "perf_counter", lambda: next(clock))
    found = asker(ScriptedWriter(echo), ledger).ask([request("a"), request("b")])
    assert [asked.seconds for asked in found] == [1.5, 1.5]


def test_a_batch_of_none_is_refused_and_a_full_disk_passes_through(ledger, monkeypatch):
    with pytest.raises(ValueError, match="batch"):
        asker(ScriptedWriter(echo), ledger, batch=0)

    def full(_):
        raise InputError("full")

    monkeypatch.setattr(ledger, "extend", full)
    with pytest.raises(InputError, match="full"):
        asker(ScriptedWriter(echo), ledger).ask([request("a")])


def test_a_streaming_writer_loses_only_what_is_in_flight(ledger, tmp_path):
    """All that came is on the disk when the error goes its way; nothing is told of before it is there."""
    count = 0

    class Streaming(ScriptedWriter):
        def write_each(self, chats, **settings):
            nonlocal count
            for place in reversed(range(len(chats))):
                count += 1
                if count == 4:
                    raise KilledError
                yield [(place, self.write([chats[place]], **settings)[0])]

    requests = [request(str(n)) for n in range(6)]
    told = []
    with pytest.raises(KilledError):
        asker(Streaming(echo), ledger, progress=lambda done, _: told.append((done, len(ledger)))).ask(requests)
    assert all(done <= kept for done, kept in told)
    assert [(asked.row, asked.text) for asked in ledger] == [("5", "ASK 5"), ("4", "ASK 4"), ("3", "ASK 3")]
    found = asker(Streaming(echo), ledger).ask(requests)
    assert [asked.text for asked in found] == [f"ASK {n}" for n in range(6)] and len(ledger) == 6


def test_a_stream_is_not_parted_by_seeds(ledger):
    """A stream drains at its end: each further one leaves the engine waiting for its last answers."""
    streams = []

    class Streaming(ScriptedWriter):
        def write_each(self, chats, **settings):
            streams.append((settings["seed"], settings["max_tokens"]))
            for answer in enumerate(self.write(chats, **settings)):
                yield [answer]

    requests = [request("a"), request("b", seed=2), request("c", seed=2), request("d", seed=2, max_tokens=9)]
    found = asker(Streaming(echo), ledger).ask(requests)
    assert streams == [([1, 2, 2], 50), ([2], 9)]
    assert [(one.text, one.seed) for one in found] == [("ASK A", 1), ("ASK B", 2), ("ASK C", 2), ("ASK D", 2)]


def test_who_interrupts_at_the_progress_leaves_no_thread_and_loses_nothing(ledger):
    """A thread that waited for more would keep the process from ending."""

    def until_the_disk_has_one():
        while not len(ledger):
            time.sleep(0.001)

    writer = OneByOne(echo, between=until_the_disk_has_one)

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        asker(writer, ledger, progress=interrupt).ask([request(str(n)) for n in range(6)])
    assert caught.value.__traceback__ is not None and writer.closed  # the traceback still holds the frames
    assert [asked.row for asked in ledger][:2] == ["0", "1"]  # the second came before the first was told of
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("keeper")]


def test_a_full_disk_stops_a_stream(ledger, monkeypatch):
    def full(_):
        raise InputError("full")

    monkeypatch.setattr(ledger, "extend", full)
    with pytest.raises(InputError, match="full"):
        asker(OneByOne(echo), ledger).ask([request(str(n)) for n in range(6)])


def test_a_dead_server_is_sent_no_more_while_the_error_goes_its_way(ledger, monkeypatch):
    monkeypatch.setattr(asking, "STOP_AFTER", 2)
    writer = OneByOne(lambda _: failed("gone"))
    with pytest.raises(AskingError) as caught:
        asker(writer, ledger).ask([request(str(n)) for n in range(6)])
    assert writer.closed and caught.value.__traceback__ is not None  # the traceback still holds the frames


def test_the_time_of_streamed_answers_adds_up_to_what_passed(ledger, monkeypatch):
    class Streaming(ScriptedWriter):
        def write_each(self, chats, **settings):
            first, *others = enumerate(self.write(chats, **settings))
            yield [first]
            yield others

    clock = iter([10.0, 13.0, 14.0])
    monkeypatch.setattr(asking.time, "perf_counter", lambda: next(clock))
    told = []
    one = asker(Streaming(echo), ledger, progress=lambda *done: told.append(done))
    found = one.ask([request("a"), request("b"), request("c")])
    assert [asked.seconds for asked in found] == [3.0, 0.5, 0.5]
    assert told[-1] == (3, 3) and told[:-1] in ([], [(1, 3)])  # as the disk is done with them


def test_answers_that_came_while_the_disk_was_busy_are_put_on_it_together(ledger, monkeypatch):
    class Streaming(ScriptedWriter):
        def write_each(self, chats, **settings):
            answers = list(enumerate(self.write(chats, **settings)))
            yield answers[2:]
            first_begun.wait(10)
            yield answers[:1]
            yield answers[1:2]
            go.set()

    first_begun, go = threading.Event(), threading.Event()
    syncs = []

    def sync(_):
        syncs.append(len(ledger))
        first_begun.set()
        go.wait(10)

    monkeypatch.setattr("synth.ledger.os.fsync", sync)
    asker(Streaming(echo), ledger).ask([request(str(n)) for n in range(7)])
    assert [asked.row for asked in ledger] == ["2", "3", "4", "5", "6", "0", "1"] and syncs == [0, 5]
