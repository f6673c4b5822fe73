"""Train a reasoner: a small language model that writes hints as a teacher did."""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.artifacts import content_hash
from core.errors import InputError
from core.hint_table import Hint
from core.lora import PRESETS
from core.models import LocalModel, locate_model
from core.records import Query, Question, queries_of
from eval.splits import question_folds
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.hint_job import HintJob, read_hint_job, read_template
from pipelines.hint_settings import ReasonerTrainingSettings
from pipelines.job import check_model_folder, check_positions, fingerprints
from pipelines.plan import split_training
from pipelines.precisions import DTYPES
from pipelines.reasoners import KIND
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.writer_settings import WriterSettings
from pipelines.writing import check_writer
from synth.hint_parsing import HintLimits, answer_text, first_paragraph, parse_hint
from synth.hint_prompt import HintPrompt
from synth.lessons import Lesson
from synth.train_reasoner import TrainedReasoner, train_reasoner
from synth.verdicts import Verdict

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Train a small language model to write hints (why would a student answer this?) from the hints of a teacher, by the
config's [reasoner_training], and write it to --output: a LoRA adapter, or the whole model. Labels are not read.

The questions that [split] holds out for validation are not learnt from. With --folds K there are K reasoners,
fold0 … in --output, each of which never saw the hints of one fold (the same folds as evaluate_retrieval.py's): together
they write honest hints for every training question. With --all-rows nothing is held out: for test questions alone.
write_hints.py --reasoner asks each question of a reasoner that did not learn from it, and refuses where there is none.
A run that was killed goes on from its last checkpoint."""

EPILOG = """\
examples:
  python pipelines/train_reasoner.py --train train.csv --hints hints.csv --output models/reasoner --folds 5
  python pipelines/write_hints.py --train train.csv --reasoner models/reasoner --output runs/hints
  python pipelines/train_reasoner.py ... --config reasoner.toml --set reasoner_training.base=models/qwen"""

_COSTS_ONLY = {"base", "base_revision", "template", "checkpoint_steps", "micro_tokens", "gradient_checkpointing"}
"""Settings that reach the manifest by another key, or that change no weight (but for rounding and dropout's draws)."""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    data = made.add_argument_group("data")
    data.add_argument("--train", type=Path, metavar="T.csv", help="questions; labels are not read")
    data.add_argument(
        "--hints", type=Path, action="append", default=[], metavar="H.csv", help="a teacher's hints; may be repeated"
    )
    data.add_argument("--output", type=Path, metavar="DIR", help="folder to write into; made if missing")
    rows = made.add_mutually_exclusive_group()
    rows.add_argument("--all-rows", action="store_true", help="learn from every question: for test questions alone")
    rows.add_argument("--folds", type=int, metavar="K", help="K reasoners, each without one of K folds")
    made.add_argument("--only-fold", type=int, metavar="I", help="with --folds: train fold I (from 0) alone")
    options = parse_arguments(made, arguments)
    options.test = None
    found: list[LocalModel] = []
    prompts: list[HintPrompt] = []

    def check(settings: Settings) -> None:
        training = settings.reasoner_training
        found.append(locate_model(training.base, revision=training.base_revision))
        check_positions(found[0], training.max_tokens, "reasoner_training.max_tokens")
        asked = WriterSettings(model=training.base, revision=training.base_revision)
        check_writer("reasoner_training.base", asked, Settings())

    def check_prompt(settings: Settings) -> None:
        training = settings.reasoner_training
        prompts.append(read_template("reasoner_training.template", training.template, training.form))

    job = read_hint_job(
        options,
        needed=("train", "hints", "output"),
        checks=(check, check_prompt, lambda _: _check_options(options)),
    )
    records = []
    for output, part, rest in _parts(job, options):
        stages = Stages(folder=output.parent)
        _reasoner(job, stages, output.name, part, rest, base=found[0], prompt=prompts[0])
        records.append((output, stages))
    for output, stages in records:
        sys.stdout.write(f"{stages.summary()}\nWritten:\n  {output}\n")
    sys.stdout.write(f"Write hints with it:\n  write_hints.py --reasoner {job.output} …\n")


def _check_options(options: argparse.Namespace) -> None:
    faults = []
    if options.folds is not None and options.folds < 2:
        faults.append(f"--folds {options.folds}: expected at least 2")
    if options.only_fold is not None and not 0 <= options.only_fold < (options.folds or 0):
        faults.append(f"--only-fold {options.only_fold}: expected --folds K and a fold from 0 to K - 1")
    if options.folds is None:
        check_model_folder(options.output)
    if faults:
        raise InputError(faults)


def _parts(job: HintJob, options: argparse.Namespace) -> list[tuple[Path, tuple[Question, ...], tuple[Question, ...]]]:
    """Return for each reasoner its folder, the questions that it learns from, and those that it never sees."""
    output = job.output.absolute()  # `.` has no name
    if options.all_rows:
        return [(output, job.train, ())]
    if options.folds is None:
        split = split_training(job.train, job.settings.split)
        return [(output, split.train, split.validation)]
    folds = question_folds(job.train, k=options.folds, seed=job.settings.split.seed)
    wanted = range(len(folds)) if options.only_fold is None else [options.only_fold]
    return [(output / f"fold{number}", folds[number].train, folds[number].validation) for number in wanted]


def _reasoner(
    job: HintJob,
    stages: Stages,
    name: str,
    part: Sequence[Question],
    rest: Sequence[Question],
    *,
    base: LocalModel,
    prompt: HintPrompt,
) -> None:
    """Make one reasoner, or reuse it while nothing changed."""
    training = job.settings.reasoner_training
    lessons = _lessons(job, part, prompt)
    if not lessons:
        raise InputError(
            f"{name}: expected hints of the {len(part)} questions to learn from, came none that can be taught; see "
            "the messages above"
        )
    logger.info("%s: %d hints of %d questions to learn from", name, len(lessons), len(part))
    if training.method == "qlora":
        logger.warning(
            "warning: the adapter is trained on the 4-bit base: write with an engine of quantization = 'bitsandbytes'"
        )
    made_from: dict[str, Any] = {
        "artifact": KIND,
        "model": base.name,
        "revision": base.revision,
        "form": training.form,
        "template": prompt.to_text(),
        "lessons": content_hash([asdict(lesson) for lesson in lessons]),
        "training": training.model_dump(mode="json", exclude=_COSTS_ONLY),
        "device": job.settings.retriever.device,
        "fitted_on": fingerprints(part),
    }

    def make(folder: Path) -> None:
        held_out = _lessons(job, rest, prompt, tell=False)[: training.measured]
        _tell(_train(job.settings, base, lessons, held_out, folder))

    stages.artifact(name, made_from, make)


def _lessons(job: HintJob, questions: Sequence[Question], prompt: HintPrompt, *, tell: bool = True) -> list[Lesson]:
    """Return what hints teach; those that would be rejected, were a model to write them, are counted and left out."""
    training, limits = job.settings.reasoner_training, job.settings.hints
    kept = HintLimits(shortest=limits.shortest, longest=limits.longest, longest_reasoning=limits.longest_reasoning)
    lessons: list[Lesson] = []
    left_out: dict[str, int] = {}
    shortened = 0
    for query in queries_of(questions):
        if query.key not in job.hints:
            continue
        given = job.hints[query.key]
        hint = first_paragraph(given) if training.first_paragraph else given
        answer = _answer(hint, training)
        verdict = parse_hint(answer, form=training.form, limits=kept) if answer else None
        if answer is None or isinstance(verdict, Verdict):
            reason = verdict.reason if isinstance(verdict, Verdict) and verdict.reason else "no reasoning"
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        shortened += hint != given
        lessons.append(_lesson(query, prompt, answer))
    if not tell:
        return lessons
    for reason, count in sorted(left_out.items()):
        logger.warning("warning: %d hints are not taught: %s", count, reason)
    if shortened:
        logger.info("%d of %d hints are taught by their first paragraph alone", shortened, len(lessons))
    return lessons


def _answer(hint: Hint, training: ReasonerTrainingSettings) -> str | None:
    return None if training.form == "json" and hint.reasoning is None else answer_text(hint, training.form)


def _lesson(query: Query, prompt: HintPrompt, answer: str) -> Lesson:
    return Lesson(key=query.key, messages=prompt.messages(query), answer=answer)


def _train(
    settings: Settings, base: LocalModel, lessons: Sequence[Lesson], held_out: Sequence[Lesson], folder: Path
) -> TrainedReasoner:
    training = settings.reasoner_training
    preset = PRESETS[training.preset]
    return train_reasoner(
        base.folder,
        lessons,
        output_dir=folder,
        held_out=held_out,
        method=training.method,
        lora=replace(preset, alpha=training.alpha or preset.alpha, dropout=training.adapter_dropout),
        base_name=base.name,
        epochs=training.epochs,
        batch_lessons=training.batch_lessons,
        micro_tokens=training.micro_tokens,
        max_tokens=training.max_tokens,
        learning_rate=training.learning_rate,
        warmup=training.warmup_ratio,
        weight_decay=training.weight_decay,
        gradient_checkpointing=training.gradient_checkpointing,
        seed=training.seed,
        device=settings.retriever.device,
        precision=DTYPES[training.precision],
        checkpoint_steps=training.checkpoint_steps,
    )


def _tell(result: TrainedReasoner) -> None:
    measured = ""
    if result.held_out_before is not None and result.held_out_after is not None:
        measured = f"; held-out hints {result.held_out_before:.3f} before, {result.held_out_after:.3f} after"
    logger.info(
        "learnt from %d hints, %d left out as too long; losses (nats a token) %s%s",
        result.lessons,
        len(result.too_long),
        ", ".join(f"{loss:.3f}" for loss in result.losses),
        measured,
    )


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again to go on from the last checkpoint."))
