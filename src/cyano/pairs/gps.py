"""Where photographs were taken, as the camera wrote it into their EXIF."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cyano.pairs.checks import places_of
from cyano.pairs.positions import Positions, local_metres

__all__ = ["read_gps"]


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

    Example:
        >>> found = read_gps(".", ["a.jpg", "b.jpg"])
        >>> found.missing  # these carry no position
        ['a.jpg', 'b.jpg']
    """
    from cyano.exif import facts_in

    places_of(names)
    found = {name: place for name in names if (place := facts_in(Path(folder) / name).position) is not None}
    rows = np.array(list(found.values()), dtype=np.float64).reshape(-1, 3)
    positions = local_metres(rows[:, 0], rows[:, 1], rows[:, 2] if heights else np.zeros(len(rows)))
    return Positions(list(found), positions, None, [name for name in names if name not in found])
