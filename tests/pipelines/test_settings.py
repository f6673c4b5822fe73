from pathlib import Path

import pytest

from core.config import describe, load_config
from core.errors import ConfigError
from core.hub_records import is_commit
from pipelines.settings import Settings

CONFIGS = sorted((Path(__file__).parents[2] / "pipelines" / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_configs_of_the_repository_are_valid(path: Path) -> None:
    assert load_config(Settings, path) != Settings(), "a config that changes nothing"


def test_the_defaults_are_valid_by_their_own_rules() -> None:
    assert Settings.model_validate(Settings().model_dump()) == Settings()


@pytest.mark.parametrize(
    "override",
    [
        "candidates=24",
        "threads=0",
        "bootstrap=99",
        "split.validation_share=0",
        "split.unseen_share=1.1",
        'text.fields=["question","question"]',
        'text.fields=["construct","subject","hint"]',
        "text.fields=[]",
        "text.view_weight=-1",
        "training.window_to=0",
        "training.temperature=0",
        "training.batch_size=1",
        "training.learning_rate=nan",
        "neighbours.thresholds=[]",
        "neighbours.thresholds=[1.0]",
        "neighbours.thresholds=[-1.5]",
        "neighbours.weights=[]",
        "neighbours.weights=[-0.1]",
        "lexical.weights=[]",
        "prior.grid=[nan]",
        "rerankers.mine.weights=[]",
        "rerankers.mine.kind=cross-encoder",
        "reranker_training.window=3",
    ],
)
def test_what_could_only_fail_in_the_middle_of_a_run_is_refused(override: str) -> None:
    with pytest.raises(ConfigError):
        load_config(Settings, None, [override])


@pytest.mark.parametrize(
    "override",
    [
        'text.fields=["incorrect"]',
        'text.fields=["question","hint"]',
        "split.unseen_share=null",
        "training.window_to=1",
        "neighbours.thresholds=[-1.0]",
        "prior.grid=[]",
        "rerankers.mine.candidates=10",
    ],
)
def test_what_stands_at_the_edge_of_a_range_is_taken(override: str) -> None:
    load_config(Settings, None, [override])


def test_every_key_is_listed() -> None:
    listing = describe(Settings)
    assert "training.batch_size = 128" in listing
    assert "rerankers.NAME.kind" in listing


def test_every_hub_id_in_the_configs_of_the_repository_has_its_commit() -> None:
    named = []
    for path in CONFIGS:
        settings = load_config(Settings, path)
        tables = [settings.retriever, *settings.rerankers.values()]
        named += [(path.name, table) for table in tables if (table.model or "").startswith("Qwen/")]
    assert len({name for name, _ in named}) >= 6
    assert [name for name, table in named if not is_commit(table.revision or "")] == []
