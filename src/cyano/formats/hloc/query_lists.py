"""Lists of photographs to localise: names, or hloc's query lists with a camera for each."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cyano.errors import InputError
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.reading import read_text
from cyano.types import ImageSize

__all__ = ["parse_query_list", "read_query_list"]


def read_query_list(path: str | os.PathLike[str]) -> dict[str, CameraEntry | None]:
    """Read a list; see `parse_query_list`.

    Raises:
        InputError: the file cannot be read, or see there.
    """
    remedy = "give a text file in UTF-8 with a name on each line"
    return parse_query_list(read_text(path, remedy=remedy).splitlines(), os.fspath(path))


def parse_query_list(lines: Iterable[str], where: str) -> dict[str, CameraEntry | None]:
    """The photographs of a list in its order, each with its camera or None.

    A line is a name, which may hold spaces, or as in hloc `name MODEL width height params`, with COLMAP's name of the
    camera model. Empty lines and those that begin with `#` are passed over.

    Args:
        lines: of the list.
        where: it comes from, for messages.

    Raises:
        InputError: a camera is incomplete, or a name stands there twice with two cameras.
    """
    found: dict[str, CameraEntry | None] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, camera = _entry(text, f"{where}, line {number}")
        if found.setdefault(name, camera) != camera:
            raise InputError(f"{where}, line {number}: {name!r} appears before with another camera; remove one")
    return found


def _entry(text: str, where: str) -> tuple[str, CameraEntry | None]:
    """A line; it has a camera where a word in capitals is followed by numbers alone."""
    words = text.split()
    numbers = 0
    while numbers < len(words) and _is_number(words[-1 - numbers]):
        numbers += 1
    place = len(words) - 1 - numbers
    if numbers < 2 or place < 1 or not words[place].replace("_", "").isalpha() or not words[place].isupper():
        return text, None
    try:
        size = ImageSize(int(words[place + 2]), int(words[place + 1]))
    except ValueError as error:  # InputError is one
        raise InputError(f"{where}: a camera is MODEL width height params, not {' '.join(words[place:])!r}") from error
    name = text.rsplit(None, numbers + 1)[0]
    return name, CameraEntry(words[place], tuple(float(word) for word in words[place + 3 :]), size)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
