"""What proves that a folder is a hub's model at a commit: the downloading client's records, and unchanged files."""

import hashlib
from pathlib import Path

import pytest

from core.hub_records import is_commit, proven_commit

COMMIT, OTHER = "a" * 40, "b" * 40
CONFIG = b"hello\n"
CONFIG_ETAG = "ce013625030ba8dba906f756967f9e9ca394464a"
"""What `git hash-object` says of these bytes."""
WEIGHTS = b"weights"
WEIGHTS_ETAG = hashlib.sha256(WEIGHTS).hexdigest()


def record(folder: Path, name: str, etag: str, commit: str = COMMIT) -> None:
    path = folder / ".cache" / "huggingface" / "download" / f"{name}.metadata"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{commit}\n{etag}\n1712656091.123\n", encoding="utf-8")


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    record(folder, "config.json", CONFIG_ETAG)
    record(folder, "model.safetensors", WEIGHTS_ETAG)
    return folder


def test_unchanged_files_of_one_commit_prove_it(downloaded: Path) -> None:
    assert proven_commit(downloaded) == COMMIT
    (downloaded / "README.md").write_text("of no matter", encoding="utf-8")
    assert proven_commit(downloaded) == COMMIT


@pytest.mark.parametrize(
    ("name", "content"), [("model.safetensors", b"Weights"), ("config.json", b"hallo\n"), ("2.safetensors", b"more")]
)
def test_a_file_that_was_changed_or_added_proves_nothing(downloaded: Path, name: str, content: bytes) -> None:
    (downloaded / name).write_bytes(content)
    assert proven_commit(downloaded) is None


def test_files_of_two_commits_prove_nothing(downloaded: Path) -> None:
    record(downloaded, "config.json", CONFIG_ETAG, OTHER)
    assert proven_commit(downloaded) is None
    record(downloaded, "config.json", CONFIG_ETAG, "main")
    record(downloaded, "model.safetensors", WEIGHTS_ETAG, "main")
    assert proven_commit(downloaded) is None


def test_what_is_missing_or_broken_proves_nothing(downloaded: Path, tmp_path: Path) -> None:
    assert proven_commit(tmp_path) is None
    records = downloaded / ".cache" / "huggingface" / "download"
    (records / "config.json.metadata").write_text(COMMIT, encoding="utf-8")
    assert proven_commit(downloaded) is None
    record(downloaded, "config.json", CONFIG_ETAG)
    (downloaded / "model.safetensors").unlink()
    assert proven_commit(downloaded) is None


def test_the_hub_cache_names_commit_and_content(tmp_path: Path) -> None:
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / COMMIT
    blobs.mkdir()
    folder.mkdir(parents=True)
    for name, etag, content in (
        ("config.json", CONFIG_ETAG, CONFIG),
        ("model.safetensors", WEIGHTS_ETAG, WEIGHTS),
    ):
        (blobs / etag).write_bytes(content)
        (folder / name).symlink_to(Path("..") / ".." / "blobs" / etag)
    assert proven_commit(folder) == COMMIT
    (blobs / WEIGHTS_ETAG).write_bytes(b"Weights")
    assert proven_commit(folder) is None


def test_the_clients_own_records_are_read(downloaded: Path) -> None:
    client = pytest.importorskip("huggingface_hub._local_folder")
    client.write_download_metadata(downloaded, "config.json", OTHER, CONFIG_ETAG)
    client.write_download_metadata(downloaded, "model.safetensors", OTHER, WEIGHTS_ETAG)
    assert proven_commit(downloaded) == OTHER


@pytest.mark.parametrize("text", ["main", "a" * 39, "a" * 41, "A" * 40, "sha256:" + "a" * 40, COMMIT + "\n"])
def test_only_forty_digits_are_a_commit(text: str) -> None:
    assert is_commit(COMMIT)
    assert not is_commit(text)
