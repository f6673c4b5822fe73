"""Scores that were read, kept on disk: a run that is killed goes on and gets the very same numbers.

One file, only ever appended to; each line is one prompt. Values are kept as the bits of float32, so that a score that
is read again is the score that was written, not one recomputed in another batch (which moves by up to 0.06 nat).
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.language_model import EngineStats, LabelScores, ScoringError, TokenIds, TokenScorer, check_prompts

logger = logging.getLogger(__name__)


class ScoreStore:
    """Label scores by prompt, in a file that survives a kill.

    The file may be used by one process at a time. Memory holds a digest and a place in the file per prompt.

    Attributes:
        path: The file.

    Args:
        path: See above; made with its folders where it is missing.
        engine: What the scores depend on besides the prompt: model and revision, adapter, dtype, quantisation. Scores
            of another engine in the same file are left alone and never returned.

    Raises:
        InputError: A whole line is not one of ours. A torn last line is what a kill leaves: it is dropped and logged.
    """

    def __init__(self, path: Path, *, engine: str) -> None:
        self.path = Path(path)
        self._engine = engine.encode()
        self._places: dict[bytes, int] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self._end = self._read_places()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, prompt: TokenIds, labels: TokenIds) -> LabelScores | None:
        """Return the stored scores of a prompt's labels, bit for bit, or None.

        Raises:
            InputError: The file was changed by another hand since it was opened.
        """
        key = self._key(prompt, labels)
        place = self._places.get(key)
        if place is None:
            return None
        with self.path.open("rb") as stream:
            stream.seek(place)
            found, scores = self._parse(stream.readline(), place)
        if found != key or len(scores.logprobs) != len(labels):
            raise InputError(f"{self.path}: byte {place} is another prompt's; the file was changed. Run again.")
        return scores

    def add(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds], scores: Sequence[LabelScores]) -> None:
        """Append scores and wait until they are on disk; a prompt that is stored already keeps what it has.

        Raises:
            ValueError: The lengths differ.
        """
        block, places = bytearray(), {}
        for prompt, wanted, found in zip(prompts, labels, scores, strict=True):
            key = self._key(prompt, wanted)
            if key not in self._places and key not in places:
                places[key] = self._end + len(block)
                block += _line(key, found)
        with self.path.open("ab") as stream:
            stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
        self._end += len(block)
        self._places.update(places)

    def _key(self, prompt: TokenIds, labels: TokenIds) -> bytes:
        """Return 16 bytes of a SHA-256 over engine, prompt and labels, each with its length."""
        tokens = np.asarray([len(prompt), *prompt, len(labels), *labels], dtype="<i8").tobytes()
        return hashlib.sha256(len(self._engine).to_bytes(8, "little") + self._engine + tokens).digest()[:16]

    def _read_places(self) -> int:
        """Index the file and cut a torn last line off; return its length."""
        place = 0
        with self.path.open("rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                key, _ = self._parse(line, place)
                self._places.setdefault(key, place)
                place += len(line)
        torn = self.path.stat().st_size - place
        if torn:
            logger.warning("%s: the last line is torn (%d bytes, a run was killed there): dropped", self.path, torn)
            os.truncate(self.path, place)
        return place

    def _parse(self, line: bytes, place: int) -> tuple[bytes, LabelScores]:
        try:
            row = json.loads(line)
            logprobs = np.frombuffer(bytes.fromhex(row["logprobs"]), dtype="<f4").astype(np.float32)
            mass = None if row["mass"] is None else float.fromhex(row["mass"])
            return bytes.fromhex(row["key"]), LabelScores(logprobs=logprobs, mass=mass)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path}: expected stored scores at byte {place}, got {line[:60]!r} ({error}). Remove the file; "
                "its scores are then read again."
            ) from error


def _line(key: bytes, scores: LabelScores) -> bytes:
    row = {
        "key": key.hex(),
        "logprobs": scores.logprobs.astype("<f4").tobytes().hex(),
        "mass": None if scores.mass is None else float(scores.mass).hex(),
    }
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


class StoredScorer:
    """A scorer that asks another one only what a store does not hold, and stores what came back.

    Args:
        scorer: The engine.
        store: Where finished prompts are kept.
    """

    def __init__(self, scorer: TokenScorer, store: ScoreStore) -> None:
        self._scorer = scorer
        self._store = store
        self.reused = 0

    @property
    def stats(self) -> EngineStats:
        """The engine's counts; prompts out of the store are not among them (`reused` counts those)."""
        return self._scorer.stats

    @property
    def is_open(self) -> bool:
        """Whether the engine is open; one that does not say so is."""
        return bool(getattr(self._scorer, "is_open", True))

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """Return the scores of each prompt's labels; see `TokenScorer.score`.

        Raises:
            ScoringError: As the engine does; nothing of this call is stored then.
            ValueError: See `TokenScorer.score`.
        """
        check_prompts(prompts, labels)
        pairs = [(tuple(prompt), tuple(wanted)) for prompt, wanted in zip(prompts, labels, strict=True)]
        known = {pair: found for pair in set(pairs) if (found := self._store.get(*pair)) is not None}
        # A prompt that stands twice (copies of a question) is asked once: it has one score, now and after a reload.
        missing = {pair: place for place, pair in enumerate(pairs) if pair not in known}
        self.reused += sum(pair in known for pair in pairs)
        if missing:
            asked, wanted = zip(*missing, strict=True)
            try:
                fresh = self._scorer.score(asked, wanted)
            except ScoringError as error:
                number = error.prompt
                place = None if number is None else list(missing.values())[number]
                raise ScoringError(error.faults, prompt=place) from error
            self._store.add(asked, wanted, fresh)
            known.update(zip(missing, fresh, strict=True))
        return [known[pair] for pair in pairs]
