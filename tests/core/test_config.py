import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from core.columns import Columns
from core.config import StrictModel, config_hash, load_config
from core.errors import ConfigError


class Training(StrictModel):
    epochs: int = Field(default=3, ge=1)
    rate: float = Field(default=1e-4, gt=0, le=1)
    quiet: bool = False


class Reranker(StrictModel):
    kind: Literal["identity", "listwise"]
    k: int = 3


class Pointwise(StrictModel):
    type: Literal["pointwise"] = "pointwise"
    size: int = 1


class Listwise(StrictModel):
    type: Literal["listwise"] = "listwise"
    letters: int = 5


class Config(StrictModel):
    model: str = "tiny"
    revision: str | None = None
    folder: Path = Path("runs")
    training: Training = Training()
    columns: Columns = Columns()
    rerankers: dict[str, Reranker] = Field(default_factory=lambda: {"identity": Reranker(kind="identity")})
    orders: tuple[str, ...] = ("ascending", "descending")
    steps: tuple[Reranker, ...] = ()
    stage: Annotated[Pointwise | Listwise, Field(discriminator="type")] = Pointwise()

    @model_validator(mode="after")
    def _model_is_not_nameless(self) -> "Config":
        if self.model == "nameless":
            raise ValueError("model and revision do not go together")
        return self


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def faults_of(path: Path, text: str = "", overrides: Sequence[str] = ()) -> tuple[str, ...]:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Config, path, overrides)
    return tuple(fault.replace(f"{path}", "FILE") for fault in caught.value.faults)


def test_defaults_files_and_overrides_in_this_order(path: Path) -> None:
    assert load_config(Config, None) == Config()
    path.write_text("[training]\nepochs = 5\nrate = 1\n")
    config = load_config(Config, path, ["training.epochs=7", "training.epochs=8", "folder=a/b"])
    assert config == Config(training=Training(epochs=8, rate=1.0), folder=Path("a/b"))


def test_any_nested_value_can_be_overridden() -> None:
    config = load_config(
        Config,
        None,
        [
            "rerankers.identity.k=9",
            "rerankers.mine.kind=listwise",
            "orders.1=random",
            "orders.2=other",
            "steps.0.kind=identity",
            "columns.question=Item",
            "stage.type=listwise",
            "stage.letters=7",
        ],
    )
    assert config.rerankers == {"identity": Reranker(kind="identity", k=9), "mine": Reranker(kind="listwise")}
    assert config.orders == ("ascending", "random", "other")
    assert config.steps == (Reranker(kind="identity"),)
    assert config.columns == Columns(question="Item")
    assert config.stage == Listwise(letters=7)


def test_an_override_that_looks_like_a_number_is_a_text_where_a_text_is_wanted() -> None:
    config = load_config(Config, None, ["model=12", "revision=007", "orders.0=3", "training.epochs=4"])
    assert (config.model, config.revision, config.orders[0], config.training.epochs) == ("12", "007", "3", 4)
    assert load_config(Config, None, ["revision=abc", "revision=null"]).revision is None


def test_a_base_is_extended(path: Path) -> None:
    (path.parent / "base.toml").write_text('model = "big"\norders = ["a"]\n[training]\nepochs = 9\nquiet = true\n')
    path.write_text('base = "base.toml"\n[training]\nepochs = 2\n')
    config = load_config(Config, path)
    assert (config.model, config.orders, config.training) == ("big", ("a",), Training(epochs=2, quiet=True))


def test_every_fault_is_told_at_once_with_its_place(path: Path) -> None:
    text = """\
modle = "x"
epochs = 3

[training]
epochs = 0
rate = "fast"
quiet = 1

[rerankers.mine]
kind = "lisztwise"

[[steps]]
kind = "identity"
[[steps]]
k = 2.5

[columns]
questoin = "q"
"""
    assert faults_of(path, text, ["training.rat=3", "orders=5", "nonsense", "steps.7.k=1", "stage.letters=3"]) == (
        "override 'nonsense': expected key=value, as in training.epochs=3",
        "override 'steps.7.k=1': expected an item 0 to 2 of steps, came 7",
        "FILE, line 5: training.epochs: expected greater than or equal to 1, came 0 (int)",
        "FILE, line 6: training.rate: expected a valid number, came 'fast' (str)",
        "FILE, line 7: training.quiet: expected a valid boolean, came 1 (int)",
        "override 'training.rat=3': training.rat: unknown key (did you mean 'rate'?); "
        "expected one of epochs, rate, quiet",
        "FILE, line 18: columns.questoin: unknown key (did you mean 'question'?); expected one of "
        + ", ".join(field.name for field in fields(Columns)),
        "FILE, line 10: rerankers.mine.kind: expected 'identity' or 'listwise', came 'lisztwise' (str)",
        "override 'orders=5': orders: expected a valid array, came 5 (int)",
        "FILE: steps.1.kind: expected a value, came nothing",
        "FILE, line 15: steps.1.k: expected a valid integer, came 2.5 (float)",
        "override 'stage.letters=3': stage: expected a table with the key 'type', came {'letters': 3} (dict)",
        "FILE, line 1: modle: unknown key (did you mean 'model'?); expected one of " + ", ".join(Config.model_fields),
        "FILE, line 2: epochs: unknown key (did you mean 'training.epochs'?); expected one of "
        + ", ".join(Config.model_fields),
    )


def test_a_fault_inside_a_union_is_told_without_the_names_of_its_arms(path: Path) -> None:
    assert faults_of(path, '[stage]\ntype = "listwise"\nletters = "x"\nsize = 2\n') == (
        "FILE, line 3: stage.letters: expected a valid integer, came 'x' (str)",
        "FILE, line 4: stage.size: unknown key; expected one of type, letters",
    )
    assert faults_of(path, '[stage]\ntype = "x"\n') == (
        "FILE, line 1: stage: expected 'type' to be one of 'pointwise', 'listwise', came {'type': 'x'} (dict)",
    )


def test_a_syntax_error_does_not_hide_the_overrides(path: Path) -> None:
    faults = faults_of(path, "model = tiny\n", ["training.epochs=0"])
    assert len(faults) == 2
    assert "line 1" in faults[0]
    assert "training.epochs" in faults[1]


def test_a_missing_file_and_a_rule_over_several_keys(path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(Config, path)
    (fault,) = faults_of(path, 'model = "nameless"\n')
    assert fault.startswith("FILE: the config: model and revision do not go together")


def test_an_override_into_a_plain_value(path: Path) -> None:
    (fault,) = faults_of(path, "", ["model=x", "model.name=y"])
    assert fault == "override 'model.name=y': expected a table or list at model, but it is 'x'"


@pytest.mark.parametrize("values", [{"epochs": "3"}, {"epochs": 3.0}, {"quiet": 1}, {"epohcs": 3}])
def test_types_are_not_bent(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Training(**values)


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Config().model = "x"


def test_the_hash_depends_on_values_alone(path: Path) -> None:
    path.write_text('model = "tiny"\n[training]\nrate = 1e-4\nepochs = 3\n')
    assert config_hash(load_config(Config, path)) == config_hash(Config())
    assert config_hash(Config(training=Training(epochs=4))) != config_hash(Config())
    assert len(config_hash(Config())) == 64


def test_the_hash_is_the_same_in_another_process() -> None:
    code = "import sys\nfrom core.config import *\nclass M(StrictModel):\n b: str = 'x'\n a: int = 1\n"
    code += "sys.stdout.write(config_hash(M()))"
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", code], check=True, cwd=root, capture_output=True, text=True).stdout
    # echo -n '{"a":1,"b":"x"}' | sha256sum
    assert told == "ecf9e98ec0641e23113ff3ce8bdc78d0ddd249886517fd4a7f68cc83d4e65667"


@pytest.mark.parametrize(
    ("text", "overrides", "left"),
    [
        ("[training]\nepochs = 0\nrate = 0.5\nepoch = 3\n", [], Config(training=Training(rate=0.5))),
        ("model = 'other'\nnothing = 1\n", ["training.epochs=x"], Config(model="other")),
        ("model = 'other'\n[rerankers.a]\nk = 2\n", [], Config(model="other", rerankers={})),
        ("model = 'nameless'\n", [], None),
        ("model = \n", ["training.epochs=5"], Config(training=Training(epochs=5))),
    ],
)
def test_what_is_right_in_a_broken_config_can_still_be_checked(
    path: Path, text: str, overrides: list[str], left: Config | None
) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Config, path, overrides)
    assert caught.value.usable == left


def test_a_changed_model_loses_the_commit_that_was_pinned_for_another(tmp_path: Path) -> None:
    class Table(StrictModel):
        model: str | None = None
        revision: str | None = None

    class Whole(StrictModel):
        tables: dict[str, Table]

    under, over = tmp_path / "under.toml", tmp_path / "over.toml"
    under.write_text('[tables.a]\nmodel = "x/y"\nrevision = "1"\n', encoding="utf-8")
    over.write_text('base = "under.toml"\n[tables.a]\nmodel = "folder"\n', encoding="utf-8")
    assert load_config(Whole, under).tables["a"] == Table(model="x/y", revision="1")
    assert load_config(Whole, over).tables["a"] == Table(model="folder")
    assert load_config(Whole, under, ["tables.a.model=folder"]).tables["a"] == Table(model="folder")
    given = ["tables.a.revision=2", "tables.a.model=folder"]
    assert load_config(Whole, under, given).tables["a"] == Table(model="folder", revision="2")
