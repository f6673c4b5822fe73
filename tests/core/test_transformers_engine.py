import json
import math
import shutil

import numpy as np
import pytest

from core.errors import ModelError
from core.language_model import ScoringError
from core.transformers_engine import TransformersEngine

PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13, 14, 15], [16, 17], [5, 6, 8]]
LABELS = [[20, 21], [22, 23, 24], [20], [30, 31, 32, 33], [21, 20]]


@pytest.fixture(scope="module")
def engine(tiny_lm):
    return TransformersEngine.load(tiny_lm, device="cpu", dtype="float32")


def full_softmax(folder, prompt, adapter=None):
    """The reference of the reference: one prompt alone, no padding, the model's own head."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter) if adapter else model
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([prompt])).logits[0, -1], dim=-1).numpy()


def renormalised(logprobs, labels):
    chosen = logprobs[labels].astype(float)
    return chosen - math.log(np.exp(chosen).sum()), float(np.exp(chosen).sum())


def check(found, folder, adapter=None):
    assert len(found) == len(PROMPTS)
    for scores, prompt, labels in zip(found, PROMPTS, LABELS, strict=True):
        expected, mass = renormalised(full_softmax(folder, prompt, adapter), labels)
        assert scores.logprobs.dtype == np.float32
        assert scores.logprobs == pytest.approx(expected, abs=2e-5)
        assert scores.mass == pytest.approx(mass, abs=1e-5)


def test_scores_are_those_of_each_prompt_alone(engine, tiny_lm):
    check(engine.score(PROMPTS, LABELS), tiny_lm)


@pytest.mark.parametrize("batch_tokens", [1, 7, 9, 1000])
def test_the_batch_size_changes_nothing(engine, tiny_lm, batch_tokens):
    other = TransformersEngine.load(tiny_lm, device="cpu", dtype="float32", batch_tokens=batch_tokens)
    for one, two in zip(engine.score(PROMPTS, LABELS), other.score(PROMPTS, LABELS), strict=True):
        assert one.logprobs == pytest.approx(two.logprobs, abs=2e-5)


def test_an_adapter_is_used(tiny_lm, make_adapter, engine):
    adapter = make_adapter(tiny_lm, size=0.5)
    adapted = TransformersEngine.load(tiny_lm, adapter=adapter, device="cpu", dtype="float32")
    found = adapted.score(PROMPTS, LABELS)
    check(found, tiny_lm, adapter)
    assert not np.allclose(found[0].logprobs, engine.score(PROMPTS, LABELS)[0].logprobs, atol=1e-2)


def test_counts_grow(tiny_lm):
    engine = TransformersEngine.load(tiny_lm, device="cpu")
    engine.score(PROMPTS, LABELS)
    engine.score(PROMPTS[:1], LABELS[:1])
    stats = engine.stats
    assert (stats.prompts, stats.prompt_tokens, stats.cached_tokens, stats.path) == (6, 19, 0, "full softmax")
    assert stats.seconds > 0


def test_no_prompts_no_scores(engine):
    assert engine.score([], []) == []


@pytest.mark.parametrize(
    ("prompts", "labels", "message"),
    [
        ([[5]], [[20], [21]], "1 prompts; got 2"),
        ([[]], [[20]], "prompt 0 has no tokens"),
        ([[5], [6]], [[20], []], "prompt 1"),
        ([[5]], [[20, 20]], "distinct"),
    ],
)
def test_what_cannot_be_scored_is_refused(engine, prompts, labels, message):
    with pytest.raises(ValueError, match=message):
        engine.score(prompts, labels)


@pytest.mark.parametrize(
    ("prompts", "labels", "message"),
    [
        ([[5], [5] * 65], [[20], [20]], "prompt 1 has 65 tokens; the model reads at most 64"),
        ([[5], [64]], [[20], [20]], "prompt 1: a token is not in the vocabulary of 64"),
        ([[5]], [[-1]], "prompt 0: a token"),
    ],
)
def test_prompts_beyond_the_model_are_named(engine, prompts, labels, message):
    with pytest.raises(ScoringError, match=message):
        engine.score(prompts, labels)


def test_a_score_that_is_no_number_is_an_error(tiny_lm):
    engine = TransformersEngine.load(tiny_lm, device="cpu", dtype="float32")
    engine._model.get_input_embeddings().weight.data[9] = float("nan")
    with pytest.raises(ScoringError, match="prompt 2: the score of token 20 is nan"):
        engine.score(PROMPTS[:3], LABELS[:3])


@pytest.mark.parametrize("fits", [1, 2, 0])
def test_a_batch_that_does_not_fit_into_memory_is_halved(tiny_lm, monkeypatch, fits):
    import torch

    engine = TransformersEngine.load(tiny_lm, device="cpu", dtype="float32")
    whole = engine._label_logprobs

    def small(prompts, labels):
        if len(prompts) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(prompts, labels)

    monkeypatch.setattr(engine, "_label_logprobs", small)
    if fits:
        check(engine.score(PROMPTS, LABELS), tiny_lm)
    else:
        with pytest.raises(ScoringError, match="prompt 2: its 7 tokens alone do not fit"):
            engine.score(PROMPTS, LABELS)


def test_greedy_texts_do_not_depend_on_the_batch(engine):
    together = engine.generate(PROMPTS, max_tokens=6)
    assert together == [engine.generate([prompt], max_tokens=6)[0] for prompt in PROMPTS]
    assert all(made.text and made.error is None for made in together)
    assert [made.prompt_tokens for made in together] == [3, 1, 7, 2, 3]


def test_a_greedy_text_is_the_likeliest_token_after_the_other(engine, tiny_lm):
    (made,) = engine.generate([[5, 6, 7]], max_tokens=3)
    ids = [5, 6, 7]
    for _ in range(made.output_tokens):
        ids.append(int(full_softmax(tiny_lm, ids).argmax()))
    assert made.text.split() == [f"w{token - 4}" for token in ids[3:] if token > 3]
    assert made.finish_reason == ("stop" if ids[-1] == 1 else "length")


def test_a_model_that_ends_says_stop(make_lm):
    # The final norm gives ones x its scale: a head that only knows the end token's row makes it the likeliest.
    import torch

    engine = TransformersEngine.load(make_lm(seed=5), device="cpu", dtype="float32")
    head = engine._model.get_output_embeddings()
    head.weight.data.zero_()
    head.bias = torch.nn.Parameter(torch.zeros(64))
    head.bias.data[1] = 9.0
    (made,) = engine.generate([[5, 6]], max_tokens=4)
    assert (made.text, made.finish_reason, made.output_tokens) == ("", "stop", 1)


def test_sampling_has_a_seed(engine):
    one, again, other = (engine.generate(PROMPTS, max_tokens=8, temperature=1.0, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_a_prompt_that_cannot_be_continued_is_a_value(engine):
    good, long, empty = engine.generate([[5], [5] * 62, []], max_tokens=4)
    assert good.error is None
    assert (long.finish_reason, long.text, long.prompt_tokens) == ("error", "", 62)
    assert "62 tokens and 4 new ones; the model reads 1 to 64" in str(long.error)
    assert empty.finish_reason == "error"


def test_a_folder_that_is_no_language_model(tmp_path, tiny_lm):
    with pytest.raises(ModelError, match="no causal language model"):
        TransformersEngine.load(tmp_path, device="cpu")
    bare = tmp_path / "bare"
    shutil.copytree(tiny_lm, bare)
    weights = bare / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"no causal language model .*not fully covered"):
        TransformersEngine.load(bare, device="cpu")
    weights.unlink()
    with pytest.raises(ModelError, match="no causal language model"):
        TransformersEngine.load(bare, device="cpu")


def test_a_folder_that_is_no_adapter(tmp_path, tiny_lm, make_adapter, make_lm):
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        TransformersEngine.load(tiny_lm, adapter=tmp_path, device="cpu")
    wider = make_adapter(make_lm(hidden_size=64), size=0.1)
    with pytest.raises(ModelError, match="does not fit"):
        TransformersEngine.load(tiny_lm, adapter=wider, device="cpu")


def test_four_bits_change_the_scores_and_stay_near(make_lm, tmp_path):
    pytest.importorskip("bitsandbytes")
    folder = make_lm(hidden_size=128, intermediate_size=256, initializer_range=0.02)
    full = TransformersEngine.load(folder, device="cpu", dtype="float32").score(PROMPTS, LABELS)
    small = TransformersEngine.load(folder, device="cpu", dtype="float32", quantization="bitsandbytes")
    for one, two in zip(full[:2], small.score(PROMPTS, LABELS)[:2], strict=True):
        assert one.logprobs == pytest.approx(two.logprobs, abs=0.3)
        assert not np.array_equal(one.logprobs, two.logprobs)
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 128


def test_four_bits_are_computed_in_the_type_that_was_asked_for(make_lm):
    """Also where the CPU has AVX512-BF16, with which bitsandbytes would round scales and activations to bfloat16."""
    pytest.importorskip("bitsandbytes")
    import torch
    from transformers import AutoModelForCausalLM

    from core.lora import nf4_config

    folder = make_lm(hidden_size=128, intermediate_size=256, initializer_range=0.02)
    small = TransformersEngine.load(folder, device="cpu", dtype="float32", quantization="bitsandbytes")
    plain = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, device_map={"": "cpu"}, quantization_config=nf4_config(torch.float32)
    ).dequantize()
    expected = TransformersEngine(plain.float(), batch_tokens=4096).score(PROMPTS, LABELS)
    for one, two in zip(expected, small.score(PROMPTS, LABELS), strict=True):
        assert one.logprobs == pytest.approx(two.logprobs, abs=1e-5)


def test_a_batch_holds_at_least_a_token():
    with pytest.raises(ValueError, match="batch_tokens"):
        TransformersEngine(None, batch_tokens=0)


def test_scoring_training_and_both_four_bit_forms_share_one_implementation():
    """What is trained is what is scored: one padding, one head hook, one NF4 form."""
    from core import lora, next_token, transformers_engine
    from rerank import lm_passes, lm_step

    assert transformers_engine.next_token_logits is next_token.next_token_logits is lm_step.next_token_logits
    assert transformers_engine.length_batches is next_token.length_batches is lm_passes.length_batches
    assert transformers_engine.nf4_config is lora.nf4_config
