"""Skip share against MAP@25 for listwise models that learned their task: how sure a first order may be believed.

    python benchmarks/adaptive_learned.py --output OUT.jsonl [--epochs 8,12,16,24] [--silent 0.2]

A tiny model learns `choice_task.py` from nothing, for fewer or more epochs, and scores new questions in both orders; a
share of the questions holds no word of a candidate, so that nobody knows their answer. Slot bias and threshold are
fitted on one half of the questions and used on the other, as in `adaptive_curve.py`. A line of JSON for each model,
which is not made again. A few minutes on two cores.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from adaptive_curve import curve_of, rows_of
from choice_task import BANK, SHOWN, TEMPLATE, Split, empty_model, split

from core.artifacts import made_by
from core.tokenizer import load_tokenizer
from core.transformers_engine import TransformersEngine
from pipelines.cli import set_up_logging
from rerank.listwise import ListwiseReranker
from rerank.listwise_run import QueryScores
from rerank.prompts import ListwisePrompter
from rerank.train_language_model import train_language_model
from rerank.training_groups import FoldProvenance

logger = logging.getLogger("pipelines.benchmark")


def main() -> None:
    options = _options()
    set_up_logging(0)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    there = options.output.read_text(encoding="utf-8").splitlines() if options.output.is_file() else []
    done = {(row["epochs"], row["silent"], row["train"], row["test"]) for row in map(json.loads, there)}
    test = split(10_000, options.test, seed=1, silent=options.silent)
    for epochs in options.epochs:
        if (epochs, options.silent, options.train, options.test) in done:
            logger.info("%d epochs: there already", epochs)
            continue
        with TemporaryDirectory() as folder:
            queries = learned(Path(folder), epochs, options.train, options.silent, test)
        labels = {query.key: query.labels for query in test.queries}
        rows = rows_of(queries, labels, None, weight=1.0, tolerance=options.tolerance)
        result = {"epochs": epochs, "silent": options.silent, "train": options.train, "test": options.test}
        result |= {**curve_of(rows), "tolerance": options.tolerance, "made_by": made_by()}
        with options.output.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(result) + "\n")
        sys.stdout.write(
            f"{epochs} epochs: all orders {result['all_orders']:.4f}, first order {result['first_order']:.4f}; "
            f"the other half's threshold: {result['skipped']:.0%} skipped, {result['fitted']:.4f}\n"
        )
        sys.stdout.write("  " + " · ".join(f"{share:.0%} {score:.4f}" for share, score in result["curve"][::2]) + "\n")


def learned(folder: Path, epochs: int, count: int, silent: float, test: Split) -> tuple[QueryScores, ...]:
    """Train a model on `count` questions and return what it says of the test's, in both orders."""
    base = empty_model(folder / "base")
    prompter = ListwisePrompter(load_tokenizer(base), TEMPLATE)
    train = split(0, count, seed=0, silent=silent)
    told = FoldProvenance(model="by hand", ranked=frozenset(q.key for q in train.queries), fitted_on=frozenset())
    made = train_language_model(
        base,
        train.queries,
        train.candidates,
        BANK,
        kind="listwise",
        prompter=prompter,
        output_dir=folder / "model",
        method="full",
        epochs=epochs,
        sizes=(3, SHOWN),
        window=12,
        batch_queries=16,
        learning_rate=3e-3,
        weight_decay=0.0,
        provenance=[told],
        device="cpu",
        precision="float32",
        show_progress=False,
    )
    reranker = ListwiseReranker(TransformersEngine.load(made.folder, device="cpu", dtype="float32"), prompter)
    reranker.rerank(test.queries, [ranking.top(SHOWN) for ranking in test.candidates], BANK)
    if reranker.last_run is None:
        raise SystemExit("the reranker kept nothing of its run")
    return reranker.last_run.queries


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=lambda text: [int(part) for part in text.split(",")], default=[8, 12, 16, 24])
    parser.add_argument("--silent", type=float, default=0.2, help="share of questions that nobody can answer")
    parser.add_argument("--train", type=int, default=1600, help="questions to learn from")
    parser.add_argument("--test", type=int, default=1000, help="questions to measure on")
    parser.add_argument("--tolerance", type=float, default=0.001, help="MAP@25 that may be lost")
    return parser.parse_args()


if __name__ == "__main__":
    main()
