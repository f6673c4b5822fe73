"""Tokenizers for tests (a small one made here, those of SmolLM2 and Qwen2.5), and what goes to which process."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import ModelError
from core.models import locate_model
from core.tokenizer import TransformersTokenizer, load_tokenizer

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Files that take more than a minute on one core; a file goes to one process as a whole, so these start first.
SLOW_FILES = (
    "core/test_vllm_engine.py",
    "pipelines/test_end_to_end.py",
    "pipelines/test_synthesize.py",
    "pipelines/test_train_lm_reranker.py",
    "pipelines/test_train_reranker.py",
    "retrieval/test_train.py",
    "core/test_vllm_server.py",
    "rerank/test_learning_proof.py",
    "pipelines/test_quantize_smollm2.py",
    "pipelines/test_teacher_rankings.py",
    "pipelines/test_train_reasoner.py",
    "retrieval/test_train_adapter.py",
)
QWEN = Path(__file__).parents[1] / "build" / "tokenizers" / "qwen2.5"


def pytest_configure(config: pytest.Config) -> None:
    """Share the cores out among the processes that run tests side by side; they inherit what is set here."""
    workers = config.getoption("numprocesses", None)
    if workers:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slow files first where files are shared out among processes."""
    if hasattr(config, "workerinput"):
        places = {Path(__file__).parent / name: place for place, name in enumerate(SLOW_FILES)}
        items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def make_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TransformersTokenizer]:
    """Give a maker of byte-level tokenizers: every byte a token, and the words of `merges`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def make(
        *, template: str | None = CHATML, merges: tuple[str, ...] = ("Y e", "Ye s", "N o"), prefix_space: bool = False
    ) -> TransformersTokenizer:
        words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in merges)]
        numbered = {word: number for number, word in enumerate(dict.fromkeys(words))}
        made = Tokenizer(models.BPE(vocab=numbered, merges=[tuple(merge.split(" ")) for merge in merges]))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
        made.decoder = decoders.ByteLevel()
        made.add_special_tokens(["<|im_start|>", "<|im_end|>", "<s>"])
        made.add_tokens([AddedToken("<tool_call>", special=False)])
        fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", bos_token="<s>")
        fast.chat_template = template
        folder = tmp_path_factory.mktemp("tokenizer")
        fast.save_pretrained(folder)
        return load_tokenizer(folder)

    return make


@pytest.fixture(scope="session")
def byte_tokenizer(make_tokenizer: Callable[..., TransformersTokenizer]) -> TransformersTokenizer:
    """A tokenizer of bytes with a chat template."""
    return make_tokenizer()


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """The folder of the bundled language model."""
    try:
        return locate_model("bundled:SmolLM2-135M-Instruct").folder
    except ModelError as error:
        pytest.skip(f"the bundled language model is not here: {error}")


@pytest.fixture(scope="session")
def smollm2_tokenizer(smollm2_folder: Path) -> TransformersTokenizer:
    """SmolLM2's own tokenizer."""
    return load_tokenizer(smollm2_folder)


@pytest.fixture(scope="session")
def qwen_tokenizer() -> TransformersTokenizer:
    """Qwen2.5's own tokenizer."""
    if not (QWEN / "tokenizer.json").is_file():
        pytest.skip("the Qwen2.5 tokenizer is not here: bash tests/fetch_tokenizers.sh fetches it (needs npm)")
    return load_tokenizer(QWEN)


@pytest.fixture(scope="session", params=["byte", "smollm2", "qwen"])
def any_tokenizer(request: pytest.FixtureRequest) -> TransformersTokenizer:
    """Each of the tokenizers in turn."""
    return request.getfixturevalue(f"{request.param}_tokenizer")
