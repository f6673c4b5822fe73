"""The points of an ablation: each reranker at every combination of orders, candidate counts and forms of fusion."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from pydantic import ValidationError

from core.errors import InputError
from pipelines.reranker_settings import FusionForm, RerankerSettings
from pipelines.settings import Settings
from pipelines.stage_two import resolve_reranker
from rerank.orders import OrderKind


@dataclass(frozen=True, kw_only=True)
class GridPoint:
    """One reranker with one set of settings.

    Attributes:
        spec: Its SPEC.
        chosen: Its settings at this point.
        variant: What of them changes scores, against the SPEC's own; empty where nothing does.
        title: What the point is called.
    """

    spec: str
    chosen: RerankerSettings
    variant: str
    title: str


def add_grid_options(made: argparse.ArgumentParser) -> None:
    """Add the lists that are measured in every combination."""
    group = made.add_argument_group("grid", "in place of what the rerankers' tables say; every combination is a row")
    group.add_argument("--orders", metavar="A,B,…", help=f"listwise: of {', '.join(get_args(OrderKind))}")
    group.add_argument("--candidates", metavar="N,N,…", help="how many candidates are reranked")
    group.add_argument("--fusion", metavar="A,B", help=f"of {', '.join(get_args(FusionForm))}")


def grid_points(specs: Sequence[str], settings: Settings, options: argparse.Namespace) -> list[GridPoint]:
    """Return the points, all of the first SPEC first.

    Args:
        specs: Known SPECs.
        settings: The config.
        options: With `orders`, `candidates` and `fusion`, texts or None.

    Raises:
        InputError: A list holds what a reranker cannot be set to; all faults at once.
    """
    faults: list[str] = []
    orders = _listed(options.orders, "--orders", get_args(OrderKind), faults)
    fusions = _listed(options.fusion, "--fusion", get_args(FusionForm), faults)
    counts: list[int] = []
    for text in _texts(options.candidates):
        if text.isdigit() and int(text) > settings.candidates:
            faults.append(f"--candidates: {text}, but stage 1 keeps {settings.candidates}: raise candidates")
        elif text.isdigit() and int(text) >= 2:
            counts.append(int(text))
        else:
            faults.append(f"--candidates: expected whole numbers of at least 2, came {text!r}")
    points = []
    for spec in specs:
        table = resolve_reranker(spec, settings)
        is_plain = table.kind == "identity"
        ways: list[Any] = [orders if table.kind == "listwise" else []]
        ways += [[], []] if is_plain else [counts, fusions]
        for order, count, fusion in product(*(way or [None] for way in ways)):
            given = {"orders": order, "candidates": count, "fusion": fusion}
            changes = {key: value for key, value in given.items() if value is not None}
            points.append(_point(spec, table, changes, faults))
    if faults:
        raise InputError(list(dict.fromkeys(faults)))
    return [point for point in points if point is not None]


def _point(spec: str, table: RerankerSettings, changes: dict[str, Any], faults: list[str]) -> GridPoint | None:
    data = {**table.model_dump(), **changes}
    if "orders" in changes and changes["orders"] not in ("cyclic", "random"):
        data["order_count"] = None
    if table.adaptive.mode != "off" and changes.get("orders") in ("ascending", "descending"):
        data["adaptive"] = {**data["adaptive"], "mode": "off"}
    try:
        chosen = RerankerSettings.model_validate(data)
    except ValidationError as error:
        faults += [f"reranker '{spec}' with {changes}: {one['msg']}" for one in error.errors(include_url=False)]
        return None
    moved = [str(changes[key]) for key in ("orders", "candidates") if key in changes]
    same = all(getattr(table, key) == changes[key] for key in ("orders", "candidates") if key in changes)
    shown = ", ".join(str(value) for value in changes.values())
    return GridPoint(
        spec=spec,
        chosen=chosen,
        variant="" if same else ", ".join(moved),
        title=f"{spec} [{shown}]" if shown else spec,
    )


def _texts(given: str | None) -> list[str]:
    return list(dict.fromkeys(text.strip() for text in (given or "").split(",") if text.strip()))


def _listed(given: str | None, option: str, known: Sequence[str], faults: list[str]) -> list[str]:
    found = _texts(given)
    faults += [f"{option}: expected some of {', '.join(known)}, came {text!r}" for text in found if text not in known]
    return [text for text in found if text in known]
