"""What the writing benchmark tells of its lines; the run itself needs vLLM and is rehearsed by hand (`--tiny`)."""

import importlib
import json
from pathlib import Path

import pytest


@pytest.fixture
def speed(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("synthesis_speed")


def line(way, rate, share, **further):
    facts = {"way": way, "guided": False, "tokens_per_second": rate, "share_of_bare": share, "outcomes": {}}
    return json.dumps({**facts, **further}) + "\n"


def test_the_summary_tells_the_promise_and_where_the_time_went(speed, tmp_path):
    told = tmp_path / "told.jsonl"
    told.write_text(line("bare", 100.0, 1.0) + line("product, 8 in flight", 94.0, 0.94), encoding="utf-8")
    assert "head_seconds" not in speed.summary(told)  # lines of before the phases
    assert "0.940 of bare vLLM; 0.95 wanted: MISSED" in speed.summary(told)
    runs = [dict.fromkeys(speed.TOLD, 1.0), {**dict.fromkeys(speed.TOLD, 1.0), "head_seconds": 2.0}]
    with told.open("a", encoding="utf-8") as stream:
        stream.write(line("product, 9 in flight", 95.0, 0.95, phases=runs))
    text = speed.summary(told)
    assert "- product, 9 in flight, no schema: 0.950 of bare vLLM; 0.95 wanted: kept" in text
    assert f"| product, 9 in flight | none | 1.500 |{' 1.000 |' * (len(speed.TOLD) - 1)}\n" in text


def test_what_the_summary_tells_is_measured(speed):
    watch = importlib.import_module("engine_watch").Watch()
    assert set(speed.TOLD) <= set(watch.phases())
