"""LoRA adapters on disk: what one is, on which base, and whether it can be merged and averaged exactly.

An adapter adds `scale * B @ A` to the weight of each of its modules (Hu et al., ICLR 2022); the scale is alpha / rank,
or alpha / sqrt(rank) with rsLoRA (Kalajdzievski, 2023). Rank and alpha may differ by module.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import read_manifest
from core.errors import InputError, ModelError
from core.hub_records import is_commit, proven_commit

if TYPE_CHECKING:
    from core.models import LocalModel

CONFIG_NAME, WEIGHTS_NAME = "adapter_config.json", "adapter_model.safetensors"
ENCODER_TASK = "FEATURE_EXTRACTION"
"""The task of adapters on a model without its head, as encoders are."""

FACTOR_KEY = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<factor>[AB])(?:\.default)?\.weight")
"""How a factor is called in an adapter's file."""
_MUST_BE_OFF = {
    "use_dora": "is a DoRA adapter: its magnitudes are no sum of low rank",
    "use_qalora": "is a QALoRA adapter",
    "use_bdlora": "is a block-diagonal adapter",
    "lora_bias": "has biases on its factors",
    "modules_to_save": "holds whole modules beside its factors (modules_to_save)",
    "trainable_token_indices": "holds embeddings of tokens beside its factors (trainable_token_indices)",
    "target_parameters": "changes bare parameters (target_parameters)",
    "layer_replication": "repeats layers of its base (layer_replication)",
    "alora_invocation_tokens": "acts on a part of the tokens only (alora_invocation_tokens)",
    "arrow_config": "routes between adapters (arrow_config)",
    "kasa_config": "is a KaSA adapter",
    "monteclora_config": "draws its weights at random (monteclora_config)",
    "velora_config": "is a VeLoRA adapter",
}
_HOW_TO_VOUCH = (
    ". A folder is taken as its copy where the hub client's download records in it prove so, or where you vouch for "
    "it: --base FOLDER --base-revision COMMIT, or `revision` beside `model` in a reranker's table"
)
_BASE_CHANGED_BY = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA adapter, read without its factors.

    Attributes:
        folder: Where it lies.
        base_name: What it names as its base: `bundled:NAME`, a folder or a hub id; empty where it names none.
        base_revision: What pins the base's content (`sha256:…`, or the hub commit); None where it is not told.
        task: What the adapted model is, in peft's words: `CAUSAL_LM`, `FEATURE_EXTRACTION`, …
        rank: The largest rank of a module.
        alpha: That of modules which no pattern names.
        scale: What `B @ A` is multiplied by in such a module.
        use_rslora: Whether scales are alpha / sqrt(rank).
        use_dora: Whether it is a DoRA adapter.
        fan_in_fan_out: Whether the base keeps its weights transposed (GPT-2).
        target_modules: The modules that it changes, sorted, as they are called in the model that it was trained on.
        shapes: Of each module: outputs, inputs, rank.
        scales: Of each module.
        unsupported: Why it can be neither merged nor averaged here; empty for a plain adapter.
    """

    folder: Path
    base_name: str
    base_revision: str | None
    task: str
    rank: int
    alpha: float
    scale: float
    use_rslora: bool
    use_dora: bool
    fan_in_fan_out: bool
    target_modules: tuple[str, ...]
    shapes: Mapping[str, tuple[int, int, int]]
    scales: Mapping[str, float]
    unsupported: tuple[str, ...]

    @property
    def is_encoder(self) -> bool:
        """Whether its base is used without a head: a retriever."""
        return self.task == ENCODER_TASK


def read_adapter(folder: Path) -> Adapter:
    """Read what an adapter is; its factors are not loaded.

    Args:
        folder: A folder that peft (or this project) wrote: `adapter_config.json` and `adapter_model.safetensors`.

    Raises:
        ModelError: It is not there, is no LoRA adapter, or is corrupted.
    """
    folder = Path(folder)
    config = read_adapter_config(folder)
    patterns = {key: config.get(key) or {} for key in ("rank_pattern", "alpha_pattern")}
    shapes, strange = _shapes(folder / WEIGHTS_NAME)
    r, alpha, use_rslora = config.get("r"), config.get("lora_alpha"), bool(config.get("use_rslora"))
    if not isinstance(r, int) or r < 1 or not isinstance(alpha, int | float):
        raise ModelError(
            f"{folder / CONFIG_NAME}: expected a rank `r` of at least 1 and a number `lora_alpha`; got {r}, {alpha}"
        )
    scales = {}
    for module, (_, _, rank) in shapes.items():
        stated = _by_pattern(patterns["rank_pattern"], module, r)
        if rank != stated:
            raise ModelError(f"adapter {folder}: {module} has rank {rank}, its config states {stated}; corrupted")
        scales[module] = _scale(_by_pattern(patterns["alpha_pattern"], module, alpha), rank, use_rslora)
    made_from = _own_manifest(folder)
    return Adapter(
        folder=folder,
        base_name=str(config.get("base_model_name_or_path") or made_from.get("model") or ""),
        base_revision=made_from.get("revision") or config.get("revision"),
        task=str(config.get("task_type") or ""),
        rank=max(rank for _, _, rank in shapes.values()),
        alpha=float(alpha),
        scale=_scale(alpha, r, use_rslora),
        use_rslora=use_rslora,
        use_dora=bool(config.get("use_dora")),
        fan_in_fan_out=bool(config.get("fan_in_fan_out")),
        target_modules=tuple(sorted(shapes)),
        shapes=shapes,
        scales=scales,
        unsupported=(*_unsupported(config), *strange),
    )


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """Return an adapter's config as peft wrote it.

    Raises:
        ModelError: It is missing or not JSON, or the adapter is of another kind than LoRA.
    """
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise ModelError(
            f"adapter '{folder}': expected a folder with {CONFIG_NAME} (tried {folder.absolute()}); make one with "
            "pipelines/train_reranker.py or pipelines/train_retriever.py"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: expected JSON as peft writes it, came something else ({error})") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise ModelError(f"{path}: expected an adapter of peft_type LORA, came {kind!r}")
    return dict(config)


def require_plain(adapter: Adapter) -> None:
    """Refuse an adapter that is more than a sum of low rank: merged or averaged it would be silently wrong.

    Raises:
        ModelError: With every reason.
    """
    if adapter.unsupported:
        raise ModelError(
            [
                f"adapter {adapter.folder}: {reason}; only plain LoRA (and rsLoRA) is merged and averaged"
                for reason in adapter.unsupported
            ]
        )


def require_base(adapter: Adapter, base: LocalModel) -> None:
    """Refuse a base that is known to be another one than the adapter was trained on.

    Where the adapter tells what pins its base, that decides; a folder is a hub's model at a commit where its download
    records prove that (`core.hub_records`), or its user vouches for it (`core.models.vouched`). Names decide only
    between two hub ids or bundled models: a folder may hold any model. That shapes fit is checked when merging.

    Raises:
        ModelError: It is another one.
    """
    more = ""
    if adapter.base_revision is not None:
        same = adapter.base_revision in (base.revision, base.copy_of)
        if not same and is_commit(adapter.base_revision) and base.revision.startswith("sha256:"):
            same = proven_commit(base.folder) == adapter.base_revision
            more = _HOW_TO_VOUCH
        told = f"'{adapter.base_name}' at {adapter.base_revision}, came '{base.name}' at {base.revision}"
    else:
        same = adapter.base_name == base.name or not (_is_public(adapter.base_name) and _is_public(base.name))
        told = f"'{adapter.base_name}', came '{base.name}'"
    if not same:
        raise ModelError(
            f"adapter {adapter.folder}: was trained on the base {told}; give the base it was trained on{more}"
        )


def _is_public(name: str) -> bool:
    return name.startswith("bundled:") or bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not Path(name).exists())


def _own_manifest(folder: Path) -> dict[str, Any]:
    try:
        return read_manifest(folder) or {}
    except InputError:
        return {}  # somebody else's


def _shapes(path: Path) -> tuple[dict[str, tuple[int, int, int]], list[str]]:
    """Return outputs, inputs and rank of each module, and what else the file holds."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: there is no such file; pickled adapters (.bin) are not loaded")
    sides: dict[str, dict[str, list[int]]] = {}
    strange: list[str] = []
    try:
        with safe_open(path, framework="numpy") as stored:
            for key in sorted(stored.keys()):
                match = FACTOR_KEY.fullmatch(key)
                shape = stored.get_slice(key).get_shape()
                if match is None or len(shape) != 2:
                    strange.append(key)
                else:
                    sides.setdefault(match["module"], {})[match["factor"]] = shape
    except (OSError, SafetensorError) as error:
        raise corrupted(path, error) from error
    shapes = {}
    for module, pair in sorted(sides.items()):
        if pair.keys() != {"A", "B"} or pair["A"][0] != pair["B"][1] or pair["A"][0] < 1:
            raise corrupted(path, f"the factors of {module} do not belong together: {pair}")
        shapes[module] = (pair["B"][0], pair["A"][1], pair["A"][0])
    if not shapes:
        raise ModelError(f"{path}: holds no LoRA factors of linear layers")
    if not strange:
        return shapes, []
    return shapes, [f"holds {len(strange)} tensors that are no factor of a linear layer, for example {strange[0]}"]


def corrupted(path: Path, why: object) -> ModelError:
    """Return the error for a file that is not what was once written."""
    return ModelError(f"{path}: corrupted ({why}). Train the adapter again, or copy it again from where it is whole.")


def _unsupported(config: Mapping[str, Any]) -> list[str]:
    found = [reason for key, reason in _MUST_BE_OFF.items() if config.get(key)]
    if config.get("bias", "none") != "none":
        found.append(f"trains biases (bias = {config['bias']!r})")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.startswith(_BASE_CHANGED_BY):
        found.append(f"changed its base when it began (init_lora_weights = {start!r})")
    return found


def _scale(alpha: float, rank: int, use_rslora: bool) -> float:
    return alpha / (math.sqrt(rank) if use_rslora else rank)


def _by_pattern(patterns: Mapping[str, Any], module: str, default: Any) -> Any:  # noqa: ANN401 - int or float
    """Return the value of the first pattern that is the end of a module's name, as peft reads them."""
    return next((value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", module)), default)
