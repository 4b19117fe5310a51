"""Where photographs were taken, as the camera wrote it into their EXIF."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cyano.pairs.checks import places_of
from cyano.pairs.positions import Positions, local_metres

__all__ = ["read_gps"]

_FORMATS = ("JPEG", "TIFF", "PNG", "WEBP")

_BELOW = (1, 3)
"""Values of GPSAltitudeRef (CIPA DC-008, table of GPS attributes) for heights below the reference."""


def read_gps(folder: str | os.PathLike[str], names: Sequence[str], *, heights: bool = False) -> Positions:
    """Read the positions of photographs from their EXIF; pixels are not decoded.

    Args:
        folder: that the names are relative to.
        names: of the images, each once.
        heights: whether to use GPSAltitude, which is missing or off by tens of metres in many photographs;
            otherwise all stand on the ellipsoid, and distances are along the ground.

    Returns:
        Metres east, north and up (see `local_metres`), without directions. An image that cannot be read,
        has no position, or latitude and longitude both 0, as cameras without a fix write, is missing.

    Raises:
        InputError: a name occurs twice.
    """
    places_of(names)
    found = {name: place for name in names if (place := _geodetic(Path(folder) / name)) is not None}
    rows = np.array(list(found.values()), dtype=np.float64).reshape(-1, 3)
    positions = local_metres(rows[:, 0], rows[:, 1], rows[:, 2] if heights else np.zeros(len(rows)))
    return Positions(list(found), positions, None, [name for name in names if name not in found])


def _geodetic(path: Path) -> tuple[float, float, float] | None:
    """(degrees north, degrees east, metres above the reference) of a photograph."""
    from PIL import ExifTags, Image

    from cyano.exif import PILLOW_ERRORS

    try:
        with warnings.catch_warnings():  # of damaged EXIF, and of sizes that do not matter here
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                tags: dict[int, Any] = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        GPS = ExifTags.GPS
        north = _degrees(tags[GPS.GPSLatitude], tags[GPS.GPSLatitudeRef], "NS", 90)
        east = _degrees(tags[GPS.GPSLongitude], tags[GPS.GPSLongitudeRef], "EW", 180)
        up = _height(tags.get(GPS.GPSAltitude, 0), tags.get(GPS.GPSAltitudeRef, 0))
    except (*PILLOW_ERRORS, Image.DecompressionBombError):
        return None
    return None if north == east == 0 else (north, east, up)


def _degrees(parts: Any, reference: Any, letters: str, limit: int) -> float:
    """Degrees, minutes and seconds, the latter two where given, with the sign of the hemisphere.

    Raises:
        ValueError: they are no angle, or of no hemisphere.
    """
    fields = [float(part) for part in (parts if isinstance(parts, tuple) else (parts,))]
    value = sum((field / 60.0**power for power, field in enumerate(fields)), 0.0)
    letter = reference.decode("ascii", "replace") if isinstance(reference, bytes) else str(reference)
    sign = 1 - 2 * letters.index(letter.strip("\0 ").upper()[:1] or "?")
    if not 0 <= value <= limit:  # NaN, too
        raise ValueError(f"{value} degrees")
    return sign * value


def _height(metres: Any, reference: Any) -> float:
    """Metres above the reference; 0 where they make no sense, for a height is not worth losing a position."""
    below = (reference[0] if isinstance(reference, bytes) and reference else reference) in _BELOW
    value = float(metres)
    if not math.isfinite(value):
        return 0.0
    return -value if below else value
