import pytest
from pydantic import ValidationError

from pipelines.lm_training_settings import LmTrainingSettings


def test_the_defaults_are_the_stated_recipe() -> None:
    settings = LmTrainingSettings()
    assert (settings.method, settings.preset, settings.batch_queries) == ("lora", "r64", 8)
    assert (settings.smallest_list, settings.learning_rate) == (3, None)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        LmTrainingSettings(smallest_list=9, largest_list=8, window=7)
    assert "largest_list must be at least smallest_list" in str(caught.value)
    assert "window must be at least largest_list" in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"none_share": 1.1}, {"spread": 0.5}, {"preset": "r8"}, {"adapter_dropout": 1.0}, {"epochs": 0}]
)
def test_values_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LmTrainingSettings.model_validate(wrong)
