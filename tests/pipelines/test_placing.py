"""Folders at their place without a second copy."""

import errno
import os
from pathlib import Path

import pytest

from core.errors import InputError
from pipelines import placing
from pipelines.placing import place_folder


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    folder = tmp_path / "ready"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in ("model.safetensors", "manifest.json", "1_Pooling/config.json"):
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def test_files_get_a_second_name_and_the_manifest_stays(ready: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "model"
    output.mkdir(parents=True)
    (output / "old").write_text("x", encoding="utf-8")
    place_folder(ready, output)
    names = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    assert names == ["1_Pooling/config.json", "model.safetensors"]
    assert (output / "model.safetensors").samefile(ready / "model.safetensors")


def test_without_links_it_is_copied(ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(source: object, target: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", no_link)
    place_folder(ready, tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").read_text(encoding="utf-8") == "model.safetensors"
    assert not (tmp_path / "model" / "model.safetensors").samefile(ready / "model.safetensors")

    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(placing.shutil, "copyfile", full)
    with pytest.raises(InputError, match="the disk is full"):
        place_folder(ready, tmp_path / "other")
    assert not (tmp_path / "other").exists()
