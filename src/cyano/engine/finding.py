"""The photographs in a folder, and what looks like one and is passed over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from cyano.errors import InputError
from cyano.pairs.checks import some

__all__ = ["SUFFIXES", "find_images", "passed_over", "readable_suffixes"]

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Of the formats that every program around here reads."""

_MORE = frozenset({".avif", ".jfif", ".jp2", ".j2k", ".jpe"})  # Pillow reads them, too
_HEIF = frozenset({".heic", ".heif", ".hif"})  # with pillow-heif
_OTHERS = frozenset(
    {".jxl", ".psd", ".exr", ".hdr", ".tga", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef"}
)
"""Of pictures that are not read: JPEG XL, layers, high dynamic range, and raw data of cameras."""


def readable_suffixes() -> frozenset[str]:
    """The endings of all files that are read on this machine.

    Example:
        >>> {".jpg", ".png"} <= readable_suffixes()
        True
    """
    return SUFFIXES | _MORE | (_HEIF if find_spec("pillow_heif") else frozenset())


@dataclass
class _Found:
    """What is in a folder and below: names relative to it, with "/"; none that are hidden."""

    files: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def find_images(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[str]:
    """Names of the image files in a folder and below, links to folders included: paths relative to it, sorted.

    Args:
        folder: of the images; what is hidden in it is left out.
        suffixes: endings of the names of images, in small letters; see `readable_suffixes`.

    Raises:
        InputError: there is no such folder, or it holds no images.

    Example:
        >>> find_images(Path("scene"))[:2]
        ['view0.png', 'view1.png']
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one with images in it")
    found = _look(folder)
    names = sorted(name for name in found.files if _suffix(name) in suffixes)
    if not names:
        left_out = "".join(f"; {note}" for note in _notes(found, suffixes))
        raise InputError(f"{folder} holds no images ({', '.join(sorted(suffixes))}); give a folder that does{left_out}")
    return names


def passed_over(folder: Path, suffixes: Collection[str]) -> list[str]:
    """One sentence for each kind of things in a folder that look like photographs and are not read.

    Example:
        >>> written = Path("scene/raw.cr2").write_bytes(b"")
        >>> len(passed_over(Path("scene"), readable_suffixes()))
        1
    """
    return _notes(_look(folder), suffixes)


def _notes(found: _Found, suffixes: Collection[str]) -> list[str]:
    known = (SUFFIXES | _MORE | _HEIF | _OTHERS).difference(suffixes)
    others = sorted(name for name in found.files if _suffix(name) in known)
    notes = []
    if others:
        counts = Counter(map(_suffix, others))
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))
        hint = ""
        if counts.keys() & _HEIF:
            hint = "; HEIC is read with pillow-heif: pip install pillow-heif"
        notes.append(f"{len(others)} images of other types were skipped ({kinds}): {some(others)}{hint}")
    if found.unreadable:
        notes.append(f"{len(found.unreadable)} folders cannot be read: {some(sorted(found.unreadable))}")
    return notes


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _look(folder: Path) -> _Found:
    """Walk through a folder: first what lies in it, then what links lead to, each folder once."""
    found = _Found()
    seen: set[tuple[int, int]] = set()
    waiting: list[str] = [""]
    links: list[str] = []
    while waiting or links:
        name = waiting.pop() if waiting else links.pop()
        try:
            status = os.stat(folder / name)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            for inner, entry in _entries(folder, name):
                if not entry.is_dir():
                    found.files.append(inner)
                elif entry.is_symlink():
                    links.append(inner)
                else:
                    waiting.append(inner)
        except OSError as error:
            found.unreadable.append(f"{name or folder} ({error.strerror or error})")
    return found


def _entries(folder: Path, name: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What is in a folder below, with its name; the last name first, since the last of a list is taken first."""
    with os.scandir(folder / name) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
            if not entry.name.startswith("."):
                yield (f"{name}/{entry.name}" if name else entry.name), entry
