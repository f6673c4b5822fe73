"""A small language model as retriever: alone, beside MiniLM, and five folds' adapters averaged or as an ensemble.

One question fold of five is scored and never trained on. The rest trains `minilm`, `smollm2` (an adapter on all of it)
and `part0` … `part4` (adapters, each on four fifths of it and scored on its own fifth). A member is a process, several
share a GPU; what is there is not done again:

    RUN="python benchmarks/llm_retriever.py DATA --work RUNS --lm MODEL --minilm MODEL"
    $RUN train minilm; $RUN train smollm2; $RUN train part0; … ; $RUN average; $RUN summary

DATA is --train and --misconceptions. An ensemble's vectors stand side by side, weighted alike: its score is the mean of
the members' cosines. The best single adapter is the one with the best score on its own fifth, not on the scored fold.
"""

import argparse
import json
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llm_retriever_table import compared_with, table
from rerank_folds import job_of

from core.artifacts import atomic_path, content_hash, file_hash, write_json
from core.records import IntArray, Query, Question, queries_of
from eval.intervals import paired_randomisation_test
from eval.metrics import average_precisions, map_at, recalls
from eval.splits import question_folds, seen_labels
from pipelines.cli import set_up_logging
from pipelines.job import Job
from pipelines.loading import load_encoder
from pipelines.recipe import bank_texts
from pipelines.stages import Stages
from pipelines.train_stage import trained_retriever
from retrieval.encoder import Embeddings
from retrieval.ensemble import concatenate_embeddings
from retrieval.text import query_text
from retrieval.top import top_rankings

logger = logging.getLogger("pipelines.benchmark")
PARTS = 5
METHODS = ("concatenate", "svd", "factors")
CONFIGS = {
    "minilm": Path("pipelines/configs/gpu.toml"),
    "smollm2": Path(__file__).with_name("llm_retriever.toml"),
}


def main() -> None:
    options = _options()
    set_up_logging(0)
    study = Study(options)
    if options.action == "train":
        for name in options.names:
            study.train(name)
    elif options.action == "average":
        study.average(options.methods)
    else:
        sys.stdout.write(study.summary())


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """What a member makes of the scored queries and of the bank; rows have length 1."""

    queries: Embeddings
    bank: Embeddings


class Study:
    """The members and what they are scored on."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work: Path = options.work
        job = self.job("minilm")
        self.split = question_folds(job.train, k=5, seed=job.settings.split.seed)[0]
        self.scored = queries_of(self.split.validation, labelled_only=True)

    def job(self, name: str) -> Job:
        """Return the job of a member: config, base model, and what the command line sets for its kind."""
        kind = "minilm" if name == "minilm" else "smollm2"
        model = self.options.minilm if kind == "minilm" else self.options.lm
        sets = self.options.set_minilm if kind == "minilm" else self.options.set_lm
        read = argparse.Namespace(
            config=CONFIGS[kind],
            overrides=[f"retriever.model={model}", "training.refit=false", *sets],
            misconceptions=self.options.misconceptions,
            train=self.options.train,
            hints=[],
            explanations=[],
            synthetic=[],
            output=self.work,
        )
        return job_of(read, [])

    def train(self, name: str) -> None:
        """Train a member and keep its vectors, and a part's score on its own fifth."""
        job = self.job(name)
        fit: Sequence[Question] = self.split.train
        own: Sequence[Question] = ()
        if name.startswith("part"):
            part = question_folds(fit, k=PARTS, seed=job.settings.split.seed)[int(name[4:])]
            fit, own = part.train, part.validation
        folder = trained_retriever(job, Stages(folder=self.work), name, fit)
        if self._is_embedded(name, folder):
            return
        found = self.embed(job, name, folder)
        if own:
            queries = queries_of(own, labelled_only=True)
            vectors = Vectors(queries=found.encode_queries(queries), bank=found.vectors.bank)
            score = map_at(rank(queries, job, vectors), {query.key: query.labels for query in queries})
            write_json(self.work / f"own-{name}.json", {"map@25": score, "queries": len(queries)})
            logger.info("%s: MAP@25 %.4f on its own fifth, %d queries", name, score, len(queries))
        found.close()

    def average(self, methods: Sequence[str]) -> None:
        """Average the five adapters in each way and keep the averages' vectors."""
        from core.adapter_average import average_adapters

        job = self.job("smollm2")
        folders = [self.work / f"part{number}" for number in range(PARTS)]
        for method in methods:
            name = f"average-{method}"
            folder = self.work / name
            error = self.work / f"error-{name}.json"
            made_from = [made_of(part) for part in folders]
            if not error.is_file() or json.loads(error.read_text(encoding="utf-8"))["made_from"] != made_from:
                shutil.rmtree(folder, ignore_errors=True)
                made = average_adapters(folders, folder, method=method, max_lora_rank=1024)
                write_json(error, {"error": made.error, "rank": made.rank, "made_from": made_from})
            if not self._is_embedded(name, folder):
                self.embed(job, name, folder).close()

    def embed(self, job: Job, name: str, folder: Path) -> "Member":
        """Load a member and keep its vectors of the scored queries and the bank."""
        member = Member(job, folder)
        vectors = Vectors(queries=member.encode_queries(self.scored), bank=member.encode_bank())
        member.vectors = vectors
        with atomic_path(self._vectors_file(name)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, queries=vectors.queries, bank=vectors.bank, made_of=np.array(made_of(folder)))
        return member

    def summary(self) -> str:
        """Score all that is there and return the table."""
        job = self.job("minilm")
        runs = self.runs()
        labels = {query.key: query.labels for query in self.scored}
        seen = seen_labels(self.split.train)
        new = np.array([seen.isdisjoint(query.labels) for query in self.scored])
        groups = [query.question.id for query in self.scored]
        rankings = {name: rank(self.scored, job, vectors) for name, vectors in runs.items()}
        precision = {name: average_precisions(made, labels) for name, made in rankings.items()}
        rows = []
        for name, values in precision.items():
            row: dict[str, Any] = {
                "run": name,
                "map@25": float(values.mean()),
                "seen": float(values[~new].mean()),
                "unseen": float(values[new].mean()) if new.any() else None,
                "recall@25": float(recalls(rankings[name], labels, k=25).mean()),
            }
            base = compared_with(name, precision)
            if base is not None:
                test = paired_randomisation_test(values, precision[base], groups, seed=0)
                row |= {"against": base, "difference": test.difference, "low": test.low, "high": test.high, "p": test.p}
            rows.append(row)
        own = {path.stem[4:]: json.loads(path.read_text(encoding="utf-8")) for path in self.work.glob("own-*.json")}
        errors = {
            path.stem[6:]: json.loads(path.read_text(encoding="utf-8")) for path in self.work.glob("error-*.json")
        }
        result = {"queries": len(self.scored), "unseen": float(new.mean()), "runs": rows, "own": own, "errors": errors}
        write_json(self.work / "summary.json", result)
        return table(result)

    def runs(self) -> dict[str, Vectors]:
        """Return the vectors of each run, members that are missing left out."""
        members = ["minilm", "smollm2", *(f"part{number}" for number in range(PARTS))]
        members += [f"average-{method}" for method in METHODS]
        found = {name: self._read(name) for name in members if self._vectors_file(name).is_file()}
        parts = [f"part{number}" for number in range(PARTS) if f"part{number}" in found]
        runs: dict[str, Vectors] = dict(found)
        if {"minilm", "smollm2"} <= found.keys():
            runs["minilm + smollm2"] = joined([found["minilm"], found["smollm2"]])
        if len(parts) == PARTS:
            runs["ensemble of five"] = joined([found[name] for name in parts])
            runs[f"best single ({self.best(parts)})"] = found[self.best(parts)]
            for name in ("ensemble of five", *(f"average-{method}" for method in METHODS)):
                if "minilm" in found and name in runs:
                    runs[f"minilm + {name}"] = joined([found["minilm"], runs[name]])
        return runs

    def best(self, parts: Sequence[str]) -> str:
        """Return the part with the best score on its own fifth."""
        own = {
            name: json.loads((self.work / f"own-{name}.json").read_text(encoding="utf-8"))["map@25"] for name in parts
        }
        return max(parts, key=lambda name: own[name])

    def _is_embedded(self, name: str, folder: Path) -> bool:
        """Say whether the vectors that are there are this folder's, and not those of an earlier training."""
        if not self._vectors_file(name).is_file():
            return False
        with np.load(self._vectors_file(name)) as held:
            return "made_of" in held and str(held["made_of"]) == made_of(folder)

    def _read(self, name: str) -> Vectors:
        with np.load(self._vectors_file(name)) as held:
            return Vectors(queries=held["queries"], bank=held["bank"])

    def _vectors_file(self, name: str) -> Path:
        return self.work / f"vectors-{name}.npz"


class Member:
    """A trained encoder, loaded."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self._encoder = load_encoder(job, folder)
        self.vectors = Vectors(queries=np.zeros((0, 1), np.float32), bank=np.zeros((0, 1), np.float32))

    def encode_queries(self, queries: Sequence[Query]) -> Embeddings:
        return self._encoder.encode_queries([query_text(query, self.job.forms.query) for query in queries])

    def encode_bank(self) -> Embeddings:
        texts = bank_texts(self.job)
        return self._encoder.encode_documents([texts[id] for id in bank_ids(self.job).tolist()])

    def close(self) -> None:
        self._encoder.close()


def made_of(folder: Path) -> str:
    """Return a hash of a member's weights."""
    return content_hash([file_hash(path) for path in sorted(folder.glob("*.safetensors"))])


def bank_ids(job: Job) -> IntArray:
    """Return the bank's ids, rising: the order of the rows of every member's bank vectors."""
    return np.array(sorted(bank_texts(job)), dtype=np.int64)


def rank(queries: Sequence[Query], job: Job, vectors: Vectors) -> list[Any]:
    """Return each query's best 100 entries by cosine."""
    return top_rankings([query.key for query in queries], bank_ids(job), vectors.queries @ vectors.bank.T, top_n=100)


def joined(members: Sequence[Vectors]) -> Vectors:
    """Return an ensemble of members, weighted alike."""
    return Vectors(
        queries=concatenate_embeddings([member.queries for member in members]),
        bank=concatenate_embeddings([member.bank for member in members]),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("train", "average", "summary"))
    parser.add_argument("names", nargs="*", help="train: minilm, smollm2, part0 … part4")
    parser.add_argument("--train", type=Path, required=True, metavar="T.csv")
    parser.add_argument("--misconceptions", type=Path, required=True, metavar="M.csv")
    parser.add_argument("--work", type=Path, default=Path("runs/llm_retriever"))
    parser.add_argument("--lm", default="bundled:SmolLM2-135M-Instruct", help="the language model")
    parser.add_argument("--minilm", default="bundled:all-MiniLM-L6-v2")
    parser.add_argument("--set-lm", action="append", default=[], metavar="KEY=VALUE", help="a config value of adapters")
    parser.add_argument("--set-minilm", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--methods", default=METHODS, type=lambda text: text.split(","), help="average: ways")
    options = parser.parse_args()
    known = ("minilm", "smollm2", *(f"part{number}" for number in range(PARTS)))
    if strange := [name for name in options.names if name not in known]:
        parser.error(f"train: no member {strange[0]}; there is {', '.join(known)}")
    return options


if __name__ == "__main__":
    main()
