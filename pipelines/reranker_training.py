"""What the trainings of all rerankers share: their stages, what a result was made from, and its validation score."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from core.artifacts import content_hash, differing_keys
from core.models import LocalModel
from core.stage_one_fusion import StageOneForm, fuse_with_stage_one
from pipelines.job import fingerprints
from pipelines.out_of_fold import OutOfFold
from pipelines.plan import precision_metric
from pipelines.reranker_recipe import RerankerRecipe
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.synthetic_settings import SyntheticSettings
from pipelines.teachers import taught_by
from pipelines.train_stage import fitted_on, told_losses, warn_of_overlap
from rerank.processes import is_first_process
from rerank.reranker import Reranker
from rerank.training_run import TrainedReranker

logger = logging.getLogger(__name__)

Recipe = TypeVar("Recipe", bound=RerankerRecipe)


def training_stages(one: StageOneRun, found: OutOfFold) -> tuple[OutOfFold | None, OutOfFold]:
    """Return the rows to train on before all others, and those to train on then.

    Args:
        one: Its config says how made questions take part.
        found: Real rows, and made ones after them.

    Returns:
        With `synthetic.mode = "first"` the made rows and the real ones, each of weight 1; else None and all rows.
    """
    if not found.weights or one.job.settings.synthetic.mode == "mixed":
        return None, found
    return found.part(slice(found.real, None)), found.part(slice(0, found.real))


def first_recipe(recipe: Recipe, synthetic: SyntheticSettings) -> Recipe:
    """Return the recipe of the stage on made rows: its own epochs and rate; no score, so the last epoch is kept."""
    own: dict[str, Any] = {"epochs": synthetic.epochs or recipe.epochs, "patience": None}
    if synthetic.learning_rate is not None:
        own["learning_rate"] = synthetic.learning_rate
    return recipe.model_copy(update=own)


def rows_facts(
    one: StageOneRun, base: LocalModel, found: OutOfFold, recipe: RerankerRecipe, *, left_out: set[str]
) -> dict[str, Any]:
    """Return what every stage of a reranker's training depends on, for manifests.

    Args:
        one: Stage 1.
        base: What training starts from.
        found: The rows.
        recipe: How it is trained.
        left_out: Keys of the recipe that reach the manifest otherwise, or that change no weight.
    """
    return {
        "model": base.name,
        "revision": base.revision,
        "candidates": content_hash([[r.key, r.ids.tolist(), r.scores.tolist()] for r in found.candidates]),
        "training": recipe.model_dump(mode="json", exclude=left_out),
        "device": one.job.settings.retriever.device,
    }


def result_facts(
    one: StageOneRun, base: LocalModel, found: OutOfFold, *, scored: str | None, teacher: str | None = None
) -> dict[str, Any]:
    """Return what a manifest says of the last stage alone, and warn where base or teacher know held-out questions.

    Args:
        one: Stage 1: its fitted part is trained on.
        base: What training starts from; what it has by heart, the reranker has too.
        found: The rows.
        scored: What the validation score depends on, besides the model; None where no score chooses the epoch.
        teacher: The file of a teacher's rankings; what it knows, the reranker may know.
    """
    by_base, by_teacher = fitted_on(base), taught_by(teacher)
    validation = fingerprints(one.plan.validation)
    for name, known in ((base.name, by_base), (f"the teacher of {teacher}", by_teacher)):
        warn_of_overlap(name, known, validation)
    return {
        "artifact": "reranker",
        **({"weights": content_hash(found.weights)} if found.weights else {}),
        "scored": scored,
        "fitted_on": sorted(by_base | by_teacher | set(fingerprints(one.plan.fit))),
        "scored_on": validation if scored else [],
    }


def made_by_all(stages: Stages, path: Path, made_from: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
    """Return an artifact that the launched processes make together; the first one alone writes its manifest.

    Args:
        stages: Told of the stage.
        path: Where it goes, inside the work folder or not.
        made_from: See `Stages.artifact`.
        make: Likewise; called in every process.
    """
    if is_first_process():
        return Stages(folder=path.parent, records=stages.records).artifact(path.name, made_from, make)
    if differing_keys(path, made_from) != ():
        make(path)
    return path


def validation_map(
    one: StageOneRun, *, weight: float, depth: int, form: StageOneForm = "rank"
) -> Callable[[Reranker], float]:
    """Return MAP@25 of a reranker in memory on the held-out part, fused with stage 1.

    Args:
        one: Stage 1.
        weight: The reranker's share.
        depth: Candidates that it is given.
        form: See `fuse_with_stage_one`.
    """
    queries, candidates = one.plan.queries, one.validation_candidates()
    cut = [ranking.top(depth) for ranking in candidates]
    metric = precision_metric(queries)

    def score(reranker: Reranker) -> float:
        reranked = reranker.rerank(queries, cut, one.job.bank)
        return float(metric(fuse_with_stage_one(candidates, reranked, weight=weight, form=form)).mean())

    return score


def validation_rows(one: StageOneRun) -> list[list[Any]]:
    """Return the held-out queries' keys and candidates, for the hash of what a score depends on."""
    return [[ranking.key, ranking.ids.tolist()] for ranking in one.validation_candidates()]


def log_training(result: TrainedReranker, rows: str, further: str = "") -> None:
    """Say what a training came to.

    Args:
        result: What it made.
        rows: What it was trained on, for people.
        further: What else there is to say.
    """
    told = told_losses(result.losses, result.scores, result.best_epoch)
    logger.info("trained %d epochs over %s; losses %s%s", result.epochs, rows, told, further and f"; {further}")
