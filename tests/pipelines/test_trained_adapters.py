"""What is known of adapters: their base, what a result takes over, how they were trained."""

import shutil
from pathlib import Path

import pytest
from adapter_toys import toy_adapter, toy_base

from core.artifacts import folder_hash, write_manifest
from core.errors import InputError, ModelError
from pipelines.trained_adapters import base_of, carried, method_of, open_adapters, with_scored


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_base(tmp_path_factory.mktemp("trained") / "base")


@pytest.fixture
def pair(base: Path, tmp_path: Path) -> list[Path]:
    one = toy_adapter(base, tmp_path / "one")
    return [one, shutil.copytree(one, tmp_path / "two")]


def test_faults_of_all_adapters_are_told(base: Path, pair: list[Path], tmp_path: Path) -> None:
    dora = toy_adapter(base, tmp_path / "dora", use_dora=True)
    with pytest.raises(ModelError) as caught:
        open_adapters([tmp_path / "nowhere", pair[0], dora])
    said = "\n".join(caught.value.faults)
    assert "nowhere" in said and "is a DoRA adapter" in said and str(pair[0]) not in said
    assert [one.model.revision for one in open_adapters(pair)] == [f"sha256:{folder_hash(pair[0])}"] * 2


def test_the_base_is_the_one_that_the_first_adapter_names(base: Path, pair: list[Path], tmp_path: Path) -> None:
    adapters = open_adapters(pair)
    assert base_of(adapters, None, None).folder == base
    moved = shutil.copytree(base, tmp_path / "moved")
    assert base_of(adapters, str(moved), None).folder == moved
    revision = base_of(adapters, None, None).revision
    write_manifest(pair[0], {"model": str(base), "revision": revision})
    assert base_of(open_adapters(pair), str(moved), None).revision == revision
    (moved / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="was trained on the base"):
        base_of(open_adapters(pair), str(moved), None)


def test_a_result_takes_over_what_holds_for_all(pair: list[Path]) -> None:
    assert carried(open_adapters(pair)) == {"fitted_on": [], "scored_on": []}
    write_manifest(pair[0], {"kind": "listwise", "prompts": "p", "fitted_on": ["b", "a"], "scored_on": ["c"]})
    write_manifest(pair[1], {"kind": "listwise", "fitted_on": ["d", "a"], "scored_on": []})
    found = carried(open_adapters(pair))
    assert found == {"kind": "listwise", "prompts": "p", "fitted_on": ["a", "b", "d"], "scored_on": ["c"]}
    assert with_scored(found, ["x", "c"])["scored_on"] == ["c", "x"]
    write_manifest(pair[1], {"kind": "pointwise"})
    with pytest.raises(InputError, match="were trained with other kind"):
        carried(open_adapters(pair))


def test_the_method_is_told_by_manifests_or_else_by_the_config(pair: list[Path]) -> None:
    assert method_of(open_adapters(pair), "qlora") == "qlora"
    assert method_of(open_adapters(pair), "full") == "lora"
    write_manifest(pair[0], {"training": {"method": "lora"}})
    assert method_of(open_adapters(pair), "qlora") == "lora"
    write_manifest(pair[1], {"training": {"method": "qlora"}})
    assert method_of(open_adapters(pair), "lora") == "qlora"
