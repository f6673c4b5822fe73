"""One engine in a process of its own: answers what comes through a pipe."""

import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from core.errors import UserError
from core.language_model import EngineStats, Generation, LabelScores, ScoringError, TokenIds


class Engine(Protocol):
    """What a worker serves: `TokenScorer` and `TextGenerator` in one."""

    @property
    def stats(self) -> EngineStats:
        """Counts since the engine was opened."""
        ...

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """See `TokenScorer.score`."""
        ...

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Generation]:
        """See `TextGenerator.generate`."""
        ...

    def close(self) -> None:
        """Let the engine go."""
        ...


def serve(pipe: Connection, environment: dict[str, str], open_engine: Callable[[], Engine]) -> None:
    """Open an engine, then answer until the pipe is closed or brings None; a process runs this.

    Args:
        pipe: Brings `(method, arguments, options)`; takes `(kind, value, stats)`, where kind is `done`, or tells the
            error that the value is a message of: `open`, `value`, `other`; for `score` the value is the message and the
            prompt's number in the task, None where not known.
        environment: Variables that are set first.
        open_engine: Opens the engine.
    """
    os.environ.update(environment)
    stats = EngineStats()
    try:
        engine = open_engine()
    except (UserError, ValueError, RuntimeError, OSError) as error:
        pipe.send(("open", f"{type(error).__name__}: {error}", stats))
        return
    pipe.send(("done", None, stats))
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):  # the parent is gone
            task = None
        if task is None:
            engine.close()
            return
        method, arguments, options = task
        try:
            value = getattr(engine, method)(*arguments, **options)
            kind = "done"
        except ScoringError as error:
            kind, value = "score", (str(error), error.prompt)
        except ValueError as error:
            kind, value = "value", str(error)
        except (UserError, RuntimeError, OSError) as error:
            kind, value = "other", f"{type(error).__name__}: {error}"
        pipe.send((kind, value, engine.stats))
