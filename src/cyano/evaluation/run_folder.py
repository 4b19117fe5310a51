"""A folder of results that never mixes two configurations: run.json in it says how its files were made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyano.atomic import write_atomically
from cyano.errors import OutputError
from cyano.evaluation.provenance import Record

__all__ = ["OUTPUT_ENDINGS", "RUN_FILE", "Configuration", "open_run"]

RUN_FILE = "run.json"
FORMAT = "cyano-run-1"

OUTPUT_ENDINGS = tuple(f"_{kind}.{ending}" for kind in ("matches", "evaluation") for ending in ("npz", "png", "pdf"))
"""What follows a pair's stem in the names of its files."""

Configuration = Mapping[str, Record]
"""Sections by name: "matching" always, "evaluation" and "pictures" where those files are made."""


@dataclass(frozen=True)
class _Run:
    configuration: dict[str, Record]
    stems: tuple[str, ...]


def open_run(folder: Path, configuration: Configuration, stems: Sequence[str], *, overwrite: bool = False) -> None:
    """Record in a folder how its files are about to be made, unless files made otherwise are there.

    Sections that only one of the two runs has do not contradict each other: evaluating afterwards what was
    matched before is one run in two parts.

    Args:
        folder: of the results; made if it is not there.
        configuration: of the run that begins.
        stems: names of its pairs' files, without the endings.
        overwrite: remove the files of an earlier run with another configuration instead of refusing.

    Raises:
        OutputError: the folder holds files of another configuration, or cannot be written.
    """
    earlier = _read(folder / RUN_FILE, overwrite)
    changes = _changes(earlier.configuration, configuration)
    if changes and not overwrite:
        raise OutputError(
            f"{folder} holds results of other options ({'; '.join(changes)}); repeat those options, give another "
            "--output-dir, or replace the earlier results with --overwrite"
        )
    if changes:
        _remove(folder, earlier.stems)
        earlier = _Run({}, ())
    document = {
        "format": FORMAT,
        "configuration": {**earlier.configuration, **configuration},
        "stems": list(dict.fromkeys([*earlier.stems, *stems])),
    }
    write_atomically(folder / RUN_FILE, (json.dumps(document, indent=1) + "\n").encode())


def _read(path: Path, overwrite: bool) -> _Run:
    """What is known of an earlier run; nothing if there was none, or if it is to be overwritten anyway."""
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return _Run(dict(document["configuration"]), tuple(document["stems"]))
    except (FileNotFoundError, NotADirectoryError):
        return _Run({}, ())
    except (OSError, ValueError, KeyError, TypeError) as error:
        if overwrite:
            return _Run({}, ())
        raise OutputError(
            f"{path} cannot be understood ({error}), so nobody can tell how the files beside it were made; give "
            "another --output-dir, or replace it with --overwrite"
        ) from error


def _changes(earlier: Configuration, now: Configuration) -> list[str]:
    """One text for each value that differs within the sections that both have."""
    changes = []
    for section in earlier.keys() & now.keys():
        before, after = earlier[section], now[section]
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                changes.append(f"{name} was {before.get(name)} and is {after.get(name)} now")
    return sorted(changes)


def _remove(folder: Path, stems: Sequence[str]) -> None:
    """Remove the files of an earlier run, and no others."""
    try:
        for stem in stems:
            for ending in OUTPUT_ENDINGS:
                (folder / Path(stem + ending).name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{error.filename} of an earlier run cannot be removed: {error.strerror}; give another --output-dir"
        ) from error
