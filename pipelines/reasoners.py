"""Trained reasoners: what their manifests say, and which of several may be asked about a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.artifacts import read_manifest
from core.errors import InputError, ModelError
from core.fingerprint import fingerprint
from core.records import Query
from pipelines.hint_settings import Form
from pipelines.writer_settings import WriterSettings
from synth.hint_prompt import HintPrompt, parse_template

KIND = "reasoner"


@dataclass(frozen=True, kw_only=True)
class Reasoner:
    """A trained reasoner.

    Attributes:
        folder: Its adapter, or the whole model.
        base: The model that the adapter lies over; the folder itself where all weights were trained.
        base_revision: What pins the base; None where there is no other.
        adapter: Whether the folder is an adapter.
        prompt: How it was taught to be asked.
        form: What it was taught to write.
        fitted_on: Fingerprints of the questions whose hints it learnt from.
    """

    folder: Path
    base: str
    base_revision: str | None
    adapter: bool
    prompt: HintPrompt
    form: Form
    fitted_on: frozenset[str]

    def writer(self, like: WriterSettings, *, served: bool = False) -> WriterSettings:
        """Return the table that opens it, engine and batch as in another; a server has loaded the adapter itself."""
        adapter = str(self.folder) if self.adapter and not served else None
        return like.model_copy(update={"model": self.base, "revision": self._pinned, "adapter": adapter})

    @property
    def _pinned(self) -> str | None:
        """The base's commit where it came from a hub; bundled models and folders pin themselves."""
        return None if self.base_revision is None or self.base_revision.startswith("sha256:") else self.base_revision


def read_reasoners(paths: Sequence[Path]) -> list[Reasoner]:
    """Read the manifests of reasoners.

    Args:
        paths: Folders that `train_reasoner.py` wrote; one of `--folds` stands for all reasoners in it.

    Raises:
        InputError: A folder holds none, or its manifest lacks something; lists every fault.
    """
    found, faults = [], []
    for path in paths:
        folders = [path] if _is_model(path) else sorted(inner for inner in path.glob("fold*") if _is_model(inner))
        if not folders:
            faults.append(f"--reasoner {path}: expected a folder that train_reasoner.py wrote, found no model there")
        for folder in folders:
            try:
                found.append(_read(folder))
            except (InputError, ModelError) as error:
                faults += error.faults
    if faults:
        raise InputError(faults)
    return found


def assign(queries: Sequence[Query], reasoners: Sequence[Reasoner]) -> list[int | None]:
    """Return for each query the first reasoner that never learnt from its question, or from a copy of it.

    What a reasoner learnt by heart would be a better hint than any test question can have, and a validation part with
    such hints measures nothing.

    Returns:
        A place in `reasoners` for each query; None where all of them learnt from its question.
    """
    marks = [fingerprint(query.question) for query in queries]
    return [
        next((place for place, reasoner in enumerate(reasoners) if mark not in reasoner.fitted_on), None)
        for mark in marks
    ]


def _is_model(path: Path) -> bool:
    return (path / "adapter_config.json").is_file() or (path / "config.json").is_file()


def _read(folder: Path) -> Reasoner:
    manifest: dict[str, Any] = read_manifest(folder) or {}
    form: Form = "json" if manifest.get("form") == "json" else "plain"
    if manifest.get("artifact") != KIND:
        raise InputError(
            f"--reasoner {folder}: its manifest.json does not say that train_reasoner.py wrote it; a language model "
            "that was trained elsewhere is named with --model, an adapter with hints.writer.adapter"
        )
    lacking = [key for key in ("model", "template", "form", "fitted_on") if key not in manifest]
    if lacking:
        raise InputError(f"--reasoner {folder}: its manifest lacks {', '.join(lacking)}; train it again")
    adapter = (folder / "adapter_config.json").is_file()
    return Reasoner(
        folder=folder,
        base=str(manifest["model"]) if adapter else str(folder),
        base_revision=manifest.get("revision") if adapter else None,
        adapter=adapter,
        prompt=parse_template(manifest["template"]),
        form=form,
        fitted_on=frozenset(manifest["fitted_on"]),
    )
