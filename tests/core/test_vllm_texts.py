"""A stream over an engine whose every step is scripted: what is in flight, what comes back, what is left behind."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from core.language_model import Generation
from core.vllm_texts import failed, generation, prompt_fault, streamed


class DeadError(Exception):
    pass


class Engine:
    """Ends, at each step, the requests whose prompts it is told; a prompt is named by its first token."""

    def __init__(self, *steps, refuses=()):
        self.steps, self.refuses = list(steps), refuses
        self.flying, self.most, self.sent, self.aborted, self.ids, self.places = {}, 0, [], [], set(), []

    def add_request(self, name, place, prompt):
        assert name not in self.ids
        self.places.append(place)
        self.ids.add(name)
        if prompt[0] in self.refuses:
            raise ValueError(f"not {prompt[0]}")
        self.flying[name] = prompt[0]
        self.sent.append(prompt[0])
        self.most = max(self.most, len(self.flying))

    def step(self):
        ends = self.steps.pop(0)
        if isinstance(ends, Exception):
            raise ends
        outputs = [SimpleNamespace(request_id="another's", finished=True)]  # the rest of an aborted stream
        for name, token in list(self.flying.items()):
            outputs.append(SimpleNamespace(request_id=name, finished=token in ends, token=token))
            if token in ends:
                del self.flying[name]
        return outputs

    def abort_request(self, names):
        self.aborted += [self.flying.pop(name, None) for name in names]


def stream(engine, prompts, in_flight=2, timed=None):
    @contextmanager
    def clock():
        yield
        if timed is not None:
            timed.append(1)

    return streamed(
        engine,
        ([token] for token in prompts),
        in_flight=in_flight,
        submit=engine.add_request,
        faults=(ValueError, DeadError),
        read=lambda prompt, output: Generation(
            text=f"{output.token}", finish_reason="stop", prompt_tokens=len(prompt), output_tokens=1
        ),
        clock=clock,
    )


def told(came):
    return [[(place, made.error or made.text) for place, made in together] for together in came]


def test_each_answer_comes_as_it_ends_and_the_next_prompt_takes_its_place():
    engine, timed = Engine([11], [], [10, 12], [13]), []
    coming = stream(engine, [10, 11, 12, 13], timed=timed)
    assert told([next(coming)]) == [[(1, "11")]]
    assert engine.sent == [10, 11, 12]  # sent before the answer was handed over
    assert told(coming) == [[(0, "10"), (2, "12")], [(3, "13")]]
    assert (engine.most, engine.steps, engine.aborted, engine.places) == (2, [], [], [0, 1, 2, 3])
    assert len(timed) == 8  # four sent, four steps


def test_nothing_is_asked_of_no_prompts_or_taken_before_there_is_room():
    engine = Engine([0], [1])
    assert list(stream(engine, [])) == []
    taken = []
    coming = stream(engine, (taken.append(token) or token for token in range(9)), in_flight=1)
    assert told([next(coming)]) == [[(0, "0")]] and taken == [0, 1]


def test_a_stream_without_room_is_refused():
    with pytest.raises(ValueError, match="in_flight: expected at least 1, got 0"):
        next(stream(Engine(), [1], in_flight=0))


def test_a_prompt_that_is_not_taken_is_told_at_once_and_the_others_go_on():
    engine = Engine([10], [12], refuses=(11, 13))
    came = told(stream(engine, [10, 11, 12, 13], in_flight=3))
    assert came == [[(1, "not 11")], [(3, "not 13")], [(0, "10")], [(2, "12")]]
    every = stream(Engine(refuses=range(100)), range(100), in_flight=50)
    assert told([next(every), next(every)]) == [[(0, "not 0")], [(1, "not 1")]]  # not a hundred before the first


def test_requests_that_the_engine_loses_fail_and_the_next_are_sent():
    engine = Engine(DeadError("gone"), [12])
    assert told(stream(engine, [10, 11, 12])) == [[(0, "gone"), (1, "gone")], [(2, "12")]]
    assert engine.aborted == [10, 11]


class KilledError(Exception):
    pass


@pytest.mark.parametrize("way", ["closed", "thrown into", "the engine's own"])
def test_nothing_is_left_in_the_engine(way):
    engine = Engine([10], KilledError())
    coming = stream(engine, range(10, 20), in_flight=4)
    next(coming)
    if way == "closed":
        coming.close()
    else:
        with pytest.raises(KilledError):
            coming.throw(KilledError()) if way == "thrown into" else next(coming)
    assert sorted(engine.aborted) == [11, 12, 13, 14] and not engine.flying


def test_an_error_of_the_prompts_own_leaves_nothing_either():
    def prompts():
        yield 10
        raise ValueError("no such chat")  # not the engine's, so no failed request

    engine = Engine()
    with pytest.raises(ValueError, match="no such chat"):
        list(stream(engine, prompts(), in_flight=4))
    assert engine.aborted == [10]


def test_an_engine_that_is_dead_hides_no_error_behind_its_own():
    engine = Engine(KilledError())
    engine.abort_request = lambda names: (_ for _ in ()).throw(DeadError("gone"))
    with pytest.raises(KilledError):
        list(stream(engine, [10]))


def test_outputs_are_read():
    made = SimpleNamespace(text="Yes", finish_reason="stop", token_ids=[5, 6])
    found = generation([1, 2, 3], SimpleNamespace(outputs=[made]))
    assert (found.text, found.finish_reason, found.prompt_tokens, found.output_tokens) == ("Yes", "stop", 3, 2)
    made.finish_reason = "abort"
    assert generation([1], SimpleNamespace(outputs=[made])).error == "vLLM ended it with finish_reason 'abort'"
    assert (failed([1, 2], "why").prompt_tokens, failed([1], "why").error) == (2, "why")


def test_a_prompt_needs_a_token_and_room():
    assert prompt_fault([1], 1) is None
    for prompt in ([], [1, 2]):
        assert prompt_fault(prompt, 1) == "a prompt must have 1 to 1 tokens (max_model_len - max_tokens)"
