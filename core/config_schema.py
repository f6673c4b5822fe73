"""What keys a config has: for suggestions, for defaults of lists, and for `--help-config`."""

import dataclasses
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from core.toml_source import Location

TypeForm = Any  # Python 3.11 has no type for what may stand in an annotation
_ITEM = {dict: "NAME", list: "0", tuple: "0"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Key:
    """One key of a config.

    Attributes:
        name: Its name within its table.
        annotation: Its type.
        default: Its default, or `PydanticUndefined`.
        description: What it is for; may be empty.
        limits: Its range, e.g. `("> 0", "<= 1")`.
    """

    name: str
    annotation: TypeForm
    default: Any
    description: str = ""
    limits: tuple[str, ...] = ()


def describe(model: type[BaseModel]) -> str:
    """Return a listing of all keys of a config: each with its default, type, range and what it is for.

    Keys are dotted as overrides want them; `NAME` stands for a name of the user's choice, `0` for a list item.
    """
    lines = []
    for name, key in _walk(model, ""):
        default = (
            "(no default)" if key.default is PydanticUndefined else json.dumps(_plain(key.default), ensure_ascii=False)
        )
        about = ", ".join([type_name(key.annotation), *key.limits])
        lines.append(f"{name} = {default}\n    {about}" + (f". {key.description}" if key.description else ""))
    return "\n".join(lines)


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return all keys of a config, dotted."""
    return [name for name, _ in _walk(model, "")]


def keys_at(model: type[BaseModel], place: Location, given: Mapping[str, Any] | None = None) -> list[str]:
    """Return the names of the keys that a table of a config may have; none where there is no table.

    Args:
        model: The config.
        place: Where the table stands.
        given: What the table holds: arms of a union whose literals it contradicts (another `kind`) do not count.
    """
    tables = [table for table in _tables_at(model, place) if not _contradicts(table, given or {})]
    return list(dict.fromkeys(key.name for table in tables for key in _keys(table)))


def default_at(model: type[BaseModel], place: Location) -> dict[str, Any] | list[Any]:
    """Return the default of a list or of a table with free names, as plain data to build on; else an empty table."""
    for table in _tables_at(model, place[:-1]):
        for key in _keys(table):
            if key.name != place[-1]:
                continue
            value = key.default
            if isinstance(value, BaseModel):
                return value.model_dump(mode="json", exclude_unset=True)
            if isinstance(value, Mapping | list | tuple):
                plain = to_jsonable_python(value)
                return dict(plain) if isinstance(plain, dict) else list(plain)
            if any(get_origin(arm) in (list, tuple) for arm in _arms(key.annotation)):
                return []
    return {}


def _contradicts(table: TypeForm, given: Mapping[str, Any]) -> bool:
    origins: dict[str, tuple[TypeForm, TypeForm]] = {
        key.name: (get_origin(key.annotation), get_args(key.annotation)) for key in _keys(table)
    }
    return any(origins[name][0] is Literal and given[name] not in origins[name][1] for name in given if name in origins)


def type_name(annotation: TypeForm) -> str:
    """Return a type as a reader of the listing would say it."""
    origin: TypeForm = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return " | ".join(repr(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(type_name(argument) for argument in arguments)
    if origin is not None:
        inner = ", ".join("…" if argument is Ellipsis else type_name(argument) for argument in arguments)
        return f"{origin.__name__}[{inner}]"
    return "none" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))


def _walk(table: TypeForm, prefix: str) -> Iterator[tuple[str, Key]]:
    for key in _keys(table):
        name = prefix + key.name
        nested = list(_nested(key.annotation))
        if not nested or any(step for step, _ in nested) or key.default is None:
            yield name, key
        seen: set[str] = set()
        for step, inner in nested:
            for inner_name, inner_key in _walk(inner, f"{name}.{step}." if step else f"{name}."):
                if inner_name not in seen:
                    yield inner_name, inner_key
                seen.add(inner_name)


def _keys(table: TypeForm) -> list[Key]:
    if isinstance(table, type) and issubclass(table, BaseModel):
        return [_pydantic_key(name, info) for name, info in table.model_fields.items()]
    return [
        Key(
            name=field.name,
            annotation=field.type,
            default=_dataclass_default(field),
            description=str(field.metadata.get("description", "")),
        )
        for field in dataclasses.fields(table)
    ]


def _pydantic_key(name: str, info: FieldInfo) -> Key:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "min_length": "length >=", "max_length": "length <="}
    limits = tuple(
        f"{sign} {getattr(rule, attribute)}"
        for rule in info.metadata
        for attribute, sign in signs.items()
        if getattr(rule, attribute, None) is not None
    )
    default = (
        PydanticUndefined if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
    )
    return Key(
        name=name, annotation=info.annotation, default=default, description=info.description or "", limits=limits
    )


def _dataclass_default(field: "dataclasses.Field[Any]") -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else PydanticUndefined


def _arms(annotation: TypeForm) -> Sequence[Any]:
    """Return the types of a union, or the type itself, bare of `Annotated`."""
    origin: TypeForm = get_origin(annotation)
    if origin is Annotated:
        return _arms(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [arm for part in get_args(annotation) for arm in _arms(part)]
    return [annotation]


def _is_table(kind: TypeForm) -> bool:
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind))


def _nested(annotation: TypeForm) -> Iterator[tuple[str, Any]]:
    """Give the tables inside a type: with an empty step, or with `NAME` or `0` where they are items."""
    for arm in _arms(annotation):
        if _is_table(arm):
            yield "", arm
        elif get_origin(arm) in _ITEM and get_args(arm):
            item = get_args(arm)[1 if get_origin(arm) is dict else 0]
            yield from ((_ITEM[get_origin(arm)], table) for table in _arms(item) if _is_table(table))


def _tables_at(model: type[BaseModel], place: Location) -> list[TypeForm]:
    """Return the tables that may stand at a place (several where a type is a union)."""
    tables: list[Any] = [model]
    steps = list(place)
    while steps:
        step = steps.pop(0)
        found = [
            pair for table in tables for key in _keys(table) if key.name == step for pair in _nested(key.annotation)
        ]
        if steps and any(item for item, _ in found):
            steps.pop(0)  # the name or number of an item
            tables = [table for item, table in found if item]
        else:
            tables = [table for item, table in found if not item]
    return tables


def _plain(value: object) -> object:
    return to_jsonable_python(value, fallback=str)
