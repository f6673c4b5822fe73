from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from core.config import StrictModel
from core.config_schema import default_at, describe, keys_at, keys_of, type_name


@dataclass(frozen=True)
class Names:
    a: str = "A"


class Inner(StrictModel):
    n: int = Field(default=3, ge=1, lt=9, description="How many.")


class Config(StrictModel):
    must: float
    kind: Literal["a", "b"] | None = None
    inner: Inner = Inner()
    named: dict[str, Inner] = Field(default_factory=lambda: {"x": Inner(n=4)})
    listed: tuple[Inner, ...] = ()
    maybe: Inner | None = None
    names: Names = Names()
    folder: Path = Path("p")


class A(StrictModel):
    kind: Literal["a"]
    x: int


class B(StrictModel):
    kind: Literal["b"]
    y: int


class Union(StrictModel):
    arm: A | B


def test_the_listing() -> None:
    assert (
        describe(Config)
        == """\
must = (no default)
    float
kind = null
    'a' | 'b' | none
inner.n = 3
    int, >= 1, < 9. How many.
named = {"x": {"n": 4}}
    dict[str, Inner]
named.NAME.n = 3
    int, >= 1, < 9. How many.
listed = []
    tuple[Inner, …]
listed.0.n = 3
    int, >= 1, < 9. How many.
maybe = null
    Inner | none
maybe.n = 3
    int, >= 1, < 9. How many.
names.a = "A"
    str
folder = "p"
    Path"""
    )


def test_keys() -> None:
    assert keys_of(Config)[:3] == ["must", "kind", "inner.n"]
    assert keys_at(Config, ()) == list(Config.model_fields)
    assert keys_at(Config, ("inner",)) == keys_at(Config, ("named", "any")) == keys_at(Config, ("listed", 2)) == ["n"]
    assert keys_at(Config, ("names",)) == ["a"]
    assert keys_at(Config, ("must",)) == []
    assert keys_at(Config, (), {"kind": "a"}) == list(Config.model_fields)
    assert keys_at(Union, ("arm",)) == ["kind", "x", "y"]
    assert keys_at(Union, ("arm",), {"kind": "b"}) == ["kind", "y"]


def test_defaults_to_build_on() -> None:
    assert default_at(Config, ("named",)) == {"x": {"n": 4}}
    assert default_at(Config, ("listed",)) == []
    assert default_at(Config, ("inner",)) == {}
    assert default_at(Config, ("nowhere",)) == {}


def test_names_of_types() -> None:
    assert type_name(list[int]) == "list[int]"
    assert type_name(int | None) == "int | none"
