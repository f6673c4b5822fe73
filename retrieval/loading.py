"""Opening an encoder: a whole model, or an adapter on its base; in 16 bits or in 4; safetensors only."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.device import Dtype, resolve_dtype
from core.errors import ModelError
from core.lora import nf4_config
from retrieval.adapted import is_adapter, load_adapter
from retrieval.last_token import append_end_token

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Pooling = Literal["model", "mean", "cls", "last"]
_POOLING_MODES: dict[Pooling, str] = {"mean": "mean", "cls": "cls", "last": "lasttoken"}


def open_encoder(
    folder_or_id: str,
    *,
    revision: str | None = None,
    pooling: Pooling = "model",
    device: str,
    dtype: Dtype,
    max_length: int | None = None,
    trust_remote_code: bool = False,
    base: str | Path | None = None,
    four_bit: bool = False,
    trainable: bool = False,
) -> "SentenceTransformer":
    """Open a model; the arguments are those of `retrieval.encoder.SentenceEncoder.load`, with a resolved device.

    Raises:
        ModelError: See there.
    """
    if pooling not in ("model", *_POOLING_MODES):
        raise ModelError(f"pooling is {pooling!r}, expected one of model, {', '.join(_POOLING_MODES)}")
    _refuse_pickles(folder_or_id)
    if is_adapter(folder_or_id):
        if base is None:
            raise ModelError(f"model '{folder_or_id}': is an adapter, which cannot be loaded without its base")
        pooling = _pooling_of(folder_or_id, base)
        model = _load(str(base), revision, pooling, device, dtype, trust_remote_code, four_bit)
        _take_over(model, Path(folder_or_id))
        load_adapter(model, folder_or_id, trainable=trainable, dtype=resolve_dtype(dtype, device))
    else:
        model = _load(folder_or_id, revision, pooling, device, dtype, trust_remote_code, four_bit)
    if max_length is not None:
        _limit_length(model, max_length, folder_or_id)
    return model


def _refuse_pickles(folder_or_id: str) -> None:
    folder = Path(folder_or_id)
    bare = [
        path
        for pattern in ("pytorch_model*.bin", "*/pytorch_model*.bin")
        for path in folder.glob(pattern)
        if not any(path.parent.glob("*.safetensors"))
    ]
    if bare:
        raise ModelError(
            f"model '{folder_or_id}': {', '.join(str(path.relative_to(folder)) for path in sorted(bare))} are pickles "
            "without safetensors beside them; they are not loaded. Save the model again with safe_serialization."
        )


def _load(
    name: str,
    revision: str | None,
    pooling: Pooling,
    device: str,
    dtype: Dtype,
    trust_remote_code: bool,
    four_bit: bool,
) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    weights: dict[str, Any] = {"dtype": resolve_dtype(dtype, device), "use_safetensors": True}
    if four_bit:
        weights |= {"quantization_config": nf4_config(weights["dtype"]), "device_map": {"": device}}
    try:
        if pooling == "model":
            return SentenceTransformer(
                name, device=device, revision=revision, trust_remote_code=trust_remote_code, model_kwargs=weights
            )
        from sentence_transformers.sentence_transformer.modules import Normalize, Transformer
        from sentence_transformers.sentence_transformer.modules import Pooling as PoolingModule

        origin = {"revision": revision, "trust_remote_code": trust_remote_code}
        transformer = Transformer(
            name, model_kwargs={**weights, **origin}, processor_kwargs=origin, config_kwargs=origin
        )
        if pooling == "last":
            append_end_token(transformer.tokenizer, name)
        pool = PoolingModule(transformer.get_embedding_dimension(), pooling_mode=_POOLING_MODES[pooling])
        return SentenceTransformer(modules=[transformer, pool, Normalize()], device=device)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model '{name}': cannot be loaded as a sentence encoder ({type(error).__name__}: {error}). Expected a "
            "folder with config.json, a tokenizer and *.safetensors weights."
        ) from error


def _pooling_of(adapter: str, base: str | Path) -> Pooling:
    """Return the pooling that an adapter was trained with: its base's own, or the one in its folder."""
    if (Path(base) / "modules.json").is_file():
        return "model"
    for path in sorted(Path(adapter).glob("*_Pooling/config.json")):
        mode = _read(path).get("pooling_mode")
        for pooling, library in _POOLING_MODES.items():
            if mode == library:
                return pooling
    raise ModelError(
        f"model '{adapter}': expected the folder of an encoder's adapter with its pooling (1_Pooling/config.json), "
        "came one without; is it the adapter of a reranker?"
    )


def _take_over(model: "SentenceTransformer", adapter: Path) -> None:
    """Give a base the prompts and the length limit that its adapter was trained with."""
    kept = _read(adapter / "config_sentence_transformers.json").get("prompts")
    model.prompts |= kept if isinstance(kept, dict) else {}
    length = _read(adapter / "tokenizer_config.json").get("model_max_length")
    if isinstance(length, int):
        model.max_seq_length = length


def _read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _limit_length(model: "SentenceTransformer", max_length: int, name: str) -> None:
    most = getattr(getattr(model.transformers_model, "config", None), "max_position_embeddings", None)
    if max_length < 1 or (most is not None and max_length > most):
        raise ModelError(f"model '{name}': max_length is {max_length}, expected 1 to {most or 'any'} tokens")
    model.max_seq_length = max_length
