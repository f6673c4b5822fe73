import threading
import time
from types import SimpleNamespace

import pytest
from fake_vllm import FakeVllm, serving

from core.errors import ConfigError
from core.http_json import LONGEST_WAIT, HttpError, JsonClient, _PatientRetry, answers_in_order


def test_json_goes_there_and_back():
    with serving(FakeVllm(models=("a",))) as fake:
        client = JsonClient(fake.url + "/", retries=0)
        assert [model["id"] for model in client.get("models")["data"]] == ["a"]
        assert client.post("completions", {"prompt": [1], "logprobs": 1})["choices"][0]["text"]
        client.close()


def test_a_base_url_needs_its_scheme():
    with pytest.raises(ConfigError, match="http"):
        JsonClient("127.0.0.1:8000/v1")


@pytest.mark.parametrize("status", [400, 404, 301])
def test_other_statuses_are_told_with_their_text_and_not_repeated(status):
    with serving(FakeVllm()) as fake:
        fake.script = [(status, {"Location": "/elsewhere"}, {"why": "so"})] * 2
        with pytest.raises(HttpError, match='"why": "so"') as caught:
            JsonClient(fake.url, retries=3, backoff=0).post("completions", {})
        assert caught.value.status == status
        assert len(fake.script) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(status):
    with serving(FakeVllm()) as fake:
        fake.script = [(status, {}, {})] * 2
        client = JsonClient(fake.url, retries=2, backoff=0)
        assert client.post("completions", {"prompt": [1]})["choices"]
        fake.script = [(status, {}, {})] * 3
        with pytest.raises(HttpError) as caught:
            client.post("completions", {"prompt": [1]})
        assert caught.value.status == status


def test_an_answer_that_is_no_object():
    with serving(FakeVllm()) as fake:
        fake.script = [(200, {}, ["a list"])]  # type: ignore[list-item]
        fake.change = None
        with pytest.raises(HttpError, match="expected a JSON object"):
            JsonClient(fake.url, retries=0).post("completions", {})


def test_a_server_cannot_make_us_wait_for_ever():
    def waits(headers):
        return _PatientRetry().get_retry_after(SimpleNamespace(headers=headers))

    assert waits({"Retry-After": "86400"}) == LONGEST_WAIT
    assert waits({"Retry-After": "2"}) == 2
    assert waits({}) is None


def test_answers_come_in_order_with_so_many_calls_at_a_time():
    lock, running, most = threading.Lock(), [0], [0]
    three = threading.Barrier(3, timeout=60)  # on a busy machine a sleep does not make calls overlap

    def one(item):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        three.wait()
        time.sleep(0.02 * (4 - item % 4))
        with lock:
            running[0] -= 1
        return item * item

    assert answers_in_order(one, range(12), concurrency=3) == [item * item for item in range(12)]
    assert most[0] == 3
    assert answers_in_order(one, [], concurrency=3) == []


def test_after_a_failure_no_call_is_begun():
    begun = []

    def one(item):
        begun.append(item)
        time.sleep(0.02)
        raise HttpError("gone", status=None)

    with pytest.raises(HttpError, match="gone"):
        answers_in_order(one, range(50), concurrency=2)
    assert len(begun) < 50
