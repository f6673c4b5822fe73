"""Propose which entries of a bank the mal-rules stand for, in a file to be reviewed."""

import logging
import sys
import time
from pathlib import Path

from core.errors import InputError
from core.models import LocalModel, locate_model
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import check_length, read_job
from pipelines.mapped_rules import covered, proposals, rule_rankings
from pipelines.settings import Settings
from synth.rule_mapping import confirmed, read_mapping, reviewed_labels, write_mapping

logger = logging.getLogger(__name__)

MAPPING = "mapping.csv"

DESCRIPTION = """\
Map mal-rules (wrong procedures that compute what a student with a misconception answers) to the entries of your bank.

Every rule is compared with every entry by an encoder, and the most similar entries are written to --output/mapping.csv,
a line each: rule, task, rank, misconception_id, name, similarity, keep, rule_name. Read the lines and set keep to yes
where the rule truly is that misconception, to no elsewhere; then pipelines/procedural_questions.py --mapping makes
questions for the confirmed ones. Entries that the project's own reviewed mapping knows by name are set to yes already.

Run again (another encoder, a longer list), your decisions stand: a line that was yes or no stays so."""

EPILOG = """\
examples:
  python pipelines/map_mal_rules.py --misconceptions bank.csv --output runs/mapping
  python pipelines/map_mal_rules.py ... --retriever models/minilm --top 10
  python pipelines/procedural_questions.py --misconceptions bank.csv --output runs/made \\
      --mapping runs/mapping/mapping.csv

exit status: 0 done, 2 bad input (nothing was written), 130 interrupted"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    made.add_argument("--misconceptions", type=Path, metavar="M.csv", help="the bank")
    made.add_argument("--output", type=Path, metavar="DIR", help="folder to write into; made if missing")
    made.add_argument("--retriever", metavar="MODEL", help="bundled:NAME, a folder, or a hub id; default: the config's")
    made.add_argument("--explanations", type=Path, action="append", default=[], metavar="E.csv", help="explanations")
    made.add_argument("--top", type=int, default=5, metavar="N", help="entries proposed a rule (default: %(default)s)")
    options = parse_arguments(made, arguments)
    options.train, options.hints = None, []
    found: list[LocalModel] = []

    def check(settings: Settings) -> None:
        if options.top < 1:
            raise InputError(f"--top {options.top}: expected at least 1")
        found.append(locate_model(options.retriever or settings.retriever.model, revision=settings.retriever.revision))
        check_length(found[0], settings)

    began = time.perf_counter()
    job = read_job(options, checks=(check,), needs_train=False)
    path = job.output / MAPPING
    before = read_mapping(path, job.bank) if path.is_file() else ()
    rankings = rule_rankings(job, found[0], job.output / "bank", top=options.top)
    lines = proposals(job.bank, rankings, before=before)
    write_mapping(path, lines)
    kept, known = covered(confirmed(lines)), covered(reviewed_labels(job.bank))
    sys.stdout.write(
        f"{len(rankings)} rules in tasks, {len(lines)} proposed entries, {sum(line.keep for line in lines)} kept "
        f"({len(before)} lines decided before)\n"
        f"Entries of the bank that a rule stands for: {len(kept)} of {len(job.bank)} "
        f"({len(known)} known to the reviewed mapping)\n"
        f"Written in {time.perf_counter() - began:.1f} s:\n  {path}\n"
        "Next: review the column keep, then pipelines/procedural_questions.py --mapping\n"
    )


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again; decisions in the mapping file are kept."))
