"""What a language model is shown, from the config: one place for training and for inference."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from core.artifacts import content_hash, file_hash
from core.errors import InputError
from core.records import Query
from core.tokenizer import Tokenizer
from pipelines.job import Job
from pipelines.plan import split_training
from pipelines.reranker_settings import PromptSettings
from rerank.prompts import ALPHABETS, Example, ListwisePrompter, PointwisePrompter, PromptTemplate
from retrieval.latex import LATEX_VERSION
from retrieval.lexical import Bm25Retriever
from retrieval.text import simplify_latex

_EXAMPLE_SEED = 0


def prompt_template(job: Job, prompt: PromptSettings) -> PromptTemplate:
    """Return the form of the prompts that a config asks for; few-shot examples are drawn from the fitted part."""
    return PromptTemplate(
        fields=prompt.fields,
        with_subjects=prompt.subjects is not None,
        with_explanations=prompt.with_explanations,
        with_hint=prompt.with_hint and job.settings.text.hint != "off",
        none_label=prompt.none_label,
        examples=_examples(job, prompt),
        max_tokens=prompt.max_tokens,
        alphabet=ALPHABETS[prompt.alphabet],
        instruction=prompt.instruction,
    )


def prompts_hash(job: Job, prompt: PromptSettings) -> str:
    """Return what pins the prompts of a config besides queries and bank: a model must be used as it was trained."""
    latex = [job.settings.text.latex, LATEX_VERSION]
    return content_hash([prompt_template(job, prompt).hash(), latex, subjects_hash(prompt)])


def subjects_hash(prompt: PromptSettings) -> str | None:
    """Return the SHA-256 of the config's file of subjects, for manifests; None where it names none."""
    return file_hash(Path(prompt.subjects)) if prompt.subjects else None


def listwise_prompter(job: Job, prompt: PromptSettings, tokenizer: Tokenizer) -> ListwisePrompter:
    """Return the writer of listwise prompts.

    Raises:
        ModelError: The tokenizer cannot serve the labels.
        InputError: The file of subjects cannot be used.
    """
    return ListwisePrompter(
        tokenizer, prompt_template(job, prompt), simplify=simplifier(job), subjects=subjects_of(prompt)
    )


def pointwise_prompter(job: Job, prompt: PromptSettings, tokenizer: Tokenizer) -> PointwisePrompter:
    """Return the writer of pointwise prompts; errors as `listwise_prompter`."""
    return PointwisePrompter(
        tokenizer, prompt_template(job, prompt), simplify=simplifier(job), subjects=subjects_of(prompt)
    )


def simplifier(job: Job) -> Callable[[str], str] | None:
    """Return what the config does to LaTeX in prompts; None leaves it."""
    return simplify_latex if job.settings.text.latex == "simplify" else None


def _examples(job: Job, prompt: PromptSettings) -> tuple[Example, ...]:
    """Draw solved queries from the fitted part; their wrong candidates are what BM25, which is not fitted, finds."""
    if not prompt.examples:
        return ()
    fit = split_training(job.train, job.settings.split).train
    known = {entry.id: entry for entry in job.bank}
    queries = [query for query in job.queries(fit, labelled_only=True) if query.labels[0] in known]
    generator = np.random.default_rng(_EXAMPLE_SEED)
    rows = generator.permutation(len(queries))[: prompt.examples].tolist()
    drawn: list[Query] = [queries[row] for row in rows]
    retriever = Bm25Retriever(job.bank, job.forms.query, job.forms.entry)
    examples = []
    for query, ranking in zip(drawn, retriever.retrieve(drawn, top_n=len(job.bank)), strict=True):
        wrong = [id for id in ranking.ids.tolist() if id not in query.labels][: prompt.example_candidates - 1]
        slot = int(generator.integers(len(wrong) + 1))
        ids = [*wrong[:slot], query.labels[0], *wrong[slot:]]
        examples.append(Example(query=query, candidates=tuple(known[id] for id in ids), answer=query.labels[0]))
    return tuple(examples)


def subjects_of(prompt: PromptSettings) -> Mapping[int, str] | None:
    """Return subject id -> its text with its parents, from the config's file; None where it names none.

    Raises:
        InputError: The file is missing, lacks a column, or a row cannot be read.
    """
    if prompt.subjects is None:
        return None
    path = Path(prompt.subjects)
    if not path.is_file():
        raise InputError(
            f"prompt.subjects: {path}: there is no such file; expected a CSV with SubjectId, Name, ParentId"
        )
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        lacking = {"SubjectId", "Name", "ParentId"} - set(rows.fieldnames or ())
        if lacking:
            raise InputError(f"{path}: lacks the column {', '.join(sorted(lacking))}; it has {rows.fieldnames}")
        names: dict[int, str] = {}
        parents: dict[int, int] = {}
        for line, row in enumerate(rows, start=2):
            try:
                number = int(row["SubjectId"])
                names[number] = row["Name"].strip()
                if row["ParentId"].strip() not in ("", "NULL"):
                    parents[number] = int(float(row["ParentId"]))
            except ValueError as error:
                raise InputError(
                    f"{path}:{line}: expected whole numbers as SubjectId and ParentId ({error})"
                ) from error
    return {number: " > ".join(_line_of(number, names, parents)) for number in names}


def _line_of(number: int, names: Mapping[int, str], parents: Mapping[int, int]) -> list[str]:
    """Return the names from the root down to a subject; a loop ends where it closes."""
    line: list[str] = []
    seen: set[int] = set()
    here: int | None = number
    while here is not None and here in names and here not in seen:
        seen.add(here)
        line.insert(0, names[here])
        here = parents.get(here)
    return line
