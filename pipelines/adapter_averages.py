"""Averages of adapters at work: shares chosen, each average made where it is measured or written, numbers kept."""

import argparse
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.adapter_average import average_adapters
from core.artifacts import differing_keys, write_json
from core.average_weights import Soup, equal_weights, greedy_soup, score_weights, stated_weights
from core.errors import ConfigError
from core.models import vouched_key
from pipelines.adapter_job import AdapterJob
from pipelines.held_out_scores import Candidate, HeldOutScore, HeldOutScores
from pipelines.placing import place_folder
from pipelines.stages import Stages
from pipelines.trained_adapters import TrainedAdapter, carried

RESULT = "average.json"
"""What the result says of itself, inside its folder: method, rank, and its distance from the exact mean."""


class AverageScores:
    """What was measured: each adapter alone, what a greedy soup tried, and the average."""

    def __init__(self) -> None:
        self.singles: list[HeldOutScore] = []
        self.soup: Soup | None = None
        self.average: HeldOutScore | None = None

    def to_json(self, adapters: Sequence[TrainedAdapter]) -> dict[str, Any] | None:
        """Return the numbers for a manifest; None where nothing was measured."""
        if self.average is None:
            return None
        singles = {one.model.name: score.to_json() for one, score in zip(adapters, self.singles, strict=True)}
        trail = self.soup and [[list(members), round(score, 6), stays] for members, score, stays in self.soup.trail]
        return {"singles": singles, "soup": trail, "average": self.average.to_json()}


class Averages:
    """Averages of some adapters, by one method.

    Attributes:
        adapters: The adapters.
        held_out: Measures them; None without validation data.

    Args:
        task: The task.
        options: The command line: method, rank, largest rank served; of a merge, into what and in which type.
        stages: Keeps averages that are measured, and their numbers.
    """

    def __init__(self, task: AdapterJob, options: argparse.Namespace, stages: Stages) -> None:
        self.adapters, self._base, self._options, self._stages = task.adapters, task.base, options, stages
        self._device = task.settings.retriever.device
        self.held_out: HeldOutScores | None = None
        if task.job is not None:
            known = carried(task.adapters)["fitted_on"]
            self.held_out = HeldOutScores(task.job, stages, given=task.given, table=task.table, known=known)

    def single(self, place: int) -> Candidate:
        """Return one adapter alone, to be measured."""
        one = self.adapters[place]
        made_from = {"adapter_revision": one.model.revision, "base": self._base.revision if self._base else None}
        return Candidate(name=f"adapter-{place}", made_from=made_from, make=lambda: one.model.folder, is_adapter=True)

    def candidate(self, shares: Sequence[float]) -> Candidate:
        """Return the average at some shares; a share of 0 leaves the adapter out."""
        return Candidate(
            name=_name(shares),
            made_from=self.made_from(shares),
            make=lambda: self._stages.artifact(_name(shares), self._ready_from(shares), partial(self._make, shares)),
            is_adapter=self._options.method != "merge",
        )

    def made_from(self, shares: Sequence[float]) -> dict[str, Any]:
        """Return what the average at some shares depends on."""
        first = self.adapters[0].adapter
        merged = self._options.method == "merge"
        return {
            "artifact": "averaged adapters",
            "model": self._base.name if self._base else first.base_name,
            # As the adapters name it, whose base may be a folder that is a copy of a hub's model.
            "revision": first.base_revision or (self._base.revision if self._base else None),
            **(vouched_key(self._base) if self._base else {}),
            "adapters": [
                [one.model.name, one.model.revision, round(share, 9)]
                for one, share in zip(self.adapters, shares, strict=True)
                if share > 0
            ],
            "method": self._options.method,
            "rank": self._options.rank,
            "merged": [self._options.into or "16bit", self._options.dtype, self._device] if merged else None,
        }

    def write(self, shares: Sequence[float], output: Path) -> None:
        """Write the average: the one of the work folder where that was measured now, else a new one."""
        ready = self._stages.folder / _name(shares)
        if differing_keys(ready, self._ready_from(shares)) == ():
            place_folder(ready, output)
        else:
            self._make(shares, output)

    def remove(self) -> None:
        """Remove the averages that were measured; their numbers stay."""
        for folder in self._stages.folder.glob("average-*"):
            if folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)

    def _ready_from(self, shares: Sequence[float]) -> dict[str, Any]:
        return {**self.made_from(shares), **carried(self.adapters)}

    def _make(self, shares: Sequence[float], output: Path) -> None:
        options = self._options
        chosen = [(one.model.folder, share) for one, share in zip(self.adapters, shares, strict=True) if share > 0]
        found = average_adapters(
            [folder for folder, _ in chosen],
            output,
            method=options.method,
            weights=[share for _, share in chosen],
            rank=options.rank,
            max_lora_rank=options.max_lora_rank,
            base=self._base.folder if self._base and options.method == "merge" else None,
            into=options.into or "16bit",
            dtype=options.dtype,
            device=self._device,
        )
        told = {"method": found.method, "rank": found.rank, "error": found.error, "worst": found.worst}
        write_json(output / RESULT, told)


def shares_of(averages: Averages, asked: str, told: AverageScores) -> list[float]:
    """Return the share of each adapter, 1 together; 0 leaves it out.

    Args:
        averages: The adapters; with validation data each is measured.
        asked: `equal`, `score`, `greedy` (both need that data), or numbers.
        told: Gets what is measured.
    """
    count, held_out = len(averages.adapters), averages.held_out
    if held_out is not None:
        told.singles = [held_out.score(averages.single(place)) for place in range(count)]
    scores = [score.map25 for score in told.singles]
    if asked == "equal":
        return equal_weights(count)
    if asked == "score":
        return score_weights(scores)
    if asked != "greedy":
        return stated_weights(numbers(asked))
    assert held_out is not None  # checked

    def score_of(members: tuple[int, ...]) -> float:
        return held_out.score(averages.candidate(_equal(members, count))).map25

    told.soup = greedy_soup(scores, score_of)
    return told.soup.weights(count)


def _equal(members: Sequence[int], count: int) -> list[float]:
    return [1.0 / len(members) if place in members else 0.0 for place in range(count)]


def _name(shares: Sequence[float]) -> str:
    return "average-" + "-".join(f"{place}x{share:.3f}" for place, share in enumerate(shares) if share > 0)


def numbers(asked: str) -> list[float]:
    """Read weights stated by hand.

    Raises:
        ConfigError: They are no numbers.
    """
    try:
        return [float(part) for part in asked.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--weights: expected equal, score, greedy, or a number for each adapter (2,1,1), got '{asked}'"
        ) from error
