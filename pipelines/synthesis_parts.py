"""What a run of `synthesize.py` stands on: examples, held-out questions, similar misconceptions, the prompter."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from core.errors import InputError
from core.models import LocalModel
from core.ranking_table import read_rankings
from core.records import Misconception, Question, queries_of
from pipelines.job import Job
from pipelines.plan import split_training
from pipelines.stage_one import StageOne
from retrieval.encoder import Embeddings
from synth.clusters import confusions_of, similar_entries
from synth.examples import ExamplePool
from synth.prompts import QuestionPrompter
from synth.writing import RowWriter, Sampling, Shown

logger = logging.getLogger(__name__)

_MARKS = 64
"""Tokens left for what a chat template writes around the messages."""


class SynthesisParts:
    """The parts of one run, each made when it is first needed.

    Attributes:
        bank: The misconceptions by id.
        fit: Training questions that may be shown, and that duplicates are sought among.
        held_out: Questions that no row may copy: the validation part and the test file.

    Args:
        job: The job.
        retriever: Stage 1's encoder.
        confusions: A file of rankings of training queries, or None.
    """

    def __init__(self, job: Job, retriever: LocalModel, confusions: Path | None) -> None:
        self._job = job
        self._settings = job.settings.synthesis
        self._stage_one = StageOne(job, retriever, job.output / "bank")
        self._confusions = confusions
        self.bank: dict[int, Misconception] = {entry.id: entry for entry in job.bank}
        self.fit: tuple[Question, ...] = job.train
        self.held_out: tuple[Question, ...] = job.test
        if job.train and self._settings.hold_out:
            split = split_training(job.train, job.settings.split)
            self.fit, self.held_out = tuple(split.train), (*split.validation, *job.test)
            logger.info(
                "%d training questions may be shown as examples; %d of the validation part are kept out "
                "(synthesis.hold_out)",
                len(self.fit),
                len(split.validation),
            )

    @property
    def embed(self) -> Callable[[Sequence[str]], Embeddings]:
        """Embeds plain texts with stage 1's encoder: float32, shape (n, d), length 1."""
        return lambda texts: self._stage_one.encoder.encode_queries(list(texts))

    @cached_property
    def similar(self) -> dict[int, tuple[int, ...]]:
        """The misconceptions like each one; empty where none are wanted.

        Raises:
            InputError: The file of rankings cannot be read.
        """
        size = self._settings.similar
        if not size or len(self.bank) < 2:
            return {}
        confused = None
        if self._confusions is not None:
            confused = confusions_of(queries_of(self.fit, labelled_only=True), read_rankings(self._confusions))
            if not confused:
                raise InputError(
                    f"--confusions {self._confusions}: ranks no labelled answer of the training questions (keys are "
                    "QuestionId_Letter); expected rankings of the --train file, e.g. out-of-fold ones"
                )
        found = self._stage_one.embed_bank()[0]
        return similar_entries(
            found.ids,
            found.embeddings,
            size=size,
            confusions=confused,
            confusion_weight=self._settings.confusion_weight,
        )

    def row_writer(self, count_tokens: Callable[[str], int], context: int | None) -> RowWriter:
        """Return what writes rows.

        Args:
            count_tokens: Tokens of a text.
            context: Tokens that the model reads and writes together; None where not known.

        Raises:
            InputError: Model and settings leave no room for a prompt.
        """
        settings = self._settings
        room = settings.max_prompt_tokens
        if context is not None and (held := context - settings.max_tokens - _MARKS) < room:
            if held <= count_tokens(settings.instruction):
                raise InputError(
                    f"the model reads and writes {context} tokens together; synthesis.max_tokens = {settings.max_tokens} "
                    f"leaves {max(0, held)}, and synthesis.instruction alone takes "
                    f"{count_tokens(settings.instruction)}: lower max_tokens, or use a model with a longer context"
                )
            logger.info("prompts are kept to %d tokens, which is what the model's %d leave room for", held, context)
            room = held
        pool = ExamplePool(self.fit, self.bank, seed=settings.seed)
        prompter = QuestionPrompter(
            count_tokens,
            instruction=settings.instruction,
            shared=pool.shared(settings.examples.many),
            max_tokens=room,
        )
        if settings.examples.many:
            logger.info("%d examples stand at the head of all prompts", len(prompter.shared))
        return RowWriter(
            bank=self.bank,
            similar=self.similar,
            pool=pool,
            prompter=prompter,
            shown=Shown(random=settings.examples.random, same=settings.examples.same),
            sampling=Sampling(
                temperature=settings.temperature,
                max_tokens=settings.max_tokens,
                seed=settings.seed,
                guided=settings.guide,
            ),
            language=settings.language,
        )
