"""Train a retriever on labelled questions; the result is a plain sentence-transformers folder."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.records import Query
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import Job, add_data_options, check_model_folder, read_job
from pipelines.plan import make_plan, precision_metric
from pipelines.recipe import bank_texts
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.train_stage import trained_retriever
from retrieval.encoder import SentenceEncoder
from retrieval.index import MisconceptionIndex
from retrieval.text import query_text

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Train a retriever (stage 1) by the config's recipe and write it to --output, a plain sentence-transformers folder.

A validation part is held out as `[split]` says, and MAP@25 on it is shown at the end. With --keep-best the epoch with
the best score is kept (chosen before `training.base_share` pulls the weights back), with --all-rows nothing is held
out. A run that was killed goes on from its last checkpoint.
Starts under `torchrun` or `accelerate launch` too: every process takes its share of each step."""

EPILOG = """\
examples:
  python pipelines/train_retriever.py --train train.csv --misconceptions bank.csv --output models/minilm
  torchrun --nproc-per-node 2 pipelines/train_retriever.py ... --config pipelines/configs/gpu.toml
  python pipelines/end_to_end.py ... --retriever models/minilm"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made, synthetic=True)
    rows = made.add_mutually_exclusive_group()
    rows.add_argument("--all-rows", action="store_true", help="train on every row; nothing is held out or measured")
    rows.add_argument("--keep-best", action="store_true", help="keep the epoch with the best validation MAP@25")
    options = parse_arguments(made, arguments)
    job = read_job(options, checks=(lambda _: check_model_folder(options.output),))
    output = job.output.absolute()  # `.` has no name
    stages = Stages(folder=output.parent)
    if options.all_rows:
        folder = trained_retriever(job, stages, output.name, job.train)
    else:
        plan = make_plan(job, job.train)
        score = validation_score(job, plan.queries)
        folder = trained_retriever(
            job,
            stages,
            output.name,
            plan.fit,
            scored_on=plan.validation if options.keep_best else (),
            score=score if options.keep_best else None,
        )
        logger.info("validation MAP@25 of %s: %.4f", folder, _final_score(job, folder, score))
    sys.stdout.write(f"{stages.summary()}\nWritten:\n  {folder}\n")


def validation_score(job: Job, queries: Sequence[Query]) -> "Callable[[SentenceTransformer], float]":
    """Return MAP@25 of a model in memory over labelled queries, as a plain callable."""
    metric = precision_metric(queries)
    texts = [query_text(query, job.forms.query) for query in queries]
    keys = [query.key for query in queries]
    retriever = job.settings.retriever

    def score(model: "SentenceTransformer") -> float:
        encoder = SentenceEncoder(
            model,
            query_prompt=retriever.query_prompt,
            document_prompt=retriever.document_prompt,
            batch_size=retriever.batch_size,
        )
        bank = bank_texts(job)
        index = MisconceptionIndex.build(list(bank), encoder.encode_documents(list(bank.values())))
        value = float(metric(index.search(encoder.encode_queries(texts), keys, top_n=25)).mean())
        logger.info("validation MAP@25 %.4f", value)
        return value

    return score


def _final_score(job: Job, folder: Path, score: "Callable[[SentenceTransformer], float]") -> float:
    from pipelines.loading import load_encoder

    return score(load_encoder(job, folder).model)


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again to go on from the last checkpoint."))
