"""Opening a causal language model to be trained: all of it, a LoRA adapter on it, or one on its 4-bit form (QLoRA).

LoRA: Hu et al., ICLR 2022; QLoRA: Dettmers et al., NeurIPS 2023. What is trained is held in float32 whatever the frozen
base is held in: AdamW's small steps are lost in bfloat16's 8 bits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.adapter_weights import put_adapter_weights
from core.errors import ModelError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

Method = Literal["lora", "qlora", "full"]
LARGEST_FULL = 150_000_000
"""Parameters up to which all weights may be trained: weights, gradients and AdamW's moments are 16 bytes each."""

_CARD = "README.md"  # written by peft; names hosts and says nothing that the manifest does not


@dataclass(frozen=True, kw_only=True)
class LoraPreset:
    """The shape of an adapter on all linear layers but the head.

    Attributes:
        rank: Of the two factors, at least 1.
        alpha: The adapter's output is multiplied by alpha / rank.
        dropout: On the adapter's input, 0 to 1 (1 excluded).
        learning_rate: The peak that goes with it where none is asked for.
    """

    rank: int
    alpha: int
    dropout: float = 0.0
    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"expected rank and alpha of at least 1, dropout from 0 to below 1; "
                f"got {self.rank}, {self.alpha}, {self.dropout}"
            )


PRESETS = {
    "r64": LoraPreset(rank=64, alpha=128),
    "r16": LoraPreset(rank=16, alpha=32, learning_rate=2e-5),
}
"""The two shapes that the competition's best teams state; the alpha of `r16` is the config's to change."""


def open_trainable(
    folder: str | Path,
    *,
    method: Method,
    lora: LoraPreset,
    device: str,
    dtype: torch.dtype,
    gradient_checkpointing: bool = False,
    start: str | Path | None = None,
    seed: int = 0,
) -> Any:  # noqa: ANN401 - a transformers model, or peft's wrapper of one
    """Open a model for training.

    Args:
        folder: A causal language model in transformers' format.
        method: `full` trains every weight (float32), `lora` an adapter on the frozen base held in `dtype`, `qlora` an
            adapter on the base in 4 bits (NF4, double quantisation, computed in `dtype`).
        lora: Shape of the adapter; not used by `full`.
        device: A torch device name.
        dtype: What forward passes are computed in; float32 or bfloat16.
        gradient_checkpointing: Recompute activations in the backward pass: a third slower, much less memory.
        start: What an earlier training of this base by the same method and shape wrote (`save_trained`): its weights
            are the first ones. None: the base's, and an adapter that adds nothing yet.
        seed: Of the adapter's first weights.

    Returns:
        The model in training mode; only what is trained requires gradients, and that is float32.

    Raises:
        ModelError: No such model, too large for `full`, or peft or bitsandbytes is not installed; or `start` does not
            fit.
    """
    import torch

    check_packages(method)
    torch.manual_seed(seed)
    whole = folder if start is None or method != "full" else start
    model = _open_base(Path(whole), method=method, device=device, dtype=dtype)
    size = sum(parameter.numel() for parameter in model.parameters())
    model.config.use_cache = False
    if method == "full":
        if size > LARGEST_FULL:
            raise ModelError(
                f"{folder}: has {size / 1e6:.0f} M parameters; all weights are trained up to "
                f"{LARGEST_FULL / 1e6:.0f} M only. Use the method lora or qlora."
            )
    else:
        model = _with_adapter(model, lora, seed=seed)
        if start is not None:
            _load_adapter(model, Path(start))
    if gradient_checkpointing:
        # The reentrant kind needs inputs with gradients, which a frozen base does not have.
        model.gradient_checkpointing_enable({"use_reentrant": False})
    trained = 0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            trained += parameter.numel()
            if parameter.dtype != torch.float32:
                raise ModelError(f"{folder}: {name} would be trained in {parameter.dtype}; expected float32")
    logger.info("%s: %.2f M weights trained by %s", folder, trained / 1e6, method)
    return model.train()


def check_packages(method: Method) -> None:
    """Refuse a method whose packages are not installed.

    Raises:
        ModelError: peft or bitsandbytes is missing.
    """
    for package in {"lora": ("peft",), "qlora": ("peft", "bitsandbytes"), "full": ()}[method]:
        if find_spec(package) is None:
            raise ModelError(f"training by {method} needs the package {package}; install the extra `train`")


def lora_config(lora: LoraPreset, *, task: Literal["CAUSAL_LM", "FEATURE_EXTRACTION"]) -> Any:  # noqa: ANN401
    """Return what peft is told of an adapter on all linear layers but the head.

    Args:
        lora: Its shape.
        task: What the adapted model is: a whole language model, or one without its head, as encoders are.
    """
    from peft import LoraConfig

    return LoraConfig(
        task_type=task,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",  # but the head
        bias="none",
    )


def nf4_config(dtype: torch.dtype) -> Any:  # noqa: ANN401 - transformers has no types
    """Return what transformers is told to hold linear layers in 4 bits: NF4, the scales quantised too (QLoRA).

    Training and inference share it: an adapter fits the rounding of the base that it was trained on.

    Args:
        dtype: What is computed in.
    """
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def hold_exactly(model: Any) -> None:  # noqa: ANN401
    """Keep bitsandbytes from rewriting a 4-bit model on a CPU with AVX512-BF16; nothing elsewhere.

    In evaluation mode it repacks every layer there with its scales in bfloat16, in place, and quantises the scales anew
    when the weights are asked for: a model that is scored during its training would be trained on, on another base
    (bitsandbytes 0.50.2: embeddings of a toy decoder moved by 0.005).

    Args:
        model: A model in memory; changed.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _open_base(folder: Path, *, method: Method, device: str, dtype: torch.dtype) -> Any:  # noqa: ANN401
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"dtype": torch.float32 if method == "full" else dtype}
    if method == "qlora":
        options["quantization_config"] = nf4_config(dtype)
        options["device_map"] = {"": device}
    try:
        model = AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True, **options)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be opened as a causal language model ({error})") from error
    hold_exactly(model)
    return model if method == "qlora" else model.to(device)


def _with_adapter(model: Any, lora: LoraPreset, *, seed: int) -> Any:  # noqa: ANN401
    import torch
    from peft import get_peft_model

    for parameter in model.parameters():
        parameter.requires_grad_(False)
    torch.manual_seed(seed)  # whatever loading has drawn
    return get_peft_model(model, lora_config(lora, task="CAUSAL_LM"), autocast_adapter_dtype=True)


def _load_adapter(model: Any, folder: Path) -> None:  # noqa: ANN401
    """Put the saved weights of an adapter into the one that a model has on it."""
    put_adapter_weights(folder, {name.replace(".default.", "."): held for name, held in TrainedWeights(model).named()})


class TrainedWeights:
    """The weights of a model that training changes: all there is to keep of a run.

    Args:
        model: What `open_trainable` returned.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model

    def named(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Yield name and weight, each weight once (tied ones too), in the model's order."""
        for name, parameter in self._model.named_parameters():
            if parameter.requires_grad:
                yield name, parameter

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return the weights."""
        return [parameter for _, parameter in self.named()]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the weights by name."""
        return {name: parameter.detach() for name, parameter in self.named()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor], /) -> None:
        """Put such weights in place.

        Raises:
            ModelError: The names are not this model's.
        """
        import torch

        own = dict(self.named())
        if own.keys() != state_dict.keys():
            strange = sorted(own.keys() ^ state_dict.keys())
            raise ModelError(f"the kept weights are another model's: {strange[:3]} are on one side only")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state_dict[name])


def save_trained(model: Any, folder: Path, *, base: str | Path, base_name: str | None = None) -> None:  # noqa: ANN401
    """Write what was trained: a plain peft adapter folder, or the whole model with its tokenizer.

    Args:
        model: What `open_trainable` returned.
        folder: A folder that does not exist yet.
        base: The base's folder.
        base_name: What the adapter names as its base, e.g. a hub id; `base` where None.
    """
    from transformers import AutoTokenizer

    adapters = getattr(model, "peft_config", None)
    if adapters:
        for config in adapters.values():
            config.base_model_name_or_path = base_name or str(base)
        # No embedding is trained; left to find that out, peft asks the hub for the base's config.
        model.save_pretrained(str(folder), save_embedding_layers=False)
    else:
        AutoTokenizer.from_pretrained(str(base), local_files_only=True).save_pretrained(str(folder))
        model.config.use_cache = True
        model.save_pretrained(str(folder))
    (folder / _CARD).unlink(missing_ok=True)
