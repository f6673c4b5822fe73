"""A model, files and a config small enough to run a whole pipeline in seconds; offline, on one thread."""

import argparse
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from decoder_toys import write_decoder

from core.records import Misconception, Question
from core.tables import (
    read_explanations,
    read_misconceptions,
    read_questions,
    with_explanations,
    write_explanations,
    write_misconceptions,
    write_questions,
)
from pipelines.cli import run_main
from pipelines.job import Job, read_job

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
TINY_CONFIG = """\
candidates = 30
threads = 1
bootstrap = 100

[split]
validation_share = 0.3
unseen_share = 0.3

[retriever]
model = "{model}"
max_length = 64
batch_size = 32

[training]
epochs = 2
batch_size = 16
negatives = 1
mine_every = 1
window_to = 20
learning_rate = 1e-3

[neighbours]
thresholds = [0.5]
weights = [0.0, 0.5, 1.0]
"""


class TinyFiles(NamedTuple):
    """Small input files, cut from the sample."""

    train: Path
    test: Path
    misconceptions: Path
    explanations: Path


class Process(NamedTuple):
    """How a pipeline's process starts: for tests that start and kill it themselves."""

    command: list[str]
    environment: dict[str, str]


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back what a pipeline's `main` sets up: messages, warnings, environment."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a pipeline's `main` in this process as its command line would: `invoke(main, "--train", path, …)`."""

    def run(main: Callable[[list[str]], None], *arguments: object) -> "subprocess.CompletedProcess[str]":
        capsys.readouterr()
        given = [str(argument) for argument in arguments]
        status = run_main(lambda: main(given))
        captured = capsys.readouterr()
        return subprocess.CompletedProcess(given, status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def tiny_bank() -> tuple[Misconception, ...]:
    """The sample's bank, with explanations."""
    return with_explanations(
        read_misconceptions(SAMPLE / "misconceptions.csv"), read_explanations([SAMPLE / "explanations.csv"])
    )


@pytest.fixture(scope="session")
def tiny_questions() -> tuple[list[Question], list[Question]]:
    """60 training and 20 test questions of the sample."""
    train = read_questions(SAMPLE / "train.csv").questions[:60]
    test = read_questions(SAMPLE / "test.csv").questions[:20]
    return list(train), list(test)


@pytest.fixture(scope="session")
def tiny_files(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_bank: tuple[Misconception, ...],
    tiny_questions: tuple[list[Question], list[Question]],
) -> TinyFiles:
    """The same as files; tests must not change them."""
    folder = tmp_path_factory.mktemp("files")
    files = TinyFiles(*(folder / f"{name}.csv" for name in TinyFiles._fields))
    train, test = tiny_questions
    write_questions(files.train, train)
    write_questions(files.test, test)
    write_misconceptions(files.misconceptions, tiny_bank)
    write_explanations(files.explanations, tiny_bank)
    return files


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_bank: tuple[Misconception, ...]) -> Path:
    """A sentence-transformers folder: a BERT of two layers of 32 with seeded random weights, the bank's words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = sorted({word for entry in tiny_bank for word in entry.name.lower().split() if word.isalpha()})
    marks = sorted({mark for entry in tiny_bank for mark in entry.name.lower()} | set("0123456789+-=()/^.,:"))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *marks, *(f"##{mark}" for mark in marks), *words]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(piece for piece in pieces if piece.strip()))}
    bare = tmp_path_factory.mktemp("bare")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(bare)
    BertTokenizerFast(vocab=vocabulary, model_max_length=128).save_pretrained(bare)
    model = SentenceTransformer(modules=[Transformer(str(bare)), Pooling(32), Normalize()], device="cpu")
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="session")
def tiny_lm(tmp_path_factory: pytest.TempPathFactory, tiny_bank: tuple[Misconception, ...]) -> Path:
    """A Llama of two layers of 64 with seeded random weights, its own tokenizer and chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1200, initial_alphabet=sorted(alphabet), special_tokens=special, show_progress=False
    )
    words = ["Yes", "No"] * 50
    made.train_from_iterator([*(entry.name for entry in tiny_bank), *words], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|pad|>")
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=made.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny-lm"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A config that trains the tiny model for two short epochs on one thread."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY_CONFIG.format(model=tiny_model.as_posix()), encoding="utf-8")
    return path


@pytest.fixture
def tiny_job(tmp_path: Path, tiny_files: TinyFiles, tiny_config: Path) -> Callable[..., Job]:
    """Read the tiny files as a pipeline does: `tiny_job("training.epochs=1", explanations=True)`."""

    def read(*overrides: str, explanations: bool = False, hints: Sequence[Path] = ()) -> Job:
        options = argparse.Namespace(
            config=tiny_config,
            overrides=list(overrides),
            train=tiny_files.train,
            test=tiny_files.test,
            misconceptions=tiny_files.misconceptions,
            output=tmp_path / "out",
            hints=list(hints),
            explanations=[tiny_files.explanations] if explanations else [],
        )
        return read_job(options, needs_test=True)

    return read


@pytest.fixture(scope="session")
def pipeline_process() -> Callable[..., Process]:
    """Give the command line and environment of `python pipelines/SCRIPT ARGUMENTS`."""

    def start(script: str, *arguments: object) -> Process:
        name = script.removeprefix("pipelines/").removesuffix(".py")
        command = [sys.executable, f"pipelines/{name}.py", *map(str, arguments)]
        fixed = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0"}
        return Process(command, {**os.environ, **fixed})

    return start


@pytest.fixture(scope="session")
def run_pipeline(
    pipeline_process: Callable[..., Process],
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run `python pipelines/SCRIPT ARGUMENTS` to its end: `run_pipeline("end_to_end", "--train", path, …)`."""

    def run(script: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
        process = pipeline_process(script, *arguments)
        return subprocess.run(
            process.command, cwd=ROOT, env=process.environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def toy_decoder(tmp_path_factory: pytest.TempPathFactory, tiny_bank: tuple[Misconception, ...]) -> Path:
    """A bare Llama of two layers, 64 wide (NF4 works on blocks of 64), seeded random weights, the bank's words."""
    from tokenizers.pre_tokenizers import Whitespace

    names = " ".join(entry.name for entry in tiny_bank).lower().split()
    return write_decoder(
        tmp_path_factory.mktemp("decoder") / "base",
        [*names, *map(str, range(100))],
        Whitespace(),
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.1,
    )
