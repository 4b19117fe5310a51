"""COLMAP's binary files of a model, walked through by their counts before COLMAP believes them.

COLMAP reserves memory for, and loops over, whatever numbers a file gives, and neither comes back nor listens to Ctrl-C.
It also passes over a disk that is full when it writes them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cyano.errors import OutputError
from cyano.reading import PARSER_ERRORS, read_bytes, reason_of, refusing

__all__ = ["check_model", "save_model"]

_POSE = 7 * 8  # a quaternion and a translation
_POINT_2D = 2 * 8 + 8
_TRACK_ELEMENT = 4 + 4
_SENSOR = 4 + 4


class _Walk:
    """A place in the bytes of a file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def number(self, form: str) -> int:
        """The next whole number, as `struct` names its form."""
        place = self._place
        self.skip(struct.calcsize(f"<{form}"))
        (value,) = struct.unpack_from(f"<{form}", self._content, place)
        return int(value)

    def skip(self, count: int) -> None:
        """Pass over bytes, which have to be there."""
        if count > len(self._content) - self._place:
            raise ValueError(f"it is truncated: {len(self._content):,} bytes")
        self._place += count

    def text(self) -> None:
        """Pass over a text, which ends with a null character."""
        self._place = self._content.index(b"\0", self._place) + 1

    def end(self) -> None:
        """Check that nothing follows."""
        if self._place != len(self._content):
            raise ValueError(f"{len(self._content) - self._place:,} bytes too many")


def _camera(walk: _Walk, pycolmap: Any) -> None:
    walk.skip(4)
    model = pycolmap.CameraModelId(walk.number("i"))
    walk.skip(8 + 8)
    walk.skip(8 * len(pycolmap.Camera.create_from_model_id(0, model, 1.0, 1, 1).params))


def _image(walk: _Walk, _: Any) -> None:
    walk.skip(4 + _POSE + 4)
    walk.text()
    walk.skip(_POINT_2D * walk.number("Q"))


def _point(walk: _Walk, _: Any) -> None:
    walk.skip(8 + 3 * 8 + 3 + 8)
    walk.skip(_TRACK_ELEMENT * walk.number("Q"))


def _rig(walk: _Walk, _: Any) -> None:
    walk.skip(4)
    sensors = walk.number("I")
    walk.skip(_SENSOR if sensors else 0)
    for _sensor in range(sensors - 1):
        walk.skip(_SENSOR)
        walk.skip(_POSE if walk.number("B") else 0)


def _frame(walk: _Walk, _: Any) -> None:
    walk.skip(4 + 4 + _POSE)
    walk.skip((_SENSOR + 8) * walk.number("I"))


_ITEMS: dict[str, Callable[[_Walk, Any], None]] = {
    "cameras.bin": _camera,
    "images.bin": _image,
    "points3D.bin": _point,
    "rigs.bin": _rig,
    "frames.bin": _frame,
}


def check_model(pycolmap: Any, folder: str | os.PathLike[str]) -> None:
    """Walk through the binary files of a model, as far as they are there.

    Args:
        pycolmap: the package.
        folder: of the model.

    Raises:
        InputError: a file does not hold as much as it says, or is larger.
    """
    for name, item in _ITEMS.items():
        path = Path(folder) / name
        if not path.exists():
            continue
        with refusing(path, "export the model again", kind="a file of COLMAP's"):
            walk = _Walk(read_bytes(path))
            for _ in range(walk.number("Q")):
                item(walk, pycolmap)
            walk.end()


def save_model(pycolmap: Any, model: Any, folder: Path) -> None:
    """Write a model of pycolmap's into a new folder, and see that all of it is there.

    Raises:
        OutputError: it is not: the disk is full.
    """
    folder.mkdir()
    try:
        model.write(str(folder))
        check_model(pycolmap, folder)
    except PARSER_ERRORS as error:
        raise OutputError(f"{folder} cannot be written whole ({reason_of(error)}); make room, and run again") from error
