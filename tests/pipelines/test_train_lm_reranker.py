"""Training of language models from files to a reranker that is measured, with a tiny Llama of whole words."""

import json
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from made_questions import made_questions, with_made, write_made

from core.artifacts import folder_hash, read_manifest
from core.errors import InputError
from core.models import locate_model
from core.records import Misconception, Ranking
from core.tables import write_rankings
from pipelines import train_lm_reranker, train_reranker
from pipelines.job import Job, fingerprints
from pipelines.lm_prompts import prompts_hash
from pipelines.out_of_fold import out_of_fold_candidates
from pipelines.reranker_settings import Kind
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.teachers import check_teacher
from pipelines.train_lm_reranker import lm_validation_score, trained_language_model
from rerank.lm_passes import ForwardPass
from rerank.lm_step import LanguageModelStepper
from rerank.train_language_model import TrainedLanguageModel

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
LABELS = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "Yes", "No"]


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture(scope="session")
def word_llama(tmp_path_factory: pytest.TempPathFactory, tiny_bank: tuple[Misconception, ...]) -> Path:
    """A Llama of two layers of 32 with seeded random weights; its tokenizer knows labels and the bank's words."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("lm") / "word-llama"
    words = sorted({word for entry in tiny_bank for word in entry.name.split() if word.isalnum()})
    vocabulary = list(dict.fromkeys(["[PAD]", "[BOS]", "[EOS]", "[UNK]", ".", ":", *LABELS, *words]))
    backend = Tokenizer(WordLevel({word: id for id, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", bos_token="[BOS]", eos_token="[EOS]", unk_token="[UNK]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        initializer_range=0.1,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def short(word_llama: Path) -> dict[str, object]:
    """A short recipe."""
    return {
        "training.epochs": 1,
        "reranker_training.folds": 2,
        "lm_training.base": word_llama,
        "lm_training.preset": "r16",
        "lm_training.largest_list": 5,
        "lm_training.learning_rate": 0.01,
    }


@pytest.fixture
def arguments(tiny_files: Files, tiny_config: Path, short: dict[str, object]) -> Callable[..., list[object]]:
    """The command line of a short training into a folder; later settings win."""

    def given(output: Path, *more: object, kind: str = "listwise", **settings: object) -> list[object]:
        chosen = {**short, **{f"lm_training.{key}": value for key, value in settings.items()}}
        options = [option for key, value in chosen.items() for option in ("--set", f"{key}={value}")]
        named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--output", output]
        return [*named, "--kind", kind, "--config", tiny_config, *options, *more]

    return given


@pytest.fixture
def zero_shot(
    tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path, short: dict[str, object]
) -> Callable[..., StageOneRun]:
    """Stage 1 by the untrained tiny model; `zero_shot("key=value")`."""

    def run(*overrides: str) -> StageOneRun:
        job = tiny_job(*(f"{key}={value}" for key, value in short.items()), *overrides)
        return StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))

    return run


@pytest.mark.parametrize("kind", ["listwise", "pointwise"])
def test_the_job_from_files_to_a_measured_adapter(
    arguments: Callable[..., list[object]], invoke: Invoke, tiny_job: Callable[..., Job], tmp_path: Path, kind: str
) -> None:
    output = tmp_path / "models" / "adapter"
    first = invoke(train_reranker.main, *arguments(output, kind=kind))
    assert first.returncode == 0, first.stderr
    assert "reranker alone" in first.stdout and f'adapter = "{output}"' in first.stdout
    assert sorted(path.name for path in output.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "manifest.json",
    ]  # fmt: skip

    manifest = read_manifest(output)
    assert manifest is not None
    job = tiny_job()
    assert (manifest["kind"], manifest["model"]) == (
        kind,
        json.loads((output / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"],
    )
    from pipelines.reranker_settings import PromptSettings

    assert manifest["prompts"] == prompts_hash(job, PromptSettings())
    assert manifest["fitted_on"] and manifest["scored_on"] == []

    # A second run makes nothing, and measures the same.
    before = folder_hash(output)
    second = invoke(train_reranker.main, *arguments(output, kind=kind))
    assert second.returncode == 0, second.stderr
    assert folder_hash(output) == before and "adapter: made" not in second.stderr
    assert second.stdout.split("Held-out part")[1] == first.stdout.split("Held-out part")[1]

    third = invoke(train_reranker.main, *arguments(output, kind=kind, seed=3))
    assert "adapter: made again, since these keys differ: training" in third.stderr
    assert folder_hash(output) != before


def test_all_weights_may_be_trained(
    arguments: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, word_llama: Path
) -> None:
    output = tmp_path / "model"
    done = invoke(train_reranker.main, *arguments(output, method="full", learning_rate=1e-3))
    assert done.returncode == 0, done.stderr
    assert f'model = "{output}"' in done.stdout and "adapter =" not in done.stdout
    assert (output / "model.safetensors").is_file() and (output / "tokenizer.json").is_file()
    assert (output / "model.safetensors").read_bytes() != (word_llama / "model.safetensors").read_bytes()


def test_prepare_stops_before_the_training(
    arguments: Callable[..., list[object]], invoke: Invoke, tmp_path: Path
) -> None:
    output = tmp_path / "adapter"
    done = invoke(train_reranker.main, *arguments(output, "--prepare"))
    assert done.returncode == 0, done.stderr
    assert "queries to train on are ready" in done.stdout
    assert not output.exists()
    assert (tmp_path / "adapter.work" / "out_of_fold.parquet").is_file()


def test_several_processes_do_not_make_stage_one(
    arguments: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = invoke(train_reranker.main, *arguments(tmp_path / "adapter"))
    assert done.returncode == 2
    assert "run the same command once in one process with --prepare" in done.stderr
    other = invoke(train_reranker.main, *arguments(tmp_path / "adapter", kind="cross-encoder"))
    assert other.returncode == 2 and "trains in one process" in other.stderr


def test_every_setting_reaches_the_training(
    zero_shot: Callable[..., StageOneRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word_llama: Path
) -> None:
    run = zero_shot()
    candidates = out_of_fold_candidates(run)
    teacher = tmp_path / "teacher.parquet"
    write_rankings(teacher, candidates.candidates[::-1])
    values = {
        "epochs": 3, "spread": 1.5, "batch_queries": 7, "micro_tokens": 99, "learning_rate": 0.002,
        "weight_decay": 0.3, "hint_dropout": 0.7, "gradient_checkpointing": True, "teacher_weight": 0.25,
        "teacher_temperature": 2.0, "seed": 11, "patience": 4, "checkpoint_steps": 6, "method": "qlora",
    }  # fmt: skip
    found: dict[str, Any] = {}

    def train(base: Path, *given: object, **named: object) -> TrainedLanguageModel:
        found.update(named, base=base)
        raise InterruptedError

    monkeypatch.setattr(train_lm_reranker, "train_language_model", train)
    settings = [f"lm_training.{key}={json.dumps(value)}" for key, value in values.items()]
    run = zero_shot(
        *settings, "lm_training.warmup_ratio=0.25", "lm_training.precision=bf16", "lm_training.alpha=48",
        "lm_training.adapter_dropout=0.1", "lm_training.window=30", "lm_training.smallest_list=4",
        f"lm_training.teacher={teacher}",
    )  # fmt: skip
    with pytest.raises(InterruptedError):
        trained_language_model(run, candidates, "listwise", tmp_path / "adapter", run.stages)
    assert {key: found[key] for key in values} == values
    assert (found["warmup"], found["precision"], found["sizes"], found["window"]) == (0.25, "bfloat16", (4, 5), 30)
    assert (found["lora"].rank, found["lora"].alpha, found["lora"].dropout) == (16, 48, 0.1)
    assert (found["provenance"], found["groups"]) == (candidates.provenance, candidates.groups)
    assert found["teacher"] == candidates.candidates
    assert (found["kind"], found["base"], found["base_name"]) == ("listwise", word_llama, str(word_llama))
    assert callable(found["score"])


def test_what_only_saves_memory_does_not_make_a_model_again(
    zero_shot: Callable[..., StageOneRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def train(*given: object, output_dir: Path, micro_tokens: int, **named: object) -> TrainedLanguageModel:
        made.append(micro_tokens)
        output_dir.mkdir(exist_ok=True)
        return TrainedLanguageModel(
            folder=output_dir, epochs=1, best_epoch=1, best_score=None, losses=(1.0,), scores=(), lists=1,
            cut_prompts=0, taught=0,
        )  # fmt: skip

    monkeypatch.setattr(train_lm_reranker, "train_language_model", train)
    candidates = out_of_fold_candidates(zero_shot())
    for settings in (
        ["lm_training.micro_tokens=99"],
        ["lm_training.micro_tokens=50", "lm_training.gradient_checkpointing=true"],
        ["lm_training.micro_tokens=99", "lm_training.seed=3"],
    ):
        run = zero_shot(*settings)
        trained_language_model(run, candidates, "listwise", tmp_path / "adapter", run.stages)
    assert made == [99, 99]  # the second command found the first one's model; another seed is another model


@pytest.mark.parametrize("kind", ["listwise", "pointwise"])
def test_questions_of_few_shot_examples_are_not_trained_on(
    zero_shot: Callable[..., StageOneRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word_llama: Path, kind: Kind
) -> None:
    table = {"kind": kind, "model": word_llama, "prompt.examples": 2}
    one = zero_shot("lm_training.table=mine", *(f"rerankers.mine.{key}={value}" for key, value in table.items()))
    found = out_of_fold_candidates(one)
    seen: dict[str, Any] = {}

    def train(*positional: Any, **named: Any) -> TrainedLanguageModel:
        seen.update(named, queries=positional[1], candidates=positional[2])
        raise KeyboardInterrupt

    monkeypatch.setattr(train_lm_reranker, "train_language_model", train)
    with pytest.raises(KeyboardInterrupt):
        trained_language_model(one, found, kind, tmp_path / "model", one.stages)
    examples = seen["prompter"].template.examples
    assert len(examples) == 2
    numbers = dict(zip([query.key for query in found.queries], found.groups, strict=True))
    left_out = {numbers[example.query.key] for example in examples}
    kept = [query.key for query in found.queries if numbers[query.key] not in left_out]
    assert [query.key for query in seen["queries"]] == [ranking.key for ranking in seen["candidates"]] == kept
    assert len(kept) < len(found.queries) and seen["groups"] == [numbers[key] for key in kept]


def test_prompts_without_room_are_told_before_stage_one(
    arguments: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, word_llama: Path
) -> None:
    table = {"kind": "listwise", "model": word_llama, "prompt.max_tokens": 64}
    more = [part for key, value in table.items() for part in ("--set", f"rerankers.mine.{key}={value}")]
    output = tmp_path / "models" / "adapter"
    done = invoke(train_reranker.main, *arguments(output, *more, table="mine"))
    assert done.returncode == 2 and "over max_tokens = 64" in done.stderr
    assert not output.with_name("adapter.work").exists()


def test_a_teacher_that_lacks_a_query_is_refused(zero_shot: Callable[..., StageOneRun], tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.parquet"
    candidates = out_of_fold_candidates(zero_shot())
    write_rankings(teacher, candidates.candidates[1:])
    run = zero_shot(f"lm_training.teacher={teacher}")
    with pytest.raises(
        InputError, match=rf"lacks 1 of \d+ queries to train on, for example {candidates.queries[0].key}"
    ):
        trained_language_model(run, candidates, "listwise", tmp_path / "adapter", run.stages)


def test_the_epoch_is_chosen_on_the_held_out_part_where_patience_asks_for_it(
    zero_shot: Callable[..., StageOneRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = zero_shot("lm_training.patience=1", "lm_training.epochs=3")
    scores = iter([0.5, 0.4, 0.9])
    monkeypatch.setattr(train_lm_reranker, "lm_validation_score", lambda one, chosen: lambda scorer: next(scores))
    chosen = trained_language_model(run, out_of_fold_candidates(run), "listwise", tmp_path / "adapter", run.stages)
    assert list(scores) == [0.9]  # the second epoch was worse: there was no third
    assert chosen.adapter == str(tmp_path / "adapter")
    manifest = read_manifest(tmp_path / "adapter")
    assert manifest is not None and manifest["scored_on"] == fingerprints(run.plan.validation)


def test_the_score_at_weight_nought_is_stage_ones(zero_shot: Callable[..., StageOneRun], word_llama: Path) -> None:
    from core.transformers_engine import TransformersEngine
    from eval.metrics import average_precisions
    from pipelines.lm_training_table import language_model_table

    engine = TransformersEngine.load(word_llama, device="cpu", dtype="float32")
    scores = {}
    for weight in (0.0, 1.0):
        run = zero_shot(f"lm_training.score_weight={weight}")
        chosen = language_model_table("listwise", run.job.settings)
        scores[weight] = lm_validation_score(run, chosen)(engine)
    candidates: list[Ranking] = run.validation_candidates()
    stage_one = float(average_precisions(candidates, run.plan.labels).mean())
    assert scores[0.0] == pytest.approx(stage_one)
    assert scores[1.0] != pytest.approx(stage_one)


@pytest.mark.slow
def test_two_processes_train_what_one_does(
    arguments: Callable[..., list[object]],
    pipeline_process: Callable[..., Any],
    run_pipeline: Invoke,
    tmp_path: Path,
) -> None:
    """The gradient is summed over processes: weights agree with those of one process within float noise."""
    import torch
    from safetensors.torch import load_file

    work = tmp_path / "work"
    one = run_pipeline("train_reranker", *arguments(tmp_path / "one", "--work", work))
    assert one.returncode == 0, one.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in ("0", "1"):
        process = pipeline_process("train_reranker", *arguments(tmp_path / "two", "--work", work))
        environment = {
            **process.environment, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }  # fmt: skip
        started.append(
            subprocess.Popen(
                process.command,
                env=environment,
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(said)
    assert "Held-out part" in said[0] and "Held-out part" not in said[1]
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-2, atol=1e-3)
    assert (tmp_path / "two" / "manifest.json").is_file()


@pytest.fixture
def with_rows(
    tiny_job: Callable[..., Job],
    tiny_bank: tuple[Misconception, ...],
    tiny_model: Path,
    tmp_path: Path,
    short: dict[str, object],
) -> Callable[..., StageOneRun]:
    """Zero-shot stage 1 of a job with nine made questions; `with_rows("key=value", work=NAME, parents=MARKS)`."""

    def run(*overrides: str, work: str = "work", parents: tuple[str, ...] = ()) -> StageOneRun:
        job = tiny_job(*(f"{key}={value}" for key, value in short.items()), *overrides)
        job = with_made(job, [replace(one, parents=parents) for one in made_questions(tiny_bank, 9)])
        return StageOneRun(job, Stages(folder=tmp_path / work), job.train, given=locate_model(str(tiny_model)))

    return run


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every training was asked for; it is done all the same."""
    found: list[dict[str, Any]] = []
    plain = train_lm_reranker.train_language_model

    def spy(base: Path, queries: Any, candidates: Any, bank: Any, **named: Any) -> TrainedLanguageModel:
        found.append({**named, "base": base, "keys": [query.key for query in queries]})
        return plain(base, queries, candidates, bank, **named)

    monkeypatch.setattr(train_lm_reranker, "train_language_model", spy)
    return found


FIRST = ("synthetic.mode=first", "synthetic.epochs=2", "synthetic.learning_rate=0.003")


@pytest.mark.parametrize("method", ["lora", "full"])
def test_made_rows_come_first_and_real_ones_go_on_from_their_weights(
    with_rows: Callable[..., StageOneRun], tmp_path: Path, calls: list[dict[str, Any]], word_llama: Path, method: str
) -> None:
    run = with_rows(*FIRST, f"lm_training.method={method}", "lm_training.patience=2")
    found = out_of_fold_candidates(run)
    real, made = found.queries[: found.real], found.queries[found.real :]
    chosen = trained_language_model(run, found, "listwise", tmp_path / "model", run.stages)
    assert (chosen.adapter if method == "lora" else chosen.model) == str(tmp_path / "model")
    first, second = calls
    folder = tmp_path / "work" / "listwise-made-first"
    assert (first["keys"], second["keys"]) == ([query.key for query in made], [query.key for query in real])
    assert (first["start"], second["start"]) == (None, folder)
    assert first["base"] == second["base"] == word_llama
    assert (first["epochs"], second["epochs"]) == (2, 1)
    assert (first["learning_rate"], second["learning_rate"]) == (0.003, 0.01)
    assert first["weights"] is second["weights"] is None
    assert first["score"] is None and second["score"] is not None  # the held-out part chooses an epoch of the last
    manifest, before = read_manifest(tmp_path / "model") or {}, read_manifest(folder) or {}
    assert manifest["started_from"] == f"sha256:{folder_hash(folder)}" and before["fitted_on"] == []
    assert (manifest["model"], manifest["revision"]) == (before["model"], before["revision"])
    assert manifest["fitted_on"] == fingerprints(run.plan.fit)

    # Nothing is trained twice, and another first stage makes the second again.
    trained_language_model(run, found, "listwise", tmp_path / "model", run.stages)
    assert len(calls) == 2
    other = with_rows(*FIRST, f"lm_training.method={method}", "lm_training.patience=2", "synthetic.epochs=1")
    trained_language_model(other, found, "listwise", tmp_path / "model", other.stages)
    assert [call["start"] for call in calls[2:]] == [None, folder]


def test_mixed_rows_are_trained_on_together_with_their_weights(
    with_rows: Callable[..., StageOneRun], tmp_path: Path, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[float] = []
    plain = LanguageModelStepper.step

    def step(self: LanguageModelStepper, passes: Sequence[ForwardPass], number: int, *, batch: int) -> Any:
        weighed.extend(task.weight for one in passes for task in one.tasks)
        return plain(self, passes, number, batch=batch)

    monkeypatch.setattr(LanguageModelStepper, "step", step)
    run = with_rows("synthetic.weight=0.25")
    found = out_of_fold_candidates(run)
    trained_language_model(run, found, "pointwise", tmp_path / "model", run.stages)
    (call,) = calls
    assert call["keys"] == [query.key for query in found.queries] and call["start"] is None
    labels = [len(query.labels) for query in found.queries]
    assert weighed.count(0.25) == sum(labels[found.real :]) > 0
    assert weighed.count(1.0) == sum(labels[: found.real]) == len(weighed) - weighed.count(0.25)
    assert "weights" in (read_manifest(tmp_path / "model") or {})


def test_rows_written_from_held_out_questions_are_not_trained_on(
    with_rows: Callable[..., StageOneRun], tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    plan = with_rows().plan
    run = with_rows(*FIRST, parents=(fingerprints(plan.validation)[0],))
    found = out_of_fold_candidates(run)
    assert found.real == len(found.queries) and found.weights is None
    trained_language_model(run, found, "listwise", tmp_path / "model", run.stages)
    (call,) = calls
    assert call["keys"] == [query.key for query in found.queries] and call["start"] is None
    allowed = with_rows(*FIRST, parents=(fingerprints(plan.fit)[0],), work="other")
    assert out_of_fold_candidates(allowed).real < len(out_of_fold_candidates(allowed).queries)
    made = {one.question.id for one in allowed.job.synthetic}
    assert made.isdisjoint(query.question.id for query in allowed.plan.queries)  # and none is measured on


class Killed(BaseException):
    """Stands for the kill signal: nothing may catch it."""


@pytest.mark.parametrize("dies_at", [("first", 1), ("first", 4), ("second", 0), ("second", 2)])
def test_a_killed_training_in_stages_ends_where_an_unbroken_one_does(
    with_rows: Callable[..., StageOneRun],
    tmp_path: Path,
    calls: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    dies_at: tuple[str, int],
) -> None:
    """Inside the first stage, between the two (no step of the second is made yet), and inside the second."""
    settings = (*FIRST, "lm_training.batch_queries=4", "lm_training.checkpoint_steps=1")
    run = with_rows(*settings)
    found = out_of_fold_candidates(run)
    trained_language_model(run, found, "listwise", tmp_path / "whole", run.stages)
    plain = LanguageModelStepper.step

    def dying(self: LanguageModelStepper, passes: Sequence[ForwardPass], number: int, *, batch: int) -> Any:
        if (("first", "second")[calls[-1]["start"] is not None], number) == dies_at:
            raise Killed
        return plain(self, passes, number, batch=batch)

    other = with_rows(*settings, work="other")
    with monkeypatch.context() as patch:
        patch.setattr(LanguageModelStepper, "step", dying)
        with pytest.raises(Killed):
            trained_language_model(other, found, "listwise", tmp_path / "cut", other.stages)
    assert not (tmp_path / "cut").exists()
    assert (tmp_path / "other" / "listwise-made-first").exists() == (dies_at[0] == "second")
    numbers: list[tuple[bool, int]] = []

    def counting(self: LanguageModelStepper, passes: Sequence[ForwardPass], number: int, *, batch: int) -> Any:
        numbers.append((calls[-1]["start"] is not None, number))
        return plain(self, passes, number, batch=batch)

    monkeypatch.setattr(LanguageModelStepper, "step", counting)
    trained_language_model(other, found, "listwise", tmp_path / "cut", other.stages)
    assert numbers[0] == (dies_at[0] == "second", dies_at[1])  # goes on at the very step
    assert folder_hash(tmp_path / "cut") == folder_hash(tmp_path / "whole")


def test_examples_of_the_prompt_leave_real_rows_and_made_ones_apart(
    with_rows: Callable[..., StageOneRun], tmp_path: Path, calls: list[dict[str, Any]], word_llama: Path
) -> None:
    table = {"kind": "listwise", "model": word_llama, "prompt.examples": 2}
    tables = (f"rerankers.mine.{key}={value}" for key, value in table.items())
    run = with_rows(*FIRST, "lm_training.table=mine", *tables)
    found = out_of_fold_candidates(run)
    trained_language_model(run, found, "listwise", tmp_path / "model", run.stages)
    first, second = calls
    made = {query.key for query in found.queries[found.real :]}
    assert set(first["keys"]) == made and made.isdisjoint(second["keys"])
    assert 0 < len(second["keys"]) < found.real  # questions of the examples are left out


def test_a_teacher_teaches_real_rows_where_made_ones_come_first(
    with_rows: Callable[..., StageOneRun], tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    """Mixed, it must know the made rows too, and one that does not is refused before any cost."""
    found = out_of_fold_candidates(with_rows())
    teacher = tmp_path / "teacher.parquet"
    write_rankings(teacher, found.candidates[: found.real])
    mixed = with_rows(f"lm_training.teacher={teacher}").job
    made = found.queries[found.real :]
    lacks = f"lacks {len(made)} of {len(found.queries)} queries to train on, for example {made[0].key}"
    with pytest.raises(InputError, match=lacks):
        check_teacher(mixed)
    run = with_rows(*FIRST, f"lm_training.teacher={teacher}")
    check_teacher(run.job)
    trained_language_model(run, found, "listwise", tmp_path / "model", run.stages)
    assert calls[0]["teacher"] is None and calls[1]["teacher"] == found.candidates[: found.real]
    write_rankings(teacher, found.candidates)
    check_teacher(mixed)


def test_made_questions_from_files(
    arguments: Callable[..., list[object]],
    invoke: Invoke,
    tiny_bank: tuple[Misconception, ...],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    """The command line of a training in stages; what is asked of the wrong mode is refused before any cost."""
    folder = write_made(tmp_path / "made", tiny_bank, 9)
    output = tmp_path / "models" / "adapter"
    more = ("--synthetic", folder, "--retriever", tiny_model)
    wrong = invoke(train_reranker.main, *arguments(output, *more, "--set", "synthetic.epochs=2", kind="pointwise"))
    assert wrong.returncode == 2 and "synthetic.epochs is for synthetic.mode='first'" in wrong.stderr
    assert not output.parent.exists()
    done = invoke(train_reranker.main, *arguments(output, *more, "--set", "synthetic.mode=first", kind="pointwise"))
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.split("Stages:")[1].split("Held-out")[0].splitlines() if line]
    assert names.index("pointwise-made-first") < names.index("adapter")
    assert output.with_name("adapter.work").joinpath("pointwise-made-first", "manifest.json").is_file()
