"""Sweep the numbers that contrastive training depends on most: batch, hard negatives, rank window, temperature."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import Job, add_data_options, read_job
from pipelines.plan import Plan, make_plan
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.sweep_grid import Point, grid_points, point_settings
from pipelines.sweep_point import point_score
from pipelines.sweep_results import SweepRow, by_map, table, write_plot, write_table

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Train a retriever for every combination of batch size, hard negatives a row, rank window and temperature, and score
each on a validation part held out of the training file as `[split]` says: MAP@25 over all queries, over those with a
label that training shows (seen) and over the others (unseen), and recall@25.

Writes into --output:

  sweep.csv             a line a point, best MAP@25 first
  sweep.png             seen and unseen MAP@25 against each of the four
  points/NAME/          each point's score; with --keep-models the trained model too
  run.json              times, versions and machine

A sweep that was stopped goes on where it was; a point whose score is there is not trained again."""

EPILOG = """\
examples:
  python pipelines/sweep_negatives.py --train train.csv --misconceptions bank.csv --output runs/sweep
  python pipelines/sweep_negatives.py ... --batch-sizes 64,128,256 --negatives 0,4 --windows 1-50 --temperatures 0.05
  python pipelines/sweep_negatives.py ... --config pipelines/configs/gpu.toml --set split.unseen_share=0.6"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made, synthetic=True)
    made.add_argument("--batch-sizes", default="32,128", metavar="N,N,…", help="default: %(default)s")
    made.add_argument("--negatives", default="0,2,4,8", metavar="N,N,…", help="hard negatives a row; %(default)s")
    made.add_argument("--windows", default="1-50,10-100", metavar="A-B,…", help="ranks to draw from; %(default)s")
    made.add_argument("--temperatures", default="0.02,0.05", metavar="T,T,…", help="default: %(default)s")
    made.add_argument("--keep-models", action="store_true", help="keep each point's model; else it is deleted, scored")
    options = parse_arguments(made, arguments)
    points: list[Point] = []
    settings: list[Settings] = []

    def check_points(_: Settings) -> None:
        points.extend(
            grid_points(
                batch_sizes=options.batch_sizes,
                negatives=options.negatives,
                windows=options.windows,
                temperatures=options.temperatures,
            )
        )
        settings.extend(point_settings(points, options.config, options.overrides))

    job = read_job(options, checks=(check_points,))
    plan = make_plan(job, job.train)
    stages = Stages(folder=job.output)
    rows = _sweep(job, plan, stages, list(zip(points, settings, strict=True)), keep_models=options.keep_models)
    rows = by_map(rows)
    stages.timed("sweep.csv", lambda: write_table(job.output / "sweep.csv", rows))
    stages.timed("sweep.png", lambda: write_plot(job.output / "sweep.png", rows))
    stages.write_run({"command": sys.argv})
    sys.stdout.write(f"\nStages:\n{stages.summary()}\n\n{len(plan.queries)} labelled wrong answers held out\n")
    sys.stdout.write(f"{table(rows)}\n\nWritten:\n  {job.output / 'sweep.csv'}\n  {job.output / 'sweep.png'}\n")


def _sweep(
    job: Job, plan: Plan, stages: Stages, points: Sequence[tuple[Point, Settings]], *, keep_models: bool
) -> list[SweepRow[Point]]:
    rows = []
    for number, (point, settings) in enumerate(points, start=1):
        logger.info("point %d of %d: %s", number, len(points), point.name)
        own = Stages(folder=job.output / "points" / point.name)
        score = point_score(replace(job, settings=settings), plan, own, keep_model=keep_models)
        stages.records += [replace(record, name=f"{point.name}/{record.name}") for record in own.records]
        rows.append(SweepRow(point=point, score=score))
    return rows


if __name__ == "__main__":
    sys.exit(run_main(main))
