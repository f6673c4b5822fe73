import pytest

from pipelines.cost_model import (
    DEVICES,
    EEDI,
    GIB,
    SHAPES,
    device_of,
    fits,
    memory_bytes,
    rate,
    scoring_seconds,
    shape_of_config,
    weight_bytes,
)


def test_parameters_are_those_of_the_published_models() -> None:
    published = {"135M": 0.1345, "0.5B": 0.494, "1.5B": 1.544, "7B": 7.616, "14B": 14.77, "32B": 32.76, "72B": 72.71}
    for name, billions in published.items():
        assert SHAPES[name].parameters / 1e9 == pytest.approx(billions, rel=0.002), name


@pytest.mark.parametrize(("quantisation", "measured"), [("bf16", 10.3), ("awq", 11.7), ("fp8", 16.9)])
def test_the_measured_speeds_of_the_h200_come_back(quantisation: str, measured: float) -> None:
    """25 candidates, both orders, question first; the rates come from the runs with candidates first."""
    seconds, basis = scoring_seconds(SHAPES["32B"], "h200", quantisation, tokens=EEDI.query(25, 2))  # type: ignore[arg-type]
    assert 1 / seconds == pytest.approx(measured, rel=0.01)
    assert basis == "measured"


def test_a_prompt_of_25_candidates_has_its_measured_length() -> None:
    assert EEDI.query(25, 1) == pytest.approx(563, abs=1)
    saved = 1 - EEDI.query(25, 2) / EEDI.query(25, 2, cached=False)
    assert saved == pytest.approx(0.13, abs=0.005)


def test_a_pointwise_query_by_hand() -> None:
    """A prompt of SmolLM2's on the sample: 21.6 tokens behind the shared prefix; half a block of 16 is read anew."""
    assert EEDI.pairs(1) == pytest.approx(146 + 16.7 + 6.2)
    assert EEDI.pairs(25) == pytest.approx(146 + 24 * 7.5 + 25 * (16.7 + 6.2))
    assert EEDI.pairs(25, cached=False) == pytest.approx(25 * (146 + 16.7 + 6.2))


def test_what_was_not_measured_says_so() -> None:
    assert rate("a100", "bf16")[1] == "computed"
    assert rate("h200", "fp8", gpus=2)[1] == "computed"
    assert rate("h200", "fp8", gpus=2)[0] == pytest.approx(1.7 * rate("h200", "fp8")[0])
    assert rate("t4", "awq")[0] < rate("t4", "bf16")[0]  # no fast 4-bit kernels there


def test_weights_by_hand() -> None:
    shape = SHAPES["32B"]
    assert weight_bytes(shape, "bf16") == shape.parameters * 2
    assert weight_bytes(shape, "fp8") == (shape.parameters - shape.embedding) + 2 * shape.embedding
    assert weight_bytes(shape, "awq") / GIB == pytest.approx(18.3, abs=0.1)
    assert memory_bytes(shape, "awq", gpus=2) < memory_bytes(shape, "awq")


@pytest.mark.parametrize(
    ("model", "device", "quantisation", "gpus", "does"),
    [
        ("32B", "h200", "fp8", 1, True),
        ("32B", "a100", "bf16", 1, True),
        ("32B", "a100", "fp8", 1, False),  # no such arithmetic
        ("72B", "a100", "bf16", 1, False),
        ("32B", "rtx4090", "awq", 1, True),
        ("32B", "t4", "awq", 1, False),
        ("32B", "t4", "awq", 2, True),
        ("7B", "cpu", "bf16", 1, False),
        ("0.5B", "cpu", "float32", 1, True),
    ],
)
def test_what_fits_where(model: str, device: str, quantisation: str, gpus: int, does: bool) -> None:
    assert fits(SHAPES[model], device, quantisation, gpus=gpus) is does  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA A100-SXM4-40GB", "a100-40"),
        ("Tesla T4", "t4"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("h100", "h100"),
        ("AMD Instinct", None),
    ],
)
def test_devices_by_the_names_that_torch_gives(name: str, key: str | None) -> None:
    assert device_of(name) == key
    assert key is None or key in DEVICES


def test_another_architecture_is_refused() -> None:
    with pytest.raises(KeyError):
        shape_of_config({"hidden_size": 3}, name="x")
