"""Which entries of a bank a mal-rule stands for: the reviewed mapping that ships, and mapping files of the user.

A rule is mapped task by task, because one belief carries another name where it spoils another skill. The mapping that
ships names no entry: it holds hashes of normalised names, made from misconception names alone (docs/log.md), so that it
fits any bank which words an entry alike, whatever its ids.
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.artifacts import write_text
from core.errors import did_you_mean
from core.faults import Faults
from core.records import Misconception
from core.text import normalise
from synth.bank_rules import FURTHER_TASKS
from synth.mal_rule import MalRule, Task
from synth.mal_rules import ALL_TASKS

EVERY_TASK: tuple[Task, ...] = (*ALL_TASKS, *FURTHER_TASKS)
"""The tasks of the bundled sample and the further ones."""

REVIEWED = Path(__file__).with_name("reviewed_names.csv")
HASH_DIGITS = 20
COLUMNS = ("rule", "task", "rank", "misconception_id", "name", "similarity", "keep", "rule_name")
KEEP = ("yes", "no")

Labels = Mapping[tuple[str, str], tuple[int, ...]]
"""Misconception ids by (task slug, rule slug), each rising."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A line of a mapping file: an entry that a rule may stand for in a task.

    Attributes:
        rule: The rule's slug.
        task: The task's slug.
        rank: Place by similarity, from 1; None where it was not among the most similar.
        misconception_id: The entry.
        name: The entry's name, for the reader.
        similarity: Cosine of the two texts; None where it was not computed.
        keep: Whether the rule stands for the entry.
    """

    rule: str
    task: str
    rank: int | None
    misconception_id: int
    name: str
    similarity: float | None
    keep: bool


@cache
def bindings() -> dict[tuple[str, str], tuple[Task, MalRule]]:
    """Return every rule in every task that it spoils, by (task slug, rule slug); not to be changed."""
    return {(task.slug, rule.slug): (task, rule) for task in EVERY_TASK for rule, _ in task.wrong}


def name_hash(name: str) -> str:
    """Return what stands for a misconception's name in the mapping that ships: the same for names that read alike."""
    return hashlib.sha256(normalise(name).encode()).hexdigest()[:HASH_DIGITS]


@cache
def reviewed_hashes() -> dict[tuple[str, str], frozenset[str]]:
    """Return the reviewed mapping: hashes of names by (task slug, rule slug); a rule's own name is one of them."""
    found = {pair: {name_hash(rule.name)} for pair, (_, rule) in bindings().items()}
    with REVIEWED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["task"], row["rule"]].add(row["name_sha256"])
    return {pair: frozenset(hashes) for pair, hashes in found.items()}


def reviewed_labels(bank: Sequence[Misconception]) -> Labels:
    """Return the entries of a bank that the reviewed mapping knows by name."""
    by_hash: dict[str, list[int]] = {}
    for entry in bank:
        by_hash.setdefault(name_hash(entry.name), []).append(entry.id)
    found = {
        pair: tuple(sorted(id for mark in hashes for id in by_hash.get(mark, ())))
        for pair, hashes in reviewed_hashes().items()
    }
    return {pair: ids for pair, ids in found.items() if ids}


def confirmed(proposals: Sequence[Proposal]) -> Labels:
    """Return the confirmed entries."""
    found: dict[tuple[str, str], set[int]] = {}
    for line in proposals:
        if line.keep:
            found.setdefault((line.task, line.rule), set()).add(line.misconception_id)
    return {pair: tuple(sorted(ids)) for pair, ids in found.items()}


def write_mapping(path: Path, proposals: Sequence[Proposal]) -> None:
    """Write a mapping file to be reviewed: CSV, UTF-8, atomically."""
    rules = {rule.slug: rule.name for _, rule in bindings().values()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in proposals:
        similarity = "" if line.similarity is None else f"{line.similarity:.4f}"
        rank = "" if line.rank is None else line.rank
        keep = KEEP[0] if line.keep else KEEP[1]
        writer.writerow(
            [line.rule, line.task, rank, line.misconception_id, line.name, similarity, keep, rules[line.rule]]
        )
    write_text(path, text.getvalue())


def read_mapping(path: Path, bank: Sequence[Misconception]) -> tuple[Proposal, ...]:
    """Read a mapping file.

    Args:
        path: CSV with the columns rule, task, misconception_id, name and keep (`yes` or `no`); further ones are not
            needed.
        bank: The bank: each line's id must be in it, under the name that the line states.

    Raises:
        InputError: All faults of the file together.
    """
    faults = Faults()
    found = scan_mapping(path, faults, bank)
    faults.raise_if_any()
    return found


def scan_mapping(path: Path, faults: Faults, bank: Sequence[Misconception]) -> tuple[Proposal, ...]:
    """Read a mapping file as `read_mapping` does, but note faults instead of raising; then what could be read."""
    if not path.is_file():
        faults.add_message(f"{path}: there is no such file; pipelines/map_mal_rules.py makes one")
        return ()
    names = {entry.id: entry.name for entry in bank}
    found = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        needed = [column for column in COLUMNS if column not in ("rank", "similarity", "rule_name")]
        if missing := [column for column in needed if column not in (reader.fieldnames or ())]:
            faults.add(path, f"lacks the columns {', '.join(missing)}: expected those of map_mal_rules.py", line=1)
            return ()
        for row in reader:
            if fault := _fault(row, names):
                faults.add(path, fault, line=reader.line_num)
            else:
                found.append(_proposal(row))
    return tuple(found)


def _fault(row: Mapping[str, str | None], names: Mapping[int, str]) -> str | None:
    """Return what is wrong with a line, or None."""
    pair = ((row["task"] or "").strip(), (row["rule"] or "").strip())
    known = bindings()
    if pair not in known:
        meant = did_you_mean(pair[1], [rule for _, rule in known])
        return f"expected a rule and a task that it is bound to, came rule {pair[1]!r}{meant} in task {pair[0]!r}"
    cell = (row["misconception_id"] or "").strip()
    if not cell.isdecimal() or int(cell) not in names:
        return f"expected misconception_id to be an id of the bank, came {cell!r}"
    if normalise(row["name"] or "") != normalise(names[int(cell)]):
        return (
            f"entry {cell} has another name in the bank ({names[int(cell)]!r}, here {row['name']!r}): this mapping was "
            "made for another bank; run map_mal_rules.py for this one"
        )
    if (row["keep"] or "").strip().lower() not in KEEP:
        return f"expected keep to be yes or no, came {row['keep']!r}"
    return None


def _proposal(row: Mapping[str, str | None]) -> Proposal:
    rank, similarity = ((row.get(name) or "").strip() for name in ("rank", "similarity"))
    return Proposal(
        rule=(row["rule"] or "").strip(),
        task=(row["task"] or "").strip(),
        rank=int(rank) if rank.isdecimal() else None,
        misconception_id=int(row["misconception_id"] or ""),
        name=row["name"] or "",
        similarity=_number(similarity),
        keep=(row["keep"] or "").strip().lower() == KEEP[0],
    )


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
