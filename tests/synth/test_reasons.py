"""One list of reasons: no name twice, none that names its check, none written out elsewhere."""

import ast
from collections import Counter
from pathlib import Path

from synth import reasons
from synth.reasons import EXPLANATION_REASONS, HINT_REASONS, OF_TRAINING, ROW_REASONS, counted, row_reasons_text

SYNTH = Path(reasons.__file__).parent
NAMED = {name: value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}


def test_each_reason_has_one_name_and_is_listed() -> None:
    assert {value for value, count in Counter(NAMED.values()).items() if count > 1} == set()
    listed = {one for found in (*ROW_REASONS.values(), HINT_REASONS, EXPLANATION_REASONS) for one in found}
    assert {one.removesuffix(OF_TRAINING) for one in listed} == set(NAMED.values()) - {OF_TRAINING}
    for found in (*ROW_REASONS.values(), HINT_REASONS, EXPLANATION_REASONS):
        assert len(found) == len(set(found))


def test_no_reason_names_its_check() -> None:
    names = {counted(check, reason) for check, found in ROW_REASONS.items() for reason in found}
    assert {"solve: answer not parsed", "leak: near a held-out question", "duplicate: exact (training)"} <= names
    assert [name for name in names if name.count(":") > 1] == []


def test_no_module_writes_a_reason_of_its_own() -> None:
    """What is handed to `rejected` and `ReplyError` holds no text: it comes from the list."""
    seen = 0
    for path in SYNTH.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id not in ("rejected", "ReplyError"):
                continue
            seen += 1
            texts = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
            assert texts == [], f"{path.name}, line {node.lineno}"
    assert seen > 30


def test_the_text_names_every_reason_under_its_check() -> None:
    lines = row_reasons_text().splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" " * 14)] == list(ROW_REASONS)
    assert max(map(len, lines)) <= 100
    text = " ".join(row_reasons_text().split())
    assert all("; ".join(found) in text for found in ROW_REASONS.values())
    assert "  arithmetic  the stated answer is wrong; two answers are right" in lines
