"""Where images were taken: from a file of poses, or from latitude and longitude."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.pairs.checks import places_of
from cyano.reading import read_text

__all__ = ["Positions", "local_metres", "metres_from", "middle_of", "read_poses"]

EQUATOR = 6378137.0
"""Half the major axis of the WGS 84 ellipsoid in metres (NIMA TR8350.2, table 3.1)."""

FLATTENING = 1 / 298.257223563
"""Of the WGS 84 ellipsoid (the same table)."""

_COLMAP_FIELDS = 10
_KINDS = "give COLMAP's images.txt, or lines of name x y z"


@dataclass(frozen=True, eq=False)
class Positions:
    """Where some of a collection's images were taken.

    Attributes:
        names: of the N images whose position is known, in the order of the collection.
        positions: (N, 3) float64 in metres, or in the unit of the file that they come from.
        directions: (N, 3) float64 of unit length, in which the images look, None if that is not known.
        missing: names of the images whose position is not known, in the same order.

    Example:
        >>> np.savetxt("poses.txt", ["a.jpg 0 0 0", "b.jpg 3 4 0"], fmt="%s")
        >>> found = read_poses("poses.txt", ["a.jpg", "b.jpg", "c.jpg"])
        >>> found.names, found.positions[1].tolist(), found.missing
        (['a.jpg', 'b.jpg'], [3.0, 4.0, 0.0], ['c.jpg'])
    """

    names: list[str]
    positions: NDArray[np.float64]
    directions: NDArray[np.float64] | None
    missing: list[str]


def local_metres(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64], height: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Geodetic WGS 84 coordinates as metres in a frame that stands on the ellipsoid in their middle; see `middle_of`.

    It is a rigid change of frame: distances are straight lines through space, shorter than on the ground by
    1 mm at 10 km and 1 m at 100 km. Nothing is special at the poles and the date line.

    Args:
        latitude: (N,) degrees north.
        longitude: (N,) degrees east.
        height: (N,) metres above the ellipsoid.

    Returns:
        (N, 3) float64: east, north, up.

    Example:
        >>> metres = local_metres(np.array([48.0, 48.001]), np.array([11.0, 11.0]), np.zeros(2))
        >>> float(np.diff(metres[:, 1])[0].round(1))  # a thousandth of a degree north
        111.2
    """
    return metres_from((*middle_of(latitude, longitude), 0.0), np.stack((latitude, longitude, height), axis=1))


def metres_from(origin: tuple[float, float, float] | None, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) metres east, north and up from an origin, of (N, 3) degrees north, degrees east, metres above WGS 84.

    Args:
        origin: likewise; None for Earth-centred, Earth-fixed metres.
        places: likewise.

    Example:
        >>> east, north, up = metres_from((48.0, 11.0, 0.0), np.array([[48.001, 11.0, 10.0]]))[0]
        >>> round(float(north), 1), round(float(up), 1)
        (111.2, 10.0)
    """
    earth = _earth_centred(_normals(np.radians(places[:, 0]), np.radians(places[:, 1])), places[:, 2])
    if origin is None:
        return earth
    up = _normals(np.radians(np.array([origin[0]])), np.radians(np.array([origin[1]])))
    east = np.array([-math.sin(math.radians(origin[1])), math.cos(math.radians(origin[1])), 0.0])
    away = earth - _earth_centred(up, np.array([origin[2]]))
    return np.asarray(away @ np.stack((east, np.cross(up[0], east), up[0])).T)


def middle_of(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> tuple[float, float]:
    """Degrees north and east of the mean of the verticals of (N,) places; (0, 0) of none.

    Example:
        >>> north, east = middle_of(np.array([48.0, 48.002]), np.array([179.0, -179.0]))
        >>> round(north, 2), abs(round(east))
        (48.01, 180)
    """
    normals = _normals(np.radians(latitude), np.radians(longitude))
    x, y, z = normals.mean(axis=0) if len(normals) else np.array([1.0, 0.0, 0.0])
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


def _normals(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) unit normals of the ellipsoid, Earth-centred, from radians."""
    along = np.cos(latitude)
    return np.stack((along * np.cos(longitude), along * np.sin(longitude), np.sin(latitude)), axis=1)


def _earth_centred(normals: NDArray[np.float64], height: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) Earth-centred metres of points above the ellipsoid, in closed form."""
    squashed = FLATTENING * (2 - FLATTENING)  # the first eccentricity, squared
    radius = EQUATOR / np.sqrt(1 - squashed * normals[:, 2] ** 2)
    points = (radius + height)[:, None] * normals
    points[:, 2] -= squashed * radius * normals[:, 2]
    return points


def read_poses(path: str | os.PathLike[str], names: Sequence[str]) -> Positions:
    """Read where images were taken from COLMAP's images.txt or from lines of `name x y z`.

    Lines that are empty or begin with `#` are skipped; images that the collection does not have, too.

    Args:
        path: the text file, in UTF-8. Of images.txt (`IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME`, then a
            line of 2-D points that may be empty; the pose maps world to camera) it gives also directions.
        names: of the collection, each once.

    Raises:
        InputError: the file cannot be read, or a line is not understood or names an image a second time.

    Example:
        >>> np.savetxt("poses.txt", ["a.jpg 0 0 0", "b.jpg 3 4 0"], fmt="%s")
        >>> read_poses("poses.txt", ["a.jpg", "b.jpg"]).positions.tolist()
        [[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]]
    """
    places = places_of(names)
    found: dict[str, NDArray[np.float64]] = {}
    text = read_text(path, remedy="give the poses as a text file in UTF-8")
    for number, name, values in _entries(path, StringIO(text, newline=None)):
        if name in found:
            raise InputError(f"{path}, line {number}: {name!r} appears twice; remove one")
        if name in places:
            found[name] = values
    known = [name for name in names if name in found]
    rows = np.array([found[name] for name in known], dtype=np.float64)
    missing = [name for name in names if name not in found]
    if not known or rows.shape[1] == 3:
        return Positions(known, rows.reshape(-1, 3), None, missing)
    return Positions(known, rows[:, :3], rows[:, 3:], missing)


def _entries(path: str | os.PathLike[str], file: TextIO) -> Iterator[tuple[int, str, NDArray[np.float64]]]:
    """(line, name, position and perhaps direction) of each image."""
    is_colmap: bool | None = None
    lines = enumerate(file, start=1)
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if is_colmap is None:
            is_colmap = _is_colmap(text)
        try:
            if not is_colmap:
                yield number, *_placed(text)
                continue
            yield number, *_posed(text)
            number, points = next(lines, (number, ""))  # noqa: PLW2901 - the line that an error is in
            if len(points.split()) % 3:
                raise InputError("an image is followed by a line of its 2-D points (X Y POINT3D_ID), or an empty one")
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from error


def _is_colmap(text: str) -> bool:
    """Whether a first line is of images.txt: nine numbers before a name."""
    fields = text.split(maxsplit=_COLMAP_FIELDS - 1)
    try:
        return len(fields) == _COLMAP_FIELDS and all(math.isfinite(float(field)) for field in fields[:-1])
    except ValueError:
        return False


def _placed(text: str) -> tuple[str, NDArray[np.float64]]:
    """The image of a line `name x y z`."""
    fields = text.rsplit(maxsplit=3)
    if len(fields) != 4:
        raise InputError(f"{len(fields)} fields; {_KINDS}")
    return fields[0], _numbers(fields[1:])


def _posed(text: str) -> tuple[str, NDArray[np.float64]]:
    """The image of a line of images.txt: where its camera's centre is and where its axis points."""
    fields = text.split(maxsplit=_COLMAP_FIELDS - 1)
    if len(fields) != _COLMAP_FIELDS:
        raise InputError(f"{len(fields)} fields; {_KINDS}")
    w, x, y, z, *translation = _numbers(fields[1:8])
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if length == 0:
        raise InputError("the quaternion QW QX QY QZ is zero; export the model again")
    w, x, y, z = w / length, x / length, y / length, z / length
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return fields[9], np.concatenate((-R.T @ np.array(translation), R[2]))


def _numbers(fields: Sequence[str]) -> NDArray[np.float64]:
    try:
        values = np.array([float(field) for field in fields])
    except ValueError as error:
        raise InputError(f"{error}; {_KINDS}") from None
    if not np.isfinite(values).all():
        raise InputError("a number is not finite; leave images without a pose out")
    return values
