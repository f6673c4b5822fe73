import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.settings import Settings


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigError, match="window_to must not be smaller"):
        load_config(Settings, None, ["training.window_from=20", "training.window_to=19"])


def test_a_window_that_holds_no_group_is_refused() -> None:
    with pytest.raises(ConfigError, match="window must be at least group_size"):
        load_config(Settings, None, ["reranker_training.window=7", "reranker_training.group_size=8"])
