import multiprocessing
import threading

from fake_engine import CRASHES, IS_NAN, REFUSED, FakeEngine

from core.engine_process import serve
from core.errors import ModelError


def serving(open_engine):
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=serve, args=(theirs, {}, open_engine), daemon=True)
    thread.start()
    return ours, thread


def test_every_task_has_an_answer_and_none_ends_it():
    pipe, thread = serving(FakeEngine)
    assert pipe.recv()[:2] == ("done", None)
    pipe.send(("score", ([[1]], [[5, 6]]), {}))
    kind, value, stats = pipe.recv()
    assert (kind, len(value), stats.prompts) == ("done", 1, 1)
    for trouble, expected in [(IS_NAN, "score"), (REFUSED, "value"), (CRASHES, "other")]:
        pipe.send(("score", ([[1], [trouble]], [[5], [5]]), {}))
        kind, value, _ = pipe.recv()
        assert kind == expected
        if kind == "score":  # with the prompt's number
            assert value == ("prompt 1: the score of token 5 is nan", 1)
    pipe.send(("generate", ([[4]],), {"max_tokens": 2}))
    assert pipe.recv()[1][0].text.startswith("4 ")
    pipe.send(None)
    thread.join(5)
    assert not thread.is_alive()


def test_it_ends_when_the_other_end_is_gone():
    pipe, thread = serving(FakeEngine)
    pipe.recv()
    pipe.close()
    thread.join(5)
    assert not thread.is_alive()


def test_an_engine_that_does_not_open_is_told():
    def broken():
        raise ModelError("no weights")

    pipe, thread = serving(broken)
    assert pipe.recv()[:2] == ("open", "ModelError: no weights")
    thread.join(5)
    assert not thread.is_alive()
