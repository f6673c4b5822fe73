"""The errors a user can mend: every one says what was expected, what came, where, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches

USER_ERROR_STATUS = 2
"""Exit status of a pipeline that was stopped by bad input, before any cost."""

REFUSED_STATUS = 3
"""Exit status of a pipeline whose result was not good enough to be handed on."""


class UserError(Exception):
    """Something the user can mend; carries every fault that was found, not only the first.

    Args:
        faults: One message, or several. Each stands on a line of its own in `str(error)`.
    """

    status = USER_ERROR_STATUS
    """What a pipeline that it stops exits with."""

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class InputError(UserError):
    """A file, folder or value given by the user cannot be used."""


class ConfigError(UserError):
    """A config key is unknown, or its value has the wrong type or range.

    Attributes:
        usable: The config without what is wrong in it, so that further checks can be made and told in one message;
            None where that is no config either.
    """

    usable: object | None = None


class ModelError(UserError):
    """A model is not where it was said to be, or is not what it was said to be."""


class RefusedError(UserError):
    """What was made is not good enough: it is kept for a look, but not under its final name."""

    status = REFUSED_STATUS


class ArtifactMismatchError(UserError):
    """An artifact's manifest differs from what the reader expected.

    Args:
        path: The artifact.
        keys: The manifest keys that differ, e.g. `["model", "template_hash"]`.
    """

    def __init__(self, path: object, keys: Iterable[str]) -> None:
        self.keys = tuple(keys)
        super().__init__(
            f"{path}: was made under other conditions; these keys of its manifest differ: {', '.join(self.keys)}. "
            "Remove it, or run the pipeline that makes it again."
        )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `" (did you mean 'x'?)"` for the closest of `known`, or an empty string where none is close."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean '{by_folded[close[0]]}'?)" if close else ""
