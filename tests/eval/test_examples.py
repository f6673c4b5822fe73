import json

import numpy as np
import pytest

from core.errors import InputError
from core.records import Misconception, Query, Question, Ranking
from eval.examples import Examples, to_payload

QUESTION = Question(
    id=4,
    text="</script><b>?",
    answers=("1", "2", "3", r"\( x \)"),
    correct="A",
    labels=((), (7,), (), ()),
    subject="S & T",
)
BANK = [Misconception(id=id, name=f"name {id} <script>") for id in range(12)]


def ranked(key: str) -> Ranking:
    return Ranking(key=key, ids=np.arange(12), scores=-np.arange(12) / 3)


def test_payload_is_inert_and_complete() -> None:
    queries = [Query(question=QUESTION, letter="B", hint="why"), Query(question=QUESTION, letter="C")]
    text = to_payload(Examples(queries=queries, rankings=[ranked("4_C"), ranked("4_B")], bank=BANK, seen={1}, shown=2))
    assert not set(text) & set("<>&")
    data = json.loads(text)
    assert data["rows"][0] == {
        "q": 4, "letter": "B", "hint": "why", "ids": [0, 1], "scores": [-0.0, -0.3333], "truth": [7], "ranks": [8],
        "unseen": True,
    }  # fmt: skip
    assert data["rows"][1]["unseen"] is None  # no label: neither seen nor unseen
    assert data["questions"]["4"]["html"] == "&lt;/script&gt;&lt;b&gt;?"
    assert data["questions"]["4"]["answers"]["D"].startswith("<math>")
    assert sorted(data["names"], key=int) == ["0", "1", "7"]


def test_what_is_missing_is_named() -> None:
    queries = [Query(question=QUESTION, letter="B")]
    with pytest.raises(InputError, match="query 4_B"):
        to_payload(Examples(queries=queries, rankings=[], bank=BANK))
    with pytest.raises(InputError, match="misconception 7"):
        to_payload(Examples(queries=queries, rankings=[ranked("4_B")], bank=BANK[:3], shown=2))
