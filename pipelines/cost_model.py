"""What scoring with a language model costs, before it is run: time from tokens and parameters, memory from shapes.

Scoring is prefill, so it is bound by arithmetic: seconds = prompt tokens × 2 × parameters / rate. Rates marked measured
were taken on the device named (docs of the project: Qwen2.5-32B shapes, vLLM 0.24, 25 candidates, two orders); the
others are the device's peak times the share of its peak that the same kind of kernel reached on the H200.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Quantisation = Literal["float32", "bf16", "fp8", "awq"]
Basis = Literal["measured", "computed"]
GIB = 1 << 30
_BITS: dict[Quantisation, float] = {"float32": 32, "bf16": 16, "fp8": 8, "awq": 4.25}
"""Bits a weight; awq with 16-bit scales and 4-bit zeros for groups of 128. Embeddings and head stay at 16 bits."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One accelerator, or a CPU.

    Attributes:
        name: As shown.
        words: What its name holds as torch writes it, lower case; all of them.
        memory: GiB.
        peak16: Dense peak in 16-bit floats (float32 on a CPU), TFLOP/s.
        peak8: Dense peak in FP8, TFLOP/s; None where it has none.
        marlin: Whether vLLM's fast 4-bit kernels run on it (capability 8.0).
    """

    name: str
    words: tuple[str, ...]
    memory: float
    peak16: float
    peak8: float | None = None
    marlin: bool = True


DEVICES: dict[str, Device] = {
    "t4": Device(name="T4", words=("t4",), memory=14.7, peak16=65, marlin=False),
    "l4": Device(name="L4", words=("l4",), memory=22.5, peak16=121, peak8=242),
    "a10": Device(name="A10", words=("a10",), memory=22.5, peak16=125),
    "l40s": Device(name="L40S", words=("l40s",), memory=44.5, peak16=362, peak8=733),
    "rtx3090": Device(name="RTX 3090", words=("3090",), memory=23.7, peak16=71),
    "rtx4090": Device(name="RTX 4090", words=("4090",), memory=23.6, peak16=165, peak8=330),
    "a100-40": Device(name="A100 40 GB", words=("a100", "40gb"), memory=39.4, peak16=312),
    "a100": Device(name="A100 80 GB", words=("a100",), memory=79.2, peak16=312),
    "h100": Device(name="H100", words=("h100",), memory=79.2, peak16=989, peak8=1979),
    "h200": Device(name="H200", words=("h200",), memory=139.8, peak16=989, peak8=1979),
    "cpu": Device(name="CPU, two cores", words=("cpu",), memory=16.0, peak16=0.16, marlin=False),
}

MEASURED: dict[tuple[str, Quantisation], float] = {
    ("h200", "bf16"): 659.0,
    ("h200", "awq"): 748.0,
    ("h200", "fp8"): 1083.0,
}
"""Rates in TFLOP/s that were measured, candidates first (nothing cached)."""

_SHARE: dict[Quantisation, float] = {"float32": 0.45, "bf16": 659 / 989, "awq": 748 / 989, "fp8": 1083 / 1979}
"""Share of the peak reached: on the H200; for float32 a guess from MiniLM on two cores (46 texts/s were measured; that
they average 72 tokens, and the cores' peak of 0.16 TFLOP/s, are assumptions)."""
_SHARE_WITHOUT_MARLIN = 0.35
"""4-bit kernels of vLLM before capability 8.0 dequantise first. A guess, never measured by this project."""
_DOUBLING = 0.85
"""Share of the ideal speed kept at each doubling of an engine's GPUs: the aim (1.7 times for two), not measured."""


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """What time and memory depend on.

    Attributes:
        name: As shown.
        parameters: All of them.
        embedding: Those of embeddings and head, which quantisation leaves at 16 bits.
        hidden: Width.
        layers: Depth.
        kv_width: Key (or value) heads times their width.
    """

    name: str
    parameters: float
    embedding: float
    hidden: int
    layers: int
    kv_width: int


def _qwen(name: str, layers: int, hidden: int, inner: int, kv_heads: int, tied: bool) -> ModelShape:
    config = {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_attention_heads": hidden // (64 if hidden < 1536 else 128),
        "num_key_value_heads": kv_heads,
        "vocab_size": 151936,
        "tie_word_embeddings": tied,
    }
    return shape_of_config(config, name=name)


def shape_of_config(config: Mapping[str, Any], *, name: str) -> ModelShape:
    """Return the shape of a Llama-like model (Llama, Qwen2, Mistral, SmolLM2) from its config.json.

    Raises:
        KeyError: A number is missing: it is another architecture.
    """
    hidden, layers, inner = (int(config[key]) for key in ("hidden_size", "num_hidden_layers", "intermediate_size"))
    heads = int(config["num_attention_heads"])
    width = int(config.get("head_dim") or hidden // heads)
    kv = int(config.get("num_key_value_heads") or heads) * width
    embedding = int(config["vocab_size"]) * hidden * (1 if config.get("tie_word_embeddings") else 2)
    block = 2 * hidden * heads * width + 2 * hidden * kv + 3 * hidden * inner
    return ModelShape(
        name=name, parameters=layers * block + embedding, embedding=embedding, hidden=hidden, layers=layers, kv_width=kv
    )


_SMOLLM2 = {
    "num_hidden_layers": 30,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}

SHAPES: dict[str, ModelShape] = {
    "135M": shape_of_config(_SMOLLM2, name="135M"),
    "0.5B": _qwen("0.5B", 24, 896, 4864, 2, True),
    "1.5B": _qwen("1.5B", 28, 1536, 8960, 2, True),
    "3B": _qwen("3B", 36, 2048, 11008, 2, True),
    "7B": _qwen("7B", 28, 3584, 18944, 4, False),
    "14B": _qwen("14B", 48, 5120, 13824, 8, False),
    "32B": _qwen("32B", 64, 5120, 27648, 8, False),
    "72B": _qwen("72B", 80, 8192, 29568, 8, False),
}
"""SmolLM2-135M and Qwen2.5's sizes; other families of the same size cost about the same."""


@dataclass(frozen=True, kw_only=True)
class PromptSize:
    """Tokens of a prompt; the defaults are real Eedi prompts in SmolLM2's vocabulary (563 at 25 candidates).

    Attributes:
        prefix: Instruction and question, shared by the orders of a query.
        candidate: Tokens a candidate.
        frame: What a pointwise prompt holds behind its prefix besides those: "Misconception:", the end of the turn, the
            opening of the answer. Counted in SmolLM2's vocabulary on the bundled sample: 21.6 tokens behind the prefix,
            where a listwise prompt takes 15.4 a candidate.
        block: Tokens of one block of vLLM's prefix cache; what of a prefix does not fill a block is read anew, half a
            block on average.
    """

    prefix: float = 146.0
    candidate: float = 16.7
    frame: float = 6.2
    block: int = 16

    def query(self, candidates: int, orders: int, *, cached: bool = True) -> float:
        """Return the tokens that must be read for one query; the prefix once where the engine caches it."""
        return (1 if cached else orders) * self.prefix + orders * candidates * self.candidate

    def pairs(self, candidates: int, *, cached: bool = True) -> float:
        """Return the tokens that must be read for one query where every candidate has a prompt of its own."""
        again = (self.block - 1) / 2 if cached else self.prefix
        return self.prefix + (candidates - 1) * again + candidates * (self.candidate + self.frame)


EEDI = PromptSize()


def rate(device: str, quantisation: Quantisation, *, gpus: int = 1) -> tuple[float, Basis]:
    """Return the arithmetic that an engine does in a second, FLOP/s, and whether that was measured.

    Raises:
        KeyError: There is no such device.
    """
    known = MEASURED.get((device, quantisation))
    facts = DEVICES[device]
    if known is None:
        share = _SHARE[quantisation]
        if quantisation == "awq" and not facts.marlin:
            share = _SHARE_WITHOUT_MARLIN
        known = share * (facts.peak8 if quantisation == "fp8" and facts.peak8 else facts.peak16)
    doublings = max(gpus, 1).bit_length() - 1
    basis: Basis = "measured" if (device, quantisation) in MEASURED and gpus == 1 else "computed"
    return known * 1e12 * gpus * _DOUBLING**doublings, basis


def scoring_seconds(
    shape: ModelShape, device: str, quantisation: Quantisation, *, tokens: float, gpus: int = 1
) -> tuple[float, Basis]:
    """Return the seconds that reading so many prompt tokens takes, and whether the rate was measured."""
    speed, basis = rate(device, quantisation, gpus=gpus)
    return tokens * 2 * shape.parameters / speed, basis


def weight_bytes(shape: ModelShape, quantisation: Quantisation) -> float:
    """Return the size of the weights in memory."""
    wide = 4 if quantisation == "float32" else 2
    return (shape.parameters - shape.embedding) * _BITS[quantisation] / 8 + shape.embedding * wide


def memory_bytes(
    shape: ModelShape, quantisation: Quantisation, *, gpus: int = 1, tokens_in_flight: int = 8192
) -> float:
    """Return what one GPU of `gpus` must hold: weights, keys and values of a step's tokens, activations, the runtime.

    Activations: two widths of hidden state and four of the inner layer a token, 16 bits. The runtime: 1.5 GiB for
    CUDA context, graphs and fragmentation, an assumption.
    """
    wide = 4 if quantisation == "float32" else 2
    cache = tokens_in_flight * shape.layers * 2 * shape.kv_width * wide
    activations = tokens_in_flight * shape.hidden * (2 + 4 * 4) * wide
    return (weight_bytes(shape, quantisation) + cache + activations) / gpus + 1.5 * GIB


def fits(
    shape: ModelShape,
    device: str,
    quantisation: Quantisation,
    *,
    gpus: int = 1,
    share: float = 0.92,
    tokens_in_flight: int = 2048,
) -> bool:
    """Return whether a model runs on a device at all: its memory, and the kernels that the quantisation needs."""
    facts = DEVICES[device]
    if quantisation == "fp8" and facts.peak8 is None:
        return False
    if device == "cpu" and quantisation != "float32":
        return False
    needed = memory_bytes(shape, quantisation, gpus=gpus, tokens_in_flight=tokens_in_flight)
    return needed <= share * facts.memory * GIB


def device_of(name: str) -> str | None:
    """Return the key in `DEVICES` of a GPU as torch or a person names it (`NVIDIA H200`, `a100-40`); None if unknown.

    Where a GPU's name starts like another's (L4, L40S) the whole word decides.
    """
    words = name.lower().replace("-", " ").replace("_", " ").split()
    if name.lower() in DEVICES:
        return name.lower()
    for key, device in DEVICES.items():
        if all(word in words for word in device.words):
            return key
    return None
