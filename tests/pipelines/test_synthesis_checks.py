import json
from types import SimpleNamespace

import numpy as np
import pytest
from made_rows import BANK, made_question, made_row
from scripted_writer import ScriptedWriter, failed

from core.config import load_config
from core.errors import ConfigError
from core.fingerprint import fingerprint
from pipelines import synthesis_checks as module
from pipelines.settings import Settings
from pipelines.synthesis_checks import QuestionVectors, check_sympy, synthesis_checks
from synth.asking import Asker
from synth.chain import run_checks
from synth.ledger import Ledger
from synth.reasons import ROW_REASONS


def solution(letter):
    return json.dumps({"working": "so", "answer": letter})


def marks(score):
    return json.dumps({"comment": "well", "follows": score, "right": 10, "clear": 9, "level": 9})


class Model:
    """Solves rightly, is misled as it should be, and likes everything; single answers can be changed."""

    def __init__(self, **changes):
        self.answers = {"solve": solution("A"), "solve-under": solution("B"), "judge": marks(9)} | changes

    def __call__(self, chat):
        system = chat[0].text
        task = "judge" if "You judge" in system else "solve-under" if "You play" in system else "solve"
        return self.answers[task]


@pytest.fixture
def check(tmp_path):
    """Run the checks of a config over rows: `check(rows, "judge.threshold=9", model=…, embed=…)`."""
    ledgers = []

    def run(rows, *overrides, model=None, judge=None, training=(), held_out=(), embed=None, kept=()):
        settings = load_config(Settings, None, [f"synthesis.{override}" for override in overrides])
        ledger = Ledger(tmp_path / f"ledger-{len(ledgers)}.jsonl")
        ledgers.append(ledger)
        writers = [ScriptedWriter(answer or Model()) for answer in (model, judge or model)]
        askers = [
            Asker(writer, ledger, engine="e", model=name, revision=None, batch=4)
            for writer, name in zip(writers, "mj", strict=True)
        ]
        checks = synthesis_checks(
            SimpleNamespace(settings=settings),
            bank=BANK,
            asker=askers[0],
            judge=askers[1],
            embed=embed,
            training=training,
            held_out=held_out,
        )
        run.names = [one.name for one in checks]
        run.tasks = lambda: [(asked.model, asked.task, asked.row) for asked in ledger]
        return [found.rejection[1].reason if found.rejection else None for found in run_checks(rows, kept, checks)]

    yield run
    for ledger in ledgers:
        ledger.close()


def test_a_good_row_passes_every_check_in_order(check):
    assert check([made_row()]) == [None]
    assert ["parse", "rules", *check.names] == list(ROW_REASONS)
    assert check.tasks() == [("m", "solve", "r1"), ("m", "solve-under", "r1"), ("j", "judge", "r1")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"solve": solution("B")}, "solved otherwise"),
        ({"solve": "A"}, "answer not parsed"),
        ({"solve": failed("timed out")}, "request failed"),
        ({"solve-under": solution("none")}, "the misconception leads elsewhere"),
        ({"solve-under": "I'm sorry, I cannot pretend."}, "refused"),
        ({"judge": marks(6)}, "judged below the threshold"),
        ({"judge": "9/10"}, "answer not parsed"),
    ],
)
def test_each_answer_of_the_model_that_rejects_has_its_reason(check, changes, reason):
    assert check([made_row()], model=Model(**changes)) == [reason]


def test_what_needs_no_model_is_rejected_before_anything_is_asked(check):
    wrong = made_row("wrong", answers=(r"\( 14 \)", r"\( 11 \)", r"\( 9 \)", r"\( 24 \)"))
    leak = made_row("leak", text="Half of 8?")
    shown = made_row("shown", text="Half of 10?", parents=(fingerprint(made_question(text="half of 8?")),))
    found = check([wrong, leak, shown], held_out=[made_question(text="Half of 8?", id=3)])
    assert found == [
        "the stated answer is wrong",
        "the text of a held-out question",
        "a held-out question was shown as an example",
    ]
    assert check.tasks() == []
    assert check([wrong], "arithmetic=false", model=Model(solve=solution("A"))) == [None]


def test_a_rejected_row_is_asked_no_further(check):
    check([made_row("r1"), made_row("r2", text="Half of 8?")], model=Model(solve=solution("C")))
    assert [task for _, task, _ in check.tasks()] == ["solve", "solve"]


def test_duplicates_within_in_training_and_of_earlier_rounds(check):
    rows = [made_row("a", text="Half of 8?"), made_row("b", text="half of  8"), made_row("c", text="Half of 10?")]
    kept = [made_row("k", text="Half of 10?")]
    assert check([*rows, made_row("d", text="1?")], kept=kept, training=[made_question(text="1 ?")]) == [
        None,
        "but for form",
        "exact",
        "but for form (training)",
    ]


def test_near_is_by_the_encoder_and_each_text_is_embedded_once(check):
    places = {"Question: Half of 8?": 0.0, "Question: Half of eight?": 5.0, "Question: One half of 8?": 30.0}
    seen = []

    def embed(texts):
        seen.extend(texts)
        angles = np.radians([places.get(text.split("\n")[0], 90.0) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    rows = [made_row("a", text="Half of 8?"), made_row("b", text="Half of eight?")]
    held_out = [made_question(text="One half of 8?", id=8)]
    assert check(rows, "leaks.near=0.95", embed=embed, held_out=held_out) == [None, "near"]
    assert len(seen) == len(set(seen)) == 3
    assert check(rows, "leaks.near=0.8", embed=embed, held_out=held_out) == ["near a held-out question"] * 2
    assert check(rows, "leaks.near=null", "duplicates.near=null", embed=embed, held_out=held_out) == [None, None]


def test_checks_can_be_left_out_and_the_judge_be_another_model(check):
    assert check([made_row()], "solve=false", "judge.enabled=false", "arithmetic=false") == [None]
    assert check.names == ["leak", "duplicate"]
    assert check([made_row()], judge=Model(judge=marks(2))) == ["judged below the threshold"]
    assert check([made_row()], "judge.threshold=2", judge=Model(judge=marks(2))) == [None]


def test_nothing_to_embed_needs_no_encoder():
    assert QuestionVectors(lambda texts: pytest.fail("embedded")).pair([], []) is None
    assert QuestionVectors(None).pair([made_row()], []) is None


def test_a_missing_sympy_is_told_before_any_cost(monkeypatch):
    monkeypatch.setattr(module, "sympy_fault", lambda: "sympy is not installed: …")
    with pytest.raises(ConfigError, match=r"synthesis\.arithmetic: sympy"):
        check_sympy(Settings().synthesis)
    check_sympy(load_config(Settings, None, ["synthesis.arithmetic=false"]).synthesis)
