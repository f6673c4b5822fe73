"""The roof over all tables: what is written comes back, and the real files read as they are known to be."""

import os
from itertools import chain
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import tables
from core.records import LETTERS, Misconception, Question, queries_of
from core.tables import (
    check_inputs,
    read_explanations,
    read_misconceptions,
    read_questions,
    write_explanations,
    write_misconceptions,
    write_questions,
)

TEXTS = st.text(min_size=1, max_size=30).filter(lambda text: bool(text.strip())) | st.sampled_from(
    [
        '"',
        ",",
        "a\nb",
        "a\r\nb",
        "\r x",
        ' "quoted", twice ""',
        "'",
        "\ufeffx",
        "\x00",
        "#",
        "naïve — ½ 数",
        "NA",
        "null",
        "\\( \\frac{1}{2} \\)",
    ]
)
IDS = st.integers(0, 10**18 - 1)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    correct = draw(st.sampled_from(LETTERS))
    labels = [() if letter == correct else tuple(draw(st.lists(IDS, max_size=3, unique=True))) for letter in LETTERS]
    return Question(
        id=draw(IDS),
        text=draw(TEXTS),
        answers=tuple(draw(TEXTS) for _ in LETTERS),
        correct=correct,
        labels=tuple(labels),
        construct=draw(st.none() | TEXTS),
        subject=draw(st.none() | TEXTS),
        construct_id=draw(st.none() | IDS),
        subject_id=draw(st.none() | IDS),
    )


@given(st.lists(questions(), min_size=1, max_size=5, unique_by=lambda question: question.id))
def test_any_questions_come_back_and_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, written: list[Question]
) -> None:
    path = tmp_path_factory.mktemp("tables") / "q.csv"
    write_questions(path, written)
    first = path.read_bytes()
    read = read_questions(path).questions
    assert read == tuple(written)
    write_questions(path, read)
    assert path.read_bytes() == first


@given(st.dictionaries(IDS, st.tuples(TEXTS, st.none() | TEXTS), min_size=1, max_size=8))
def test_any_bank_comes_back(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[int, tuple[str, str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    bank = tuple(Misconception(id=id, name=name, explanation=text) for id, (name, text) in entries.items())
    write_misconceptions(folder / "m.csv", bank)
    write_explanations(folder / "e.csv", bank)
    told = any(entry.explanation is not None for entry in bank)
    assert read_misconceptions(folder / "m.csv", explanations=folder / "e.csv" if told else None) == bank


def test_every_name_of_the_roof_is_there() -> None:
    assert all(hasattr(tables, name) for name in tables.__all__)


@pytest.fixture(scope="module")
def eedi() -> Path:
    folder = Path(os.environ.get("EEDI_DIR", Path(__file__).parents[2] / "../shared/data/eedi"))
    if not (folder / "train.csv").is_file():
        pytest.skip(f"the real Eedi files are not at {folder} (set EEDI_DIR)")
    return folder


@pytest.mark.eedi
def test_the_real_files_read_without_a_fault(eedi: Path) -> None:
    inputs = check_inputs(
        misconceptions=eedi / "misconception_mapping.csv",
        train=eedi / "train.csv",
        test=eedi / "test.csv",
        hints=[eedi / "hints.csv"],
        explanations=[eedi / "explanations.csv"],
    )
    assert inputs.train is not None
    assert inputs.test is not None
    asked = inputs.train.questions
    queries = queries_of(asked, labelled_only=True)
    assert (len(asked), len(queries), len(inputs.bank)) == (1495, 3461, 2587)
    assert len({label for query in queries for label in query.labels}) == 1279
    assert all(len(query.labels) == 1 for query in queries)
    assert len(inputs.test.questions) == 3
    assert set(inputs.hints) == {query.key for query in queries}
    assert sum(hint.reasoning is None for hint in inputs.hints.values()) == 296
    assert all(entry.explanation for entry in inputs.bank)
    (warning,) = inputs.warnings
    assert "two equal answers: 5 " in warning


@pytest.mark.eedi
def test_the_quirks_of_the_real_files_are_kept(eedi: Path, tmp_path: Path) -> None:
    asked = read_questions(eedi / "train.csv").questions
    other = pl.read_csv(eedi / "train.csv", infer_schema=False)  # another reader of the same bytes
    assert [question.text for question in asked] == other["QuestionText"].to_list()
    assert [question.answers for question in asked] == other.select(f"Answer{letter}Text" for letter in LETTERS).rows()
    assert sum("\n" in question.text for question in asked) == 782
    assert sum("![" in question.text for question in asked) == 500
    assert sum(not question.labels_of(letter) for question in asked for letter in question.wrong_letters) == 1024
    assert sum(len(set(chain(*question.labels))) < sum(map(len, question.labels)) for question in asked) == 414
    write_questions(tmp_path / "q.csv", asked)
    assert read_questions(tmp_path / "q.csv").questions == asked


@pytest.mark.eedi
def test_the_real_explanations_read_alone(eedi: Path) -> None:
    assert sorted(read_explanations([eedi / "explanations.csv"])) == list(range(2587))
