"""Where a run's time went, on an engine and a clock that are scripted."""

import gc
import importlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest


class Engine:
    """Sends (seconds waited, tokens, seconds that they lay there); `now` is the clock of all."""

    def __init__(self, *steps) -> None:
        self.now, self.steps = 100.0, list(steps)
        self.engine_core = Core(self)

    def add_request(self, name, *, priority=0):
        self.now += 0.5
        return f"{name}-{priority}"


class Core:
    def __init__(self, engine) -> None:
        self.engine = engine

    def get_output(self):
        waited, tokens, lay = self.engine.steps.pop(0)
        self.engine.now += waited
        return SimpleNamespace(outputs=[None] * tokens, timestamp=self.engine.now - lay)


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("engine_watch").watched


def test_head_sending_steps_and_tail(watched, tmp_path):
    engine = Engine((1.0, 1, 0.0), (2.0, 3, 0.0), (2.0, 3, 0.0), (1.0, 0, 0.0), (4.0, 3, 0.5))
    kept = os.fsync
    with watched(engine, lambda: engine.now) as watch:
        engine.now += 3
        assert [engine.add_request("a"), engine.add_request("b", priority=2)] == ["a-0", "b-2"]
        for _ in range(5):
            engine.engine_core.get_output()
        with (tmp_path / "ledger").open("w") as stream:
            os.fsync(stream.fileno())
        engine.now += 1.25
    phases = watch.phases()
    # Sent at 3.5 and 4; tokens sent at 5, 7, 9, (none at 10), 13.5, read at 14; over at 15.25.
    assert watch.ended == 15.25
    assert (phases["head_seconds"], phases["sending_seconds"], phases["tail_seconds"]) == (3.5, 0.5, 1.75)
    assert (phases["late_seconds"], phases["waiting_seconds"]) == (0.5, 10.0)
    assert (phases["steps"], phases["mean_running"], phases["steps_below_most"]) == (4, 2.5, 1)
    assert (phases["step_seconds"], phases["slow_seconds"]) == (2.0, 1.5)  # gaps 2, 2, 1, 3.5
    assert (phases["syncs"], phases["sync_seconds"]) == (1, 0.0)
    assert os.fsync is kept


def test_nothing_is_left_of_the_watch_and_a_run_of_nothing_has_phases(watched):
    engine = Engine((1.0, 1, 0.0))
    with pytest.raises(KeyError), watched(engine, lambda: engine.now) as watch:
        gc.collect()
        raise KeyError
    assert watch.phases()["steps"] == 0 and watch.phases()["tail_seconds"] == 0
    assert not {"add_request", "get_output"} & (vars(engine).keys() | vars(engine.engine_core).keys())
    assert not [call for call in gc.callbacks if getattr(call, "__self__", None) is watch]
