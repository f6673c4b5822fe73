import pytest

from synth.verdicts import Verdict, passed, rejected


def test_a_rejection_has_a_reason_and_an_acceptance_none():
    assert passed(score=8.0) == Verdict(accepted=True, score=8.0)
    assert rejected("too long", detail="900") == Verdict(accepted=False, reason="too long", detail="900")
    for accepted, reason in ((False, None), (False, ""), (True, "why")):
        with pytest.raises(ValueError, match="reason"):
            Verdict(accepted=accepted, reason=reason)
