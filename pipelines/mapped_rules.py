"""The bank entries that mal-rules stand for: proposed by similarity, kept by a reviewer or the mapping that ships."""

from collections.abc import Sequence
from pathlib import Path

from core.faults import Faults
from core.models import LocalModel
from core.records import Misconception, Ranking
from pipelines.job import Job
from pipelines.stage_one import StageOne
from synth.rule_mapping import Labels, Proposal, bindings, confirmed, reviewed_labels, scan_mapping


def rule_rankings(job: Job, model: LocalModel, cache: Path, *, top: int) -> dict[tuple[str, str], Ranking]:
    """Return the most similar entries of each rule in each task that it spoils, by (task slug, rule slug).

    Args:
        job: Names the bank and how its entries are written.
        model: The encoder.
        cache: Folder of the bank's embeddings.
        top: Entries a rule; fewer where the bank has fewer.
    """
    stage = StageOne(job, model, cache)
    bound = bindings()
    keys = [f"{task}_{rule}" for task, rule in bound]
    texts = [
        rule.name if rule.explanation == rule.name else f"{rule.name}. {rule.explanation}" for _, rule in bound.values()
    ]
    vectors = stage.encoder.encode_documents(texts)
    found = stage.index.search(vectors, keys, top_n=min(top, len(job.bank)))
    return dict(zip(bound, found, strict=True))


def proposals(
    bank: Sequence[Misconception],
    rankings: dict[tuple[str, str], Ranking],
    *,
    before: Sequence[Proposal] = (),
) -> list[Proposal]:
    """Return the lines of a mapping file: proposed by similarity, kept where a reviewer or the shipped mapping says so.

    Args:
        bank: The bank.
        rankings: The most similar entries by (task slug, rule slug).
        before: Lines of an earlier file: their decisions stand, and none of them is lost.
    """
    names = {entry.id: entry.name for entry in bank}
    reviewed = reviewed_labels(bank)
    decided = {(line.task, line.rule, line.misconception_id): line.keep for line in before}
    made = []
    for pair, ranking in rankings.items():
        task, rule = pair
        places = {id: place for place, id in enumerate(ranking.ids.tolist(), start=1)}
        scores = dict(zip(places, ranking.scores.tolist(), strict=True))
        further = [*reviewed.get(pair, ()), *(id for t, r, id in decided if (t, r) == pair)]
        for id in dict.fromkeys((*places, *sorted(further))):
            made.append(
                Proposal(
                    rule=rule,
                    task=task,
                    rank=places.get(id),
                    misconception_id=id,
                    name=names[id],
                    similarity=scores.get(id),
                    keep=decided.get((task, rule, id), id in reviewed.get(pair, ())),
                )
            )
    return made


def mapped_labels(bank: Sequence[Misconception], mapping: Path | None, faults: Faults) -> Labels:
    """Return the confirmed entries by (task slug, rule slug): of a mapping file, or (None) of the one that ships."""
    if mapping is None:
        return reviewed_labels(bank)
    return confirmed(scan_mapping(mapping, faults, bank))


def covered(labels: Labels) -> frozenset[int]:
    """Return every entry that some rule stands for."""
    return frozenset(id for ids in labels.values() for id in ids)
