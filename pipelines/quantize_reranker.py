"""Quantise a reranker's model on the task's own prompts, and refuse the result where it lost quality."""

import argparse
import logging
import sys
import time
from pathlib import Path

from core.artifacts import write_json
from core.errors import ConfigError, InputError, RefusedError
from core.inputs import output_folder_fault
from core.models import LocalModel, locate_model
from core.records import Question
from core.tables import read_questions
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.gate_report import gate_lines, write_gate_report
from pipelines.gate_stage import Gated, run_gate
from pipelines.job import Job, add_data_options, check_length, check_model_folder, read_job
from pipelines.open_reranker import check_reranker, check_reranker_texts, resolve_reranker
from pipelines.plan import data_warnings
from pipelines.prompt_lengths import check_prompt_lengths
from pipelines.quantize_checks import check_questions, settings_checks
from pipelines.quantize_stage import QuantizeRun
from pipelines.reranker_settings import LANGUAGE_MODELS, RerankerSettings
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from rerank.quantize import BACK_ENDS

logger = logging.getLogger(__name__)

NAMED = "given"
"""Name of the table that `--reranker KIND:MODEL` becomes."""

DESCRIPTION = """\
Quantise the language model of a listwise or pointwise reranker, and measure what that costs.

An adapter is merged into its base first. Calibration prompts are the task's own: training questions with their
candidates, in both orders, never a held-out question. The back end (`quantization.back_end`) writes 4-bit (or FP8)
weights, which are checked against the model's. Then the gate asks both models about held-out queries: MAP@25 with its
interval, the share of prompts with the same best label, KL over the labels, the queries that lost most. Only a model
within the config's thresholds is put under --output, with the gate's numbers in its manifest, tokenizer and chat
template beside it. Everything else is kept in --work, so that a run that was killed goes on."""

EPILOG = """\
examples:
  python pipelines/quantize_reranker.py --train train.csv --misconceptions bank.csv --output models/reranker-w4 \\
      --reranker listwise:models/Qwen2.5-14B-Instruct --adapter models/listwise
  python pipelines/quantize_reranker.py ... --back-end auto-round --set quantization.iterations=400
  make quantizer-env NAME=llmcompressor        (the back end's environment, once)

exit status: 0 accepted, 2 bad input, 3 refused by the gate (nothing is put under --output), 130 interrupted"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made)
    made.add_argument("--reranker", metavar="SPEC", help="listwise:MODEL, pointwise:MODEL, or NAME of a table")
    made.add_argument("--adapter", type=Path, metavar="DIR", help="a LoRA adapter over the model, merged first")
    made.add_argument("--back-end", choices=tuple(BACK_ENDS), help="what quantises (default: quantization.back_end)")
    made.add_argument("--calibration", type=Path, metavar="Q.csv", help="calibrate on these questions instead")
    made.add_argument("--retriever", metavar="MODEL", help="stage 1 uses this model as it is")
    made.add_argument("--work", type=Path, metavar="DIR", help="where everything else is kept (default: OUTPUT.work)")
    options = parse_arguments(made, arguments)
    started = time.perf_counter()
    job, given = _job(options)
    own = read_questions(options.calibration, columns=job.settings.columns).questions if options.calibration else None
    output = job.output.absolute()
    stages = Stages(folder=_work(options))
    one = StageOneRun(job, stages, job.train, given=given)
    chosen = _chosen(options, job.settings)
    check_questions(job, chosen, one.plan.validation, own or ())
    run = QuantizeRun(one, chosen, stages, own=own)
    run.quantised()
    gated = run_gate(run)
    _write_gate(job, run, gated)
    result = gated.result
    text = "\n".join(gate_lines(result))
    if not result.accepted:
        sys.stdout.write(f"\nStages:\n{stages.summary()}\n\n{text}\n")
        raise RefusedError(
            [
                *result.refusals,
                f"nothing was put under {job.output}; the checkpoint stays in {stages.folder / 'quantised'}, the "
                f"report says which queries lost: {stages.folder / 'report.html'}",
                "try another back end, more calibration prompts, or a smaller group size; quantization.map_delta and "
                "quantization.agreement are what is accepted",
            ]
        )
    run.publish(output, gated.to_json())
    seconds = time.perf_counter() - started
    sys.stdout.write(
        f"\nStages ({seconds:.0f} s in all):\n{stages.summary()}\n\n{text}\n\nWritten:\n  {job.output}   "
        f"({BACK_ENDS[job.settings.quantization.back_end].reads}, which vLLM reads)\n"
        f"  {stages.folder / 'report.html'}\nUse it by:\n  [rerankers.NAME]\n"
        f'  kind = "{chosen.kind}"\n  model = "{job.output}"\n  engine = "NAME of an [engines.NAME] of kind vllm"\n'
    )


def _job(options: argparse.Namespace) -> tuple[Job, LocalModel | None]:
    found: list[LocalModel] = []

    def adjust(settings: Settings) -> Settings:
        if options.back_end is None:
            return settings
        return settings.model_copy(
            update={"quantization": settings.quantization.model_copy(update={"back_end": options.back_end})}
        )

    def check_retriever(settings: Settings) -> None:
        if options.retriever is not None:
            found.append(locate_model(options.retriever, revision=settings.retriever.revision))
            check_length(found[0], settings)

    def check_spec(settings: Settings) -> None:
        chosen = _chosen(options, settings)
        tables = {**settings.rerankers, NAMED: chosen}
        check_reranker(NAMED)(settings.model_copy(update={"rerankers": tables}))

    def check_folders(settings: Settings) -> None:
        check_model_folder(options.output)
        if options.output is not None and (fault := output_folder_fault(_work(options))):
            raise InputError(f"--work: {fault}")
        if options.calibration is not None and not options.calibration.is_file():
            raise InputError(f"--calibration {options.calibration}: expected a CSV of questions, there is no such file")

    work = _work(options) if options.output is not None else Path()
    deeper = settings_checks(lambda settings: _chosen(options, settings), work)
    job = read_job(options, checks=(check_retriever, check_spec, check_folders, *deeper), adjust=adjust)
    chosen = _chosen(options, job.settings)
    check_reranker_texts(job, chosen)
    check_prompt_lengths(job, chosen)
    return job, found[0] if found else None


def _work(options: argparse.Namespace) -> Path:
    output: Path = options.output.absolute()  # `.` has no name
    return options.work or output.with_name(f"{output.name}.work")


def _chosen(options: argparse.Namespace, settings: Settings) -> RerankerSettings:
    """Return the table of the reranker, with the command line's adapter.

    Raises:
        ConfigError: It reads no language model.
    """
    spec = options.reranker or settings.reranker
    chosen = resolve_reranker(spec, settings)
    if chosen.kind not in LANGUAGE_MODELS:
        raise ConfigError(
            f"--reranker {spec}: expected listwise:MODEL, pointwise:MODEL or a table of these kinds, came kind "
            f"'{chosen.kind}': only language models are quantised here"
        )
    return chosen.model_copy(update={"adapter": str(options.adapter)}) if options.adapter else chosen


def _write_gate(job: Job, run: QuantizeRun, gated: Gated) -> None:
    folder = run.stages.folder
    write_json(folder / "gate.json", {**gated.to_json(), "refusals": list(gated.result.refusals)})
    settings = job.settings.quantization
    fitted: tuple[Question, ...] = run.one.plan.fit
    provenance = [
        ("Model", f"{run.chosen.model}" + (f", adapter {run.chosen.adapter}" if run.chosen.adapter else "")),
        ("Back end", f"{settings.back_end}, group size {settings.group_size}, {settings.prompts} calibration prompts"),
        ("Measured through", str(gated.facts["measured_through"])),
        ("Files", ", ".join(job.sources)),
        ("Bank", f"{len(job.bank)} misconceptions"),
    ]
    write_gate_report(
        folder / "report.html",
        gated,
        job.bank,
        fitted=fitted,
        resamples=job.settings.bootstrap,
        provenance=provenance,
        warnings=[*data_warnings(job, frozenset(), []), *[(text, 1) for text in job.inputs.warnings]],
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
