"""A cross-encoder as reranker: reads query and candidate together and gives one logit per pair."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from core.device import Dtype, resolve_device, resolve_dtype
from core.errors import ConfigError, ModelError
from core.fusion import log_softmax
from core.records import Misconception, Query, Ranking
from rerank.pairs import check_candidates
from rerank.text import CandidateText, QueryText, pair_texts
from rerank.text import candidate_text as default_candidate_text
from rerank.text import query_text as default_query_text

if TYPE_CHECKING:
    import torch
    from sentence_transformers import CrossEncoder

logger = logging.getLogger(__name__)


def open_cross_encoder(
    folder: str | Path, *, device: str, dtype: torch.dtype, max_length: int | None = None
) -> CrossEncoder:
    """Open a sentence-transformers CrossEncoder with one logit from a local folder, safetensors only.

    A bi-encoder's folder works too and gets a fresh head (drawn from torch's present seed).

    Args:
        folder: The model's folder.
        device: A torch device name, e.g. `cpu`.
        dtype: Of the weights.
        max_length: Tokens a pair is cut to; as saved with the model where None.

    Raises:
        ModelError: The folder is no model, or the model has more than one logit.
    """
    import torch
    from sentence_transformers import CrossEncoder

    path = Path(folder)
    if not (path / "config.json").is_file():
        raise ModelError(f"{path}: expected a folder with a cross-encoder (config.json, model.safetensors); none there")
    try:
        # Without an explicit activation the library puts a sigmoid on a single logit.
        model = CrossEncoder(
            str(path),
            num_labels=1,
            max_length=max_length,
            device=device,
            activation_fn=torch.nn.Identity(),
            local_files_only=True,
            model_kwargs={"dtype": dtype, "use_safetensors": True},
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: cannot be opened as a cross-encoder with one logit: {error}") from error
    return model


def _round_to_int8(model: CrossEncoder) -> None:
    """Replace the linear layers by dynamically quantised ones, in place."""
    import torch
    from torch.ao.quantization import quantize_dynamic

    with warnings.catch_warnings():
        # torch announces a move to another package, which this project does not need for anything else.
        warnings.simplefilter("ignore", DeprecationWarning)
        quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)  # type: ignore[no-untyped-call]


class CrossEncoderReranker:
    """Scores pairs with a sentence-transformers CrossEncoder; log-softmax over each query's candidates.

    Attributes:
        model: The cross-encoder, one logit.
        batch_size: Pairs a forward pass.
        show_progress: Whether `rerank` shows a bar.

    Args:
        model: The cross-encoder; its activation must be the identity.
        query_text: Query -> text; must be the one it was trained with.
        candidate_text: Misconception -> text; likewise.
        batch_size: See above; does not change a score beyond float noise.
        show_progress: See above.

    Raises:
        ValueError: `batch_size` is below 1.
    """

    def __init__(
        self,
        model: CrossEncoder,
        *,
        query_text: QueryText = default_query_text,
        candidate_text: CandidateText = default_candidate_text,
        batch_size: int = 64,
        show_progress: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; got {batch_size}")
        self.model = model
        self.query_text = query_text
        self.candidate_text = candidate_text
        self.batch_size = batch_size
        self.show_progress = show_progress

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        query_text: QueryText = default_query_text,
        candidate_text: CandidateText = default_candidate_text,
        batch_size: int = 64,
        device: str = "auto",
        dtype: Dtype = "auto",
        max_length: int | None = None,
        int8: bool = False,
        show_progress: bool = False,
    ) -> Self:
        """Load from a folder that `train_cross_encoder` or sentence-transformers wrote.

        Args:
            folder: The model's folder.
            query_text: See the class.
            candidate_text: See the class.
            batch_size: See the class.
            device: `auto` or a torch device name.
            dtype: `auto` (bf16 where the device is fast at it, else float32) or a torch dtype's name.
            max_length: Tokens a pair is cut to; as saved with the model where None.
            int8: Round the linear layers to 8 bits and compute in them; CPU only. MiniLM, 500 pairs on two AVX2 cores:
                95 pairs a second against 34 in float32 (2026-11-23, one run, machine shared; on busy cores no gain).
                Compare MAP@25 on validation data before using it: it moves scores.
            show_progress: See the class.

        Raises:
            ModelError: The folder is no cross-encoder with one logit.
            ConfigError: `int8` was asked for on another device than a CPU.
        """
        name = resolve_device(device)
        if int8 and name != "cpu":
            raise ConfigError(f"int8: works on a CPU only, but the device is {name}; use dtype bfloat16 there")
        weights = resolve_dtype("float32" if int8 else dtype, name)
        model = open_cross_encoder(folder, device=name, dtype=weights, max_length=max_length)
        if int8:
            _round_to_int8(model)
        return cls(
            model,
            query_text=query_text,
            candidate_text=candidate_text,
            batch_size=batch_size,
            show_progress=show_progress,
        )

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        """Score every candidate; see `rerank.reranker.Reranker`.

        Returns:
            Rankings whose scores are log-probabilities over the query's candidates (their exponentials sum to 1).

        Raises:
            ValueError: Keys differ, a candidate is not in the bank, a text is blank, or a logit is not finite.
        """
        by_id = check_candidates(queries, candidates, bank)
        pairs = pair_texts(
            queries,
            [ranking.ids.tolist() for ranking in candidates],
            by_id,
            query_text=self.query_text,
            candidate_text=self.candidate_text,
        )
        if not pairs:
            return list(candidates)
        began = time.perf_counter()
        # The library sorts by length, so that short pairs are not padded to the longest.
        logits = np.asarray(
            self.model.predict(pairs, batch_size=self.batch_size, show_progress_bar=self.show_progress),
            dtype=np.float64,
        ).reshape(len(pairs))
        logger.info("scored %d pairs in %.1f s", len(pairs), time.perf_counter() - began)
        reranked, start = [], 0
        for ranking in candidates:
            row = logits[start : start + len(ranking)]
            start += len(ranking)
            reranked.append(Ranking.from_scores(ranking.key, ranking.ids, log_softmax(row)))
        return reranked
