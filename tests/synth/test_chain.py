import pytest
from made_rows import made_row

from synth.chain import run_checks
from synth.verdicts import passed, rejected


class Named:
    """Rejects the rows of some keys; keeps what it was shown."""

    def __init__(self, name, bad=(), score=None):
        self.name, self.bad, self.score, self.seen = name, bad, score, []

    def verdicts(self, rows, kept):
        self.seen.append(([row.key for row in rows], [row.key for row in kept]))
        return [rejected(f"{self.name}!") if row.key in self.bad else passed(score=self.score) for row in rows]


def test_each_check_sees_only_what_passed_the_others():
    first, second = Named("first", bad=("b",)), Named("second", bad=("c",), score=8.0)
    rows = [made_row(key) for key in "abc"]
    a, b, c = run_checks(rows, [made_row("old")], [first, second])
    assert first.seen == [(["a", "b", "c"], ["old"])] and second.seen == [(["a", "c"], ["old"])]
    assert a.accepted and a.rejection is None and a.score("second") == 8.0 and a.score("third") is None
    assert not b.accepted and b.rejection[0] == "first" and [name for name, _ in b.verdicts] == ["first"]
    assert c.rejection[1].reason == "second!" and len(c.verdicts) == 2


def test_a_check_is_not_asked_about_nothing_and_must_answer_for_all():
    last = Named("last")
    run_checks([made_row("a")], [], [Named("first", bad=("a",)), last])
    assert last.seen == []
    last.verdicts = lambda rows, kept: []
    with pytest.raises(ValueError, match="check last: expected 1 verdicts, got 0"):
        run_checks([made_row("a")], [], [last])
