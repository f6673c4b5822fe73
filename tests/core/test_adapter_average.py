"""Averages of adapters: exact ones are the mean of the deltas, the others say how far they are from it."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_toys import adapted, logits, toy_adapter, toy_base, whole
from safetensors.torch import load_file

from core.adapter_average import METHODS, average_adapters, check_average
from core.adapter_factors import load_factors
from core.adapters import read_adapter
from core.artifacts import write_manifest
from core.errors import ConfigError, InputError, ModelError

SHARES = [0.2, 0.3, 0.5]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_base(tmp_path_factory.mktemp("average") / "base")


@pytest.fixture(scope="module")
def three(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Adapters of one shape."""
    folder = tmp_path_factory.mktemp("average")
    return [toy_adapter(base, folder / f"a{seed}", seed=seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def uneven(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Adapters of other ranks, alphas and scales, by module too."""
    folder = tmp_path_factory.mktemp("average")
    return [
        toy_adapter(base, folder / "b1", seed=1, rank=2, alpha=7),
        toy_adapter(base, folder / "b2", seed=2, rank=4, use_rslora=True, rank_pattern={"q_proj": 3}),
        toy_adapter(base, folder / "b3", seed=3, rank=3, alpha_pattern={"layers.1.mlp.up_proj": 11}),
    ]


def mean_of_deltas(folders: list[Path], shares: list[float]) -> dict[str, torch.Tensor]:
    loaded = [load_factors(read_adapter(folder)) for folder in folders]
    return {
        module: sum(share * own[module].delta().double() for own, share in zip(loaded, shares, strict=True))
        for module in loaded[0]
    }


def relative_error(folder: Path, exact: dict[str, torch.Tensor]) -> float:
    found = load_factors(read_adapter(folder))
    lost = sum(float((found[module].delta().double() - delta).square().sum()) for module, delta in exact.items())
    return (lost / sum(float(delta.square().sum()) for delta in exact.values())) ** 0.5


@pytest.mark.parametrize("kind", ["three", "uneven"])
def test_concatenated_it_is_the_mean_of_the_deltas_to_float_precision(
    kind: str, base: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folders: list[Path] = request.getfixturevalue(kind)
    found = average_adapters(folders, tmp_path / "c", method="concatenate", weights=SHARES)
    rank = 12 if kind == "three" else 9
    assert (found.rank, found.error, found.worst) == (rank, 0.0, None)
    exact = mean_of_deltas(folders, SHARES)
    for module, own in load_factors(read_adapter(found.folder)).items():
        torch.testing.assert_close(own.delta().double(), exact[module], rtol=1e-6, atol=1e-7)
        assert own.a.shape[0] == rank  # one rank everywhere, as engines want it
    # And peft serves it: the model with the average equals the base with the mean of the deltas on its weights.
    model = whole(base)
    with torch.no_grad():
        for module, delta in exact.items():
            model.get_submodule(module).weight.add_(delta.float())
    torch.testing.assert_close(logits(adapted(base, found.folder)), logits(model), rtol=0, atol=1e-4)


def test_it_is_what_peft_makes_of_the_same_adapters(base: Path, three: list[Path], tmp_path: Path) -> None:
    from peft import PeftModel

    found = average_adapters(three, tmp_path / "c", method="concatenate", weights=SHARES)
    model = PeftModel.from_pretrained(whole(base), three[0], adapter_name="0")
    for number, folder in enumerate(three[1:], start=1):
        model.load_adapter(folder, adapter_name=str(number))
    model.add_weighted_adapter(["0", "1", "2"], SHARES, "mean", combination_type="cat")
    model.set_adapter("mean")
    torch.testing.assert_close(logits(adapted(base, found.folder)), logits(model.eval()), rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_one_adapter_at_weight_1_gives_the_same_logits(
    base: Path, three: list[Path], tmp_path: Path, method: Any
) -> None:
    given: dict[str, Any] = {"base": base, "dtype": "float32"} if method == "merge" else {}
    found = average_adapters(three[:1], tmp_path / "one", method=method, weights=[1.0], **given)
    model = whole(found.folder) if method == "merge" else adapted(base, found.folder)
    torch.testing.assert_close(logits(model), logits(adapted(base, three[0])), rtol=0, atol=1e-4)
    assert found.error < 1e-6


@pytest.mark.parametrize("rank", [None, 2, 12])
def test_refactored_it_says_its_error(three: list[Path], tmp_path: Path, rank: int | None) -> None:
    found = average_adapters(three, tmp_path / "s", method="svd", weights=SHARES, rank=rank)
    exact = mean_of_deltas(three, SHARES)
    size = rank or 4
    best = {}
    for module, delta in exact.items():
        values = torch.linalg.svdvals(delta)
        best[module] = (float(values[size:].norm()), float(values.norm()))
    expected = (sum(lost**2 for lost, _ in best.values()) / sum(norm**2 for _, norm in best.values())) ** 0.5
    assert found.rank == read_adapter(found.folder).rank == size
    assert found.error == pytest.approx(expected, abs=1e-6)  # no factors of this rank are nearer
    assert relative_error(found.folder, exact) == pytest.approx(expected, abs=1e-6)
    assert (found.error < 1e-6) == (rank == 12)
    module, worst = max(((name, lost / norm) for name, (lost, norm) in best.items()), key=lambda pair: pair[1])
    assert found.worst is not None and found.worst[1] == pytest.approx(worst, abs=1e-6)
    assert rank == 12 or found.worst[0] == module


def test_merged_at_full_rank_it_is_exact(base: Path, uneven: list[Path], tmp_path: Path) -> None:
    found = average_adapters(uneven, tmp_path / "m", method="merge", weights=SHARES, base=base, dtype="float32")
    assert (found.rank, found.error) == (None, 0.0)
    stored, merged = load_file(base / "model.safetensors"), load_file(found.folder / "model.safetensors")
    for module, delta in mean_of_deltas(uneven, SHARES).items():
        expected = (stored[f"{module}.weight"].double() + delta).float()
        torch.testing.assert_close(merged[f"{module}.weight"], expected, rtol=1e-6, atol=1e-6)


def test_the_mean_of_factors_is_another_thing_and_says_how_far(three: list[Path], tmp_path: Path) -> None:
    found = average_adapters(three, tmp_path / "f", method="factors")
    loaded = [load_factors(read_adapter(folder)) for folder in three]
    own = load_factors(read_adapter(found.folder))
    for module, factors in own.items():
        torch.testing.assert_close(factors.a, sum(other[module].a for other in loaded) / 3)
        torch.testing.assert_close(factors.b, sum(other[module].b for other in loaded) / 3)
    assert (found.rank, found.error) == (
        4,
        pytest.approx(relative_error(found.folder, mean_of_deltas(three, [1 / 3] * 3))),
    )
    assert found.error > 0.3
    # Two adapters with one A: the mean of the B factors is exact then.
    twin = shutil.copytree(three[0], tmp_path / "twin")
    assert average_adapters([three[0], twin], tmp_path / "t", method="factors").error < 1e-6


def test_the_average_of_rslora_adapters_is_exact_too(base: Path, tmp_path: Path) -> None:
    folders = [toy_adapter(base, tmp_path / f"r{seed}", seed=seed, use_rslora=True) for seed in (1, 2)]
    exact = mean_of_deltas(folders, [0.5, 0.5])
    found = average_adapters(folders, tmp_path / "c", method="concatenate")
    assert relative_error(found.folder, exact) < 1e-6
    assert not read_adapter(found.folder).use_rslora
    mean = read_adapter(average_adapters(folders, tmp_path / "f", method="factors").folder)
    assert (mean.use_rslora, mean.scale) == (True, 4.0)


def test_the_result_names_its_base_and_takes_tokenizer_and_modules_along(
    base: Path, three: list[Path], tmp_path: Path
) -> None:
    first = shutil.copytree(three[0], tmp_path / "first")
    (first / "tokenizer.json").write_text("{}", encoding="utf-8")
    (first / "modules.json").write_text('[{"path": "1_Pooling"}]', encoding="utf-8")
    (first / "1_Pooling").mkdir()
    (first / "1_Pooling" / "config.json").write_text("{}", encoding="utf-8")
    found = average_adapters([first, three[1]], tmp_path / "c", method="concatenate")
    names = sorted(path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*") if path.is_file())
    assert names == [
        "1_Pooling/config.json", "adapter_config.json", "adapter_model.safetensors", "modules.json", "tokenizer.json",
    ]  # fmt: skip
    assert read_adapter(found.folder).base_name == str(base)


def change_config(folder: Path, **changes: Any) -> Path:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_go_together_is_refused_whatever_the_method(
    base: Path, three: list[Path], tmp_path: Path, method: Any
) -> None:
    given = {"method": method, "base": base if method == "merge" else None}

    def refused(other: Path, said: str) -> None:
        with pytest.raises(ModelError, match=said):
            average_adapters([three[0], other], tmp_path / "c", **given)
        assert not (tmp_path / "c").exists()

    copies = [shutil.copytree(three[1], tmp_path / f"copy{number}") for number in range(3)]
    refused(change_config(copies[0], base_model_name_or_path="owner/other"), "are of different bases")
    refused(change_config(copies[1], task_type="FEATURE_EXTRACTION"), "were trained for different tasks")
    refused(
        toy_adapter(base, tmp_path / "q", target_modules=["q_proj"]), "different target modules: 12 are in one only"
    )
    refused(toy_adapter(base, tmp_path / "d", use_dora=True), "is a DoRA adapter")
    refused(toy_adapter(base, tmp_path / "s", modules_to_save=["lm_head"]), "holds whole modules")
    refused(three[0], "is named twice")
    corrupted = copies[2] / "adapter_model.safetensors"
    corrupted.write_bytes(corrupted.read_bytes()[:5000])
    refused(copies[2], "corrupted")


def test_manifests_decide_which_base_it_is(three: list[Path], tmp_path: Path) -> None:
    folders = [shutil.copytree(folder, tmp_path / folder.name) for folder in three[:2]]
    change_config(folders[1], base_model_name_or_path="/moved/base")
    write_manifest(folders[0], {"model": "base", "revision": "sha256:1"})
    write_manifest(folders[1], {"model": "base", "revision": "sha256:1"})
    average_adapters(folders, tmp_path / "c", method="concatenate")
    write_manifest(folders[1], {"model": "base", "revision": "sha256:2"})
    with pytest.raises(ModelError, match=r"different bases, .* at sha256:1 and '/moved/base' at sha256:2"):
        average_adapters(folders, tmp_path / "d", method="concatenate")


def test_factors_need_equal_ranks_and_scales(base: Path, three: list[Path], uneven: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"at equal ranks only; .* has 4 and 2"):
        average_adapters([three[0], uneven[0]], tmp_path / "f", method="factors")
    other = toy_adapter(base, tmp_path / "alpha", alpha=12)
    with pytest.raises(ModelError, match=r"at equal scales .* only; .* has 2 and 3"):
        average_adapters([three[0], other], tmp_path / "f", method="factors")


def test_a_rank_that_no_engine_serves_is_refused(three: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the average has rank 12, the engine serves up to max_lora_rank 8"):
        average_adapters(three, tmp_path / "c", method="concatenate", max_lora_rank=8)
    with pytest.raises(ConfigError, match="rank 10, the engine serves up to max_lora_rank 8"):
        average_adapters(three, tmp_path / "c", method="svd", rank=10, max_lora_rank=8)
    with pytest.raises(ConfigError, match="rank 13 is above the summed rank 12: use concatenate"):
        average_adapters(three, tmp_path / "c", method="svd", rank=13)


def test_options_that_do_not_go_together_are_all_told(three: list[Path]) -> None:
    adapters = [read_adapter(folder) for folder in three]
    with pytest.raises(ConfigError) as caught:
        check_average(adapters, method="concatenate", weights=[0.5, 0.6, 0.1], rank=4, base=Path("x"))
    said = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 3
    assert "rank 4: is read by the method svd only" in said
    assert "the method merge needs the base, the others do not read it" in said
    assert "expected 3 numbers above 0 that are 1 together" in said
    for wrong in ([0.5, 0.5], [1.0, 0.5, -0.5], [float("nan")] * 3):
        with pytest.raises(ConfigError, match="numbers above 0 that are 1 together"):
            check_average(adapters, method="factors", weights=wrong)
    with pytest.raises(ConfigError, match="expected adapters to average, got none"):
        check_average([], method="factors")
    with pytest.raises(InputError, match="needs the base"):
        check_average([adapters[0], adapters[0]], method="merge")


def test_a_full_disk_leaves_nothing(three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: object, path: Path, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(InputError, match="the disk is full; nothing was left"):
        average_adapters(three, tmp_path / "c", method="concatenate")
    assert list(tmp_path.iterdir()) == []
