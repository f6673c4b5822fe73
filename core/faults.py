"""A list of what is wrong with the user's files, so that a run stops once and names everything."""

from pathlib import Path

from core.errors import InputError

SHOWN_PER_FILE = 50
"""A file saved the wrong way is wrong in every row: the first rows say enough, the rest is counted."""


class Faults:
    """Collects faults over several files and raises them together.

    Faults are listed in the order in which the files were first named and, within a file, by line. At most
    `SHOWN_PER_FILE` of a file are shown; the others are counted.
    """

    def __init__(self) -> None:
        self._by_file: dict[str, list[tuple[int, str]]] = {}

    def add(self, path: Path | str, what: str, *, line: int | None = None, column: str | None = None) -> None:
        """Note one fault.

        Args:
            path: The file.
            what: What was expected, what came and what to do.
            line: 1-based line of the file on which the record starts.
            column: The column's name in the file.
        """
        where = str(path) + (f", line {line}" if line is not None else "") + (f", column {column}" if column else "")
        found = self._by_file.setdefault(str(path), [])
        entry = (line or 0, f"{where}: {what}")
        if entry not in found[-1:]:
            found.append(entry)

    def add_message(self, message: str) -> None:
        """Note a fault that already says where it is (an output folder, a config key, a model)."""
        self._by_file.setdefault(message, []).append((0, message))

    def count(self, path: Path | str | None = None) -> int:
        """Return how many faults there are, in one file or (None) altogether."""
        if path is not None:
            return len(self._by_file.get(str(path), ()))
        return sum(len(found) for found in self._by_file.values())

    def messages(self) -> tuple[str, ...]:
        """Return the lines to show, with a count in place of those beyond the first `SHOWN_PER_FILE` of a file."""
        lines: list[str] = []
        for path, found in self._by_file.items():
            lines += [message for _, message in sorted(found, key=lambda entry: entry[0])[:SHOWN_PER_FILE]]
            if len(found) > SHOWN_PER_FILE:
                lines.append(f"{path}: … and {len(found) - SHOWN_PER_FILE:,} more")
        return tuple(lines)

    def raise_if_any(self) -> None:
        """Stop where anything was noted.

        Raises:
            InputError: With every fault.
        """
        if self.count():
            raise InputError(self.messages())
