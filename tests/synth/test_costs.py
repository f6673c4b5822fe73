from dataclasses import replace

from made_rows import asked

from synth.costs import Costs, Spent, costs_of, spent_by_task, total_of
from synth.ledger import Ledger

WRITE = replace(asked("{}", task="write"), key="w", prompt_tokens=100, output_tokens=20, seconds=2.0)
JUDGE = replace(WRITE, key="j", task="judge", seconds=1.0)


def test_what_was_spent_is_told_by_task_failures_included():
    gone = replace(WRITE, error="gone", prompt_tokens=0, output_tokens=0, seconds=30.0)
    found = spent_by_task([WRITE, gone, JUDGE])
    assert found == {
        "judge": Spent(requests=1, failed=0, prompt_tokens=100, output_tokens=20, seconds=1.0),
        "write": Spent(requests=2, failed=1, prompt_tokens=100, output_tokens=20, seconds=32.0),
    }
    assert list(found) == ["judge", "write"]
    assert total_of(found) == Spent(requests=3, failed=1, prompt_tokens=200, output_tokens=40, seconds=33.0)
    assert total_of(found, without=["judge"]) == found["write"]
    assert total_of({}) == Spent(requests=0, failed=0, prompt_tokens=0, output_tokens=0, seconds=0)


def test_a_run_what_it_rests_on_and_all_runs_are_told_apart(tmp_path):
    """Before this run: a row of other settings, a row that is used again, and its judge's request, which failed."""
    other = replace(WRITE, key="other", seconds=8.0)
    failed = replace(JUDGE, error="gone", prompt_tokens=0, output_tokens=0, seconds=16.0)
    with Ledger(tmp_path / "requests.jsonl") as ledger:
        ledger.extend([other, WRITE, failed])
        before = len(ledger)
        ledger.append(JUDGE)
        costs = costs_of(ledger, before=before, used={"w", "j"})
    once = Spent(requests=1, failed=0, prompt_tokens=100, output_tokens=20, seconds=1.0)
    judged = Spent(requests=2, failed=1, prompt_tokens=100, output_tokens=20, seconds=17.0)
    assert costs == Costs(
        this_run={"judge": once},
        these_settings={"judge": judged, "write": replace(once, seconds=2.0)},
        all_runs={
            "judge": judged,
            "write": Spent(requests=2, failed=0, prompt_tokens=200, output_tokens=40, seconds=10.0),
        },
    )
