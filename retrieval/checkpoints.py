"""The folder of a training run under way: what it was started with, and its last whole checkpoint."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import sweep_temporaries, write_json
from retrieval.events import COMPLETE_MARK
from retrieval.trainer import BEST_FOLDER

if TYPE_CHECKING:
    from torch import nn

_SETTINGS_NAME = "settings.json"
_SAMPLED_VALUES = 64
_log = logging.getLogger(__name__)


def weights_hash(model: "nn.Module") -> str:
    """Return a SHA-256 over names, shapes and the first 64 values of every parameter: fast, and another after a step.

    Frozen parts stay the same under training, so two trainings of one base differ only in what they trained.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        held = getattr(parameter, "to_local", parameter.detach)().detach()  # of a sharded one this process's part
        values = held.flatten()[:_SAMPLED_VALUES].float().cpu().numpy()
        digest.update(f"{name}{tuple(parameter.shape)}".encode() + values.tobytes())
    return digest.hexdigest()


def open_workspace(folder: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
    """Make the folder ready: keep what an earlier start with the same settings left, remove anything else.

    Only the main process may call this; the others wait for it.

    Args:
        folder: The run's own folder.
        settings: What the run is started with; JSON-able.
        resume: False starts anew in any case.
    """
    file = folder / _SETTINGS_NAME
    wanted = json.loads(json.dumps(dict(settings)))
    if folder.exists():
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        differing = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        if not resume or differing:
            reason = f"these settings differ: {', '.join(differing)}" if resume else "resuming is off"
            _log.info("%s: an unfinished training is discarded; %s", folder, reason)
            shutil.rmtree(folder)
    write_json(file, wanted)
    sweep_temporaries(folder, [BEST_FOLDER])
    for checkpoint in _checkpoints(folder):
        if not (checkpoint / COMPLETE_MARK).exists():
            shutil.rmtree(checkpoint)  # the run was killed while it was being written


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint, or None."""
    whole = [checkpoint for checkpoint in _checkpoints(folder) if (checkpoint / COMPLETE_MARK).exists()]
    return whole[-1] if whole else None


def checkpoint_step(checkpoint: Path) -> int:
    """Return the number of steps done at a checkpoint."""
    return int(checkpoint.name.rpartition("-")[2])


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=checkpoint_step)
