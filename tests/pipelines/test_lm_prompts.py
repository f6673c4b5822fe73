from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError
from core.tokenizer import TransformersTokenizer, load_tokenizer
from pipelines.job import Job
from pipelines.lm_prompts import (
    listwise_prompter,
    pointwise_prompter,
    prompt_template,
    prompts_hash,
    simplifier,
    subjects_of,
)
from pipelines.plan import make_plan
from pipelines.reranker_settings import PromptSettings


@pytest.fixture
def job(tiny_job: Callable[..., Job]) -> Job:
    return tiny_job()


@pytest.fixture(scope="module")
def tokenizer(tiny_lm: Path) -> TransformersTokenizer:
    return load_tokenizer(tiny_lm)


def test_settings_become_the_template(tiny_job: Callable[..., Job]) -> None:
    prompt = PromptSettings(
        none_label=True, with_explanations=True, max_tokens=999, alphabet="digits", instruction="Do."
    )
    template = prompt_template(tiny_job(), prompt)
    assert (template.none_label, template.with_explanations, template.max_tokens) == (True, True, 999)
    assert (len(template.alphabet), template.instruction, template.with_hint) == (10, "Do.", True)
    assert not prompt_template(tiny_job("text.hint=off"), prompt).with_hint


def test_examples_come_from_the_fitted_part_and_hold_their_answer(job: Job) -> None:
    examples = prompt_template(job, PromptSettings(examples=3, example_candidates=4)).examples
    assert len(examples) == 3
    held_out = {question.id for question in make_plan(job, job.train).validation}
    for example in examples:
        assert example.query.question.id not in held_out
        assert example.answer in example.query.labels
        ids = [candidate.id for candidate in example.candidates]
        assert len(ids) == len(set(ids)) == 4
        assert set(ids).intersection(example.query.labels) == {example.answer}
    again = prompt_template(job, PromptSettings(examples=3, example_candidates=4)).examples
    assert again == examples


def test_what_changes_a_prompt_changes_its_hash(job: Job, tiny_job: Callable[..., Job]) -> None:
    plain = prompts_hash(job, PromptSettings())
    assert prompts_hash(tiny_job("training.epochs=7"), PromptSettings()) == plain
    others = [
        prompts_hash(tiny_job("text.latex=keep"), PromptSettings()),
        prompts_hash(job, PromptSettings(with_hint=False)),
        prompts_hash(job, PromptSettings(examples=1)),
        prompts_hash(job, PromptSettings(none_label=True)),
        prompts_hash(job, PromptSettings(fields=("question", "incorrect"))),
    ]
    assert len({plain, *others}) == 6


def test_prompters_write_prompts(job: Job, tokenizer: TransformersTokenizer) -> None:
    query = make_plan(job, job.train).queries[0]
    listwise = listwise_prompter(job, PromptSettings(examples=1), tokenizer)
    built = listwise.build(query, job.bank[:5])
    assert built.candidate_ids == tuple(entry.id for entry in job.bank[:5]) and len(built.label_ids) == 5
    text = tokenizer.decode(built.token_ids)
    assert job.bank[4].name.split()[0] in text
    pointwise = pointwise_prompter(job, PromptSettings(), tokenizer)
    assert len(pointwise.build(query, job.bank[0]).label_ids) == 2


def test_latex_is_simplified_where_the_config_says_so(job: Job, tiny_job: Callable[..., Job]) -> None:
    simple = simplifier(job)
    assert simple is not None and "frac" not in simple(r"\( \frac{1}{2} \)")
    assert simplifier(tiny_job("text.latex=keep")) is None


def test_subjects_get_their_parents(tmp_path: Path) -> None:
    path = tmp_path / "subjects.csv"
    path.write_text(
        "SubjectId,Name,ParentId\n1,Maths,NULL\n2,Number,1\n3,Fractions,2\n4,A,5\n5,B,4\n", encoding="utf-8"
    )
    found = subjects_of(PromptSettings(subjects=str(path)))
    assert found is not None
    assert (found[3], found[1]) == ("Maths > Number > Fractions", "Maths")
    assert found[4] == "B > A"  # a loop ends where it closes
    assert subjects_of(PromptSettings()) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Id,Name\n1,a\n", "lacks the column ParentId, SubjectId"),
        ("SubjectId,Name,ParentId\nx,a,1\n", ":2: expected whole"),
    ],
)
def test_a_file_of_subjects_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "subjects.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        subjects_of(PromptSettings(subjects=str(path)))
    with pytest.raises(InputError, match="no such file"):
        subjects_of(PromptSettings(subjects=str(tmp_path / "gone.csv")))
