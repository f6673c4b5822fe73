"""Models of true shapes without a weights file: made and, where asked for, held in 4 bits right on the device.

`random_weights` stands in for transformers' reading of a folder, so that the code that is timed (this project's, or a
loop written by hand) opens a model as it always does: `from_pretrained`, with or without a `BitsAndBytesConfig`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SPREAD = 0.02  # standard deviation, as Qwen's own initialisation


@contextmanager
def random_weights(*, device: str, seed: int = 0) -> Iterator[None]:
    """Let `from_pretrained` of any transformers model fill it with seeded random numbers.

    Args:
        device: Where weights are made when the caller names no `device_map`.
        seed: The same seed makes the same weights, whoever opens the model.
    """
    from transformers import PreTrainedModel

    kept = PreTrainedModel.__dict__["from_pretrained"]

    def opened(cls: type, name: str, *_: object, config: Any = None, **options: Any) -> Any:  # noqa: ANN401
        import torch
        from transformers import AutoConfig

        if config is None:
            config = AutoConfig.from_pretrained(name)
        asked = options.get("device_map")
        place = asked[""] if isinstance(asked, dict) else device
        dtype = options.get("dtype") or torch.float32
        return _random_model(cls, config, torch.device(place), dtype, options.get("quantization_config"), seed)

    PreTrainedModel.from_pretrained = classmethod(opened)
    try:
        yield
    finally:
        PreTrainedModel.from_pretrained = kept


def _random_model(cls: Any, config: Any, device: Any, dtype: Any, four_bit: Any, seed: int) -> Any:  # noqa: ANN401
    import torch

    with torch.device("meta"):
        model = cls._from_config(config, dtype=dtype)
    head = model.get_output_embeddings()
    dice = torch.Generator(device=device).manual_seed(seed)
    for name, module in list(model.named_modules()):
        if any(buffer is not None and buffer.is_meta for buffer in module._buffers.values()):
            with device:
                module = type(module)(config)  # rotary angles: computed, not drawn
            model.set_submodule(name, module)
        if four_bit is not None and type(module) is torch.nn.Linear and module is not head:
            module = _four_bit(module, four_bit, device, dtype, dice)
            model.set_submodule(name, module)
        for key, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                made = _drawn(parameter.shape, device, dtype, dice)
                setattr(module, key, torch.nn.Parameter(made, requires_grad=four_bit is None))
    model.tie_weights()
    if four_bit is not None:  # what transformers' quantizer leaves behind, which peft and trainers ask for
        from transformers.quantizers import AutoHfQuantizer

        model.is_loaded_in_4bit = model.is_quantized = True
        model.hf_quantizer = AutoHfQuantizer.from_config(four_bit, pre_quantized=False)
        model.quantization_method = model.hf_quantizer.quantization_config.quant_method
        config.quantization_config = four_bit
    return model.eval()


def _four_bit(linear: Any, four_bit: Any, device: Any, dtype: Any, dice: Any) -> Any:  # noqa: ANN401
    """Return a 4-bit layer of the same widths; one full-precision matrix at a time is in memory."""
    import bitsandbytes
    import torch

    with torch.device("meta"):
        layer = bitsandbytes.nn.Linear4bit(
            linear.in_features,
            linear.out_features,
            linear.bias is not None,
            four_bit.bnb_4bit_compute_dtype,
            compress_statistics=four_bit.bnb_4bit_use_double_quant,
            quant_type=four_bit.bnb_4bit_quant_type,
            quant_storage=four_bit.bnb_4bit_quant_storage,
        )
    drawn = _drawn((linear.out_features, linear.in_features), device, dtype, dice)
    layer.weight = bitsandbytes.nn.Params4bit(
        drawn,
        requires_grad=False,
        compress_statistics=four_bit.bnb_4bit_use_double_quant,
        quant_type=four_bit.bnb_4bit_quant_type,
        quant_storage=four_bit.bnb_4bit_quant_storage,
        module=layer,
    ).to(device)
    if layer.bias is not None:
        layer.bias = torch.nn.Parameter(torch.zeros(linear.out_features, dtype=dtype, device=device), False)
    return layer


def _drawn(shape: Any, device: Any, dtype: Any, dice: Any) -> Any:  # noqa: ANN401
    """Return matrices of small normal numbers, and ones for vectors (norms; a bias of ones does no harm)."""
    import torch

    if len(shape) < 2:
        return torch.ones(shape, dtype=dtype, device=device)
    return torch.empty(shape, dtype=dtype, device=device).normal_(0.0, SPREAD, generator=dice)
