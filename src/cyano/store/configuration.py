"""Which settings made the content of a folder: an id in the path, and a record beside the files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyano.atomic import write_atomically
from cyano.errors import InputError, OutputError
from cyano.reading import read_json, refusing
from cyano.store.keys import checksum

__all__ = ["CONFIG_FILE", "FORMAT", "Configuration", "config_id", "open_folder", "read_record"]

FORMAT = "cyano-store-1"
"""Part of every configuration, so files of another layout are never read as if they were of this one."""

CONFIG_FILE = "config.json"
_SHOWN = 8  # differences that an error message lists

Configuration = Mapping[str, str | int | float | bool | None]
"""Everything that decides the values of results, as plain values by name."""


def config_id(kind: str, configuration: Configuration) -> str:
    """16 hexadecimal digits; the same for the same values in whichever order.

    Raises:
        InputError: a value is not what JSON holds.
    """
    return checksum(_record(kind, configuration))[:16]


def _record(kind: str, configuration: Configuration) -> bytes:
    document = {"format": FORMAT, "kind": kind, "configuration": dict(configuration)}
    try:
        return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a configuration maps names to text, finite numbers, true, false and null: {error}"
        ) from error


def open_folder(root: Path, kind: str, configuration: Configuration, *, force: bool = False) -> Path:
    """The folder of a configuration's files, made if it is not there.

    Args:
        root: of the store.
        kind: of the items.
        configuration: in force.
        force: begin anew beside the results of other configurations instead of refusing.

    Returns:
        root / kind / config_id.

    Raises:
        InputError: a value of the configuration cannot be recorded.
        OutputError: there are results of another configuration only, or nothing can be written there.
    """
    record = _record(kind, configuration)
    folder = root / kind / config_id(kind, configuration)
    if os.path.isfile(root):
        raise OutputError(f"{root} is a file, not a folder; give another folder for the store")
    try:
        if (folder / CONFIG_FILE).read_bytes() == record:
            return folder
    except OSError:
        pass  # not there yet, or not readable: it is written anew, which says what is wrong if that fails
    if not force and not os.path.isdir(folder):
        _refuse_others(root / kind, json.loads(record))
    write_atomically(folder / CONFIG_FILE, record)
    return folder


def read_record(folder: Path) -> dict[str, Any]:
    """The configuration of a folder that `open_folder` made.

    Raises:
        InputError: its record cannot be understood, or the folder has another name than it had.
    """
    path = folder / CONFIG_FILE
    remedy = "so it is unknown how the files beside it were made; give another folder, or remove this one"
    document = read_json(path, remedy=remedy)
    with refusing(path, remedy):
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']}, not {FORMAT}")
        configuration = dict(document["configuration"])
        if config_id(document["kind"], configuration) != folder.name:
            raise ValueError("it belongs to another folder")
        return configuration


def _refuse_others(folder: Path, wanted: Mapping[str, Any]) -> None:
    """Refuse if there are results of other configurations, and say what differs from the nearest."""
    others = [_changes(path, wanted) for path in sorted(folder.glob(f"*/{CONFIG_FILE}"))]
    if not others:
        return
    changes = min(others, key=len)
    more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    raise OutputError(
        f"{folder} holds results of other options ({'; '.join(changes[:_SHOWN])}{more}); repeat those options, "
        "give another folder, or start anew beside them with --overwrite (in Python, force=True)"
    )


def _changes(path: Path, wanted: Mapping[str, Any]) -> list[str]:
    """One text for each value that differs; values are compared as JSON, in which 1 and 1.0 are two."""
    try:
        earlier = read_json(path)
        with refusing(path, "remove it"):
            before = {"format": earlier["format"], **earlier["configuration"]}
    except InputError as error:
        return [str(error)]
    now = {"format": wanted["format"], **wanted["configuration"]}
    return [
        f"{name} was {before.get(name)} and is {now.get(name)} now"
        for name in sorted(before.keys() | now.keys())
        if json.dumps(before.get(name)) != json.dumps(now.get(name)) or (name in before) != (name in now)
    ]
