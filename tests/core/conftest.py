"""Language models for the engines' tests: a tiny random one, SmolLM2, and real prompts with their reference scores."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from core.artifacts import content_hash
from core.language_model import LabelScores
from core.records import queries_of
from core.tables import read_misconceptions, read_questions
from core.tokenizer import load_tokenizer
from core.transformers_engine import TransformersEngine
from core.vllm_engine import vllm_fault

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WORDS = 60
REFERENCE = Path(__file__).parent / "reference_scores.json"
EXACT_WITHIN = 2e-3
"""Nats that a label's log-probability may differ by in float32."""


@pytest.fixture(scope="session")
def make_lm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a Llama of two layers of 32 with seeded random weights and a tokenizer of whole words."""

    def make(seed: int = 0, **changes: object) -> Path:
        import torch
        from tokenizers import Tokenizer
        from tokenizers.models import WordLevel
        from tokenizers.pre_tokenizers import WhitespaceSplit
        from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

        special = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]
        words = {word: number for number, word in enumerate([*special, *(f"w{n}" for n in range(WORDS))])}
        backend = Tokenizer(WordLevel(words, unk_token="<|pad|>"))
        backend.pre_tokenizer = WhitespaceSplit()
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>", additional_special_tokens=special[2:]
        )
        tokenizer.chat_template = TEMPLATE
        options = {
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "initializer_range": 0.3,
            "bos_token_id": None,
            "eos_token_id": 1,
            "pad_token_id": 0,
        }
        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp("lm")
        LlamaForCausalLM(LlamaConfig(**{**options, **changes})).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_lm(make_lm: Callable[..., Path]) -> Path:
    return make_lm()


@pytest.fixture(scope="session")
def make_adapter(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a LoRA adapter on all linear layers with seeded random weights that change the scores a little."""

    def make(model: Path, *, size: float, rank: int = 4, seed: int = 3) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        torch.manual_seed(seed)
        adapted = get_peft_model(
            base, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
        )
        with torch.no_grad():
            for name, weight in adapted.named_parameters():
                if "lora_B" in name:
                    weight.normal_(std=size)
        folder = tmp_path_factory.mktemp("adapter")
        adapted.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def eedi() -> Path:
    folder = Path(os.environ.get("EEDI_DIR", Path(__file__).parents[2] / "../shared/data/eedi"))
    if not folder.is_dir():
        pytest.skip(f"the real Eedi files are not at {folder} (set EEDI_DIR)")
    return folder


class Scored(NamedTuple):
    """Prompts with their labels and what transformers says of them."""

    prompts: list[tuple[int, ...]]
    labels: list[tuple[int, ...]]
    scores: list[LabelScores]

    def some(self, count: int) -> "Scored":
        """Return `count` of them, evenly spread, both orders of a query kept together."""
        pairs = list(range(0, len(self.prompts), 2))
        chosen = [pairs[round(place * (len(pairs) - 1) / (count // 2 - 1))] for place in range(count // 2)]
        rows = [row for first in chosen for row in (first, first + 1)]
        return Scored(*([column[row] for row in rows] for column in self))


@pytest.fixture(scope="session")
def real_prompts(smollm2_folder: Path, eedi: Path) -> Scored:
    """The product's prompts of real questions: 64 at 25 candidates, 16 at 52; both orders of a query in a row."""
    from rerank.prompts import ListwisePrompter, PromptTemplate
    from retrieval.latex import simplify_latex

    bank = list(read_misconceptions(eedi / "misconception_mapping.csv"))
    queries = queries_of(read_questions(eedi / "train.csv").questions, labelled_only=True)
    prompter = ListwisePrompter(load_tokenizer(smollm2_folder), PromptTemplate(), simplify=simplify_latex)
    draw = random.Random(20)
    built = []
    for count, candidates in ((32, 25), (8, 52)):
        for query in draw.sample(queries, count):
            shown = draw.sample(bank, candidates)
            built += [prompter.build(query, shown), prompter.build(query, shown[::-1])]
    return Scored([made.token_ids for made in built], [made.label_ids for made in built], [])


def by_transformers(folder: Path, prompts: Scored, adapter: Path | None = None) -> Scored:
    """Return the prompts with their scores by the transformers engine in float32."""
    engine = TransformersEngine.load(folder, adapter=adapter, device="cpu", dtype="float32", batch_tokens=4096)
    scores = engine.score(prompts.prompts, prompts.labels)
    engine.close()
    return prompts._replace(scores=scores)


@pytest.fixture(scope="session")
def reference(smollm2_folder: Path, real_prompts: Scored) -> Scored:
    """Their scores by the transformers engine: computed once and kept in the repository, as they take minutes.

    Some are computed again here. Where the prompts are not those of the file, all are; WRITE_REFERENCE=1 renews it.
    """
    key = content_hash([real_prompts.prompts, real_prompts.labels])
    kept = json.loads(REFERENCE.read_text(encoding="utf-8")) if REFERENCE.is_file() else {}
    if kept.get("prompts") != key or os.environ.get("WRITE_REFERENCE"):
        made = by_transformers(smollm2_folder, real_prompts)
        if os.environ.get("WRITE_REFERENCE"):
            rows = [[scores.mass, *(round(float(value), 6) for value in scores.logprobs)] for scores in made.scores]
            lines = ",\n".join(json.dumps(row) for row in rows)
            REFERENCE.write_text(f'{{"prompts": "{key}", "scores": [\n{lines}\n]}}\n', encoding="utf-8")
        return made
    scores = [LabelScores(logprobs=np.asarray(row[1:], dtype=np.float32), mass=row[0]) for row in kept["scores"]]
    made = real_prompts._replace(scores=scores)
    some = made.some(4)
    for one, two in zip(by_transformers(smollm2_folder, some).scores, some.scores, strict=True):
        assert one.logprobs == pytest.approx(two.logprobs, abs=EXACT_WITHIN / 10)
        assert one.mass == pytest.approx(two.mass, rel=EXACT_WITHIN)
    return made


@pytest.fixture(scope="session")
def real_adapter(smollm2_folder: Path, make_adapter: Callable[..., Path]) -> Path:
    """A LoRA adapter for SmolLM2 that moves its scores."""
    return make_adapter(smollm2_folder, size=0.02, rank=8)


@pytest.fixture(scope="session")
def adapted_reference(smollm2_folder: Path, real_adapter: Path, reference: Scored) -> Scored:
    """Some of the prompts with the adapter, by the transformers engine."""
    some = reference.some(4)
    adapted = by_transformers(smollm2_folder, some, real_adapter)
    moved = [abs(one.logprobs - two.logprobs).max() for one, two in zip(adapted.scores, some.scores, strict=True)]
    assert min(moved) > 0.05, "the adapter must move every prompt's scores, or it proves nothing"
    return adapted


@pytest.fixture(scope="session")
def averaged_pair(smollm2_folder: Path, real_adapter: Path, make_adapter: Callable[..., Path]) -> tuple[Path, Path]:
    """Two adapters of one shape that say different things."""
    return real_adapter, make_adapter(smollm2_folder, size=0.02, rank=8, seed=4)


@pytest.fixture(scope="session")
def averaged_reference(
    smollm2_folder: Path, averaged_pair: tuple[Path, Path], reference: Scored, adapted_reference: Scored
) -> Scored:
    """Some of the prompts with the mean of both deltas added to the base's weights here, without the product's code."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(smollm2_folder, dtype=torch.float32)
    for folder in averaged_pair:
        factors = load_file(folder / "adapter_model.safetensors")
        for name in [name for name in factors if ".lora_A." in name]:
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            delta = 2.0 * factors[name.replace(".lora_A.", ".lora_B.")] @ factors[name]  # alpha is twice the rank
            model.get_submodule(module).weight.data += 0.5 * delta
    engine = TransformersEngine(model, batch_tokens=4096)
    some = reference.some(4)
    scores = engine.score(some.prompts, some.labels)
    engine.close()
    for other in (some, adapted_reference):  # neither the base nor one adapter alone gives these scores
        moved = [abs(one.logprobs - two.logprobs).max() for one, two in zip(scores, other.scores, strict=True)]
        assert min(moved) > 10 * EXACT_WITHIN
    return some._replace(scores=scores)


@pytest.fixture(scope="session")
def needs_vllm() -> None:
    fault = vllm_fault()
    if fault is not None:
        pytest.skip(fault)
    import torch

    if torch.cuda.is_available():
        pytest.skip("these tests are for vLLM on a CPU")


@pytest.fixture(scope="session")
def agree() -> Callable[[list[LabelScores], Scored], int]:
    """Check scores against a reference; return how many near-ties changed their top-1."""

    def check(found: list[LabelScores], expected: Scored) -> int:
        flipped = 0
        for number, (one, two) in enumerate(zip(found, expected.scores, strict=True)):
            assert one.logprobs == pytest.approx(two.logprobs, abs=EXACT_WITHIN), f"prompt {number}"
            assert one.mass is None or one.mass == pytest.approx(two.mass, rel=EXACT_WITHIN), f"prompt {number}"
            if one.logprobs.argmax() != two.logprobs.argmax():
                best, second = np.sort(two.logprobs)[:-3:-1]
                assert best - second < 2 * EXACT_WITHIN, f"prompt {number}: top-1 differs and it was no near-tie"
                flipped += 1
        assert flipped <= len(found) // 10
        return flipped

    return check
