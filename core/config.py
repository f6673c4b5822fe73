"""Typed configs: pydantic models filled from TOML files and command-line overrides, all faults told at once."""

import hashlib
import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python

from core.config_schema import default_at, describe, keys_at, keys_of
from core.errors import ConfigError, did_you_mean
from core.toml_source import (
    Location,
    Override,
    Table,
    TomlSource,
    holds,
    lets_go,
    line_of,
    merged,
    parse_overrides,
    read_toml,
)

__all__ = ["StrictModel", "config_hash", "describe", "load_config"]

T = TypeVar("T", bound=BaseModel)


class StrictModel(BaseModel):
    """A table of a config: frozen, no unknown keys, no types bent (`"3"` and `3.0` are no int, 1 is no bool).

    Defaults of a nested table belong into its own class: a TOML table replaces a default instance as a whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def load_config(model: type[T], path: Path | None, overrides: Sequence[str] = ()) -> T:
    """Fill a config from a TOML file and overrides.

    Args:
        model: The config's class.
        path: A TOML file, or None for the defaults. It may extend another: `base = "other.toml"`, relative to it;
            tables are merged key by key, lists are replaced. A `model` that is changed, here or by an override, loses
            the `revision` that was pinned for the other one.
        overrides: `a.b.c=value`, later ones win. The value is TOML (`3`, `true`, `[1, 2]`), `null` for None, else a
            text that needs no quotation marks. List items go by their number from 0; the next number appends.

    Returns:
        The config.

    Raises:
        ConfigError: Every fault at once: a file that is missing or no TOML (with its line), an unknown key (did you
            mean …?), a wrong type, a value out of range; each with its dotted key, where it came from, what was
            expected and what came.
    """
    faults: list[str] = []
    sources = read_toml(path, faults) if path is not None else []
    broken = bool(faults)
    parsed = parse_overrides(overrides, faults)
    data: Table = {}
    for source in sources:
        data = merged(data, source.table)
    for override in parsed:
        lets_go(override, parsed, data)
    given = [override for override in parsed if _put(data, model, override, override.value, faults)]
    config, errors = _validate(model, data)
    # `--set name=12` is meant as a text where a text is wanted.
    texts = [o for o in given if not isinstance(o.value, str) and any(_wants_text(error, o) for error in errors)]
    if texts:
        for override in texts:
            _put(data, model, override, override.raw, faults)
        config, errors = _validate(model, data)
    if broken:  # keys that a broken file would have given are not missing
        errors = [error for error in errors if error["type"] != "missing"]
    faults += [_told(model, data, error, sources, given) for error in errors]
    if faults or config is None:
        error = ConfigError(faults)
        error.usable = _without(model, data, errors) if config is None else config
        raise error
    return config


def config_hash(config: BaseModel) -> str:
    """Return the SHA-256 of a config's values, defaults included, as 64 hexadecimal digits.

    It does not depend on the order of keys or on where a value came from. Pass the part that a stage depends on, so
    that other settings do not make the stage run again.
    """
    values = config.model_dump(mode="json")
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _validate(model: type[T], data: Table) -> tuple[T | None, list[ErrorDetails]]:
    # Through JSON: in strict mode only JSON lets a text be a Path and a list be a tuple, which TOML cannot write.
    try:
        return model.model_validate_json(json.dumps(to_jsonable_python(data, inf_nan_mode="constants"))), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _without(model: type[T], data: Table, errors: Sequence[ErrorDetails]) -> T | None:
    """Return the config that is left when what is wrong is taken out, table by table where need be; None if none is."""
    data = deepcopy(data)
    config: T | None = None
    for _ in range(len(errors) + 3):
        for error in errors:
            _take_out(data, error["loc"])
        config, errors = _validate(model, data)
        if config is not None:
            break
    return config


def _take_out(data: Table, location: Location) -> None:
    """Remove what stands at a location, or the nearest thing on the way to it that is there."""
    here: Any = data
    way: list[tuple[Any, Any]] = []
    for step in location:
        there = (isinstance(here, dict) and step in here) or (
            isinstance(here, list) and isinstance(step, int) and step < len(here)
        )
        if there:
            way.append((here, step))
            here = here[step]
    if way:
        table, step = way[-1]
        del table[step]


def _wants_text(error: ErrorDetails, override: Override) -> bool:
    return _same(error["loc"], override.place) and error["type"] in (
        "string_type",
        "literal_error",
        "enum",
        "path_type",
    )


def _same(place: Location, other: Location) -> bool:
    return [*map(str, place)] == [*map(str, other)]  # `a.0` may name an item, or a key of a table


def _put(data: Table, model: type[BaseModel], override: Override, value: object, faults: list[str]) -> bool:
    """Set one value in place, making the tables on the way; lists are seeded with the config's defaults."""
    here: Any = data
    for depth, step in enumerate(override.place):
        last = depth == len(override.place) - 1
        way = ".".join(map(str, override.place[:depth])) or "the config"
        if isinstance(here, dict):
            step = str(step)
            if not last and here.get(step) is None:
                here[step] = default_at(model, (*override.place[:depth], step))
        elif isinstance(here, list):
            if not isinstance(step, int) or step > len(here):
                faults.append(f"override {override.text!r}: expected an item 0 to {len(here)} of {way}, came {step!r}")
                return False
            here += [{} if not last else None] * (step == len(here))
        else:
            faults.append(f"override {override.text!r}: expected a table or list at {way}, but it is {here!r}")
            return False
        if last:
            here[step] = value
        else:
            here = here[step]
    return True


def _told(
    model: type[BaseModel], data: Table, error: ErrorDetails, sources: Sequence[TomlSource], given: Sequence[Override]
) -> str:
    kind = error["type"]
    # pydantic names the arms of unions and discriminators on the way; the user's file does not.
    place: Location = ()
    for number, step in enumerate(error["loc"]):
        if holds(data, (*place, step)) or (kind == "missing" and number == len(error["loc"]) - 1):
            place = (*place, step)
    key = ".".join(map(str, place)) or "the config"
    where = _origin(place, sources, given)
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        known = keys_at(model, place[:-1], _table_at(data, place[:-1]))
        near = did_you_mean(str(place[-1]), known)
        elsewhere = [name for name in keys_of(model) if name.rpartition(".")[2] == place[-1] and name != key]
        if not near and elsewhere:
            near = f" (did you mean '{elsewhere[0]}'?)"
        return f"{where}: {key}: unknown key{near}; expected one of {', '.join(known)}"
    if kind == "missing":
        return f"{where}: {key}: expected a value, came nothing"
    came = error["input"]
    return f"{where}: {key}: {_expected(error)}, came {came!r} ({type(came).__name__})"


def _expected(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "union_tag_not_found":
        return f"expected a table with the key {context['discriminator']}"
    if error["type"] == "union_tag_invalid":
        return f"expected {context['discriminator']} to be one of {context['expected_tags']}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    beginning = "Input should be "
    return "expected " + message.removeprefix(beginning) if message.startswith(beginning) else message


def _table_at(data: Table, place: Location) -> Table:
    here: Any = data
    for step in place:
        here = here[step]
    return dict(here)


def _origin(place: Location, sources: Sequence[TomlSource], given: Sequence[Override]) -> str:
    for override in reversed(given):
        if _same(place[: len(override.place)], override.place):
            return f"override {override.text!r}"
    for source in reversed(sources):
        if place and holds(source.table, place):
            return f"{source.path}, line {line_of(source.text, place)}"
    for override in reversed(given):
        if place and _same(override.place[: len(place)], place):
            return f"override {override.text!r}"
    return str(sources[-1].path) if sources else "config"
