"""A folder made in a run's work folder gets its place: by second names for its files, which cost no disk."""

import os
import shutil
from pathlib import Path

from core.artifacts import MANIFEST_NAME, atomic_path
from core.disk import full_disk_told


def place_folder(ready: Path, output: Path) -> None:
    """Put a whole folder at its place, whole or not at all; its manifest is not taken along.

    Args:
        ready: The folder; it stays, and may be removed afterwards.
        output: Its place; a folder that stands there is replaced.

    Raises:
        InputError: The disk is full.
    """
    with full_disk_told(output), atomic_path(output) as folder:
        shutil.copytree(ready, folder, copy_function=_link_or_copy, ignore=shutil.ignore_patterns(MANIFEST_NAME))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
