"""Average LoRA adapters of one base: of what they add, or of their factors; weights by hand, by score, or greedy."""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.adapter_average import METHODS, MOST_SERVED_RANK, average_adapters, check_average
from core.adapter_merge import check_fits, check_merge
from core.artifacts import differing_keys, write_json
from core.average_weights import Soup, equal_weights, greedy_soup, score_weights, stated_weights
from core.errors import ConfigError, InputError
from core.models import LocalModel
from pipelines.adapter_job import AdapterJob, add_adapter_options, read_adapter_job
from pipelines.cli import check_all, parse_arguments, parser, run_main
from pipelines.held_out_scores import Candidate, HeldOutScore, HeldOutScores
from pipelines.placing import place_folder
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.trained_adapters import TrainedAdapter, carried, with_scored

logger = logging.getLogger(__name__)

RESULT = "average.json"
"""What the result says of itself, inside its folder: method, rank, and its distance from the exact mean."""

DESCRIPTION = """\
Average several LoRA adapters of one base (of rerankers, or of retrievers) into one, written to --output.

--method says of what:
  concatenate  the mean of what the adapters add, exactly: an adapter of the summed rank (engines serve up to 512)
  svd          the same, cut to --rank; the error that this makes is told
  merge        the same, exactly, merged into the base's weights: a whole model
  factors      the mean of the A and of the B factors: common, but NOT the mean of what the adapters add; how far it is
               from that is told

--weights says how much each counts: `equal`, numbers by hand (2,1,1), `score` (in proportion to its MAP@25 on the
held-out part), or `greedy` (from the best single one on, each next one stays if MAP@25 does not fall). The last two need
--train and --misconceptions; with these each adapter and the average are measured, and the numbers are in the manifest.

Adapters of different bases, target modules, prompts or tasks, DoRA adapters, and those with whole modules or biases are
refused. A run that was killed goes on."""

EPILOG = """\
examples:
  python pipelines/average_adapters.py --adapters models/fold0 models/fold1 models/fold2 --output models/average
  python pipelines/average_adapters.py --adapters models/fold? --method svd --rank 64 --weights 2,1,1 --output models/average
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
    averages = _Averages(task, options, stages)
    told = _Told()
    shares = _shares(averages, options.weights, told)
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


class _Told:
    """What was measured."""

    def __init__(self) -> None:
        self.singles: list[HeldOutScore] = []
        self.soup: Soup | None = None
        self.average: HeldOutScore | None = None

    def to_json(self, adapters: Sequence[TrainedAdapter]) -> dict[str, Any] | None:
        if self.average is None:
            return None
        singles = {one.model.name: score.to_json() for one, score in zip(adapters, self.singles, strict=True)}
        trail = self.soup and [[list(members), round(score, 6), stays] for members, score, stays in self.soup.trail]
        return {"singles": singles, "soup": trail, "average": self.average.to_json()}


class _Averages:
    """Averages of some adapters, by one method."""

    def __init__(self, task: AdapterJob, options: argparse.Namespace, stages: Stages) -> None:
        self.adapters, self._base, self._options, self._stages = task.adapters, task.base, options, stages
        self._device = task.settings.retriever.device
        self.held_out: HeldOutScores | None = None
        if task.job is not None:
            known = carried(task.adapters)["fitted_on"]
            self.held_out = HeldOutScores(task.job, stages, given=task.given, table=task.table, known=known)

    def single(self, place: int) -> Candidate:
        one = self.adapters[place]
        made_from = {"adapter_revision": one.model.revision, "base": self._base.revision if self._base else None}
        return Candidate(name=f"adapter-{place}", made_from=made_from, make=lambda: one.model.folder, is_adapter=True)

    def candidate(self, shares: Sequence[float]) -> Candidate:
        """Return the average at some shares; a share of 0 leaves the adapter out."""
        return Candidate(
            name=_name(shares),
            made_from=self.made_from(shares),
            make=lambda: self._stages.artifact(_name(shares), self._ready_from(shares), partial(self._make, shares)),
            is_adapter=self._options.method != "merge",
        )

    def made_from(self, shares: Sequence[float]) -> dict[str, Any]:
        first = self.adapters[0].adapter
        merged = self._options.method == "merge"
        return {
            "artifact": "averaged adapters",
            "model": self._base.name if self._base else first.base_name,
            "revision": self._base.revision if self._base else first.base_revision,
            "adapters": [
                [one.model.name, one.model.revision, round(share, 9)]
                for one, share in zip(self.adapters, shares, strict=True)
                if share > 0
            ],
            "method": self._options.method,
            "rank": self._options.rank,
            "merged": [self._options.into or "16bit", self._options.dtype, self._device] if merged else None,
        }

    def write(self, shares: Sequence[float], output: Path) -> None:
        """Write the average: the one of the work folder where that was measured now, else a new one."""
        ready = self._stages.folder / _name(shares)
        if differing_keys(ready, self._ready_from(shares)) == ():
            place_folder(ready, output)
        else:
            self._make(shares, output)

    def remove(self) -> None:
        """Remove the averages that were measured; their numbers stay."""
        for folder in self._stages.folder.glob("average-*"):
            if folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)

    def _ready_from(self, shares: Sequence[float]) -> dict[str, Any]:
        return {**self.made_from(shares), **carried(self.adapters)}

    def _make(self, shares: Sequence[float], output: Path) -> None:
        options = self._options
        chosen = [(one.model.folder, share) for one, share in zip(self.adapters, shares, strict=True) if share > 0]
        found = average_adapters(
            [folder for folder, _ in chosen],
            output,
            method=options.method,
            weights=[share for _, share in chosen],
            rank=options.rank,
            max_lora_rank=options.max_lora_rank,
            base=self._base.folder if self._base and options.method == "merge" else None,
            into=options.into or "16bit",
            dtype=options.dtype,
            device=self._device,
        )
        told = {"method": found.method, "rank": found.rank, "error": found.error, "worst": found.worst}
        write_json(output / RESULT, told)


def _shares(averages: _Averages, asked: str, told: _Told) -> list[float]:
    """Return the share of each adapter, 1 together; 0 leaves it out."""
    count, held_out = len(averages.adapters), averages.held_out
    if held_out is not None:
        told.singles = [held_out.score(averages.single(place)) for place in range(count)]
    scores = [score.map25 for score in told.singles]
    if asked == "equal":
        return equal_weights(count)
    if asked == "score":
        return score_weights(scores)
    if asked != "greedy":
        return stated_weights(_numbers(asked))
    assert held_out is not None  # checked

    def score_of(members: tuple[int, ...]) -> float:
        return held_out.score(averages.candidate(_equal(members, count))).map25

    told.soup = greedy_soup(scores, score_of)
    return _equal(told.soup.members, count)


def _equal(members: Sequence[int], count: int) -> list[float]:
    return [1.0 / len(members) if place in members else 0.0 for place in range(count)]


def _name(shares: Sequence[float]) -> str:
    return "average-" + "-".join(f"{place}x{share:.3f}" for place, share in enumerate(shares) if share > 0)


def _numbers(asked: str) -> list[float]:
    try:
        return [float(part) for part in asked.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--weights: expected equal, score, greedy, or a number for each adapter (2,1,1), got '{asked}'"
        ) from error


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
        numbers = _numbers(options.weights)
        if len(numbers) != len(read):
            raise ConfigError(f"--weights: expected a number for each of {len(read)} adapters, got {len(numbers)}")
        stated_weights(numbers)

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


def _table(adapters: Sequence[TrainedAdapter], shares: Sequence[float], told: _Told) -> str:
    """Return a line an adapter: its share and, where measured, its numbers; the average last."""
    names = [one.model.name for one in adapters]
    width = max(map(len, [*names, "average"]))
    lines = [f"  {'':<{width}}  share" + ("" if told.average is None else "  MAP@25   alone")]
    scores: list[HeldOutScore | None] = [*(told.singles or [None] * len(names)), told.average]
    for name, share, score in zip([*names, "average"], [*shares, 1.0], scores, strict=True):
        alone = "" if score is None or score.alone is None else f"  {score.alone:.4f}"
        lines.append(f"  {name:<{width}}  {share:5.3f}" + ("" if score is None else f"  {score.map25:.4f}{alone}"))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_main(main))
