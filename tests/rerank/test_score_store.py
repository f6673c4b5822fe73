"""What is stored comes back to the bit, whatever killed the run that wrote it."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from core.errors import InputError
from core.language_model import LabelScores, ScoringError
from rerank.score_store import ScoreStore, StoredScorer

PROMPTS = [(1, 2, 3), (1, 2), (5,)]
LABELS = [(7, 8), (7, 8, 9), (4,)]
SCORES = [
    LabelScores(logprobs=np.log(np.array([0.1, 0.9], dtype=np.float32)), mass=0.1 + 0.2),
    LabelScores(logprobs=np.array([-1e-30, -70.123456, -3.3333333], dtype=np.float32), mass=None),
    LabelScores(logprobs=np.array([-0.0], dtype=np.float32), mass=1.0),
]


def filled(path: Path, engine: str = "model@1") -> ScoreStore:
    store = ScoreStore(path, engine=engine)
    store.add(PROMPTS, LABELS, SCORES)
    return store


def same(found: LabelScores | None, expected: LabelScores) -> bool:
    return (
        found is not None
        and found.logprobs.dtype == np.float32
        and found.logprobs.tobytes() == expected.logprobs.tobytes()
        and found.mass == expected.mass
    )


def test_every_bit_comes_back(tmp_path: Path) -> None:
    for store in (filled(tmp_path / "deep" / "s.jsonl"), ScoreStore(tmp_path / "deep" / "s.jsonl", engine="model@1")):
        assert len(store) == 3
        for prompt, labels, scores in zip(PROMPTS, LABELS, SCORES, strict=True):
            assert same(store.get(prompt, labels), scores)


def test_prompt_labels_and_engine_all_count(tmp_path: Path) -> None:
    store = filled(tmp_path / "s.jsonl")
    assert store.get((1, 2, 3), (8, 7)) is None
    assert store.get((1, 2), (7, 8)) is None
    assert store.get((1, 2, 3, 2, 7, 8), ()) is None
    other = ScoreStore(tmp_path / "s.jsonl", engine="model@2")
    assert other.get(PROMPTS[0], LABELS[0]) is None
    other.add(PROMPTS[:1], LABELS[:1], SCORES[:1])
    assert same(ScoreStore(tmp_path / "s.jsonl", engine="model@1").get(PROMPTS[0], LABELS[0]), SCORES[0])


def test_the_first_score_of_a_prompt_stays(tmp_path: Path) -> None:
    store = filled(tmp_path / "s.jsonl")
    size = store.path.stat().st_size
    store.add(PROMPTS[:1], LABELS[:1], [LabelScores(logprobs=np.zeros(2, dtype=np.float32), mass=None)])
    assert store.path.stat().st_size == size
    assert same(store.get(PROMPTS[0], LABELS[0]), SCORES[0])


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_dropped_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: int) -> None:
    path = filled(tmp_path / "s.jsonl").path
    path.write_bytes(path.read_bytes()[:-cut])
    store = ScoreStore(path, engine="model@1")
    assert "torn" in caplog.text
    assert [store.get(p, w) is not None for p, w in zip(PROMPTS, LABELS, strict=True)] == [True, True, False]
    store.add(PROMPTS[2:], LABELS[2:], SCORES[2:])
    again = ScoreStore(path, engine="model@1")
    assert len(again) == 3
    assert same(again.get(PROMPTS[2], LABELS[2]), SCORES[2])


@pytest.mark.parametrize(
    "line", [b"rubbish\n", b'{"key": "00"}\n', b'{"key":"zz","logprobs":"","mass":null}\n', b"[]\n"]
)
def test_a_whole_line_of_another_hand_is_refused(tmp_path: Path, line: bytes) -> None:
    path = filled(tmp_path / "s.jsonl").path
    path.write_bytes(line + path.read_bytes())
    with pytest.raises(InputError, match="byte 0"):
        ScoreStore(path, engine="model@1")


def test_a_file_that_was_changed_is_noticed(tmp_path: Path) -> None:
    store = filled(tmp_path / "s.jsonl")
    lines = store.path.read_bytes().splitlines(keepends=True)
    store.path.write_bytes(lines[0] + lines[0] + lines[2])
    with pytest.raises(InputError, match="another prompt"):
        store.get(PROMPTS[1], LABELS[1])


def test_lengths_must_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        ScoreStore(tmp_path / "s.jsonl", engine="e").add(PROMPTS, LABELS, SCORES[:2])


def test_only_what_is_missing_is_asked(tmp_path: Path, toys: ModuleType) -> None:
    prompts = [(1001, 0, 100, 101), (1002, 0, 100, 101), (1003, 0, 100, 101)]
    labels = [(1, 2)] * 3
    engine = toys.Scorer(noise=0.3)
    store = ScoreStore(tmp_path / "s.jsonl", engine="e")
    first = StoredScorer(engine, store).score(prompts[1:2], labels[1:2])
    scorer = StoredScorer(engine, store)
    found = scorer.score([*prompts, prompts[0]], [*labels, labels[0]])
    assert engine.calls == [[prompts[1]], [prompts[0], prompts[2]]]
    assert scorer.reused == 1
    assert same(found[1], first[0]) and same(found[3], found[0])
    assert scorer.stats is engine.stats
    again = StoredScorer(engine, ScoreStore(store.path, engine="e")).score(prompts, labels)
    assert len(engine.calls) == 2
    assert all(same(a, b) for a, b in zip(again, found, strict=False))


def test_an_error_stores_nothing_and_counts_from_the_callers_prompts(tmp_path: Path, toys: ModuleType) -> None:
    store = ScoreStore(tmp_path / "s.jsonl", engine="e")
    labels = [(1, 2)] * 3
    prompts = [(1001, 0, 100, 101), (1002, 0, 100, 101), (1003, 0, 100, 101)]
    StoredScorer(toys.Scorer(), store).score(prompts[:1], labels[:1])
    with pytest.raises(ScoringError) as caught:
        StoredScorer(toys.Scorer(fail=3), store).score(prompts, labels)
    assert caught.value.prompt == 2
    assert len(store) == 1
