"""Stages: each makes one artifact, is skipped while its manifest matches, and is timed."""

import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.artifacts import (
    differing_keys,
    made_by,
    manifest_path,
    sweep_temporaries,
    write_json,
    write_manifest,
)
from core.errors import InputError
from core.records import Ranking
from core.tables import read_rankings, write_rankings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """What became of one stage: its name, whether its artifact was reused, and how long it took in seconds."""

    name: str
    reused: bool
    seconds: float


@dataclass(kw_only=True)
class Stages:
    """Runs the stages of one pipeline.

    Attributes:
        folder: Where the artifacts lie.
        records: What has run so far, in order.
        read_only: Refuse to make anything: one of several processes reads what a single one made before.
    """

    folder: Path
    records: list[StageRecord] = field(default_factory=list)
    read_only: bool = False

    def artifact(self, name: str, made_from: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
        """Return the artifact `folder/name`, made anew unless its manifest already matches `made_from`.

        Args:
            name: File or folder name under `folder`.
            made_from: Everything that the artifact's content depends on; JSON-able.
            make: Writes the artifact at the path it is given, atomically. The manifest is written here.

        Raises:
            InputError: It would have to be made, but these stages are for reading.
        """
        path = self.folder / name
        differing = differing_keys(path, made_from)
        started = time.perf_counter()
        if differing == ():
            # A stage that several others read is asked for again and again; it is told once.
            if all(record.name != name for record in self.records):
                logger.info("%s: up to date, reused", name)
                self.records.append(StageRecord(name=name, reused=True, seconds=0.0))
            return path
        if self.read_only:
            why = f"these keys differ: {', '.join(differing)}" if differing else "it is not there"
            raise InputError(
                f"{path}: cannot be made by several processes at once ({why}); run the same command once in one "
                "process with --prepare, then launch the processes"
            )
        if differing:
            logger.info("%s: made again, since these keys differ: %s", name, ", ".join(differing))
        sweep_temporaries(path.parent, [path.name])
        # An old manifest must never vouch for new content, not even that of an artifact that was removed by hand.
        manifest_path(path).unlink(missing_ok=True)
        make(path)
        write_manifest(path, made_from)
        seconds = time.perf_counter() - started
        logger.info("%s: made in %.1f s", name, seconds)
        self.records.append(StageRecord(name=name, reused=False, seconds=seconds))
        return path

    def rankings(self, name: str, made_from: Mapping[str, Any], make: Callable[[], list[Ranking]]) -> list[Ranking]:
        """Return the rankings stored as `folder/name` (parquet), computed unless the manifest already matches."""
        path = self.artifact(name, made_from, lambda target: write_rankings(target, make()))
        return read_rankings(path)

    def timed(self, name: str, work: Callable[[], None]) -> None:
        """Run work that is always done (cheap outputs), timed under `name`."""
        started = time.perf_counter()
        work()
        self.records.append(StageRecord(name=name, reused=False, seconds=time.perf_counter() - started))

    def write_run(self, facts: Mapping[str, Any]) -> None:
        """Write `run.json`: times, date, versions and machine; the only output that differs between equal runs."""
        stages = [{"name": r.name, "reused": r.reused, "seconds": round(r.seconds, 3)} for r in self.records]
        write_json(self.folder / "run.json", {**facts, "stages": stages, "machine": machine(), "made_by": made_by()})

    def summary(self) -> str:
        """Return a line a stage: what was made or reused, and the seconds it took."""
        width = max((len(record.name) for record in self.records), default=0)
        return "\n".join(
            f"  {record.name:<{width}}  {'reused' if record.reused else f'{record.seconds:8.1f} s'}"
            for record in self.records
        )


def machine() -> dict[str, Any]:
    """Return what a run ran on: cores, threads, GPU, system."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpus": os.cpu_count(), "threads": torch.get_num_threads(), "gpu": gpu, "os": platform.system()}
