"""COLMAP's binary models as arrays, without an object for each of their points: millions take a second.

How the files are laid out: https://colmap.github.io/format.html, "Binary File Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.formats.colmap.pixels import lens_of
from cyano.formats.extras import load_pycolmap
from cyano.geometry import LensCamera
from cyano.geometry.quaternions import rotation_from
from cyano.reading import read_bytes, refusing
from cyano.types import ImageSize

__all__ = ["BinaryImage", "is_binary", "read_cameras", "read_images", "read_points"]

_COUNT = struct.Struct("<Q")
_CAMERA = struct.Struct("<IiQQ")
_IMAGE = struct.Struct("<I7dI")
_SEEN = np.dtype([("place", "<f8", 2), ("point", "<i8")])
_HEAD_BYTES, _POINT_BYTES, _TRACK_BYTES, _LENGTH_AT = 32, 51, 8, 43
_REMEDY = "export the model again"


class BinaryImage(NamedTuple):
    """An image of a model; its arrays are views into the whole file.

    Attributes:
        name: of it.
        camera: number of its camera.
        T_world_to_camera: (4, 4) float64.
        places: (N, 2) float64 keypoints in COLMAP's pixels.
        points: (N,) int64 numbers of the points that they are, -1 for none.
    """

    name: str
    camera: int
    T_world_to_camera: NDArray[np.float64]
    places: NDArray[np.float64]
    points: NDArray[np.int64]


def is_binary(folder: Path) -> bool:
    """Whether a folder holds a model in binary form."""
    return all((folder / f"{name}.bin").is_file() for name in ("cameras", "images", "points3D"))


def read_cameras(folder: Path) -> dict[int, LensCamera]:
    """The cameras by number.

    Raises:
        InputError: the file cannot be read, is damaged, or holds a camera that is none here.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap, path = load_pycolmap(), folder / "cameras.bin"
    found, place = {}, _COUNT.size
    with refusing(path, _REMEDY, kind="a file of COLMAP's"):
        content = read_bytes(path)
        for _ in range(_COUNT.unpack_from(content)[0]):
            number, kind, width, height = _CAMERA.unpack_from(content, place)
            model = pycolmap.CameraModelId(kind)
            count = len(pycolmap.Camera.create_from_model_id(0, model, 1.0, 1, 1).params)
            params = struct.unpack_from(f"<{count}d", content, place + _CAMERA.size)
            found[number] = lens_of(model.name, params, ImageSize(height, width))
            place += _CAMERA.size + 8 * count
        _check_end(content, place)
    return found


def read_images(folder: Path) -> Iterator[BinaryImage]:
    """The images in the order of the file.

    Raises:
        InputError: the file cannot be read, or is damaged.
    """
    path = folder / "images.bin"
    place = _COUNT.size
    with refusing(path, _REMEDY, kind="a file of COLMAP's"):
        content = read_bytes(path)
        for _ in range(_COUNT.unpack_from(content)[0]):
            _, *motion, camera = _IMAGE.unpack_from(content, place)
            end = content.index(b"\0", place + _IMAGE.size)
            name = content[place + _IMAGE.size : end].decode("utf-8", "surrogateescape")
            (count,) = _COUNT.unpack_from(content, end + 1)
            place = end + 1 + _COUNT.size
            seen = np.frombuffer(content, _SEEN, count, place)
            place += count * _SEEN.itemsize
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = rotation_from(motion[:4], name), motion[4:]
            yield BinaryImage(name, camera, pose, seen["place"], seen["point"])
        _check_end(content, place)


def read_points(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(P,) numbers of the points, increasing, and (P, 3) where they are.

    Raises:
        InputError: the file cannot be read, or is damaged.
    """
    path = folder / "points3D.bin"
    with refusing(path, _REMEDY, kind="a file of COLMAP's"):
        content = read_bytes(path)
        (count,) = _COUNT.unpack_from(content)
        if count > len(content) // _POINT_BYTES:
            raise ValueError(f"it is truncated: {len(content):,} bytes")
        starts, place, length_at = np.empty(count, np.int64), _COUNT.size, _COUNT.unpack_from
        for row in range(count):  # tracks differ in length
            starts[row] = place
            place += _POINT_BYTES + _TRACK_BYTES * length_at(content, place + _LENGTH_AT)[0]
        _check_end(content, place)
    raw = np.frombuffer(content, np.uint8)
    heads = np.empty((count, _HEAD_BYTES), np.uint8)  # number and place
    for byte in range(_HEAD_BYTES):  # all at once would take 8 bytes of an index for each
        heads[:, byte] = raw[starts + byte]
    numbers = np.ascontiguousarray(heads[:, :8]).view("<i8")[:, 0]
    order = np.argsort(numbers, kind="stable")
    return numbers[order], np.ascontiguousarray(heads[:, 8:]).view("<f8")[order]


def _check_end(content: bytes, place: int) -> None:
    if place != len(content):
        raise ValueError(f"it has {len(content):,} bytes and should have {place:,}")
