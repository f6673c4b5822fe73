"""Floating-point types as training settings name them."""

from core.device import Dtype

DTYPES: dict[str, Dtype] = {"auto": "auto", "bf16": "bfloat16", "float32": "float32"}
"""From the setting's value to the type's name."""
