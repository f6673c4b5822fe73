"""Training of language models from files to a reranker that is measured, with a tiny Llama of whole words."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

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
from pipelines.train_lm_reranker import lm_validation_score, trained_language_model
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
