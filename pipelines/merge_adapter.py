"""Merge a LoRA adapter into its base: the 16-bit base or the dequantised 4-bit one, whichever ranks better."""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.adapter_merge import INTO, Into, check_merge, merge_adapter, merged_bytes
from core.artifacts import differing_keys
from core.disk import require_space
from core.errors import ConfigError
from core.models import LocalModel, vouched_key
from pipelines.adapter_job import AdapterJob, add_adapter_options, read_adapter_job
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.held_out_scores import Candidate, HeldOutScore, HeldOutScores
from pipelines.placing import place_folder
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.trained_adapters import TrainedAdapter, carried, with_scored

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Merge a LoRA adapter (of a reranker or of a retriever) into its base and write a whole model to --output: safetensors,
config, tokenizer, chat template; for a retriever its pooling too.

A QLoRA adapter was trained on the base rounded to 4 bits. Merged into the 16-bit base it is another model than the one
that was trained; merged into the 4-bit base dequantised it is that model. Which of them ranks better is measured where
--train and --misconceptions are given: MAP@25 on the held-out part of `[split]`, by the reranker (or retriever) itself;
the better one is kept, and both numbers are in its manifest. Without data, name one with --into.

The weights are read and written file by file. Merging needs disk for the merged model (twice while both are compared)
and, for the dequantised base, memory for the model in 4 bits (0.6 GB per billion parameters). A run that was killed
goes on."""

EPILOG = """\
examples:
  python pipelines/merge_adapter.py --adapter models/listwise --into dequantised --dtype bfloat16 --output models/merged
  python pipelines/merge_adapter.py --adapter models/listwise --output models/merged \\
      --train train.csv --misconceptions bank.csv --retriever models/listwise.work/retriever
  python pipelines/end_to_end.py ... --reranker listwise:models/merged

exit status: 0 done, 2 bad input (nothing was written), 130 interrupted"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    made.add_argument("--adapter", type=Path, metavar="DIR", help="a LoRA adapter in peft's format")
    add_adapter_options(made)
    options = parse_arguments(made, arguments)
    task = read_adapter_job(
        options,
        [options.adapter] if options.adapter else [],
        needs_base=True,
        four_bit=False,  # what is measured is merged
        checks=(partial(_check_fits, options),),
        check_unmeasured=partial(_check_unmeasured, options),
    )
    output = options.output.absolute()  # `.` has no name
    stages = Stages(folder=options.work or output.with_name(f"{output.name}.work"))
    merges = _Merges(task, options, stages)
    adapter, job = merges.adapter, task.job
    scores: dict[Into, HeldOutScore] = {}
    scored_on: list[str] = []
    measured = ""
    if job is not None:
        require_space(stages.folder, merges.disk_needed(_asked(options)))
        known = carried([adapter])["fitted_on"]
        held_out = HeldOutScores(job, stages, given=task.given, table=task.table, known=known)
        scores = {one: held_out.score(merges.candidate(one)) for one in _asked(options)}
        held_out.close()
        scored_on = held_out.held_out if len(scores) > 1 else []
        measured = f"\nMAP@25 on {held_out.queries} held-out wrong answers:\n{_told(scores)}\n"
    best = better(scores) if scores else _asked(options)[0]
    # The model lies outside the work folder, but its stage is told with the others.
    Stages(folder=output.parent, records=stages.records).artifact(
        output.name,
        {
            **merges.made_from(best),
            **with_scored(carried([adapter]), scored_on),
            "scores": {one: score.to_json() for one, score in scores.items()},
        },
        lambda folder: merges.write(best, folder),
    )
    for one in INTO:
        shutil.rmtree(stages.folder / _name(one), ignore_errors=True)
    sys.stdout.write(f"\nStages:\n{stages.summary()}\n{measured}\nMerged into the {best} base. Written:\n  {output}\n")


def better(scores: dict[Into, HeldOutScore]) -> Into:
    """Return the merge with the higher MAP@25; of equal ones the higher alone, then the model that was trained."""
    return max(scores, key=lambda one: (scores[one].map25, scores[one].alone or 0.0, one == "dequantised"))


def _told(scores: dict[Into, HeldOutScore]) -> str:
    return "\n".join(
        f"  {one:<12} {score.map25:.4f}" + ("" if score.alone is None else f"   alone {score.alone:.4f}")
        for one, score in scores.items()
    )


def _name(into: Into) -> str:
    return f"merged-{into}"


class _Merges:
    """One adapter on its base, merged as asked."""

    def __init__(self, task: AdapterJob, options: argparse.Namespace, stages: Stages) -> None:
        assert task.base is not None  # it was needed
        self.adapter, self._base = task.adapters[0], task.base
        self._dtype, self._device, self._stages = options.dtype, task.settings.retriever.device, stages

    def made_from(self, into: Into) -> dict[str, Any]:
        return {
            "artifact": "merged model",
            "model": self._base.name,
            "revision": self._base.revision,
            **vouched_key(self._base),
            "adapter": self.adapter.model.name,
            "adapter_revision": self.adapter.model.revision,
            "into": into,
            "dtype": self._dtype,
            "device": self._device if into == "dequantised" else None,
        }

    def candidate(self, into: Into) -> Candidate:
        return Candidate(name=into, made_from=self.made_from(into), make=partial(self._ready, into), is_adapter=False)

    def disk_needed(self, asked: Sequence[Into]) -> int:
        """Return the bytes of all merges that are still to be made and measured; they lie side by side."""
        folder = self._stages.folder
        there = [(folder / f"score-{one}.json").is_file() or (folder / _name(one)).is_dir() for one in asked]
        return there.count(False) * merged_bytes(self._base.folder, dtype=self._dtype)

    def write(self, into: Into, output: Path) -> None:
        """Write the merge: the one of the work folder where that was measured now, else a new one."""
        ready = self._stages.folder / _name(into)
        if differing_keys(ready, self._ready_from(into)) != ():
            self._merge(into, output)
            return
        place_folder(ready, output)

    def _ready(self, into: Into) -> Path:
        """Return the merged model in the work folder, where both lie until one is chosen."""
        return self._stages.artifact(_name(into), self._ready_from(into), partial(self._merge, into))

    def _ready_from(self, into: Into) -> dict[str, Any]:
        return {**self.made_from(into), **carried([self.adapter])}

    def _merge(self, into: Into, output: Path) -> None:
        merge_adapter(
            self._base.folder,
            self.adapter.model.folder,
            output,
            into=into,
            dtype=self._dtype,
            device=self._device,
        )


def _check_fits(options: argparse.Namespace, adapters: Sequence[TrainedAdapter], base: LocalModel | None) -> None:
    """Check that the adapter can be merged as asked, by the headers of the base's files."""
    for into in _asked(options):
        if base is not None:
            check_merge(base.folder, [one.adapter for one in adapters], into=into, dtype=options.dtype)


def _asked(options: argparse.Namespace) -> tuple[Into, ...]:
    return (options.into,) if options.into else INTO


def _check_unmeasured(options: argparse.Namespace) -> None:
    if options.into is None:
        raise ConfigError(
            "--into: expected 16bit or dequantised, or --train and --misconceptions to measure which is better"
        )


if __name__ == "__main__":
    sys.exit(run_main(main))
