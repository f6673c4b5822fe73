"""What written hints do to MAP@25 of stage 1, beside none and the teacher's own, on folds of whole questions.

In each fold a reasoner learns from the hints of the other folds and writes those of this one; then

    no hints    a retriever trained and asked without hints
    real        trained and asked with the teacher's hints
    written     trained with the teacher's hints, asked with the reasoner's
    untaught    the same, asked with the hints of the base model as it is (--untaught)
    retrained   trained and asked with the reasoners' hints (--retrain, when every fold has been through once)

    python benchmarks/hint_quality.py DATA --work runs/hint_quality --only-fold 0      # … 4, several at once
    python benchmarks/hint_quality.py DATA --work runs/hint_quality --summarise

DATA is --train, --misconceptions, --hints, --config, --set as for the pipelines; the reasoner's base and recipe are
[reasoner_training]'s. What is done is not done again.
"""

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.artifacts import write_json
from core.config import load_config
from core.hint_table import Hint, read_hints
from core.inputs import check_inputs
from core.records import Question, queries_of
from core.tables import write_questions
from eval.intervals import bootstrap_interval, paired_randomisation_test
from eval.metrics import average_precisions, recalls
from eval.splits import question_folds, seen_labels
from pipelines import train_reasoner, write_hints
from pipelines.cli import set_up_logging
from pipelines.job import Job
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.texts import text_forms

logger = logging.getLogger("pipelines.benchmark")


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    set_up_logging(0)
    if options.summarise:
        summarise(options.work)
        return
    settings = load_config(Settings, options.config, options.overrides)
    inputs = check_inputs(misconceptions=options.misconceptions, train=options.train, hints=[options.hints])
    job = Job(settings=settings, inputs=inputs, output=options.work, forms=text_forms(settings.text), sources=())
    fold = question_folds(job.train, k=options.folds, seed=settings.split.seed)[options.only_fold]
    work = options.work / f"fold{options.only_fold}"
    scored = list(fold.validation)
    asked: dict[str, Mapping[str, Hint]] = {"no hints": {}, "real": dict(inputs.hints)}
    asked["written"] = with_new(inputs.hints, written(options, work), scored)
    if options.untaught:
        asked["untaught"] = with_new(inputs.hints, untaught(options, work, scored), scored)
    if options.retrain:
        files = [options.work / f"fold{number}" / "written" / "hints.csv" for number in range(options.folds)]
        asked["retrained"] = read_hints(files)
    result: dict[str, Any] = {"precision": {}, "recall": {}, "hinted": {}}
    for name, hints in asked.items():
        of_run = replace(job, inputs=replace(inputs, hints=hints))
        # Those that train with the teacher's hints train on the same texts: one retriever, in one folder.
        folder = {"no hints": "plain", "retrained": "retrained"}.get(name, "hinted")
        stages = Stages(folder=work / folder)
        queries = of_run.queries(scored, labelled_only=True)
        rankings = StageOneRun(of_run, stages, fold.train, given=None).candidates(queries)
        labels = {query.key: query.labels for query in queries}
        result["precision"][name] = average_precisions(rankings, labels).tolist()
        result["recall"][name] = recalls(rankings, labels, k=25).tolist()
        result["hinted"][name] = sum(query.hint is not None for query in queries)
        logger.info("fold %d, %s: MAP@25 %.4f", options.only_fold, name, np.mean(result["precision"][name]))
    seen = seen_labels(fold.train)
    result["keys"] = list(labels)
    result["unseen"] = [seen.isdisjoint(own) for own in labels.values()]
    write_json(options.work / f"fold{options.only_fold}.json", result)


def with_new(real: Mapping[str, Hint], made: Mapping[str, Hint], scored: Sequence[Question]) -> dict[str, Hint]:
    """Return the real hints of the rows trained on, and the made ones of the rows that are scored."""
    keys = {query.key for query in queries_of(scored)}
    return {key: hint for key, hint in real.items() if key not in keys} | {
        key: hint for key, hint in made.items() if key in keys
    }


def written(options: argparse.Namespace, work: Path) -> dict[str, Hint]:
    """Return the hints of a fold that its reasoner wrote."""
    base = [*shared(options), "--train", str(options.train)]
    models = options.work / "reasoners"
    part = ["--folds", str(options.folds), "--only-fold", str(options.only_fold)]
    train_reasoner.main([*base, "--hints", str(options.hints), "--output", str(models), *part])
    model = models / f"fold{options.only_fold}"
    write_hints.main([*base, "--reasoner", str(model), "--skip-learnt", "--output", str(work / "written")])
    return read_hints([work / "written" / "hints.csv"])


def untaught(options: argparse.Namespace, work: Path, scored: Sequence[Question]) -> dict[str, Hint]:
    """Return the hints of a fold that the base model writes without having been taught."""
    settings = load_config(Settings, options.config, options.overrides)
    questions = work / "questions.csv"
    write_questions(questions, list(scored))
    model = ["--model", settings.reasoner_training.base, "--set", "hints.form=plain"]
    write_hints.main([*shared(options), "--train", str(questions), *model, "--output", str(work / "untaught")])
    return read_hints([work / "untaught" / "hints.csv"])


def shared(options: argparse.Namespace) -> list[str]:
    config = ["--config", str(options.config)] if options.config else []
    return [*config, *(part for text in options.overrides for part in ("--set", text))]


def summarise(work: Path) -> None:
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(work.glob("fold*.json"))]
    if not parts:
        sys.exit(f"{work}: holds no fold*.json; run the folds first")
    names = [name for name in parts[0]["precision"] if all(name in part["precision"] for part in parts)]
    groups = [key.rpartition("_")[0] for part in parts for key in part["keys"]]
    unseen = np.array([new for part in parts for new in part["unseen"]])
    rows = []
    for name in names:
        values = joined(parts, "precision", name)
        low, high = bootstrap_interval(values, groups, seed=0, resamples=10_000)
        row: dict[str, Any] = {
            "run": name,
            "map@25": round(float(values.mean()), 4),
            "interval": [round(low, 4), round(high, 4)],
            "seen": round(float(values[~unseen].mean()), 4) if not unseen.all() else None,
            "unseen": round(float(values[unseen].mean()), 4) if unseen.any() else None,
            "recall@25": round(float(joined(parts, "recall", name).mean()), 4),
            "hinted": sum(part["hinted"][name] for part in parts),
        }
        for other in names[: names.index(name)]:
            test = paired_randomisation_test(values, joined(parts, "precision", other), groups, seed=0)
            row[f"against {other}"] = {
                "difference": round(test.difference, 4),
                "interval": [round(test.low, 4), round(test.high, 4)],
                "p": round(test.p, 5),
            }
        rows.append(row)
    write_json(work / "summary.json", {"folds": len(parts), "queries": len(groups), "runs": rows})
    for row in rows:
        sys.stdout.write(f"{row}\n")


def joined(parts: Sequence[Mapping[str, Any]], measure: str, name: str) -> np.ndarray:
    return np.array([value for part in parts for value in part[measure][name]])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--train", type=Path)
    made.add_argument("--misconceptions", type=Path)
    made.add_argument("--hints", type=Path)
    made.add_argument("--config", type=Path)
    made.add_argument("--set", dest="overrides", action="append", default=[])
    made.add_argument("--work", type=Path, required=True)
    made.add_argument("--folds", type=int, default=5)
    made.add_argument("--only-fold", type=int, default=0)
    made.add_argument("--untaught", action="store_true", help="also the base model's own hints")
    made.add_argument("--retrain", action="store_true", help="also a retriever trained with written hints")
    made.add_argument("--summarise", action="store_true")
    return made


if __name__ == "__main__":
    main()
