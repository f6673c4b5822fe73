import math

import pytest

from core.http_json import HttpError
from core.vllm_requests import EXACT, MASKED, exact_path, score_body, top_logprobs


class Recorded:
    """Plays back answers to POST and remembers what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def post(self, path, body):
        self.asked.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, HttpError):
            raise answer
        return {"choices": [{"logprobs": {"top_logprobs": [answer]}}]}


LIKELY = {"token_id:10": -0.1, "token_id:300": -3.0, "token_id:301": -4.0, "token_id:302": -5.0, "token_id:303": -6.0}


def test_the_probe_asks_for_two_tokens_that_are_not_likely():
    client = Recorded(LIKELY, {"token_id:10": -0.1, "token_id:11": -12.0, "token_id:12": -13.0})
    assert exact_path(client, "m", 52, [EXACT, MASKED]) == EXACT
    plain, probe = client.asked
    assert (plain["logprobs"], "logprob_token_ids" in plain) == (5, False)
    assert (probe["logprob_token_ids"], probe["logprobs"]) == ([11, 12], 1)


def test_vllm_0_24_ignores_the_field_and_is_found_out():
    # It answers 200 with the top 1. With the flags, the mask comes before the log-probabilities.
    client = Recorded(LIKELY, {"token_id:10": -0.1}, {"token_id:11": -0.3, "token_id:12": -1.3}, {"token_id:11": -0.3})
    assert exact_path(client, "m", 52, [EXACT, MASKED]) == MASKED
    assert (client.asked[2]["allowed_token_ids"], client.asked[2]["logprobs"]) == ([11, 12], 2)
    assert client.asked[3]["logprobs"] == 52


def test_vllm_0_24_without_the_flags_is_found_out():
    # The sampled token obeys the mask, the log-probabilities do not.
    raw = {"token_id:11": -12.0, "token_id:10": -0.1, "token_id:300": -3.0}
    assert exact_path(Recorded(LIKELY, {"token_id:10": -0.1}, raw, raw), "m", 52, [EXACT, MASKED]) is None


def test_minus_9999_is_no_score():
    client = Recorded(LIKELY, {"token_id:11": -9999.0, "token_id:12": -9999.0})
    assert exact_path(client, "m", 52, [EXACT]) is None


def test_a_refused_field_means_the_next_path_and_a_refused_key_does_not():
    refused = HttpError("unknown field", status=400)
    masked = {"token_id:11": -0.3, "token_id:12": -1.3}
    assert exact_path(Recorded(LIKELY, refused, masked, masked), "m", 52, [EXACT, MASKED]) == MASKED
    with pytest.raises(HttpError, match="key"):
        exact_path(Recorded(LIKELY, HttpError("wrong key", status=401)), "m", 52, [EXACT, MASKED])


def test_bodies():
    exact = score_body("m", (1, 2), (3, 4), EXACT)
    assert (exact["prompt"], exact["logprob_token_ids"], exact["logprobs"]) == ([1, 2], [3, 4], 1)
    masked = score_body("m", (1, 2), (3, 4), MASKED)
    assert (masked["allowed_token_ids"], masked["logprobs"]) == ([3, 4], 2)
    assert exact["return_tokens_as_token_ids"] and masked["return_tokens_as_token_ids"]


def test_log_probabilities_are_read_by_token_id():
    answer = {"choices": [{"logprobs": {"top_logprobs": [{"token_id:3": -1.5, "token_id:4": None}]}}]}
    found = top_logprobs(answer)
    assert found[3] == -1.5
    assert math.isnan(found[4])


@pytest.mark.parametrize("top", [None, [], [None], [{"A": -1.0}], [{"token_id:1": -1.0}, {"token_id:1": -1.0}]])
def test_what_is_no_answer_is_an_error(top):
    with pytest.raises(HttpError, match="no log-probabilities"):
        top_logprobs({"choices": [{"logprobs": {"top_logprobs": top}}]})
