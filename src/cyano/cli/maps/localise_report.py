"""What `cyano localise` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from cyano.cli.output import plain_line, print_facts, print_json, print_notes, result_console

if TYPE_CHECKING:
    from cyano.localisation import Localiser
    from cyano.localisation.output.records import Record
    from cyano.localisation.output.results import Results
    from cyano.localisation.run import Localised

__all__ = ["Report", "record_line"]

SOME_FAILED = 3
"""The exit code when some photographs have no certain pose."""


def record_line(record: Record) -> str:
    """A photograph in a line."""
    if record.centre is None or record.direction is None or record.camera is None:
        return f"{record.name}  {record.status}: {record.message}"
    focal = f"{record.camera.params[0]:.0f} px"
    return (
        f"{record.name}  {record.status}  at {_vector(record.centre)}  towards {_vector(record.direction)}  "
        f"{record.inliers} inliers  confidence {record.confidence:.2f}  camera {record.camera_source} ({focal})"
    )


def _vector(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:.3f}' for value in values)})"


class Report:
    """Lines as photographs are done, and a summary."""

    def __init__(self, localiser: Localiser, results: Results | None, *, as_json: bool) -> None:
        self._localiser, self._results, self._as_json = localiser, results, as_json
        self._done: list[Localised] = []
        self._summary: dict[str, Any] = {}
        self._console = result_console(as_json)

    def add(self, done: Localised) -> None:
        """Print the line of a photograph."""
        self._done.append(done)
        plain_line(self._console, record_line(done.record))

    def finish(self) -> None:
        """Write what follows from the results, whatever ended the work."""
        if self._results is not None:
            self._summary = self._results.finish(self.notes())

    def notes(self) -> list[str]:
        """What the user should know."""
        place, align = self._localiser.map, self._localiser.matcher.options.align
        lost = sum(
            not candidate.aligned for done in self._done if not done.reused for candidate in done.record.candidates
        )
        if not align or not lost:
            return []
        if place.images is None:
            told = f"the map's images are not in {place.folder / 'images'}"
        else:
            told = f"some of the map's images are missing or changed in {place.images}"
        return [f"{told}, so matches with them are not aligned and poses are less exact; give their folder (--images)"]

    def tell(self) -> None:
        """Print the summary.

        Raises:
            typer.Exit: with code 3, if some have no certain pose.
        """
        records = [done.record for done in self._done]
        counts = Counter(record.status for record in records)
        notes = self.notes()
        if self._as_json:
            summary = self._summary or {"format": "cyano-localise-1", "map": str(self._localiser.map.folder)}
            documents = [record.document() for record in records]
            print_json({**summary, "notes": notes, "localisations": documents})
        reused = sum(done.reused for done in self._done)
        told = ", ".join(f"{count} {status}" for status, count in counts.items()) + f"; {reused} reused" * bool(reused)
        files = list(self._summary.get("files", {}).items())
        title = f"{counts['ok']} of {len(records)} images localised"
        print_facts(self._console, title, [("status", told), *files])
        print_notes(notes)
        if counts["ok"] < len(records):
            raise typer.Exit(SOME_FAILED)
