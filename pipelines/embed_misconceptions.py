"""Embed a bank ahead of time, and index it; only entries that changed are computed again."""

import logging
import sys
from pathlib import Path

from core.models import LocalModel, locate_model
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import check_length, read_job
from pipelines.settings import Settings
from pipelines.stage_one import StageOne

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Embed every entry of a bank with a retriever and write vectors, manifest and faiss index to --output.

A second run computes only entries whose text changed; another model or template computes all. Written to the folder
`bank` of an output of end_to_end.py, they are what `--retriever MODEL` finds there."""

EPILOG = """\
example:
  python pipelines/embed_misconceptions.py --retriever models/minilm --misconceptions bank.csv --output runs/eedi/bank
  python pipelines/end_to_end.py --retriever models/minilm --misconceptions bank.csv --output runs/eedi ..."""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    made.add_argument("--retriever", metavar="MODEL", help="bundled:NAME, a folder, or a hub id; default: the config's")
    made.add_argument("--misconceptions", type=Path, metavar="M.csv", help="the bank")
    made.add_argument("--explanations", type=Path, action="append", default=[], metavar="E.csv", help="explanations")
    made.add_argument("--output", type=Path, metavar="DIR", help="folder to write into; made if missing")
    options = parse_arguments(made, arguments)
    options.train, options.hints = None, []
    found: list[LocalModel] = []

    def check_retriever(settings: Settings) -> None:
        retriever = settings.retriever
        found.append(locate_model(options.retriever or retriever.model, revision=retriever.revision))
        check_length(found[0], settings)

    job = read_job(options, checks=(check_retriever,), needs_train=False)
    one = StageOne(job, found[0], job.output)
    for bank in one.embed_bank():
        sys.stdout.write(f"{bank.embeddings.shape[0]} entries: {bank.reused} reused, {bank.computed} computed\n")
    one.index.save(job.output / "index", {"model": found[0].name, "revision": found[0].revision})
    sys.stdout.write(f"Written:\n  {job.output / 'bank.safetensors'}\n  {job.output / 'index'}\n")


if __name__ == "__main__":
    sys.exit(run_main(main))
