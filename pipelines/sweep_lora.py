"""Sweep an adapter's alpha, then its rank: the two numbers of LoRA that a model's size says nothing about."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import ConfigError, InputError
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import Job, add_data_options, read_job
from pipelines.plan import Plan, make_plan
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.sweep_grid import point_settings, read_items
from pipelines.sweep_point import point_score
from pipelines.sweep_results import Factor, SweepRow, by_map, table, write_plot, write_table

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Train a retriever's adapter (training.method lora or qlora) for one epoch at a fixed rank and every alpha; then, at the
alpha with the best MAP@25, at every rank. Each point is scored on a validation part held out as `[split]` says. An
adapter's output is multiplied by alpha / rank, so alpha acts like a learning rate: find it first. The learning rate
rises linearly over training.warmup_ratio and falls along a cosine.

Writes into --output:

  sweep.csv             a line a point, best MAP@25 first
  sweep.png             seen and unseen MAP@25 against alpha (at the fixed rank) and rank (at the best alpha)
  points/NAME/          each point's score; with --keep-models the trained adapter too
  run.json              the best alpha and rank, times, versions and machine

A sweep that was stopped goes on where it was; a point whose score is there is not trained again."""

EPILOG = """\
examples:
  python pipelines/sweep_lora.py --train train.csv --misconceptions bank.csv --output runs/lora \\
      --config pipelines/configs/llm_retriever_80gb.toml
  python pipelines/sweep_lora.py ... --config pipelines/configs/llm_retriever_cpu.toml --alphas 8,32 --ranks 4,16"""


@dataclass(frozen=True, kw_only=True, order=True)
class LoraPoint:
    """One shape of an adapter, trained for some epochs."""

    rank: int
    alpha: int
    epochs: int

    @property
    def name(self) -> str:
        """The folder of this point, e.g. `r16-a32`."""
        return f"r{self.rank}-a{self.alpha}" + ("" if self.epochs == 1 else f"-e{self.epochs}")

    def overrides(self) -> list[str]:
        """Return what this point changes in a config, as `--set` takes it."""
        return [
            f"training.lora.rank={self.rank}",
            f"training.lora.alpha={self.alpha}",
            f"training.epochs={self.epochs}",
        ]


COLUMNS: tuple[Factor[LoraPoint], ...] = (
    Factor(column="rank", title="rank", short="rank", value=lambda point: point.rank),
    Factor(column="alpha", title="alpha", short="alpha", value=lambda point: point.alpha),
)


@dataclass(frozen=True, kw_only=True)
class LoraSweep:
    """What is swept: alphas at one rank, then ranks at the best alpha."""

    rank: int
    alphas: tuple[int, ...]
    ranks: tuple[int, ...]
    epochs: int

    def of_alpha(self) -> list[LoraPoint]:
        """Return the points of the first half."""
        return [LoraPoint(rank=self.rank, alpha=alpha, epochs=self.epochs) for alpha in self.alphas]

    def of_rank(self, alpha: int) -> list[LoraPoint]:
        """Return the points of the second half; the one that the first half has already is left out."""
        points = [LoraPoint(rank=rank, alpha=alpha, epochs=self.epochs) for rank in self.ranks]
        return [point for point in points if point not in self.of_alpha()]

    def panels(self, alpha: int) -> tuple[Factor[LoraPoint], ...]:
        """Return the panels of the plot: each shows the points that differ in it alone."""
        return (
            Factor(
                column="alpha",
                title=f"alpha, at rank {self.rank}",
                short="alpha",
                value=lambda point: point.alpha if point.rank == self.rank else None,
            ),
            Factor(
                column="rank",
                title=f"rank, at alpha {alpha}",
                short="rank",
                value=lambda point: point.rank if point.alpha == alpha else None,
            ),
        )


def read_sweep(*, rank: int, alphas: str, ranks: str, epochs: int) -> LoraSweep:
    """Read two comma-separated lists.

    Raises:
        InputError: An item cannot be read, or a number is below 1; names all of them.
    """
    faults: list[str] = []
    found = [
        tuple(read_items(option, text, int, "whole numbers, as in 8,16,32", faults))
        for option, text in (("--alphas", alphas), ("--ranks", ranks))
    ]
    faults += [
        f"{option}: expected numbers of at least 1; came {number}"
        for option, numbers in (
            ("--rank", (rank,)),
            ("--alphas", found[0]),
            ("--ranks", found[1]),
            ("--epochs", (epochs,)),
        )
        for number in numbers
        if number < 1
    ]
    if faults:
        raise InputError(faults)
    return LoraSweep(rank=rank, alphas=found[0], ranks=found[1], epochs=epochs)


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made)
    made.add_argument("--alphas", default="2,4,8,16,32,64", metavar="N,N,…", help="default: %(default)s")
    made.add_argument("--rank", type=int, default=16, metavar="R", help="rank while alpha is swept; %(default)s")
    made.add_argument("--ranks", default="4,8,16,32,64", metavar="N,N,…", help="default: %(default)s")
    made.add_argument("--epochs", type=int, default=1, metavar="N", help="epochs a point; default: %(default)s")
    made.add_argument("--keep-models", action="store_true", help="keep each point's adapter; else deleted once scored")
    options = parse_arguments(made, arguments)
    found: list[LoraSweep] = []

    def check_sweep(settings: Settings) -> None:
        sweep = read_sweep(rank=options.rank, alphas=options.alphas, ranks=options.ranks, epochs=options.epochs)
        every = [*sweep.of_alpha(), *(point for alpha in sweep.alphas for point in sweep.of_rank(alpha))]
        point_settings(every, options.config, options.overrides)
        found.append(sweep)

    job = read_job(options, checks=(check_sweep, _check_recipe))
    (sweep,) = found
    plan = make_plan(job, job.train)
    stages = Stages(folder=job.output)
    points = _Points(job=job, plan=plan, stages=stages, config=options.config, overrides=options.overrides)
    rows = points.scored(sweep.of_alpha(), keep_models=options.keep_models)
    alpha = by_map(rows)[0].point.alpha
    logger.info("best alpha at rank %d: %d", sweep.rank, alpha)
    rows = by_map([*rows, *points.scored(sweep.of_rank(alpha), keep_models=options.keep_models)])
    stages.timed("sweep.csv", lambda: write_table(job.output / "sweep.csv", rows, COLUMNS))
    stages.timed("sweep.png", lambda: write_plot(job.output / "sweep.png", rows, sweep.panels(alpha)))
    best = rows[0].point
    stages.write_run({"command": sys.argv, "best": {"rank": best.rank, "alpha": best.alpha}})
    sys.stdout.write(f"\nStages:\n{stages.summary()}\n\n{len(plan.queries)} labelled wrong answers held out\n")
    sys.stdout.write(
        f"{table(rows, COLUMNS)}\n\nBest alpha at rank {sweep.rank}: {alpha}. Best of all: --set "
        f"training.lora.rank={best.rank} --set training.lora.alpha={best.alpha}\n\n"
        f"Written:\n  {job.output / 'sweep.csv'}\n  {job.output / 'sweep.png'}\n"
    )


def _check_recipe(settings: Settings) -> None:
    """Refuse a recipe without an adapter, or in stages with epochs of their own."""
    training = settings.training
    faults = []
    if training.method == "full":
        faults.append("training.method: expected lora or qlora, whose alpha and rank are swept; came full")
    if training.stages:
        faults.append("training.stages: expected none, since each point trains --epochs epochs on the real rows")
    if faults:
        raise ConfigError(faults)


@dataclass(frozen=True, kw_only=True)
class _Points:
    """Points are trained and scored one after the other."""

    job: Job
    plan: Plan
    stages: Stages
    config: Path | None
    overrides: Sequence[str]

    def scored(self, points: Sequence[LoraPoint], *, keep_models: bool) -> list[SweepRow[LoraPoint]]:
        """Return the points with their scores."""
        rows = []
        for point, settings in zip(points, point_settings(points, self.config, self.overrides), strict=True):
            logger.info("rank %d, alpha %d", point.rank, point.alpha)
            own = Stages(folder=self.job.output / "points" / point.name)
            score = point_score(replace(self.job, settings=settings), self.plan, own, keep_model=keep_models)
            self.stages.records += [replace(record, name=f"{point.name}/{record.name}") for record in own.records]
            rows.append(SweepRow(point=point, score=score))
        return rows


if __name__ == "__main__":
    sys.exit(run_main(main))
