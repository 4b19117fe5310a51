"""Files that say the cameras of images and folders: TOML, hloc's lists of queries, and COLMAP's cameras.txt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cyano.errors import InputError
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.pairs.entries import entry_name
from cyano.reading import parse_toml, read_text
from cyano.records import record_from
from cyano.types import ImageSize

__all__ = ["read_cameras_file"]

_REMEDY = (
    "give a TOML file with tables [[cameras]], or a text file with lines NAME MODEL WIDTH HEIGHT PARAMS, or COLMAP's "
    "cameras.txt"
)
_LINE = re.compile(
    r"(?P<name>.+?)\s+(?P<model>[A-Z][A-Z0-9_]+)\s+(?P<width>\d+)\s+(?P<height>\d+)(?P<params>(\s+\S+)*)"
)
_TOML = re.compile(r"\s*(\[|\w+\s*=)")
_OF_IMAGE = 10  # fields of an image's line in COLMAP's images.txt


@dataclass(frozen=True)
class _Entry:
    """A table of a cameras file; the size is (width, height)."""

    images: tuple[str, ...]
    model: str
    params: tuple[float, ...] = ()
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class _CamerasFile:
    """Its content."""

    cameras: tuple[_Entry, ...]


def read_cameras_file(path: str | os.PathLike[str]) -> dict[str, CameraEntry]:
    """The cameras of folders and images; parameters are in COLMAP's order and pixels in all forms.

    A TOML file has a table for each camera:

        [[cameras]]
        images = ["left/", "extra/1.jpg"]  # folders end in a slash, or in /*; "" or "*" is that of all images
        model = "OPENCV"
        params = [1200, 1200, 960, 540, -0.1, 0.01, 0, 0]  # may be left out
        size = [1920, 1080]  # width and height of the picture that they are for; may be left out

    A text file has a line for each, as hloc's lists of queries; the parameters may be left out:

        left/* OPENCV 1920 1080 1200 1200 960 540 -0.1 0.01 0 0
        extra/1.jpg SIMPLE_RADIAL 4000 3000 2900 2000 1500 0.02

    COLMAP's `cameras.txt` says no names. Where it has one camera, that is of all images; else `images.txt` beside it
    says which are of which, and those of one camera share it.

    Returns:
        The cameras by name of the image, or of the folder with a slash at the end.

    Raises:
        InputError: it is no such file, or a name stands in it twice.

    Example:
        >>> written = Path("cameras.txt").write_text("left/* PINHOLE 1920 1080 1200 1200 960 540")
        >>> read_cameras_file("cameras.txt")["left/"].params
        (1200.0, 1200.0, 960.0, 540.0)
    """
    text = read_text(path, remedy=_REMEDY)
    lines = list(_lines(text))
    if not lines or Path(path).suffix.lower() == ".toml" or _TOML.match(lines[0][1]):
        listed = list(_of_toml(text, path))
    else:
        listed = [(name, camera) for _, name, camera in _of_lines(lines, path)]
        if all(name.isdecimal() for name, _ in listed):
            listed = list(_of_colmap(dict(listed), path))
    found: dict[str, CameraEntry] = {}
    for name, camera in listed:
        key = entry_name(name)
        if key in found:
            raise InputError(f"{path}: {name!r} appears twice; remove one")
        found[key] = camera
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are neither empty nor comments."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _of_toml(text: str, path: str | os.PathLike[str]) -> Iterator[tuple[str, CameraEntry]]:
    content = record_from(_CamerasFile, parse_toml(text.encode(), path, remedy=_REMEDY), str(path))
    for entry in content.cameras:
        size = None if entry.size is None else ImageSize(entry.size[1], entry.size[0])
        for name in entry.images:
            yield name, CameraEntry(entry.model, entry.params, size)


def _of_lines(lines: list[tuple[int, str]], path: str | os.PathLike[str]) -> Iterator[tuple[int, str, CameraEntry]]:
    for number, line in lines:
        fields = _LINE.fullmatch(line)
        try:
            if fields is None:
                raise ValueError("not NAME MODEL WIDTH HEIGHT PARAMS")
            params = tuple(float(each) for each in fields["params"].split())
            size = ImageSize(int(fields["height"]), int(fields["width"]))
            yield number, fields["name"], CameraEntry(fields["model"], params, size)
        except ValueError as error:  # InputError is one
            raise InputError(f"{path}, line {number}: {error}; {_REMEDY}") from error


def _of_colmap(cameras: dict[str, CameraEntry], path: str | os.PathLike[str]) -> Iterator[tuple[str, CameraEntry]]:
    """The cameras by image, of those by number."""
    beside = Path(path).with_name("images.txt")
    if not beside.is_file():
        if len(cameras) > 1:
            raise InputError(
                f"{path} has {len(cameras)} cameras but no image names; put COLMAP's images.txt beside "
                "it, or write image names instead of the numbers"
            )
        yield from (("", camera) for camera in cameras.values())
        return
    # Each image has two lines, of which the second, its points, may be empty.
    rows = [line for line in read_text(beside).splitlines() if not line.startswith("#")]
    for row in rows[::2]:
        fields = row.split(maxsplit=_OF_IMAGE - 1)
        if not fields:
            continue
        if len(fields) != _OF_IMAGE or fields[-2] not in cameras:
            raise InputError(f"{beside}: {row!r:.100} is not an image of a camera in {path}; export the model again")
        number, name = fields[-2:]
        camera = cameras[number]
        yield name.rstrip(), CameraEntry(camera.model, camera.params, camera.size, shared=number)
