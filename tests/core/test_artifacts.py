import json
from hashlib import sha256

import numpy as np
import pytest

from core import artifacts
from core.artifacts import (
    array_hash,
    atomic_path,
    content_hash,
    differing_keys,
    folder_hash,
    manifest_path,
    package_version,
    read_arrays,
    require_match,
    sweep_temporaries,
    write_arrays,
    write_json,
    write_manifest,
    write_text,
)
from core.errors import ArtifactMismatchError, InputError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert target.read_text() == "old"
    assert [p.name for p in target.parent.iterdir()] == ["file.txt"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "model"
    for names in (["a", "b"], ["c"]):
        with atomic_path(target) as temporary:
            temporary.mkdir()
            for name in names:
                (temporary / name).write_text(name)
    assert [p.name for p in target.iterdir()] == ["c"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_equal_json_has_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    write_json(tmp_path / "b.json", {"a": "é", "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert content_hash({"b": 1, "a": (1, 2)}) == content_hash({"a": [1, 2], "b": 1})


def test_manifest_names_the_keys_that_differ(tmp_path):
    artifact = tmp_path / "x.txt"
    assert differing_keys(artifact, {"model": "m"}) is None
    write_text(artifact, "x")
    assert differing_keys(artifact, {"model": "m"}) is None  # a file without a manifest is not an artifact
    write_manifest(artifact, {"model": "m", "shape": (1, 2), "gone": 1})
    assert differing_keys(artifact, {"model": "m", "shape": [1, 2], "gone": 1}) == ()
    assert differing_keys(artifact, {"model": "n", "shape": (1, 2), "new": 1}) == ("gone", "model", "new")
    require_match(artifact, {"shape": (1, 2)})
    with pytest.raises(ArtifactMismatchError, match="model, shape"):
        require_match(artifact, {"model": "n", "shape": (2, 2)})


def test_versions_and_dates_are_recorded_not_compared(tmp_path):
    artifact = tmp_path / "x.txt"
    write_text(artifact, "x")
    write_manifest(artifact, {"model": "m"})
    content = json.loads(manifest_path(artifact).read_text())
    assert content["made_by"]["date"] and content["made_by"]["versions"]["python"]
    content["made_by"] = {"commit": "another", "date": "1999", "versions": {}}
    manifest_path(artifact).write_text(json.dumps(content))
    assert differing_keys(artifact, {"model": "m"}) == ()


def test_a_manifest_that_is_not_one_is_refused(tmp_path):
    artifact = tmp_path / "x.txt"
    write_text(artifact, "x")
    manifest_path(artifact).write_text("[1]")
    with pytest.raises(InputError, match="not a manifest"):
        differing_keys(artifact, {})


def test_arrays_round_trip_and_refuse_a_mismatch(tmp_path):
    path = tmp_path / "bank.safetensors"
    arrays = {"ids": np.array([3, 1], dtype=np.int64), "embeddings": np.eye(2, dtype=np.float32)}
    write_arrays(path, arrays, {"model": "m"})
    back = read_arrays(path, {"model": "m"})
    assert back["ids"].tolist() == [3, 1] and back["embeddings"].dtype == np.float32
    with pytest.raises(ArtifactMismatchError, match="model"):
        read_arrays(path, {"model": "other"})
    with pytest.raises(InputError, match="no such artifact"):
        read_arrays(tmp_path / "none.safetensors")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="corrupted"):
        read_arrays(path)


def test_arrays_of_another_shape_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"x": np.zeros(2)}, {})
    manifest = manifest_path(path).read_bytes()
    write_arrays(path, {"x": np.zeros(3)}, {})
    manifest_path(path).write_bytes(manifest)
    with pytest.raises(ArtifactMismatchError, match="arrays"):
        read_arrays(path)


def test_hashes_see_every_difference(tmp_path):
    a = np.array([1.0, 2.0])
    assert array_hash(a) == array_hash(a.copy())
    assert len({array_hash(a), array_hash(a.astype(np.float32)), array_hash(a[None]), array_hash(a[::-1])}) == 4
    (tmp_path / "w").write_text("1")
    before = folder_hash(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    assert folder_hash(tmp_path) == before
    (tmp_path / "w").rename(tmp_path / "v")
    assert folder_hash(tmp_path) != before


def test_what_a_killed_run_left_is_swept(tmp_path):
    (tmp_path / ".model.abc").mkdir()
    (tmp_path / ".other.abc").mkdir()
    (tmp_path / "model").mkdir()
    sweep_temporaries(tmp_path, ["model"])
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.abc", "model"]


def test_a_large_file_is_read_once_and_again_where_it_changed(tmp_path, monkeypatch):
    path, read = tmp_path / "weights", []
    plain = artifacts._read_hash
    monkeypatch.setattr(artifacts, "_read_hash", lambda name: read.append(name) or plain(name))
    monkeypatch.setattr(artifacts, "_LARGE", 4)
    path.write_bytes(b"12345")
    assert artifacts.file_hash(path) == artifacts.file_hash(path) == sha256(b"12345").hexdigest()
    assert len(read) == 1
    with artifacts.atomic_path(path) as temporary:
        temporary.write_bytes(b"12346")
    assert artifacts.file_hash(path) == sha256(b"12346").hexdigest()
    path.write_bytes(b"123")
    assert artifacts.file_hash(path) == artifacts.file_hash(path) == sha256(b"123").hexdigest()
    assert len(read) == 4  # a small file is read each time


def test_a_package_that_is_not_installed_has_no_version():
    assert package_version("numpy") == np.__version__
    assert package_version("no-such-package-at-all") is None
