"""What is asked of one mode is refused in the other, with every fault at once."""

import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.settings import Settings
from pipelines.synthetic_settings import SyntheticSettings


def test_the_default_mixes_rows_of_equal_weight() -> None:
    settings = SyntheticSettings()
    assert (settings.mode, settings.weight, settings.share, settings.epochs) == ("mixed", 1.0, 1.0, None)


def test_epochs_and_rate_are_of_the_first_stage() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Settings, None, ["synthetic.epochs=2", "synthetic.learning_rate=0.1"])
    assert "synthetic.epochs is for synthetic.mode='first'" in str(caught.value)
    assert "synthetic.learning_rate is for synthetic.mode='first'" in str(caught.value)
    load_config(Settings, None, ["synthetic.mode=first", "synthetic.epochs=2", "synthetic.learning_rate=0.1"])


def test_a_share_is_of_a_mixture() -> None:
    with pytest.raises(ConfigError, match=r"synthetic\.share is for synthetic\.mode='mixed'"):
        load_config(Settings, None, ["synthetic.mode=first", "synthetic.share=0.5"])
    load_config(Settings, None, ["synthetic.share=0.5"])
