"""A process that is killed in the middle of a run loses the batch in flight and nothing else."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rerank.listwise import ListwiseReranker
from rerank.score_store import ScoreStore

ROOT = Path(__file__).parents[2]
COUNT, BATCH = 12, 4  # queries, prompts a call


def start(store: Path, nap: float) -> subprocess.Popen[str]:
    program = Path(__file__).with_name("score_toys.py")
    return subprocess.Popen(
        [sys.executable, str(program), str(store), str(COUNT), str(nap)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_run_goes_on_with_the_very_same_scores(tmp_path: Path, toys: ModuleType) -> None:
    path = tmp_path / "scores.jsonl"
    with start(path, 0.3) as process:
        assert process.stdout is not None
        begun = 0
        while begun < 4:
            assert process.stdout.readline().startswith("call")
            begun += 1
        process.send_signal(signal.SIGKILL)
        begun += sum(line.startswith("call") for line in process.stdout)
    kept = ScoreStore(path, engine="toy")
    assert len(kept) >= (begun - 1) * BATCH  # every call but the one in flight
    assert len(kept) < COUNT * 2
    before = path.read_bytes()[: path.stat().st_size]

    with start(path, 0.0) as process:
        assert process.stdout is not None
        *calls, result = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert sum(int(call.split()[1]) for call in calls) == COUNT * 2 - len(kept)
    assert path.read_bytes().startswith(before)

    # A third run asks nothing: its scores, and the second run's, are those of the file.
    asked = toys.queries(COUNT)
    silent = toys.Scorer()
    reranker = ListwiseReranker(silent, toys.ListPrompter(), store=ScoreStore(path, engine="toy"))
    found = reranker.rerank(asked, toys.rankings(asked, 6), toys.BANK)
    assert silent.calls == []
    assert json.loads(result) == [[r.ids.tolist(), r.scores.tolist()] for r in found]
