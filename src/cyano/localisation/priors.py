"""Positions of photographs that are known before they are localised: from a list, or from EXIF."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.formats.priors import PositionPrior
from cyano.localisation.queries import Query
from cyano.pairs.positions import metres_from
from cyano.reading import read_json

__all__ = ["GeoFrame", "exif_priors", "with_priors"]


@dataclass(frozen=True)
class GeoFrame:
    """How the frame of a map lies on the Earth.

    Attributes:
        frame: "enu", metres east, north and up from the origin, or "ecef", Earth-centred and Earth-fixed.
        origin: degrees north, degrees east, metres above the ellipsoid of WGS 84; None for "ecef".
    """

    frame: str
    origin: tuple[float, float, float] | None = None

    @classmethod
    def of_map(cls, folder: Path) -> GeoFrame:
        """What `georeference.json` in the folder of a map says.

        Raises:
            InputError: there is none, or it says of another frame.
        """
        path = folder / "georeference.json"
        remedy = "give positions in the map's own frame (--prior FILE), or georeference the map"
        if not path.exists():
            raise InputError(f"the map in {folder} is not georeferenced, so EXIF positions cannot be used; {remedy}")
        document = read_json(path, remedy=remedy)
        frame, origin = document.get("frame"), document.get("origin")
        if frame == "ecef":
            return cls("ecef")
        if frame != "enu" or not isinstance(origin, list) or len(origin) not in (2, 3):
            raise InputError(f"{path} has no geographic frame (frame {frame!r}, origin {origin!r}); {remedy}")
        numbers = [float(value) for value in (*origin, 0.0)[:3]]
        return cls("enu", (numbers[0], numbers[1], numbers[2]))

    def prior(self, latitude: float, longitude: float, height: float) -> PositionPrior:
        """The prior of a position of GPS, of whose height nothing is believed.

        Args:
            latitude: degrees north.
            longitude: degrees east.
            height: metres above the ellipsoid.
        """
        place = metres_from(self.origin, np.array([[latitude, longitude, height]]))[0]
        above = metres_from(self.origin, np.array([[latitude, longitude, height + 1.0]]))[0]
        (x, y, z), (a, b, c) = place.tolist(), (above - place).tolist()
        length = math.hypot(a, b, c)
        return PositionPrior((x, y, z), None, (a / length, b / length, c / length))


def with_priors(queries: Iterable[Query], priors: Mapping[str, PositionPrior]) -> list[Query]:
    """The photographs with the positions that a list has for their names.

    Raises:
        InputError: the list has none of them.
    """
    found = [replace(query, prior=priors.get(query.name)) for query in queries]
    if not any(query.prior for query in found):
        raise InputError("the list of positions has none of the images; use their names in the results")
    return found


def exif_priors(queries: Iterable[Query], frame: GeoFrame) -> list[Query]:
    """The photographs with the positions of their EXIF; those without one have no prior."""
    positions = ((query, facts_in(query.path).position) for query in queries)
    return [query if place is None else replace(query, prior=frame.prior(*place)) for query, place in positions]
