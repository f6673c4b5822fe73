"""Which hub commit a folder is a copy of, proven by the records of the client that downloaded it.

A download into a folder leaves `.cache/huggingface/download/FILE.metadata` beside the files (commit, etag, time); the
hub cache keeps `snapshots/COMMIT/FILE` as links to `blobs/ETAG`. An etag is the SHA-256 of a large file and git's SHA-1
of a small one, so that what lies there can be compared with what was downloaded. That guards against mistakes: who
writes a folder can write its records too.
"""

import hashlib
import re
from pathlib import Path

from core.artifacts import file_hash

_COMMIT = re.compile(r"[0-9a-f]{40}")
_RECORDS = Path(".cache") / "huggingface" / "download"


def is_commit(text: str) -> bool:
    """Say whether a text is a commit's 40 hexadecimal digits: no branch, no tag, no hash of a folder."""
    return _COMMIT.fullmatch(text) is not None


def proven_commit(folder: Path) -> str | None:
    """Return the hub commit whose config and weights a folder holds, unchanged; None where nothing proves one.

    Args:
        folder: A model folder.

    Returns:
        40 hexadecimal digits: every safetensors file, the index of its shards and `config.json` were recorded at this
        commit, and each is still what was recorded.
    """
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors.index.json")), *_weights(folder)]
    commits = {_commit_of(path, folder) for path in files}
    return commits.pop() if len(commits) == 1 and _weights(folder) else None


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def _commit_of(path: Path, folder: Path) -> str | None:
    """Return the commit that a file was downloaded at; None where that is not told, or it was changed since."""
    if not path.is_file():
        return None
    found = _recorded(path, folder) or _cached(path, folder)
    if found is None or not is_commit(found[0]):
        return None
    commit, etag = found
    return commit if etag in (_git_hash(path) if len(etag) == 40 else file_hash(path),) else None


def _recorded(path: Path, folder: Path) -> tuple[str, str] | None:
    name = path.relative_to(folder)
    record = folder / _RECORDS / name.parent / f"{name.name}.metadata"
    if not record.is_file():
        return None
    lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
    return (lines[0].strip(), lines[1].strip()) if len(lines) >= 2 else None


def _cached(path: Path, folder: Path) -> tuple[str, str] | None:
    place = folder.absolute()
    if place.parent.name != "snapshots" or not path.is_symlink():
        return None
    return place.name, path.resolve().name


def _git_hash(path: Path) -> str:
    """Return what git calls the file's content; small files alone are recorded so."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
