import pytest
from pydantic import ValidationError

from pipelines.explaining_settings import ExplainingSettings


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"template": "about {misconception}"}, "there is no placeholder {misconception}"),
        ({"longest": 10}, "must be above shortest"),
        ({"temperature": 0.0}, "ask the same again"),
        ({"attempts": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ExplainingSettings.model_validate(values)


def test_greedy_with_one_attempt_is_fine() -> None:
    assert ExplainingSettings(temperature=0.0, attempts=1).attempts == 1
