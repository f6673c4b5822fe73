import json

from pipelines.judged_judge import JudgeQuality
from pipelines.synthesis_report import summary_json, summary_section, summary_text, write_summary
from synth.costs import Costs, Spent
from synth.outcomes import Coverage, Summary

JUDGED = Spent(requests=5, failed=1, prompt_tokens=500, output_tokens=50, seconds=1.0)
WRITTEN = Spent(requests=10, failed=0, prompt_tokens=2000, output_tokens=1000, seconds=7.0)
CHECKED = Spent(requests=2, failed=0, prompt_tokens=30, output_tokens=4, seconds=0.5)
COSTS = Costs(
    this_run={"judge": JUDGED},
    these_settings={"judge": JUDGED, "judge-check": CHECKED, "write": WRITTEN},
    all_runs={"judge": JUDGED, "judge-check": CHECKED, "write": WRITTEN, "solve": WRITTEN},
)

SUMMARY = Summary(
    attempts=10,
    accepted=4,
    rejected={"parse: not JSON": 5, "judge: <low>": 1},
    costs=COSTS,
    asked_now=12,
    reused=3,
    unused=2,
    coverage=Coverage(bank=20, real=10, real_or_made=13, newly=3, wanted=5, reached=2),
)
NONE = JudgeQuality(rows=3, unread=3, score=None, follows=None, own_higher=None, kept=())


def test_the_terminal_is_told_what_was_kept_why_not_and_what_it_cost():
    text = summary_text(SUMMARY, NONE)
    for line in (
        "10 attempts at rows: 4 accepted (40 %), 6 rejected",
        "      5  parse: not JSON",
        "cost                                requests  failed   tokens in  tokens out   seconds",
        "  write                                   10       0       2,000       1,000       7.0",
        "  judge-check                              2       0          30           4       0.5",
        "these settings, now or before             17       1       2,530       1,054       8.5",
        "of these in this run                       5       1         500          50       1.0",
        "all runs, other settings included         27       1       4,530       2,054      15.5",
        "12 requests sent now, 3 found answered; 2 in the ledger are of other settings",
        "10 of 20 misconceptions have a real example (50 %), 13 a real or a made one (65 %); 3 are new",
        "rows were asked for 5 misconceptions; 2 have as many as were wanted at least",
        "a kept row cost 262 output tokens and 2.0 s",
        "  3 pairs could not be read",
    ):
        assert line in text, line


def test_nothing_accepted_and_nothing_asked():
    empty = Summary(
        attempts=0,
        accepted=0,
        rejected={},
        costs=Costs(this_run={}, these_settings={}, all_runs={}),
        asked_now=0,
        reused=0,
        unused=0,
        coverage=SUMMARY.coverage,
    )
    text = summary_text(empty, None)
    assert "0 attempts at rows: 0 accepted (–), 0 rejected" in text and "kept row" not in text


def test_files_hold_the_same(tmp_path):
    write_summary(tmp_path, SUMMARY, None, title="Made", provenance=[("Model", "m <x>")])
    told = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(summary_json(SUMMARY, None)))
    assert (told["accepted"], told["judge"]) == (4, None)
    totals = {of: spent["output_tokens"] for of, spent in told["total_costs"].items()}
    assert totals == {"these_settings": 1054, "this_run": 50, "all_runs": 2054}
    assert told["costs"]["this_run"]["judge"]["failed"] == 1
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    assert (
        "m &lt;x&gt;" in page
        and "judge: &lt;low&gt;" in page
        and "<td>2530</td>" in page
        and "<td>all runs, other settings included</td><td>27</td>" in page
    )


def test_the_section_tells_of_the_judge():
    assert "could not be read" in summary_section(SUMMARY, NONE).html
