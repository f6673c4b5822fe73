import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError
from core.records import Question
from pipelines.job import Job
from pipelines.loading import load_encoder
from pipelines.recipe import bank_texts, pairs_of, train_by_recipe

TinyJob = Callable[..., Job]


def labels_of(questions: tuple[Question, ...]) -> int:
    return sum(len(labels) for question in questions for labels in question.labels)


def test_a_pair_a_label_with_and_without_its_hint(tiny_job: TinyJob, tmp_path: Path) -> None:
    plain = tiny_job()
    query = plain.queries(plain.train, labelled_only=True)[0]
    path = tmp_path / "hints.csv"
    path.write_text(f"QuestionId_Answer,Hint\n{query.key},Forgets the sign\n", encoding="utf-8")
    job = tiny_job(hints=[path])
    pairs = pairs_of(job, job.train)
    assert len(pairs) == labels_of(job.train)
    hinted = [pair for pair in pairs if pair.hinted_text]
    assert {pair.query_key for pair in hinted} == {query.key}
    assert "Forgets the sign" in (hinted[0].hinted_text or "") and "Forgets" not in hinted[0].query_text
    assert [pair.query_text for pair in pairs] == [pair.query_text for pair in pairs_of(plain, plain.train)]
    view = tiny_job("text.hint=view", hints=[path])
    assert not any(pair.hinted_text for pair in pairs_of(view, view.train))


def test_bank_texts_hold_explanations_where_they_are_text(tiny_job: TinyJob) -> None:
    with_them, without = tiny_job(explanations=True), tiny_job("text.explanation=view", explanations=True)
    entry = with_them.bank[0]
    assert bank_texts(with_them)[entry.id].count("\n") == 1
    assert "\n" not in bank_texts(without)[entry.id]
    assert len(bank_texts(without)) == len(without.bank)


def test_the_length_limit_of_the_config_is_the_encoders(tiny_job: TinyJob, tiny_model: Path) -> None:
    assert load_encoder(tiny_job("retriever.max_length=9"), tiny_model).model.max_seq_length == 9


def test_an_encoder_to_train_is_float32_on_one_device(tiny_job: TinyJob, tiny_model: Path) -> None:
    job = tiny_job("retriever.dtype=bfloat16", 'retriever.devices=["cpu", "cpu"]')
    import torch

    encoder = load_encoder(job, tiny_model, dtype="float32")
    assert next(encoder.model.parameters()).dtype == torch.float32


def test_too_few_labels_to_draw_negatives_from_are_refused(tiny_job: TinyJob, tmp_path: Path) -> None:
    job = tiny_job("training.negatives_from=seen", "training.negatives=60")
    with pytest.raises(InputError, match="too few to draw 60 negatives"):
        train_by_recipe(job, job.train[:2], tmp_path / "model")


def test_a_models_own_prompts_are_used_unless_the_config_names_others(
    tiny_job: TinyJob, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "prompted"
    shutil.copytree(tiny_model, folder)
    file = folder / "config_sentence_transformers.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(config | {"prompts": {"query": "find: ", "document": "entry: "}}), encoding="utf-8")
    own = load_encoder(tiny_job(), folder)
    assert (own.query_prompt, own.document_prompt) == ("find: ", "entry: ")
    named = load_encoder(tiny_job('retriever.query_prompt="ask: "', 'retriever.document_prompt=""'), folder)
    assert (named.query_prompt, named.document_prompt) == ("ask: ", "")
