import csv
import json

import pytest
from fake_chat import FakeChat
from fake_vllm import serving
from made_rows import made_question

from core.tables import write_misconceptions, write_questions
from pipelines.judge_judge import main


@pytest.fixture
def arguments(tiny_config):
    return lambda fake, files, output, *more: (*told(fake, files, output), "--config", tiny_config, *more)


def told(fake, files, output):
    engine = ("--engine", "fake", "--set", "engines.fake.kind=endpoint", "--set", f"engines.fake.base_url={fake.url}")
    data = ("--train", files.train, "--misconceptions", files.misconceptions, "--output", output)
    return (*data, *engine, "--set", "bootstrap=100")


@pytest.fixture
def oracle(tiny_questions, tiny_bank):
    """A judge that knows the labels."""
    names = {entry.id: entry.name for entry in tiny_bank}
    truth = {
        (question.text.strip(), letter, names[label])
        for question in tiny_questions[0]
        for letter in question.wrong_letters
        for label in question.labels_of(letter)
    }

    def judge(body):
        text = body["messages"][-1]["content"]
        own = any(
            f"Question: {question}\n" in text
            and f"said to come from the misconception: {letter}\nmisconception: {name}\n".lower() in f"{text}\n".lower()
            for question, letter, name in truth
        )
        return json.dumps({"comment": "", "follows": 9 if own else 1, "right": 10, "clear": 10, "level": 10})

    return judge


def test_the_judge_is_measured_on_real_rows_and_nothing_is_asked_twice(invoke, arguments, tiny_files, oracle, tmp_path):
    out = tmp_path / "out"
    with serving(FakeChat(write=oracle)) as fake:
        done = invoke(main, *arguments(fake, tiny_files, out, "--rows", "10"))
        assert done.returncode == 0, done.stderr
        assert "AUC of its score     1.000 [1.000, 1.000]" in done.stdout
        assert "20 requests asked" in done.stdout and len(fake.asked) == 20
        # As synthesize.py asks it: with the five most similar entries.
        texts = [body["messages"][-1]["content"] for body in fake.asked]
        assert all(
            text.partition("Similar misconceptions, which are not meant:")[2].count("\n- ") == 5 for text in texts
        )
        again = invoke(main, *arguments(fake, tiny_files, out, "--rows", "10"))
        assert "0 requests asked, 20 taken" in again.stdout and len(fake.asked) == 20
    facts = json.loads((out / "judge.json").read_text())
    assert (facts["rows"], facts["score"]["value"], facts["unread"]) == (10, 1.0, 0)
    with (out / "judge-rows.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["swapped"], row["score"]) for row in rows] == [("0", "9")] * 10 + [("1", "1")] * 10


def test_swaps_may_be_near(invoke, arguments, tiny_files, oracle, tmp_path):
    with serving(FakeChat(write=oracle)) as fake:
        more = ("--rows", "5", "--near", "3")
        done = invoke(main, *arguments(fake, tiny_files, tmp_path / "out", *more))
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "judge.json").read_text())["near"] == 3


def test_bad_input_is_told_before_any_cost(invoke, arguments, tiny_files, tiny_bank, tmp_path):
    with serving(FakeChat()) as fake:
        done = invoke(main, *arguments(fake, tiny_files, tmp_path / "out", "--rows", "0", "--near", "-1"))
        assert done.returncode == 2 and "--rows" in done.stderr and "--near" in done.stderr
        small = tiny_files._replace(train=tmp_path / "train.csv", misconceptions=tmp_path / "bank.csv")
        write_misconceptions(small.misconceptions, tiny_bank[:1])
        write_questions(small.train, [made_question(label=tiny_bank[0].id)])
        done = invoke(main, *arguments(fake, small, tmp_path / "out"))
        assert done.returncode == 2 and "at least two entries" in done.stderr
        assert fake.asked == []
