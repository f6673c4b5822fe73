"""The encoder that is trained: all of it in float32, or a base held as the config says with an adapter on it."""

from pathlib import Path

from core.device import Dtype, resolve_device
from core.models import LocalModel
from pipelines.adapter_base import adapter_base
from pipelines.job import Job
from pipelines.loading import load_encoder
from retrieval.adapted import has_adapter, put_adapter
from retrieval.encoder import SentenceEncoder
from retrieval.sharding import shard_base, take_fsdp_request

_DTYPES: dict[str, Dtype] = {"auto": "auto", "bf16": "bfloat16", "float32": "float32"}


def open_to_train(job: Job, start: LocalModel) -> SentenceEncoder:
    """Open the encoder that a training starts from.

    Where all weights are trained they are held in float32 (bf16 is an autocast around them): AdamW's small steps are
    lost in bf16's 8 bits. A frozen base is held in `training.precision`, or in 4 bits; its adapter in float32.

    Args:
        job: The job; `training.method` decides.
        start: A whole model, or an adapter to train on.

    Raises:
        ModelError: It cannot be opened, or its base cannot be sharded.
    """
    training = job.settings.training
    sharded = take_fsdp_request() or training.sharding == "fsdp"
    if training.method == "full":
        encoder = load_encoder(job, start.folder, dtype="float32")
    else:
        encoder = load_encoder(
            job,
            start.folder,
            dtype=_DTYPES[training.precision],
            device="cpu" if sharded else None,
            four_bit=training.method == "qlora",
            trainable=True,
        )
        if not has_adapter(encoder.model):
            put_adapter(
                encoder.model, training.preset, base_name=start.name, base_revision=start.revision, seed=training.seed
            )
    if sharded:
        shard_base(encoder.model, device=resolve_device(job.settings.retriever.device).partition(":")[0])
    return encoder


def base_facts(job: Job, start: LocalModel) -> dict[str, str | None]:
    """Return name and revision of what a trained folder names as its base, for manifests."""
    base = adapter_base(Path(start.folder), job.settings.retriever)
    model = start if base is None else base.model
    return {"model": model.name, "revision": model.revision}
