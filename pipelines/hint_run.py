"""The run of `write_hints.py`: queries shared out among models, asked through one ledger, written with their source."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from core.artifacts import content_hash, manifest_path, write_json, write_manifest
from core.errors import InputError
from core.hint_table import write_hints
from core.records import Query
from pipelines.engine_pool import EnginePool
from pipelines.hint_job import HintJob
from pipelines.hint_settings import Form
from pipelines.reasoners import Reasoner, assign
from pipelines.settings import Settings
from pipelines.writer_settings import WriterSettings
from pipelines.writing import AskingBar, open_writer
from synth.hint_parsing import HintLimits
from synth.hint_prompt import HintPrompt
from synth.hints import HintSampling, HintsWritten, HintWriter, WrittenHint
from synth.ledger import Asked, Ledger
from synth.verdicts import Verdict

logger = logging.getLogger(__name__)

FILE, LEDGER, SUMMARY = "hints.csv", "requests.jsonl", "summary.json"
_SHORT = 16
"""Digits of a hash in the CSV: enough to find the line of the ledger."""


@dataclass(frozen=True, kw_only=True)
class HintPart:
    """Queries that one model is asked about.

    Attributes:
        writer: The model.
        prompt: What is asked.
        form: What the answer looks like.
        queries: The queries.
    """

    writer: WriterSettings
    prompt: HintPrompt
    form: Form
    queries: tuple[Query, ...]


def is_served(chosen: WriterSettings, settings: Settings) -> bool:
    """Return whether a writer's engine is a server."""
    return chosen.engine in settings.engine_names and settings.engine(chosen.engine).base_url is not None


def hint_parts(
    settings: Settings,
    prompt: HintPrompt,
    queries: Sequence[Query],
    reasoners: Sequence[Reasoner],
    *,
    skip_learnt: bool = False,
) -> list[HintPart]:
    """Share queries out among the models: the config's one, or of several reasoners one that did not learn from it.

    Args:
        settings: The config.
        prompt: The config's; reasoners bring their own.
        queries: The queries.
        reasoners: None for the config's model.
        skip_learnt: Leave out queries of whose questions every reasoner learnt, with a warning.

    Raises:
        InputError: There are such queries and they are not left out, or nothing is left.
    """
    chosen = settings.hints
    if not reasoners:
        return [HintPart(writer=chosen.writer, prompt=prompt, form=chosen.form, queries=tuple(queries))]
    places = assign(queries, reasoners)
    learnt = [query.key for query, place in zip(queries, places, strict=True) if place is None]
    if learnt and (not skip_learnt or len(learnt) == len(queries)):
        raise InputError(
            f"--reasoner: {len(learnt)} of {len(queries)} wrong answers (for example {learnt[0]}) are of questions "
            "that every reasoner given learnt from; give reasoners of train_reasoner.py --folds"
            + ("" if skip_learnt else ", or leave these out with --skip-learnt")
        )
    if learnt:
        logger.warning(
            "warning: %d wrong answers are left out: every reasoner learnt from their questions", len(learnt)
        )
    return [
        HintPart(
            writer=reasoner.writer(chosen.writer, served=is_served(chosen.writer, settings)),
            prompt=reasoner.prompt,
            form=reasoner.form,
            queries=tuple(query for query, own in zip(queries, places, strict=True) if own == place),
        )
        for place, reasoner in enumerate(reasoners)
        if place in places
    ]


@dataclass(kw_only=True)
class _Outcome:
    """What came of all parts."""

    hints: dict[str, WrittenHint] = field(default_factory=dict)
    missing: dict[str, Verdict] = field(default_factory=dict)
    rejections: Counter[str] = field(default_factory=Counter)

    def add(self, made: HintsWritten) -> None:
        self.hints |= made.hints
        self.missing |= made.missing
        self.rejections += made.rejections


def write_parts(job: HintJob, parts: Sequence[HintPart]) -> str:
    """Ask for all hints and write them, their manifest and a summary; return what to tell.

    Raises:
        InputError: No hint was written, or the disk is full; answered requests are kept.
        UserError: Nothing is answered any more.
    """
    outcome = _Outcome()
    wanted = [query.key for part in parts for query in part.queries]
    with (
        Ledger(job.output / LEDGER) as ledger,
        closing(EnginePool()) as pool,
        closing(AskingBar()) as bar,
    ):
        before = len(ledger)
        writers = [_writer(job, part, ledger, pool, bar) for part in parts]
        try:
            for writer, part in zip(writers, parts, strict=True):
                writer.write(part.queries)
        finally:  # a dead server stops the run; what was written before is worth a file
            # Of every part: those that this run has not come to may have been answered by an earlier one.
            for writer, part in zip(writers, parts, strict=True):
                outcome.add(writer.collect(part.queries))
            summary = _summary(outcome, wanted=len(wanted), asked=list(ledger)[before:])
            _keep(job, wanted, parts, outcome.hints, summary)
    told = _told(summary)
    if not outcome.hints:
        raise InputError(f"no hint was written, so there is no {FILE}.\n{told}\nEvery answer is in {LEDGER}.")
    return f"{told}\nWritten:\n  {job.output / FILE}\n  {job.output / LEDGER}\n  {job.output / SUMMARY}\n"


def _writer(job: HintJob, part: HintPart, ledger: Ledger, pool: EnginePool, bar: AskingBar) -> HintWriter:
    """Return what asks a part's model, whose engine is opened when it is first asked."""
    chosen = job.settings.hints
    return HintWriter(
        open_writer(part.writer, job.settings, pool).asker(ledger, progress=bar),
        ledger,
        prompt=part.prompt,
        form=part.form,
        sampling=HintSampling(
            max_tokens=chosen.max_tokens,
            temperature=chosen.temperature,
            retry_temperature=chosen.retry_temperature,
            seed=chosen.seed,
            attempts=chosen.attempts,
        ),
        limits=HintLimits(shortest=chosen.shortest, longest=chosen.longest, longest_reasoning=chosen.longest_reasoning),
        guided=chosen.guide,
    )


def _keep(
    job: HintJob,
    wanted: Sequence[str],
    parts: Sequence[HintPart],
    hints: Mapping[str, WrittenHint],
    summary: Mapping[str, Any],
) -> None:
    try:
        write_json(job.output / SUMMARY, summary)
        if hints:
            _write_table(job, wanted, hints, parts)
    except OSError as error:
        raise InputError(
            f"{job.output}: cannot be written ({error.strerror or error}). Every answer is kept in {LEDGER}: make room "
            "and run the same command again"
        ) from error


def _write_table(
    job: HintJob, order: Sequence[str], hints: Mapping[str, WrittenHint], parts: Sequence[HintPart]
) -> None:
    path = job.output / FILE
    written = {key: hints[key] for key in order if key in hints}
    extra = {
        "Source": [_source(one.asked) for one in written.values()],
        "Request": [one.asked.key[:_SHORT] for one in written.values()],
    }
    manifest_path(path).unlink(missing_ok=True)
    write_hints(path, {key: one.hint for key, one in written.items()}, extra=extra, columns=job.settings.columns)
    write_manifest(
        path,
        {
            "artifact": "hints",
            "prompts": [part.prompt.hash() for part in parts],
            "models": sorted({_source(one.asked) for one in written.values()}),
            "questions": content_hash(list(order)),
            "settings": job.settings.hints.model_dump(mode="json"),
        },
    )


def _source(asked: Asked) -> str:
    return f"llm {asked.model}" + (f" {asked.revision}" if asked.revision else "")


def _summary(outcome: _Outcome, *, wanted: int, asked: Sequence[Asked]) -> dict[str, Any]:
    return {
        "wanted": wanted,
        "written": len(outcome.hints),
        "missing": dict(sorted(Counter(verdict.reason for verdict in outcome.missing.values()).items())),
        "rejected_answers": dict(sorted(outcome.rejections.items())),
        "this_run": {
            "requests": len(asked),
            "tokens_read": sum(one.prompt_tokens for one in asked),
            "tokens_written": sum(one.output_tokens for one in asked),
            "seconds": round(sum(one.seconds for one in asked), 1),
        },
    }


def _told(summary: Mapping[str, Any]) -> str:
    def counts(reasons: Mapping[str, int]) -> str:
        return ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "none"

    run = summary["this_run"]
    return (
        f"hints: {summary['written']} of {summary['wanted']} wrong answers; missing: {counts(summary['missing'])}"
        f"{' (the same command asks for them again)' if summary['missing'] else ''}\n"
        f"rejected answers: {counts(summary['rejected_answers'])}\n"
        f"this run: {run['requests']} requests, {run['tokens_read']} tokens read, {run['tokens_written']} written, "
        f"{run['seconds']} s"
    )
