import pytest

from core.errors import ArtifactMismatchError, ConfigError, InputError, ModelError, UserError, did_you_mean


def test_every_fault_is_carried_and_stands_on_its_own_line():
    error = InputError(["a.csv: missing", "b.csv: empty"])
    assert error.faults == ("a.csv: missing", "b.csv: empty")
    assert str(error).splitlines() == ["a.csv: missing", "b.csv: empty"]


def test_one_message_is_one_fault_not_one_a_letter():
    assert ModelError("gone").faults == ("gone",)


@pytest.mark.parametrize("kind", [InputError, ConfigError, ModelError])
def test_all_are_user_errors(kind):
    assert issubclass(kind, UserError)


def test_a_mismatch_names_artifact_and_keys():
    error = ArtifactMismatchError("bank.safetensors", ["model", "template_hash"])
    assert isinstance(error, UserError)
    assert error.keys == ("model", "template_hash")
    assert "bank.safetensors" in str(error) and "model, template_hash" in str(error)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("questionid", " (did you mean 'QuestionId'?)"), ("QestionId", " (did you mean 'QuestionId'?)"), ("zzz", "")],
)
def test_a_close_name_is_suggested_and_a_far_one_is_not(word, expected):
    assert did_you_mean(word, ["QuestionId", "CorrectAnswer"]) == expected
