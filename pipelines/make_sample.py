"""Makes the bundled sample, or another one: procedural questions from mal-rules in the Eedi schema."""

import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.tables import write_explanations, write_misconceptions, write_questions
from pipelines.cli import parse_arguments, parser, run_main
from synth.sample import make_sample

logger = logging.getLogger(__name__)

TEST_SHARE = 0.3
UNSEEN_SHARE = 0.3
HELD_OUT_RULES = 0.2
QUESTIONS = 640
SEED = 2024


@dataclass(frozen=True, kw_only=True)
class SampleFiles:
    """Where the four files of a sample are.

    Attributes:
        train: Training questions with labels.
        test: Test questions with labels.
        misconceptions: The bank.
        explanations: An explanation of each entry.
    """

    train: Path
    test: Path
    misconceptions: Path
    explanations: Path


def write_sample(folder: Path, *, questions: int = QUESTIONS, seed: int = SEED) -> SampleFiles:
    """Make a sample and write its files into a folder, which is made where it is missing.

    Args:
        folder: Where to write.
        questions: Number of questions, training and test together; at least 10.
        seed: Same number and seed, same bytes.

    Raises:
        InputError: Too few questions are asked for, more than can be made, or the folder cannot be made.
    """
    if questions < 10:
        raise InputError(f"--questions: expected at least 10, got {questions}")
    if seed < 0:
        raise InputError(f"--seed: expected a whole number of at least 0, got {seed}")
    test = round(TEST_SHARE * questions)
    sample = make_sample(train=questions - test, test=test, unseen=UNSEEN_SHARE, held_out=HELD_OUT_RULES, seed=seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {folder}: expected a folder that can be written ({error})") from error
    files = SampleFiles(
        train=folder / "train.csv",
        test=folder / "test.csv",
        misconceptions=folder / "misconceptions.csv",
        explanations=folder / "explanations.csv",
    )
    write_questions(files.train, sample.train)
    write_questions(files.test, sample.test)
    write_misconceptions(files.misconceptions, sample.bank)
    write_explanations(files.explanations, sample.bank)
    return files


def main() -> None:
    """Read the command line, make the sample and say where it is."""
    made = parser(
        "Make a sample: a bank of misconceptions, training and test questions whose wrong answers are computed by\n"
        "mal-rules. About 30 % of the test labels carry a misconception that no training question shows.",
        "Examples:\n"
        "  python pipelines/make_sample.py --output data/sample        # the bundled one, byte for byte\n"
        "  python pipelines/make_sample.py --output runs/larger --questions 5000 --seed 7",
    )
    made.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the four CSV files")
    made.add_argument(
        "--questions", type=int, default=QUESTIONS, help="training and test questions together (default: %(default)s)"
    )
    made.add_argument("--seed", type=int, default=SEED, help="another seed, other questions (default: %(default)s)")
    arguments = parse_arguments(made)
    began = time.perf_counter()
    files = write_sample(arguments.output, questions=arguments.questions, seed=arguments.seed)
    logger.info(
        "Made %d questions in %.1f s: %s, %s, %s, %s",
        arguments.questions,
        time.perf_counter() - began,
        files.train,
        files.test,
        files.misconceptions,
        files.explanations,
    )


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again."))
