"""Average LoRA adapters of one base: of what they add, or of their factors; weights by hand, by score, or greedy."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from core.adapter_average import METHODS, MOST_SERVED_RANK, check_average
from core.adapter_merge import check_fits, check_merge
from core.average_weights import stated_weights
from core.errors import ConfigError, InputError
from core.models import LocalModel
from pipelines.adapter_averages import RESULT, Averages, AverageScores, numbers, shares_of
from pipelines.adapter_job import add_adapter_options, read_adapter_job
from pipelines.cli import check_all, parse_arguments, parser, run_main
from pipelines.held_out_scores import HeldOutScore
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.trained_adapters import TrainedAdapter, carried, with_scored

DESCRIPTION = """\
Average several LoRA adapters of one base (of rerankers, or of retrievers) into one, written to --output.

--method says of what:
  concatenate  the mean of what the adapters add, exactly: an adapter of the summed rank (engines serve up to 512)
  svd          the same, cut to --rank; the error that this makes is told
  merge        the same, exactly, merged into the base's weights: a whole model
  factors      the mean of the A and of the B factors: common, but NOT the mean of what the adapters add; how far it is
               from that is told

--weights says how much each counts: `equal`, numbers by hand (2,1,1), `score` (in proportion to its MAP@25 on the
held-out part), or `greedy` (from the best single one on, each next one stays if MAP@25 does not fall). The last two
need --train and --misconceptions; with these each adapter and the average are measured, and the numbers are in the
manifest.

Adapters of different bases, target modules, prompts or tasks, DoRA adapters, and those with whole modules or biases are
refused. A run that was killed goes on."""

EPILOG = """\
examples:
  python pipelines/average_adapters.py --adapters models/fold0 models/fold1 models/fold2 --output models/average
  python pipelines/average_adapters.py --adapters models/fold? --method svd --rank 64 --weights 2,1,1 \\
      --output models/average
  python pipelines/average_adapters.py --adapters models/seed? --weights greedy --output models/soup \\
      --train train.csv --misconceptions bank.csv --retriever models/seed0.work/retriever

exit status: 0 done, 2 bad input (nothing was written), 130 interrupted"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    made.add_argument("--adapters", type=Path, nargs="+", default=[], metavar="DIR", help="two or more, of one base")
    made.add_argument("--method", choices=METHODS, default="concatenate", help="default: %(default)s")
    made.add_argument("--rank", type=int, metavar="R", help="svd: of the average; default: the adapters' largest")
    made.add_argument("--weights", default="equal", metavar="W", help="equal, score, greedy, or numbers (2,1,1)")
    made.add_argument(
        "--max-lora-rank", type=int, default=MOST_SERVED_RANK, metavar="R", help="of the engine (default: %(default)s)"
    )
    add_adapter_options(made)
    options = parse_arguments(made, arguments)
    task = read_adapter_job(
        options,
        options.adapters,
        needs_base=options.method == "merge",
        four_bit=True,
        checks=(partial(_check, options),),
        check_unmeasured=partial(_check_unmeasured, options),
    )
    output = options.output.absolute()  # `.` has no name
    stages = Stages(folder=options.work or output.with_name(f"{output.name}.work"))
    averages = Averages(task, options, stages)
    told = AverageScores()
    shares = shares_of(averages, options.weights, told)
    if averages.held_out is not None:
        told.average = averages.held_out.score(averages.candidate(shares))
        averages.held_out.close()
    chosen_on = averages.held_out.held_out if averages.held_out and options.weights in ("score", "greedy") else []
    # The result lies outside the work folder, but its stage is told with the others.
    Stages(folder=output.parent, records=stages.records).artifact(
        output.name,
        {
            **averages.made_from(shares),
            **with_scored(carried(task.adapters), chosen_on),
            "scores": told.to_json(task.adapters),
        },
        lambda folder: averages.write(shares, folder),
    )
    averages.remove()
    sys.stdout.write(
        f"\nStages:\n{stages.summary()}\n\n{_table(task.adapters, shares, told)}\n\nWritten:\n  {output}\n"
    )
    sys.stdout.write(f"  {(output / RESULT).read_text(encoding='utf-8')}")


def _check(options: argparse.Namespace, adapters: Sequence[TrainedAdapter], base: LocalModel | None) -> None:
    """Check that the adapters go together, and fit the base where it is known."""
    read = [one.adapter for one in adapters]
    merges = options.method == "merge" and base is not None

    def check_count() -> None:
        if len(read) < 2:
            raise ConfigError(f"--adapters: expected two or more, got {len(read)}")

    def check_together() -> None:
        check_average(
            read,
            method=options.method,
            rank=options.rank,
            max_lora_rank=options.max_lora_rank,
            base=base.folder if merges and base else None,
        )

    def check_weights() -> None:
        if options.weights in ("equal", "score", "greedy"):
            return
        stated = numbers(options.weights)
        if len(stated) != len(read):
            raise ConfigError(f"--weights: expected a number for each of {len(read)} adapters, got {len(stated)}")
        stated_weights(stated)

    def check_on_base() -> None:
        if merges and base is not None:
            check_merge(base.folder, read, into=options.into or "16bit", dtype=options.dtype)
        elif base is not None:
            check_fits(base.folder, read)
        if options.into is not None and options.method != "merge":
            raise ConfigError(f"--into: is read by the method merge only; the method is {options.method}")

    check_all([check_count, check_together, check_weights, check_on_base])


def _check_unmeasured(options: argparse.Namespace) -> None:
    if options.weights in ("score", "greedy"):
        raise InputError(f"--weights {options.weights}: needs --train and --misconceptions to measure on")


def _table(adapters: Sequence[TrainedAdapter], shares: Sequence[float], told: AverageScores) -> str:
    """Return a line an adapter: its share and, where measured, its numbers; the average last."""
    names = [one.model.name for one in adapters]
    width = max(map(len, [*names, "average"]))
    lines = [f"  {'':<{width}}  share" + ("" if told.average is None else "  MAP@25   alone")]
    singles: Sequence[HeldOutScore | None] = told.singles or [None] * len(names)
    scores = [*singles, told.average]
    for name, share, score in zip([*names, "average"], [*shares, 1.0], scores, strict=True):
        alone = "" if score is None or score.alone is None else f"  {score.alone:.4f}"
        lines.append(f"  {name:<{width}}  {share:5.3f}" + ("" if score is None else f"  {score.map25:.4f}{alone}"))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_main(main))
