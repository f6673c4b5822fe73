"""Prompts that could be too long, found before any cost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_questions import made_questions, with_made

from core.errors import InputError
from core.records import Misconception, Query
from pipelines.job import Job, fingerprints
from pipelines.lm_reranker import table_prompter
from pipelines.plan import make_plan
from pipelines.prompt_lengths import check_prompt_lengths, check_teaching_lengths, check_training_lengths
from pipelines.reranker_settings import PromptSettings, RerankerSettings, WindowSettings
from pipelines.stage_two import resolve_reranker


def needed(job: Job, chosen: RerankerSettings, shown: int, queries: list[Query]) -> int:
    """The longest prompt of all, by building every one with room for all of it but the question's middle."""
    prompter = table_prompter(job, chosen)
    longest = prompter.longest(job.bank, shown)
    return max(prompter._needed(query, longest) for query in queries)


def limited(chosen: RerankerSettings, max_tokens: int) -> RerankerSettings:
    return chosen.model_copy(update={"prompt": PromptSettings(max_tokens=max_tokens)})


@pytest.fixture
def job(tiny_job: Callable[..., Job]) -> Job:
    return tiny_job()


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, 8),
        ({"windows": WindowSettings(kind="sliding", size=5, stride=2)}, 5),
        ({"windows": WindowSettings(kind="overlapping", size=20)}, 8),
        ({"describe": True, "describe_extra": 3}, 11),
        ({"kind": "pointwise"}, 1),
    ],
)
def test_the_limit_is_the_longest_prompt_to_the_token(
    job: Job, tiny_lm: Path, changes: dict[str, object], shown: int
) -> None:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=8).model_copy(update=changes)
    least = needed(job, chosen, shown, [*make_plan(job, job.train).queries, *job.queries(job.test)])
    check_prompt_lengths(job, limited(chosen, least))
    with pytest.raises(InputError, match=f": {shown} candidates.*can take {least} tokens"):
        check_prompt_lengths(job, limited(chosen, least - 1))


def test_one_overlong_wrong_answer_of_the_test_file_is_named(job: Job, tiny_lm: Path) -> None:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=8)
    check_prompt_lengths(job, chosen)
    question = job.test[3]
    answers = tuple(
        "so " * 5000 if text != question.answers["ABCD".index(question.correct)] else text for text in question.answers
    )
    wordy = replace(question, answers=answers)
    assert job.inputs.test is not None
    test = replace(job.inputs.test, questions=(*job.test[:3], wordy))
    other = replace(job, inputs=replace(job.inputs, test=test))
    with pytest.raises(InputError, match=rf"query {question.id}_\w: 8 candidates"):
        check_prompt_lengths(other, chosen)


def test_every_part_of_a_cascade_is_named(tiny_job: Callable[..., Job], tiny_lm: Path) -> None:
    stages = '[{reranker="wide",first=1,last=12},{reranker="top",first=1,last=4}]'
    tables = {
        "wide": {"kind": "pointwise", "model": tiny_lm, "prompt.max_tokens": 64},
        "top": {"kind": "listwise", "model": tiny_lm, "prompt.max_tokens": 65},
        "all": {"kind": "cascade", "stages": stages},
    }
    job = tiny_job(
        *(f"rerankers.{name}.{key}={value}" for name, table in tables.items() for key, value in table.items())
    )
    with pytest.raises(InputError) as caught:
        check_prompt_lengths(job, resolve_reranker("all", job.settings))
    first, second = caught.value.faults
    assert "1 candidates" in first and "max_tokens = 64" in first
    assert "4 candidates" in second and "max_tokens = 65" in second


def test_rerankers_without_prompts_pass(job: Job) -> None:
    check_prompt_lengths(job, RerankerSettings())


@pytest.mark.parametrize("largest", [3, 30])
def test_training_is_checked_with_its_own_lists(tiny_job: Callable[..., Job], tiny_lm: Path, largest: int) -> None:
    def job(max_tokens: int) -> Job:
        table = {"kind": "listwise", "model": tiny_lm, "candidates": 3, "prompt.max_tokens": max_tokens}
        named = [f"rerankers.mine.{key}={value}" for key, value in table.items()]
        return tiny_job("lm_training.table=mine", f"lm_training.largest_list={largest}", *named)

    plain = job(4096)
    plan = make_plan(plain, plain.train)
    chosen = plain.settings.rerankers["mine"]
    fit = needed(plain, chosen, largest, plain.queries(plan.fit, labelled_only=True))
    least = max(fit, needed(plain, chosen, 3, list(plan.queries)))
    check_training_lengths(job(least), "listwise")
    with pytest.raises(InputError, match=f"can take {least} tokens"):
        check_training_lengths(job(least - 1), "listwise")


def test_made_questions_are_checked_as_they_are_trained_on_too(
    tiny_job: Callable[..., Job], tiny_lm: Path, tiny_bank: tuple[Misconception, ...]
) -> None:
    table = {"kind": "listwise", "model": tiny_lm, "candidates": 3, "prompt.max_tokens": 4000}
    named = [f"rerankers.mine.{key}={value}" for key, value in table.items()]
    job = tiny_job("lm_training.table=mine", "lm_training.largest_list=3", *named)
    *made, last = made_questions(tiny_bank, 4)
    check_training_lengths(with_made(job, [*made, last]), "listwise")
    right = last.question.correct
    a, b, c, d = (text if "ABCD"[n] == right else "so " * 5000 for n, text in enumerate(last.question.answers))
    wordy = replace(last, question=replace(last.question, answers=(a, b, c, d)))
    with pytest.raises(InputError, match=rf"query {wordy.question.id}_\w: 3 candidates"):
        check_training_lengths(with_made(job, [*made, wordy]), "listwise")
    held_out = replace(wordy, parents=(fingerprints(make_plan(job, job.train).validation)[0],))
    check_training_lengths(with_made(job, [*made, held_out]), "listwise")  # it is not trained on


def test_a_teacher_is_checked_with_what_it_is_to_rank(job: Job, tiny_lm: Path) -> None:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=8)
    plan = make_plan(job, job.train)
    least = needed(job, chosen, 8, job.queries(plan.fit, labelled_only=True))
    assert least != needed(job, chosen, 8, [*plan.queries, *job.queries(job.test)])
    check_teaching_lengths(job, limited(chosen, least))
    with pytest.raises(InputError, match=f"can take {least} tokens"):
        check_teaching_lengths(job, limited(chosen, least - 1))
