"""A folder of results that never mixes two configurations: run.json in it says how its files were made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cyano.atomic import tidy, write_atomically
from cyano.errors import OutputError
from cyano.evaluation.provenance import Record
from cyano.reading import read_json, refusing

__all__ = ["OUTPUT_ENDINGS", "RUN_FILE", "Configuration", "PairsByStem", "open_run"]

RUN_FILE = "run.json"
FORMAT = "cyano-run-1"
_SHOWN = 8
"""How many differences an error message lists."""

OUTPUT_ENDINGS = tuple(f"_{kind}.{ending}" for kind in ("matches", "evaluation") for ending in ("npz", "png", "pdf"))
"""What follows a pair's stem in the names of its files."""

Configuration = Mapping[str, Record]
"""Sections by name: "matching" always, "evaluation" and "pictures" where those files are made."""

PairsByStem = Mapping[str, tuple[str, str]]
"""The names of a pair's two images by what its files are called, without the endings."""


@dataclass(frozen=True)
class _Run:
    configuration: dict[str, Record]
    pairs: PairsByStem


def open_run(
    folder: Path,
    configuration: Configuration,
    pairs: PairsByStem,
    *,
    inputs: Iterable[Path | None] = (),
    overwrite: bool = False,
) -> None:
    """Record in a folder how its files are about to be made, unless files made otherwise are there.

    Sections that only one of the two runs has do not contradict each other: evaluating afterwards what was
    matched before is one run in two parts. Another list may add its pairs, but not write over those of the first.

    Args:
        folder: of the results; made if it is not there.
        configuration: of the run that begins.
        pairs: its pairs, by the names of their files.
        inputs: files that the run reads; None for one that there is not.
        overwrite: remove the files of an earlier run that contradicts this one instead of refusing.

    Raises:
        OutputError: a result would replace an input, or the folder holds files of another configuration, or of
            another pair by the same name, or cannot be written.
    """
    tidy(folder, lambda name: name == RUN_FILE or name.endswith(OUTPUT_ENDINGS))
    earlier = _read(folder / RUN_FILE, overwrite)
    _refuse_inputs(folder, inputs, {**earlier.pairs, **pairs})
    changes = _changes(earlier.configuration, configuration) + _clashes(earlier.pairs, pairs)
    if changes and not overwrite:
        more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        raise OutputError(
            f"{folder} holds results of other options or pairs ({'; '.join(changes[:_SHOWN])}{more}); repeat those "
            "options, give another --out, or replace the earlier results with --overwrite"
        )
    if changes:
        _remove(folder, earlier.pairs)
        earlier = _Run({}, {})
    document = {
        "format": FORMAT,
        "configuration": {**earlier.configuration, **configuration},
        "pairs": {stem: list(names) for stem, names in {**earlier.pairs, **pairs}.items()},
    }
    write_atomically(folder / RUN_FILE, (json.dumps(document, indent=1) + "\n").encode())


def _refuse_inputs(folder: Path, inputs: Iterable[Path | None], stems: Iterable[str]) -> None:
    """Refuse a folder in which an input has the name of a result, also of one that is not made this time."""
    place = os.path.realpath(folder)
    results = {RUN_FILE, *(stem + ending for stem in stems for ending in OUTPUT_ENDINGS)}
    for path in dict.fromkeys(path for path in inputs if path is not None and "\0" not in str(path)):
        places = {os.path.join(os.path.realpath(path.parent), path.name), os.path.realpath(path)}
        if any(os.path.dirname(found) == place and os.path.basename(found) in results for found in places):
            raise OutputError(f"{path} is an input and has the name of a result in {folder}; give another --out")


def _read(path: Path, overwrite: bool) -> _Run:
    """What is known of an earlier run; nothing if there was none, or if it is to be overwritten anyway."""
    if not os.path.lexists(path):
        return _Run({}, {})
    remedy = "so it is unknown how the files beside it were made; give another --out, or replace it with "
    remedy += "--overwrite"
    try:
        document = read_json(path, remedy=remedy, error=OutputError)
        with refusing(path, remedy, OutputError):
            if document["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            sections = {name: dict(section) for name, section in document["configuration"].items()}
            pairs = {Path(stem).name: (str(name0), str(name1)) for stem, (name0, name1) in document["pairs"].items()}
            return _Run(sections, pairs)
    except OutputError:
        if overwrite:
            return _Run({}, {})
        raise


def _changes(earlier: Configuration, now: Configuration) -> list[str]:
    """One text for each value that differs within the sections that both have."""
    changes = []
    for section in earlier.keys() & now.keys():
        before, after = earlier[section], now[section]
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                changes.append(f"{name} was {before.get(name)} and is {after.get(name)} now")
    return sorted(changes)


def _clashes(earlier: PairsByStem, now: PairsByStem) -> list[str]:
    """One text for each name of files that belongs to another pair now."""
    return [
        f"{stem} was {' '.join(earlier[stem])} and is {' '.join(names)} now"
        for stem, names in now.items()
        if earlier.get(stem, names) != names
    ]


def _remove(folder: Path, stems: Iterable[str]) -> None:
    """Remove the files of an earlier run, and no others."""
    try:
        for stem in stems:
            for ending in OUTPUT_ENDINGS:
                (folder / (stem + ending)).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{error.filename} of an earlier run cannot be removed: {error.strerror}; give another --out"
        ) from error
