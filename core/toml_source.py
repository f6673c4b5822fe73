"""TOML for configs: files that extend one another, overrides from the command line, and where each key came from."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import did_you_mean

Table = dict[str, Any]
Location = tuple[str | int, ...]
BASE = "base"
PINS = {"revision": "model", "base_revision": "base"}
"""Keys that pin what another key of the same table names: a model's commit."""


@dataclass(frozen=True, kw_only=True)
class TomlSource:
    """One TOML file as read.

    Attributes:
        path: The file.
        text: Its text.
        table: Its content without the key `base`.
    """

    path: Path
    text: str = field(repr=False)
    table: Table


def read_toml(path: Path, faults: list[str]) -> list[TomlSource]:
    """Read a TOML file and the files it extends (`base = "other.toml"`, relative to the file that says so).

    Args:
        path: The file.
        faults: Where faults are noted: missing, not UTF-8, a syntax error with its line, a circle of bases.

    Returns:
        The files that could be read, the farthest base first.
    """
    sources: list[TomlSource] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        if following.resolve() in seen:
            faults.append(
                f"{following}: expected bases that end somewhere, came a circle: {' -> '.join(map(str, seen))}"
            )
            break
        seen.append(following.resolve())
        source, base = _read_one(following, faults)
        if source is not None:
            sources.insert(0, source)
        following = base
    return sources


def _read_one(path: Path, faults: list[str]) -> tuple[TomlSource | None, Path | None]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        table = tomllib.loads(text)
    except FileNotFoundError:
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        faults.append(f"{path}: there is no such config file{near}")
        return None, None
    except OSError as error:
        faults.append(f"{path}: this config file cannot be read ({error.strerror or error})")
        return None, None
    except UnicodeDecodeError as error:
        faults.append(f"{path}: expected UTF-8, came byte 0x{error.object[error.start]:02x} at offset {error.start}")
        return None, None
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{path}: expected TOML: {error}; texts stand in quotation marks")
        return None, None
    base = table.pop(BASE, None)
    if base is not None and not isinstance(base, str):
        faults.append(f"{path}, line {line_of(text, (BASE,))}: {BASE}: expected the name of a TOML file, came {base!r}")
        base = None
    return TomlSource(path=path, text=text, table=table), path.parent / base if base else None


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """Return `under` with `over` laid on it: tables are merged key by key, everything else is replaced.

    A commit belongs to its model: where `over` names another model and no commit, that of `under` goes (see `PINS`).
    """
    result = dict(under)
    for pin, of in PINS.items():
        if of in over and over[of] != under.get(of) and pin not in over:
            result.pop(pin, None)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def holds(data: object, place: Location) -> bool:
    """Say whether tables and lists hold something at a place."""
    for step in place:
        if isinstance(data, dict):
            if str(step) not in data:
                return False
            data = data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return False
    return True


def line_of(text: str, place: Location) -> int | None:
    """Return the 1-based line of a TOML text on which the key at `place` is first given; None where it is not.

    The text is parsed line by line until the key is there, so the answer is the parser's own.
    """
    lines = text.split("\n")
    start = 0
    for end in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        if holds(table, place):
            blank = (number for number in range(start, end) if lines[number].strip()[:1] not in ("", "#"))
            return next(blank, end - 1) + 1
        start = end
    return None


@dataclass(frozen=True, kw_only=True)
class Override:
    """One `a.b.c=value` of the command line.

    Attributes:
        text: As it was given.
        place: The key's parts; whole numbers stand for list items (`a.0.b`).
        value: The value, parsed as TOML where it is TOML, None for `null`, else the text itself.
        raw: The text after the equals sign.
    """

    text: str
    place: Location
    value: object
    raw: str


def parse_overrides(texts: Sequence[str], faults: list[str]) -> list[Override]:
    """Parse overrides; one without a key or an equals sign is noted as a fault."""
    overrides = []
    for text in texts:
        key, equals, raw = text.partition("=")
        try:
            place = tuple(_steps(tomllib.loads(f"{key} = 0"))) if equals and "\n" not in key else ()
        except tomllib.TOMLDecodeError:
            place = ()
        if not place:
            faults.append(f"override {text!r}: expected key=value, as in training.epochs=3")
            continue
        overrides.append(Override(text=text, place=place, value=_value(raw.strip()), raw=raw))
    return overrides


def _steps(table: Table) -> Iterator[str | int]:
    value: object = table
    while isinstance(value, dict):
        ((step, value),) = value.items()
        yield int(step) if step.isdecimal() and step.isascii() else step


def _value(raw: str) -> object:
    if raw == "null":  # TOML has no word for None
        return None
    try:
        table = tomllib.loads(f"value = {raw}")
    except tomllib.TOMLDecodeError:
        return raw
    return table["value"] if list(table) == ["value"] else raw


def lets_go(override: Override, given: Sequence[Override], data: Table) -> None:
    """Take a table's commit away where an override names another model and none gives a commit; see `merged`."""
    *way, name = override.place
    here: object = data
    for step in way:
        here = here.get(str(step)) if isinstance(here, dict) else None
    if isinstance(here, dict) and here.get(str(name)) != override.value:
        for pin, of in PINS.items():
            if name == of and all(other.place != (*way, pin) for other in given):
                here.pop(pin, None)
