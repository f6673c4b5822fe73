"""Disks that are full: told before anything is computed where that can be known, and as one clear error where not."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT}


def require_space(path: Path, needed: int) -> None:
    """Refuse to start what the disk has no room for.

    Args:
        path: What will be written; it and its parents may be missing.
        needed: Bytes.

    Raises:
        InputError: Less is free.
    """
    there = path.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise InputError(
            f"{path}: needs {needed / 1e9:.2f} GB of disk, but {there} has {free / 1e9:.2f} GB free; make room, or "
            "name another folder"
        )


@contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Turn a disk that fills up while `path` is written into one clear error; other faults pass as they are.

    Raises:
        InputError: The disk (or the user's share of it) is full.
    """
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _full(path) from error
    except SafetensorError as error:  # its writer hides the error's number in the text
        if not any(f"os error {number}" in str(error) for number in _FULL):
            raise
        raise _full(path) from error


def _full(path: Path) -> InputError:
    return InputError(
        f"{path}: the disk is full; nothing was left under that name. Make room and run the same command again."
    )
