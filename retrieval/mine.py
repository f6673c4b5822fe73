"""Rank the bank with the model in training and mine negatives from that: what is hard now, not what was hard once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.records import FloatArray, IntArray, Ranking
from retrieval.negatives import MinedNegatives, mine_negatives
from retrieval.pairs import TrainingPair

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_BLOCK = 512  # queries scored at once: 512 x 2,587 float32 is 5 MB


@dataclass(frozen=True, kw_only=True, eq=False)
class BankTexts:
    """The bank as the encoder reads it.

    Attributes:
        ids: int64, shape (m,), rising and distinct.
        texts: The m texts.
    """

    ids: IntArray = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        ids = np.asarray(self.ids, dtype=np.int64)
        if ids.ndim != 1 or len(ids) != len(self.texts) or len(ids) == 0 or (np.diff(ids) <= 0).any():
            raise ValueError(f"{len(self.texts)} bank texts need as many distinct ids in rising order, got {ids.shape}")
        ids.setflags(write=False)
        object.__setattr__(self, "ids", ids)

    @classmethod
    def of(cls, texts: Mapping[int, str]) -> "BankTexts":
        """Make a bank from id to text."""
        ids = sorted(texts)
        return cls(ids=np.array(ids, dtype=np.int64), texts=tuple(texts[id] for id in ids))

    def places(self, ids: Sequence[int] | IntArray) -> IntArray:
        """Return the places of ids in the bank, int64 of the same shape.

        Raises:
            KeyError: An id is not in the bank.
        """
        wanted = np.asarray(ids, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        if (self.ids[places] != wanted).any():
            raise KeyError(int(wanted[self.ids[places] != wanted].flat[0]))
        return places.astype(np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class BankRankings:
    """Rankings of the bank and what the margins need besides.

    Attributes:
        rankings: n rankings, the best `top` each.
        positive_scores: float64, shape (n,), cosine of each query with its own positive.
    """

    rankings: list[Ranking] = field(repr=False)
    positive_scores: FloatArray = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class MiningRule:
    """How negatives are drawn; the fields are those of `mine_negatives`."""

    per_query: int
    rank_window: tuple[int, int]
    skip_top: int
    absolute_margin: float | None
    relative_margin: float | None


def rank_bank(
    model: "SentenceTransformer",
    pairs: Sequence[TrainingPair],
    texts: Sequence[str],
    bank: BankTexts,
    *,
    top: int,
    batch_size: int = 64,
    progress: bool = False,
) -> BankRankings:
    """Rank the whole bank for every pair by exact cosine with the model as it is.

    Args:
        model: The encoder; left in evaluation mode.
        pairs: n pairs.
        texts: n query texts; equal ones are encoded once.
        bank: The bank.
        top: How many entries each ranking keeps.
        batch_size: Texts encoded at once.
        progress: Show progress bars.
    """
    import torch

    distinct = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    queries = _encode(model, list(distinct), batch_size, progress)
    documents = _encode(model, list(bank.texts), batch_size, progress)
    positives = bank.places([pair.positive_id for pair in pairs])
    places = [distinct[text] for text in texts]
    rankings: list[Ranking] = []
    positive_scores = np.empty(len(pairs), dtype=np.float64)
    for start in range(0, len(pairs), _BLOCK):
        block = slice(start, start + _BLOCK)
        scores = queries[torch.tensor(places[block], device=queries.device)] @ documents.T
        # Bank ids rise with the place, so a stable sort breaks ties by id.
        sorted_scores, order = torch.sort(scores, dim=1, descending=True, stable=True)
        kept_ids = bank.ids[order[:, :top].cpu().numpy()]
        kept_scores = sorted_scores[:, :top].cpu().numpy().astype(np.float64)
        score_rows = scores.cpu().numpy()
        positive_scores[block] = score_rows[np.arange(len(score_rows)), positives[block]]
        rankings.extend(
            Ranking(key=pair.query_key, ids=ids, scores=values)
            for pair, ids, values in zip(pairs[block], kept_ids, kept_scores, strict=True)
        )
    return BankRankings(rankings=rankings, positive_scores=positive_scores)


def mine_with_model(
    model: "SentenceTransformer",
    pairs: Sequence[TrainingPair],
    texts: Sequence[str],
    bank: BankTexts,
    rule: MiningRule,
    *,
    near_duplicates: Mapping[int, Collection[int]] | None,
    seed: int,
    batch_size: int = 64,
    progress: bool = False,
) -> MinedNegatives:
    """Mine each pair's negatives from the model's own rankings; see `mine_negatives` for the guards."""
    ranked = rank_bank(model, pairs, texts, bank, top=rule.rank_window[1], batch_size=batch_size, progress=progress)
    return mine_negatives(
        ranked.rankings,
        [pair.labels for pair in pairs],
        per_query=rule.per_query,
        rank_window=rule.rank_window,
        skip_top=rule.skip_top,
        absolute_margin=rule.absolute_margin,
        relative_margin=rule.relative_margin,
        near_duplicates=near_duplicates,
        seed=seed,
        positive_scores=ranked.positive_scores,
        bank_ids=bank.ids,
    )


def random_negatives(
    pairs: Sequence[TrainingPair],
    bank: BankTexts,
    *,
    per_query: int,
    near_duplicates: Mapping[int, Collection[int]] | None,
    seed: int,
) -> MinedNegatives:
    """Draw each pair's negatives evenly from the bank; every one is counted as `padded`."""
    empty = np.empty(0)
    return mine_negatives(
        [Ranking(key=pair.query_key, ids=empty.astype(np.int64), scores=empty) for pair in pairs],
        [pair.labels for pair in pairs],
        per_query=per_query,
        near_duplicates=near_duplicates,
        seed=seed,
        bank_ids=bank.ids,
    )


def bank_embeddings(model: "SentenceTransformer", bank: BankTexts, *, batch_size: int = 64) -> npt.NDArray[np.float32]:
    """Return the bank's normalised embeddings, float32, shape (m, d)."""
    array: npt.NDArray[np.float32] = _encode(model, list(bank.texts), batch_size, False).cpu().numpy()
    return array


def _encode(model: "SentenceTransformer", texts: list[str], batch_size: int, progress: bool) -> "torch.Tensor":
    import torch

    encoded: torch.Tensor = model.encode(
        texts,
        prompt="",  # prompts are part of the texts here; the model's default one would come on top
        batch_size=batch_size,
        show_progress_bar=progress,
        convert_to_tensor=True,
        normalize_embeddings=True,
    )
    return encoded.float()
