import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_questions import made_questions, with_made

from core.errors import InputError
from core.records import Misconception, Question
from pipelines.job import Job
from pipelines.loading import load_encoder
from pipelines.recipe import bank_texts, pairs_of, train_by_recipe, training_parts
from retrieval.adapted import save_encoder
from retrieval.negatives import DroppedCounts
from retrieval.progress import TrainingResult

TinyJob = Callable[..., Job]
Bank = tuple[Misconception, ...]


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


def test_a_stage_knows_all_stages_before_it(tiny_job: TinyJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four stages, killed in the last; where the first has changed, the second and third are made again too."""
    rates: list[float] = []

    def dies_in_the_last(model: Any, *given: Any, output_dir: Path, learning_rate: float, **options: Any) -> Any:
        rates.append(learning_rate)
        if learning_rate == 4e-4:
            raise KeyboardInterrupt
        save_encoder(model, output_dir)
        return TrainingResult(
            model_dir=output_dir, steps=1, seconds=0.0, best_score=None, best_epoch=None, history=(),
            effective_negatives=0.0, dropped=DroppedCounts(), minings=0, resumed=False,
        )  # fmt: skip

    monkeypatch.setattr("pipelines.recipe.train_retriever", dies_in_the_last)

    def run(*given: float) -> list[float]:
        rates.clear()
        stages = ", ".join(f"{{learning_rate={rate}}}" for rate in given)
        job = tiny_job(f"training.stages=[{stages}]")
        with pytest.raises(KeyboardInterrupt):
            train_by_recipe(job, job.train[:20], tmp_path / "model")
        return rates

    assert run(1e-4, 2e-4, 3e-4, 4e-4) == [1e-4, 2e-4, 3e-4, 4e-4]
    assert run(1e-4, 2e-4, 3e-4, 4e-4) == [4e-4]
    assert run(9e-4, 2e-4, 3e-4, 4e-4) == [9e-4, 2e-4, 3e-4, 4e-4]


def test_made_rows_join_the_training_or_go_first(tiny_job: TinyJob, tiny_bank: Bank) -> None:
    made = made_questions(tiny_bank, 20)
    mixed = with_made(tiny_job("synthetic.weight=0.5"), made)
    (only,) = training_parts(mixed, mixed.train)
    rows = sum(len(one.rows) for one in made)
    assert [pair.weight for pair in only.pairs] == [0.5] * rows + [1.0] * labels_of(mixed.train)
    assert only.pairs[rows:] == pairs_of(mixed, mixed.train)
    first = with_made(tiny_job("synthetic.mode=first", "synthetic.epochs=3", "synthetic.learning_rate=1e-3"), made)
    alone, then = training_parts(first, first.train)
    assert (len(alone.pairs), alone.epochs, alone.learning_rate) == (rows, 3, 1e-3)
    assert then.pairs == pairs_of(first, first.train) and then.epochs == first.settings.training.epochs
    plain = tiny_job()
    assert [part.facts() for part in training_parts(plain, plain.train)] != [only.facts()]


def test_a_hint_of_a_real_question_never_reaches_a_made_one(tiny_job: TinyJob, tiny_bank: Bank, tmp_path: Path) -> None:
    path = tmp_path / "hints.csv"
    made = made_questions(tiny_bank, 3)
    keys = [f"{one.question.id}_{row.letter}" for one in made for row in one.rows]
    path.write_text("QuestionId_Answer,Hint\n" + "".join(f"{key},SECRET\n" for key in dict.fromkeys(keys)), "utf-8")
    job = with_made(tiny_job(hints=[path]), made)
    (only,) = training_parts(job, job.train)
    assert not any("SECRET" in (pair.hinted_text or pair.query_text) for pair in only.pairs)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["mixed", "first"])
def test_a_model_is_trained_with_made_rows(tiny_job: TinyJob, tiny_bank: Bank, tmp_path: Path, mode: str) -> None:
    job = with_made(tiny_job("training.epochs=1", f"synthetic.mode={mode}"), made_questions(tiny_bank, 30))
    train_by_recipe(job, job.train, tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").is_file() and not (tmp_path / "model.stages").exists()
