"""Adapters with what is known of their training: from which base, by which prompts, on which questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.adapters import Adapter, read_adapter, require_base, require_plain
from core.artifacts import folder_hash
from core.errors import InputError, ModelError, UserError
from core.hub_records import is_commit
from core.models import LocalModel, locate_model, vouched
from pipelines.train_stage import own_manifest

_CARRIED = ("kind", "prompts", "texts", "template_hash")
"""Keys of a trained adapter's manifest that hold for what is made of it, and must be equal in an average."""


@dataclass(frozen=True, kw_only=True)
class TrainedAdapter:
    """An adapter with what is known of its training.

    Attributes:
        adapter: The adapter.
        model: Its folder as a model, pinned by the folder's hash.
        manifest: What it was made from; empty where it is somebody else's.
    """

    adapter: Adapter
    model: LocalModel
    manifest: dict[str, Any]


def open_adapters(folders: Sequence[Path]) -> list[TrainedAdapter]:
    """Read adapters that may be merged and averaged.

    Raises:
        ModelError: With the faults of every adapter.
    """
    faults: list[str] = []
    found = []
    for folder in folders:
        try:
            adapter = read_adapter(folder)
            require_plain(adapter)
        except UserError as error:
            faults += error.faults
            continue
        model = LocalModel(name=str(folder), folder=folder, revision=f"sha256:{folder_hash(folder)}")
        found.append(TrainedAdapter(adapter=adapter, model=model, manifest=own_manifest(model)))
    if faults:
        raise ModelError(faults)
    return found


def base_of(adapters: Sequence[TrainedAdapter], named: str | None, revision: str | None) -> LocalModel:
    """Find the base of adapters: the one that is named, or else the one that the first adapter names.

    Args:
        adapters: What `open_adapters` returned.
        named: What was named: `bundled:NAME`, a folder or a hub id.
        revision: Beside a hub id its commit; beside a folder the commit that its user vouches it is a copy of.

    Raises:
        ModelError: It is not there, or known to be another one than an adapter was trained on.
    """
    first = adapters[0].adapter
    name = named or first.base_name
    if not name:
        raise ModelError(f"adapter {first.folder}: names no base; give it with --base")
    pinned = first.base_revision or ""
    try:
        base = locate_model(name, revision=revision or (pinned if is_commit(pinned) else None))
        base = vouched(base, revision)
    except ModelError as error:
        why = "" if named else f" (the base that the adapter {first.folder} names; --base names another place for it)"
        raise ModelError([f"{fault}{why}" for fault in error.faults]) from error
    faults: list[str] = []
    for one in adapters:
        try:
            require_base(one.adapter, base)
        except ModelError as error:
            faults += error.faults
    if faults:
        raise ModelError(faults)
    return base


def carried(adapters: Sequence[TrainedAdapter]) -> dict[str, Any]:
    """Return what a result's manifest takes over: its texts, the form of its base, and which questions it knows.

    Raises:
        InputError: The adapters were trained with other texts or prompts, or on other forms of the base.
    """
    known = [one for one in adapters if one.manifest]
    found: dict[str, Any] = {}
    for key in _CARRIED:
        values = [one.manifest[key] for one in known if key in one.manifest]
        if any(value != values[0] for value in values):
            raise InputError(
                f"adapters {', '.join(one.model.name for one in known)}: were trained with other {key}; such adapters "
                "answer different questions, and their average answers none"
            )
        found.update({key: value for value in values[:1]})  # noqa: B035 - at most one
    methods = {method for one in known if (method := _method(one)) is not None}
    if len(methods) > 1:
        raise InputError(
            f"adapters {', '.join(one.model.name for one in known)}: were trained by {' and '.join(sorted(methods))}: "
            "on the base in 16 bits and on its 4-bit form, which are two models; deltas of two models have no mean"
        )
    # Without it nobody could tell on which form of the base an average is to be put.
    found.update({"training": {"method": method} for method in methods})  # noqa: B035 - at most one
    for key in ("fitted_on", "scored_on"):
        found[key] = sorted({mark for one in known for mark in one.manifest.get(key) or ()})
    return found


def with_scored(found: dict[str, Any], scored_on: Sequence[str]) -> dict[str, Any]:
    """Return what `carried` returned, with further questions that something was chosen on."""
    return {**found, "scored_on": sorted({*found["scored_on"], *scored_on})}


def method_of(adapters: Sequence[TrainedAdapter], otherwise: str) -> str:
    """Return `qlora` where adapters were trained on a 4-bit base, else `lora`.

    Args:
        adapters: Their manifests tell.
        otherwise: The config's method, for adapters whose manifests do not.
    """
    told = {_method(one) for one in adapters} - {None}
    return "qlora" if "qlora" in (told or {otherwise}) else "lora"


def _method(one: TrainedAdapter) -> str | None:
    training = one.manifest.get("training")
    method = training.get("method") if isinstance(training, dict) else None
    return None if method is None else str(method)
