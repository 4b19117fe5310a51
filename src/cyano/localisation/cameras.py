"""The intrinsics of a photograph, by what is known of it."""

from __future__ import annotations

from cyano.formats.absolute_pose import Intrinsics
from cyano.formats.known_cameras import KnownCamera, known_as_displayed
from cyano.geometry import Camera
from cyano.localisation.map import Map
from cyano.localisation.outcome import CameraSource
from cyano.localisation.photographs import Photograph
from cyano.types import ImageSize

__all__ = ["intrinsics_of"]

_GUESS = 1.2
"""Focal length over the longest side, as COLMAP begins with."""


def intrinsics_of(
    place: Map, photograph: Photograph, given: KnownCamera | None
) -> list[tuple[Intrinsics, CameraSource]]:
    """What to try, the most trusted first; see `Search` for how the choice is made.

    Args:
        place: the map.
        photograph: whose.
        given: its camera, if that is known; it is scaled and turned to the photograph as it is displayed.

    Raises:
        InputError: the camera given is of a picture of another shape, or none of COLMAP's.
    """
    if given is not None:
        own = known_as_displayed(given, photograph.name, photograph.stored, photograph.orientation)
        return [(Intrinsics(own), "given")]
    found: list[tuple[Intrinsics, CameraSource]] = []
    size, focal = photograph.size, photograph.focal_35mm
    alike = place.camera_like(size, focal)
    if alike is not None:
        found.append((Intrinsics(alike, exact=False), "map"))
    if focal is not None:
        camera = Camera.from_focal_35mm(focal, size)
        found.append((Intrinsics(_simple(camera.fx, size), exact=False), "EXIF"))
    guess = _simple(_GUESS * size.longest, size)
    return [*found, (Intrinsics(guess, exact=False, guessed=True), "estimated")]


def _simple(focal: float, size: ImageSize) -> KnownCamera:
    return KnownCamera("SIMPLE_PINHOLE", (focal, size.width / 2, size.height / 2), size)
