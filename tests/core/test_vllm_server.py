import json
import math
import os
import signal
import threading
import time

import numpy as np
import pytest
from fake_vllm import FakeVllm, logprobs_of, serving
from real_vllm import vllm_serving

from core.errors import ModelError
from core.language_model import ScoringError
from core.vllm_requests import START_UP_FLAGS
from core.vllm_server import VllmServer

PROMPTS = [[7, 8, 9], [10], [11, 12], [13, 14, 15, 16]]
LABELS = [[100, 101], [102, 103, 104], list(range(60, 112)), [105, 0]]


def connected(fake, **options):
    return VllmServer.connect(fake.url, **{"retries": 2, "max_labels": 52, **options})


def check(found, *, mass):
    for scores, prompt, labels in zip(found, PROMPTS, LABELS, strict=True):
        chosen = logprobs_of(prompt)[labels]
        total = np.exp(chosen).sum()
        assert scores.logprobs == pytest.approx(chosen - math.log(total), abs=1e-5)
        assert scores.mass == (pytest.approx(total, rel=1e-4) if mass else None)


def test_a_new_server_scores_exactly_by_token_ids():
    with serving(FakeVllm()) as fake:
        server = connected(fake)
        check(server.score(PROMPTS, LABELS), mass=True)
        stats = server.stats
    assert (stats.path, stats.prompts, stats.prompt_tokens, stats.cached_tokens) == ("logprob_token_ids", 4, 10, 4)
    body = fake.asked[-1]
    assert (body["max_tokens"], body["temperature"], body["logprobs"]) == (1, 0.0, 1)
    assert (body["repetition_penalty"], body["top_p"], body["top_k"], body["model"]) == (1.0, 1.0, 0, "base")


def test_an_old_server_with_the_flags_scores_exactly_by_the_mask():
    with serving(FakeVllm(kind="masked", max_logprobs=64)) as fake:
        server = connected(fake)
        check(server.score(PROMPTS, LABELS), mass=False)
        with pytest.raises(ValueError, match="at most 52 labels"):
            server.score([[5]], [list(range(53))])
    assert server.stats.path == "allowed_token_ids"


@pytest.mark.parametrize(
    "fake",
    [
        FakeVllm(kind="old"),
        FakeVllm(kind="old", max_logprobs=64),  # a long list of log-probs, but from before the mask
        FakeVllm(kind="masked", max_logprobs=20),  # masked, but for 20 labels only
    ],
)
def test_a_server_that_cannot_is_refused_with_the_flags_it_needs(fake):
    with serving(fake), pytest.raises(ModelError, match="--logprobs-mode processed_logprobs --max-logprobs 52"):
        connected(fake)


def test_a_path_can_be_asked_for():
    with serving(FakeVllm(kind="masked", max_logprobs=64)) as fake:
        assert connected(fake, labels_path="allowed_token_ids").stats.path == "allowed_token_ids"
        with pytest.raises(ModelError, match="do not come back"):
            connected(fake, labels_path="logprob_token_ids")


def test_the_model_is_found_by_its_name():
    with serving(FakeVllm(models=("base", "adapter"))) as fake:
        connected(fake, model="adapter").score([[5]], [[100]])
        assert fake.asked[-1]["model"] == "adapter"
        with pytest.raises(ModelError, match=r"expected one model.*there is base, adapter"):
            connected(fake)
        with pytest.raises(ModelError, match="does not serve 'other'; there is base, adapter"):
            connected(fake, model="other")


def test_nobody_listens():
    with serving(FakeVllm()) as fake:
        pass
    with pytest.raises(ModelError, match=fake.url):
        VllmServer.connect(fake.url, retries=0)


def test_the_key_is_sent_and_never_told():
    with serving(FakeVllm()) as fake:
        server = connected(fake, api_key="s3cret")
        server.score([[5]], [[100]])
        assert fake.headers[-1]["Authorization"] == "Bearer s3cret"
        fake.script = [(401, {}, {"error": {"message": "wrong key"}})]
        with pytest.raises(ScoringError, match="401") as caught:
            server.score([[5]], [[100]])
    assert "s3cret" not in str(caught.value)


def test_busy_and_broken_answers_are_asked_again():
    with serving(FakeVllm()) as fake:
        server = connected(fake)
        fake.script = [(429, {"Retry-After": "0"}, {}), (503, {}, {})]
        check(server.score(PROMPTS, LABELS), mass=True)


def test_retry_after_is_kept():
    with serving(FakeVllm()) as fake:
        server = connected(fake)
        fake.script = [(429, {"Retry-After": "1"}, {})]
        started = time.perf_counter()
        server.score([[5]], [[100]])
        assert time.perf_counter() - started >= 1


def test_retries_are_bounded_and_the_prompt_is_named():
    with serving(FakeVllm()) as fake:
        server = connected(fake, concurrency=1)
        before = len(fake.asked)
        fake.script = [(500, {}, {"error": {"message": "engine is dead"}})] * 9
        with pytest.raises(ScoringError, match=r"prompt 0: .*answered 500: .*engine is dead"):
            server.score(PROMPTS, LABELS)
        assert 3 <= len(fake.asked) - before <= 6  # two retries; at most one more prompt was begun


def test_a_time_out_is_an_error_that_names_the_prompt():
    with serving(FakeVllm()) as fake:
        gate = threading.Event()
        server = connected(fake, timeout_seconds=1.5, retries=0)
        fake.change = lambda request, answer: gate.wait(60)
        with pytest.raises(ScoringError, match="prompt 0"):
            server.score([[5]], [[100]])
        gate.set()


def test_a_request_that_is_wrong_is_not_repeated():
    with serving(FakeVllm()) as fake:
        server = connected(fake)
        before = len(fake.asked)
        with pytest.raises(ScoringError, match=r"prompt 0: .*400: .*out of vocabulary"):
            server.score([[999]], [[100]])
        assert len(fake.asked) == before + 1


def without_one(request, answer):
    top = answer["choices"][0]["logprobs"]["top_logprobs"][0]
    if len(request["prompt"]) == 2:
        top.pop("token_id:77")


def never(request, answer):
    answer["choices"][0]["logprobs"]["top_logprobs"][0]["token_id:77"] = -9999.0


def null(request, answer):
    answer["choices"][0]["logprobs"]["top_logprobs"][0]["token_id:77"] = None


def nothing(request, answer):
    answer["choices"][0]["logprobs"] = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_one, "prompt 2: the server sent no score of token 77"),
        (never, "prompt 2: the server sent no score of token 77"),
        (null, "prompt 2: the score of token 77 is nan"),
        (nothing, "prompt 0: no log-probabilities in the answer"),
    ],
)
def test_a_label_without_a_score_is_an_error(change, message):
    with serving(FakeVllm()) as fake:
        server = connected(fake)
        fake.change = change
        with pytest.raises(ScoringError, match=message):
            server.score(PROMPTS, LABELS)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_requests_in_flight_are_bounded(concurrency):
    with serving(FakeVllm()) as fake:
        server = connected(fake, concurrency=concurrency)
        together = threading.Barrier(concurrency, timeout=60)
        fake.change = lambda request, answer: together.wait()
        server.score([[number] for number in range(12)], [[100, 101]] * 12)
        assert fake.most_at_once == concurrency


def test_texts_are_generated_and_one_failure_is_a_value():
    with serving(FakeVllm()) as fake:
        server = connected(fake)
        schema = {"type": "object"}
        good, bad, other = server.generate([[5], [999], [6, 7]], max_tokens=9, temperature=0.5, seed=4, schema=schema)
    assert (good.finish_reason, good.prompt_tokens, good.output_tokens, good.error) == ("length", 1, 1, None)
    assert good.text == f"t{logprobs_of([5]).argmax()}"
    assert other.text == f"t{logprobs_of([6, 7]).argmax()}"
    assert (bad.text, bad.finish_reason) == ("", "error")
    assert "out of vocabulary" in str(bad.error)
    body = next(body for body in fake.asked if body["prompt"] == [6, 7])
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (9, 0.5, 4)
    assert body["response_format"]["json_schema"]["schema"] == schema


def test_an_answer_that_is_none_is_a_failed_text():
    with serving(FakeVllm()) as fake:
        server = connected(fake)
        fake.change = lambda request, answer: answer.pop("choices")
        (made,) = server.generate([[5]], max_tokens=2)
        fake.change = lambda request, answer: answer["choices"][0].update(finish_reason="abort")
        (aborted,) = server.generate([[5]], max_tokens=2)
    assert "not an answer" in str(made.error)
    assert "abort" in str(aborted.error)


@pytest.fixture(scope="module")
def real_server(needs_vllm, smollm2_folder, real_adapter, tmp_path_factory):
    """A real server that is started with an adapter and, for the masked path, with the flags of an old vLLM."""
    flags = ["--enable-prompt-tokens-details", *START_UP_FLAGS.format(count=64).split()]
    flags += ["--enable-lora", "--max-lora-rank", "8", "--lora-modules", f"adapter={real_adapter}"]
    with vllm_serving(smollm2_folder, tmp_path_factory.mktemp("server") / "log.txt", *flags) as server:
        yield server


@pytest.mark.vllm
@pytest.mark.eedi
class TestRealServer:
    @pytest.mark.parametrize(("path", "count"), [("logprob_token_ids", 8), ("allowed_token_ids", 4)])
    def test_scores_are_exact(self, real_server, reference, agree, path, count):
        some = reference.some(count)
        server = VllmServer.connect(real_server.url, model="base", labels_path=path, concurrency=4)
        found = server.score(some.prompts, some.labels)
        agree(found, some)
        assert server.stats.path == path
        assert all((scores.mass is not None) is (path == "logprob_token_ids") for scores in found)

    def test_the_probe_takes_token_ids_and_cached_tokens_are_told(self, real_server, reference, agree):
        some = reference.some(4)
        server = VllmServer.connect(real_server.url, model="base", concurrency=2)
        agree(server.score(some.prompts, some.labels), some)
        agree(server.score(some.prompts, some.labels), some)
        assert server.stats.path == "logprob_token_ids"
        assert server.stats.cached_tokens > 0

    def test_an_adapter_by_its_name(self, real_server, adapted_reference, agree):
        server = VllmServer.connect(real_server.url, model="adapter", concurrency=4)
        agree(server.score(adapted_reference.prompts, adapted_reference.labels), adapted_reference)

    def test_texts_follow_a_schema(self, real_server):
        server = VllmServer.connect(real_server.url, model="base")
        schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
        schema["additionalProperties"] = False
        good, bad = server.generate([[1, 4093, 198], [5] * 3000], max_tokens=40, schema=schema)
        assert isinstance(json.loads(good.text)["yes"], bool)
        assert bad.finish_reason == "error"

    def test_a_server_that_dies_is_an_error_that_names_the_prompt(self, real_server):  # the last one
        server = VllmServer.connect(real_server.url, model="base", retries=1)
        assert len(server.score([[5, 6]], [[7, 8]])) == 1
        os.killpg(real_server.process.pid, signal.SIGKILL)
        real_server.process.wait(20)
        with pytest.raises(ScoringError, match="prompt 0"):
            server.score([[5, 6]], [[7, 8]])
