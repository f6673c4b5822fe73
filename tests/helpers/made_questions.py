"""Made questions for the sample's bank, as a folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.records import Misconception
from core.synthetic_table import SyntheticQuestion, write_synthetic
from pipelines.job import Job
from pipelines.procedural_questions import as_synthetic
from synth.mapped_questions import generate_mapped
from synth.rule_mapping import reviewed_labels


def made_questions(bank: Sequence[Misconception], most: int) -> tuple[SyntheticQuestion, ...]:
    """Return some procedural questions for the sample's bank."""
    made = generate_mapped(reviewed_labels(bank), rows_each=2, seed=5, most=most)
    return tuple(as_synthetic(one) for one in made.questions)


def with_made(job: Job, made: Sequence[SyntheticQuestion]) -> Job:
    """Return a job with made questions."""
    return replace(job, inputs=replace(job.inputs, synthetic=tuple(made)))


def write_made(folder: Path, bank: Sequence[Misconception], most: int) -> Path:
    """Write them into a folder."""
    write_synthetic(folder, made_questions(bank, most))
    return folder
