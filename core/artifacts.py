"""Files that are whole or absent, and manifests that say what they were made from.

Every file is written under a temporary name beside its place and renamed when complete, so a run killed at any
moment leaves no half file under a final name. An artifact is a file or folder with a manifest; the manifest's
`made_from` part (model, revision, template hash, row ids, shape, dtype, config hash, …) is compared, its `made_by`
part (commit, versions, date) is recorded and never compared.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import ArtifactMismatchError, InputError

Array = npt.NDArray[Any]
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
MANIFEST_NAME = "manifest.json"
_LARGE = 1 << 24
_PACKAGES = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "polars", "numpy")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on a clean exit it takes the name `path`, on an error it is removed.

    The caller may make a file or a folder there. A folder that already stands at `path` is replaced as a whole.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary = holder / path.name
    try:
        yield temporary
        if path.is_dir() and not path.is_symlink():
            path.rename(holder / ".old")  # a folder cannot be renamed over a folder that is not empty
        temporary.replace(path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file with LF line ends, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Json | Mapping[str, Any]) -> None:
    """Write JSON with sorted keys and two spaces, atomically: equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hexadecimal digits.

    A large file (a model's weights: a run asks for them some twenty times) is read once a process, and again where its
    inode, size or times have changed.
    """
    stat = path.stat()
    if stat.st_size < _LARGE:
        return _read_hash(str(path))
    return _large_hash(str(path.absolute()), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@lru_cache(maxsize=1024)
def _large_hash(path: str, *_state: int) -> str:
    return _read_hash(path)


def _read_hash(path: str) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def folder_hash(folder: Path) -> str:
    """Return a SHA-256 over the relative names and bytes of every file in a folder, its manifest left out."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST_NAME):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_hash(path)}\n".encode())
    return digest.hexdigest()


def content_hash(value: object) -> str:
    """Return the SHA-256 of a JSON-able value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def array_hash(array: Array) -> str:
    """Return the SHA-256 of an array's dtype, shape and bytes."""
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


@cache
def made_by() -> dict[str, Json]:
    """Return what is recorded but never compared: git commit, package versions, Python and date (UTC)."""
    versions: dict[str, Json] = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        if (found := package_version(package)) is not None:
            versions[package] = found
    return {"commit": _git_commit(), "date": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions}


def package_version(package: str) -> str | None:
    """Return the version of an installed package; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([git, "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def manifest_path(artifact: Path) -> Path:
    """Return where an artifact's manifest lies: inside a folder, beside a file as `NAME.manifest.json`."""
    return artifact / MANIFEST_NAME if artifact.is_dir() else artifact.with_name(f"{artifact.name}.{MANIFEST_NAME}")


def write_manifest(artifact: Path, made_from: Mapping[str, Any]) -> None:
    """Write the manifest of an artifact that already stands; it vouches for the artifact, so it is written last.

    Args:
        artifact: A file or folder.
        made_from: What it was made from; JSON-able. Compared by `differing_keys`.
    """
    content: dict[str, Any] = {"made_from": dict(made_from), "made_by": made_by()}
    content["content"] = file_hash(artifact) if artifact.is_file() else None
    write_json(manifest_path(artifact), content)


def read_manifest(artifact: Path) -> dict[str, Any] | None:
    """Return the `made_from` part of an artifact's manifest, or None where the artifact or its manifest is missing.

    Raises:
        InputError: The manifest is not JSON, or has no `made_from`.
    """
    path = manifest_path(artifact)
    if not artifact.exists() or not path.is_file():
        return None
    try:
        made_from = json.loads(path.read_text(encoding="utf-8"))["made_from"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not a manifest of this project ({error}). Remove the artifact and run again."
        ) from error
    if not isinstance(made_from, dict):
        raise InputError(f"{path}: made_from is not a table. Remove the artifact and run again.")
    return made_from


def differing_keys(artifact: Path, expected: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the manifest keys that differ from `expected`; empty where all match, None where there is no manifest."""
    found = read_manifest(artifact)
    if found is None:
        return None
    wanted = json.loads(json.dumps(dict(expected)))  # tuples become lists, as on disk
    return tuple(sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key)))


def require_match(artifact: Path, expected: Mapping[str, Any]) -> None:
    """Refuse an artifact whose manifest lacks or contradicts any key of `expected` (keys not named are not compared).

    Raises:
        ArtifactMismatchError: Names the keys that differ.
        InputError: There is no artifact, or no manifest beside it.
    """
    found = read_manifest(artifact)
    if found is None:
        raise InputError(f"{artifact}: no such artifact with a manifest. Run the pipeline that makes it first.")
    wanted = json.loads(json.dumps(dict(expected)))
    wrong = sorted(key for key, value in wanted.items() if found.get(key) != value)
    if wrong:
        raise ArtifactMismatchError(artifact, wrong)


def write_arrays(path: Path, arrays: Mapping[str, Array], made_from: Mapping[str, Any]) -> None:
    """Write named arrays as one safetensors file with a manifest; shapes and dtypes are added to the manifest.

    The manifest of an earlier version is removed first, so that it can never vouch for new bytes.
    """
    from safetensors.numpy import save_file

    manifest_path(path).unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)
    write_manifest(path, {**made_from, "arrays": _array_facts(arrays)})


def read_arrays(path: Path, expected: Mapping[str, Any] | None = None) -> dict[str, Array]:
    """Read what `write_arrays` wrote.

    Args:
        path: The safetensors file.
        expected: Manifest keys that must match; None compares nothing but the arrays' own shapes and dtypes.

    Raises:
        ArtifactMismatchError: A key differs, or the arrays are not those the manifest describes.
        InputError: No such artifact, or a corrupted file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    require_match(path, expected or {})
    try:
        arrays: dict[str, Array] = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: corrupted ({error}). Remove it and run again.") from error
    require_match(path, {"arrays": _array_facts(arrays)})
    return arrays


def _array_facts(arrays: Mapping[str, Array]) -> dict[str, Json]:
    return {name: {"shape": list(array.shape), "dtype": str(array.dtype)} for name, array in sorted(arrays.items())}


def sweep_temporaries(folder: Path, names: Iterable[str]) -> None:
    """Remove what a killed run left under temporary names (`.NAME.xxxxxxxx`) in a folder that this run owns."""
    for name in names:
        for path in folder.glob(f".{name}.*"):
            if path.is_dir() and os.access(path, os.W_OK):
                shutil.rmtree(path, ignore_errors=True)
