"""Items that cannot be processed, with the reason: one small file for each report, so anybody may add one."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from cyano.atomic import write_atomically
from cyano.errors import InputError, OutputError
from cyano.reading import read_json
from cyano.records import record_from
from cyano.store.keys import item_key

__all__ = ["Quarantine", "QuarantineEntry"]


@dataclass(frozen=True)
class QuarantineEntry:
    """An item that is set apart.

    Attributes:
        item: the name of an image, or the two of a pair.
        reason: of the last report.
        attempts: of all reports together.

    Example:
        >>> features, matches, names = collection.stored()
        >>> [entry.item for entry in features.quarantine.entries()]  # nothing was wrong with the images
        []
    """

    item: tuple[str, ...]
    reason: str
    attempts: int


@dataclass(frozen=True)
class _Report:
    """The content of a file."""

    item: tuple[str, ...]
    reason: str
    attempts: int
    time_ns: int


def _is_of(report: _Report, key: str) -> bool:
    """Whether a report is of the item that its file is named after."""
    return len(report.item) in (1, 2) and item_key(report.item).hex() == key


class Quarantine:
    """The list in a folder; reports of several processes about one item add up.

    Example:
        >>> quarantine = Quarantine(Path("quarantine"))
        >>> quarantine.add(("torn.jpg",), "it ends in the middle")
        >>> [entry.reason for entry in quarantine.entries()]
        ['it ends in the middle']
        >>> quarantine.release(("torn.jpg",))
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, item: tuple[str, ...], reason: str, attempts: int = 1) -> None:
        """Report an item.

        Args:
            item: (name,) of an image, or the two names of a pair in whichever order.
            reason: what went wrong, for people.
            attempts: how often it was tried since the last report.

        Raises:
            OutputError: the report cannot be written.
        """
        report = _Report(tuple(item), reason, attempts, time.time_ns())
        path = self._folder / f"{item_key(item).hex()}-{secrets.token_hex(8)}.json"
        write_atomically(path, json.dumps(vars(report)).encode("ascii"))

    def entries(self) -> list[QuarantineEntry]:
        """All items that are set apart, in the order of their names."""
        reports: dict[str, list[tuple[int, QuarantineEntry]]] = {}
        for path in sorted(self._folder.glob("[0-9a-f]*.json")):
            key = path.name.split("-")[0]
            try:
                report = record_from(_Report, read_json(path), str(path))
            except InputError:
                continue  # released meanwhile, or damaged: the item is tried once more
            if _is_of(report, key):
                entry = QuarantineEntry(report.item, report.reason, report.attempts)
                reports.setdefault(key, []).append((report.time_ns, entry))
        merged = []
        for several in reports.values():
            last = max(several, key=lambda report: report[0])[1]
            merged.append(QuarantineEntry(last.item, last.reason, sum(entry.attempts for _, entry in several)))
        return sorted(merged, key=lambda entry: entry.item)

    def release(self, item: tuple[str, ...]) -> None:
        """Take an item off the list, to try it again.

        Raises:
            OutputError: its reports cannot be removed.
        """
        try:
            for path in self._folder.glob(f"{item_key(item).hex()}-*.json"):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{error.filename} cannot be removed: {error.strerror}; check its permissions") from error
