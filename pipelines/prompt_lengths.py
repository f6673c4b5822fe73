"""Whether every prompt can be built, checked before any cost: as no candidate is known, with the bank's longest."""

from collections.abc import Callable, Sequence
from functools import partial

from core.errors import InputError, UserError
from core.records import Query, queries_of
from pipelines.describe_stage import description_prompts
from pipelines.job import Job
from pipelines.lm_reranker import table_prompter
from pipelines.lm_training_table import language_model_table, list_sizes
from pipelines.open_reranker import parts_of
from pipelines.plan import split_training
from pipelines.reranker_settings import Kind, RerankerSettings
from pipelines.synthetic_rows import synthetic_rows
from rerank.prompts import ListwisePrompter


def check_prompt_lengths(job: Job, chosen: RerankerSettings) -> None:
    """Check the prompts of a reranker for the held-out and the test queries, with the longest lines of the bank.

    What passes here finds room whatever stage 1 finds, so a run does not end in a question that was too long.

    Raises:
        InputError: A prompt could be longer than `prompt.max_tokens`; names every part that has such.
    """
    queries = [*_held_out(job), *job.queries(job.test)]
    faults: list[str] = []
    for part, shown in _shown(job, chosen):
        _tried(faults, partial(_require_room, job, part, [(queries, shown)]))
        if part.describe:
            _tried(faults, partial(_describe_all, job, part, queries))
    if faults:
        raise InputError(faults)


def check_training_lengths(job: Job, kind: Kind) -> None:
    """Check the prompts that a language model is trained on and chosen by; as `check_prompt_lengths`.

    Raises:
        InputError: A prompt could be longer than `prompt.max_tokens`.
    """
    chosen = language_model_table(kind, job.settings)
    prompter = table_prompter(job, chosen)
    capacity = prompter.capacity if isinstance(prompter, ListwisePrompter) else None
    sizes, _ = list_sizes(job.settings.lm_training, kind, capacity)
    [(part, shown)] = _shown(job, chosen)
    fitted = _fitted(job)
    if job.synthetic:
        real = split_training(job.train, job.settings.split).train
        fitted += queries_of(synthetic_rows(job, real), labelled_only=True)
    _require_room(job, part, [(fitted, sizes[1]), (_held_out(job), shown)])


def check_teaching_lengths(job: Job, chosen: RerankerSettings) -> None:
    """Check the prompts of a teacher, for the queries that it is to rank; as `check_prompt_lengths`.

    Raises:
        InputError: A prompt could be longer than `prompt.max_tokens`; names every part that has such.
    """
    queries = [*_fitted(job), *queries_of([row.question for row in job.synthetic], labelled_only=True)]
    faults: list[str] = []
    for part, shown in _shown(job, chosen):
        _tried(faults, partial(_require_room, job, part, [(queries, shown)]))
    if faults:
        raise InputError(faults)


def _fitted(job: Job) -> list[Query]:
    return job.queries(split_training(job.train, job.settings.split).train, labelled_only=True)


def _held_out(job: Job) -> list[Query]:
    return job.queries(split_training(job.train, job.settings.split).validation, labelled_only=True)


def _shown(job: Job, chosen: RerankerSettings) -> list[tuple[RerankerSettings, int]]:
    """Return each table that is asked with the most candidates in one of its lists."""
    widths = [stage.last - stage.first + 1 for stage in chosen.stages]
    widths = widths or [chosen.candidates + (chosen.describe_extra if chosen.describe else 0)]
    found = []
    for part, width in zip(parts_of(chosen, job.settings), widths, strict=True):
        if part.reads_language_model:
            windowed = part.kind == "listwise" and part.windows.kind != "none"
            found.append((part, min(width, part.windows.size) if windowed else width))
    return found


def _require_room(job: Job, part: RerankerSettings, asked: Sequence[tuple[Sequence[Query], int]]) -> None:
    prompter = table_prompter(job, part)
    for queries, shown in asked:
        most = min(shown, prompter.capacity) if isinstance(prompter, ListwisePrompter) else 1
        longest = prompter.longest(job.bank, most)
        prompter.require_room([(query, longest) for query in queries], shown=most)


def _describe_all(job: Job, part: RerankerSettings, queries: Sequence[Query]) -> None:
    write = description_prompts(job, part)
    for query in queries:
        write(query)


def _tried(faults: list[str], check: Callable[[], None]) -> None:
    try:
        check()
    except UserError as error:
        faults += error.faults
