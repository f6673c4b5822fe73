"""Encoders loaded the way the config says: whole models, and adapters on their bases."""

from pathlib import Path

from core.device import Dtype
from pipelines.adapter_base import adapter_base, own_base
from pipelines.job import Job
from retrieval.encoder import SentenceEncoder


def load_encoder(
    job: Job,
    folder: Path | str,
    *,
    dtype: Dtype | None = None,
    device: str | None = None,
    four_bit: bool | None = None,
    trainable: bool = False,
    beside: bool = False,
) -> SentenceEncoder:
    """Load an encoder the way the config says.

    A folder that this project trained names its own pooling; the config's pooling is for bare transformers.

    Args:
        job: The job.
        folder: The model: a whole one, or an adapter, whose base is found (`pipelines.adapter_base`).
        dtype: Instead of the config's, on one device: to train.
        device: Instead of the config's.
        four_bit: Hold the linear layers of the base in 4 bits; None: as the config says of an adapter.
        trainable: An adapter is to be trained on.
        beside: It stands beside the retriever: prompts and base are its own, not the config's.

    Raises:
        ModelError: It cannot be loaded, or it is an adapter whose base is not there.
    """
    _quiet_loading()
    retriever = own_base(job.settings.retriever) if beside else job.settings.retriever
    base = adapter_base(Path(folder), retriever)
    own = (Path(folder) / "modules.json").is_file()
    return SentenceEncoder.load(
        str(folder),
        pooling="model" if own else retriever.pooling,
        query_prompt=None if beside else retriever.query_prompt,
        document_prompt=None if beside else retriever.document_prompt,
        device=retriever.device if device is None else device,
        dtype=retriever.dtype if dtype is None else dtype,
        max_length=retriever.max_length,
        batch_size=retriever.batch_size,
        trust_remote_code=retriever.trust_remote_code,
        devices=(retriever.devices or None) if dtype is None else None,
        base=None if base is None else base.model.folder,
        four_bit=(base is not None and base.four_bit) if four_bit is None else four_bit,
        trainable=trainable,
    )


def _quiet_loading() -> None:
    """Keep back the bars and reports that transformers writes for every file that it loads or writes."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
