"""Stage 2 at work: a reranker chosen by its SPEC, fused with stage 1, and the prior for unseen labels."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from core.artifacts import content_hash, require_match
from core.errors import ConfigError, ModelError, did_you_mean
from core.fitting import fit_weight, reweighted_mean
from core.fusion import add_unseen_prior
from core.models import locate_model
from core.prior import fit_unseen_prior
from core.records import Misconception, Query, Ranking
from core.stage_one_fusion import fuse_with_stage_one
from pipelines.job import Job
from pipelines.plan import Plan, precision_metric
from pipelines.settings import RerankerSettings, Settings
from pipelines.stage_one_weights import expected_share
from pipelines.train_stage import own_manifest
from rerank.cross_encoder import CrossEncoderReranker
from rerank.identity import IdentityReranker
from rerank.reranker import Reranker
from retrieval.text import MisconceptionTemplate, misconception_text, query_text

logger = logging.getLogger(__name__)

KINDS: tuple[str, ...] = get_args(RerankerSettings.model_fields["kind"].annotation)


@dataclass(frozen=True, kw_only=True)
class StageTwoWeights:
    """How a reranker's scores are mixed with stage 1, and the prior that is added.

    Attributes:
        weight: The reranker's share, 0 to 1.
        prior: Added to the score of every entry without a training example; 0 is off.
        prior_gain: MAP@25 with the prior minus without, cross-fitted on the inner split; None where it was not fitted.
    """

    weight: float
    prior: float
    prior_gain: float | None

    def to_json(self) -> dict[str, float | None]:
        """Return the weights for a file."""
        return asdict(self)


def resolve_reranker(spec: str, settings: Settings) -> RerankerSettings:
    """Return the settings of a reranker SPEC: `identity`, `KIND:MODEL_DIR`, or the name of a `[rerankers.NAME]` table.

    Raises:
        ConfigError: The SPEC is none of these.
    """
    if spec in settings.rerankers:
        return settings.rerankers[spec]
    if spec == "identity":
        return RerankerSettings(candidates=25)
    kind, colon, model = spec.partition(":")
    if colon and model and kind in KINDS and kind != "identity":
        return RerankerSettings.model_validate({"kind": kind, "model": model})
    known = ["identity", *settings.rerankers]
    raise ConfigError(
        f"reranker '{spec}': expected identity, KIND:MODEL_DIR with KIND one of {', '.join(KINDS)}, or a "
        f"[rerankers.NAME] table of the config; there is {', '.join(known)}{did_you_mean(spec, known)}"
    )


def check_reranker(spec: str) -> Callable[[Settings], None]:
    """Return a check that a SPEC is known and its model there, for `read_job`."""

    def check(settings: Settings) -> None:
        chosen = resolve_reranker(spec, settings)
        if chosen.model is not None:
            _check_is_cross_encoder(spec, locate_model(chosen.model).folder)

    return check


def _check_is_cross_encoder(spec: str, folder: Path) -> None:
    """Refuse a bi-encoder: the library would open it with a random head and rank at random."""
    config = folder / "config.json"
    names = json.loads(config.read_text(encoding="utf-8")).get("architectures") if config.is_file() else None
    if not any(name.endswith("ForSequenceClassification") for name in names or []):
        raise ModelError(
            f"reranker '{spec}': {folder} is no cross-encoder (config.json names {names or 'no architecture'}); "
            "make one with pipelines/train_reranker.py"
        )


def reranker_made_from(job: Job, chosen: RerankerSettings) -> dict[str, Any]:
    """Return what a reranker's scores depend on besides its candidates, for manifests."""
    model = locate_model(chosen.model) if chosen.model else None
    return {
        "kind": chosen.kind,
        "model_revision": model.revision if model else None,
        "depth": chosen.candidates,
        "max_length": chosen.max_length,
        "texts": reranker_texts_hash(job),
    }


def reranker_query_text(job: Job) -> Callable[[Query], str]:
    """Return how a query is written for a cross-encoder: as for the retriever, the hint first where there is one."""
    template = job.forms.hint_view
    fields = job.forms.query.fields

    def text(query: Query) -> str:
        written = query_text(query, job.forms.query)
        if template is None or not query.hint or "hint" in fields:
            return written
        return f"{query_text(query, template)}\n{written}"

    return text


def reranker_candidate_text(job: Job) -> Callable[[Misconception], str]:
    """Return how a candidate is written for a cross-encoder: its name alone, which costs a tenth of an explanation."""
    template = MisconceptionTemplate(latex=job.settings.text.latex)
    return lambda entry: misconception_text(entry, template)


def reranker_texts_hash(job: Job) -> str:
    """Return what pins a cross-encoder's texts: it must be used with those it was trained with."""
    forms = job.forms
    return content_hash(
        [forms.query.hash(), forms.hint_view.hash() if forms.hint_view else None, job.settings.text.latex]
    )


def check_reranker_texts(job: Job, chosen: RerankerSettings) -> None:
    """Refuse a model that this project trained with other texts than the config's; a foreign model's are not known.

    Raises:
        ArtifactMismatchError: The texts differ.
    """
    model = locate_model(chosen.model) if chosen.model else None
    if model is not None and own_manifest(model):
        require_match(model.folder, {"texts": reranker_texts_hash(job)})


def open_reranker(job: Job, chosen: RerankerSettings) -> Reranker:
    """Load a reranker.

    Raises:
        ArtifactMismatchError: The model was trained by this project with other texts than the config's.
        ModelError: The model cannot be loaded.
    """
    if chosen.kind == "identity" or chosen.model is None:
        return IdentityReranker()
    check_reranker_texts(job, chosen)
    return CrossEncoderReranker.load(
        locate_model(chosen.model).folder,
        query_text=reranker_query_text(job),
        candidate_text=reranker_candidate_text(job),
        batch_size=chosen.batch_size,
        device=job.settings.retriever.device,
        max_length=chosen.max_length,
        show_progress=True,
    )


def fit_stage_two(
    job: Job,
    plan: Plan,
    chosen: RerankerSettings,
    candidates: Sequence[Ranking],
    reranked: Sequence[Ranking],
    *,
    half: int | None,
    seen: frozenset[int],
) -> StageTwoWeights:
    """Fit the fusion weight, then the prior for unseen labels, on one half of the validation part (None: all of it).

    Args:
        job: The job.
        plan: Holds the validation queries.
        chosen: The reranker; its grid of weights.
        candidates: Stage 1's rankings of the validation queries.
        reranked: The reranker's.
        half: Which half to fit on.
        seen: The labels with a training example.
    """
    rows = plan.rows(half)
    mask = [plan.unseen[row] for row in rows]
    share = expected_share(job, mask)
    queries = [plan.queries[row] for row in rows]
    metric = precision_metric(queries)
    first, second = [candidates[row] for row in rows], [reranked[row] for row in rows]

    def score(weight: float) -> float:
        return reweighted_mean(metric(_mixed(chosen, first, second, weight)), mask, share)

    weight = 0.0 if chosen.kind == "identity" else fit_weight(chosen.weights, score).value
    if not job.settings.prior.enabled or len(set(mask)) < 2:
        return StageTwoWeights(weight=weight, prior=0.0, prior_gain=None)
    prior = fit_unseen_prior(
        _mixed(chosen, first, second, weight),
        [query.labels for query in queries],
        seen,
        grid=job.settings.prior.grid,
        unseen_share=share,
        metric=lambda rankings, _: metric(rankings),
    )
    return StageTwoWeights(weight=weight, prior=prior.value, prior_gain=prior.with_prior - prior.without_prior)


def apply_stage_two(
    chosen: RerankerSettings,
    candidates: Sequence[Ranking],
    reranked: Sequence[Ranking],
    weights: StageTwoWeights,
    *,
    seen: frozenset[int],
) -> list[Ranking]:
    """Return the final rankings: reranker and stage 1 mixed, the prior added."""
    mixed = _mixed(chosen, candidates, reranked, weights.weight)
    return add_unseen_prior(mixed, seen=seen, prior=weights.prior) if weights.prior else mixed


def _mixed(
    chosen: RerankerSettings, candidates: Sequence[Ranking], reranked: Sequence[Ranking], weight: float
) -> list[Ranking]:
    if chosen.kind == "identity" or weight == 0.0:
        return list(candidates)
    return fuse_with_stage_one(candidates, reranked, weight=weight, form=chosen.fusion)
