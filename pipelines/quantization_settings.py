"""The `[quantization]` table: how a reranker's model is quantised, and what the gate accepts."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.config import StrictModel
from rerank.quantize import BackEnd

Count = Annotated[int, Field(ge=1)]


class QuantizationSettings(StrictModel):
    """What `quantize_reranker.py` does."""

    back_end: BackEnd = Field(
        "llm-compressor-awq",
        description="llm-compressor-awq, llm-compressor-gptq, auto-round: 4 bits, calibrated; autoawq: the same with "
        "an archived tool; llm-compressor-fp8: 8-bit floats (Hopper, Ada). All of these in environments of their own. "
        "rtn (4 bits, plain rounding: the baseline) and fp8 need nothing.",
    )
    group_size: Literal[16, 32, 64, 128] = Field(128, description="Inputs that share a scale; divides every width.")
    symmetric: bool = Field(True, description="Levels around 0 (llm-compressor, auto-round).")
    prompts: Annotated[int, Field(ge=2)] = Field(
        128, description="Calibration prompts: half as many training queries, each in both orders."
    )
    seed: int = Field(0, ge=0, description="Of calibration and gate draws, and of the back end.")
    grid: Count = Field(20, description="llm-compressor-awq: scales tried a layer.")
    iterations: Annotated[int, Field(ge=0)] = Field(
        200, description="auto-round: steps in which a block learns to round; 0 is plain rounding."
    )
    batch: Count = Field(8, description="auto-round: calibration pieces a step.")
    clip: bool = Field(True, description="autoawq: search clipping values too; twice the time.")
    dtype: Literal["bfloat16", "float16"] = Field(
        "bfloat16", description="Of a merged model, of scales, and of weights left alone; a T4 needs float16."
    )
    merge_into: Literal["auto", "16bit", "dequantised"] = Field(
        "auto",
        description="What an adapter is merged into; dequantised: the 4-bit base that a QLoRA adapter was trained on. "
        "auto: that where the adapter says so.",
    )
    tensor_parallel_size: Count = Field(1, description="GPUs that will share every layer: widths are checked for that.")
    environments: str = Field(".environments", description="Folder of the back ends' environments.")
    engine: str = Field("transformers", description="NAME of the [engines.NAME] table that runs the 16-bit model.")
    quantised_engine: str | None = Field(
        None,
        description="NAME of the engine that runs the quantised checkpoint itself (vllm, on a GPU). null: its "
        "dequantised weights run in `engine`.",
    )
    queries: Annotated[int, Field(ge=2)] = Field(256, description="Gate: held-out queries measured, at most.")
    map_delta: Annotated[float, Field(ge=-1, le=0)] = Field(
        -0.005, description="Gate: the least change of MAP@25 that is accepted."
    )
    agreement: Annotated[float, Field(ge=0, le=1)] = Field(
        0.97, description="Gate: the least share of prompts with the same best label."
    )
    worst: Annotated[int, Field(ge=0)] = Field(10, description="Gate: queries named that lost most.")

    @model_validator(mode="after")
    def _fits(self) -> "QuantizationSettings":
        if self.back_end == "autoawq" and self.dtype != "float16":
            raise ValueError("quantization.back_end autoawq works in float16: set quantization.dtype=float16")
        return self
