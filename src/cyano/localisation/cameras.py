"""The intrinsics of a photograph, by what is known of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.formats.absolute_pose import Intrinsics
from cyano.formats.known_cameras import KnownCamera
from cyano.geometry import Camera
from cyano.localisation.map import Map
from cyano.localisation.outcome import CameraSource
from cyano.types import ImageSize

__all__ = ["intrinsics_of"]

_GUESS = 1.2  # focal length over the longest side, as COLMAP begins with
_ALIKE = 1.05  # by which the focal lengths of one camera may differ over the images of a map


def intrinsics_of(
    place: Map, image: Path, size: ImageSize, given: KnownCamera | None
) -> list[tuple[Intrinsics, CameraSource]]:
    """What to try, the likeliest first; the pose that explains most decides.

    Args:
        place: the map.
        image: file of the photograph.
        size: of the photograph as it is displayed.
        given: its camera, if that is known.

    Raises:
        InputError: the camera given is of another size.
    """
    if given is not None:
        if given.size != size:
            raise InputError(f"the camera is for {given.size}, and {image} is {size}; give the camera of this size")
        return [(Intrinsics(given), "given")]
    found: list[tuple[Intrinsics, CameraSource]] = []
    focal = facts_in(image).focal_35mm
    same = _of_the_map(place, size, focal)
    if same is not None:
        found.append((Intrinsics(same, exact=False), "map"))
    if focal is not None:
        camera = Camera.from_focal_35mm(focal, size)
        found.append((Intrinsics(_simple(camera.fx, size), exact=False), "EXIF"))
    found.append(
        (Intrinsics(_simple(_GUESS * max(size.width, size.height), size), exact=False, guessed=True), "estimated")
    )
    return found


def _simple(focal: float, size: ImageSize) -> KnownCamera:
    return KnownCamera("SIMPLE_PINHOLE", (focal, size.width / 2, size.height / 2), size)


def _of_the_map(place: Map, size: ImageSize, focal: float | None) -> KnownCamera | None:
    """That of the map's images of this size and EXIF focal length, if they agree on one; the one in the middle."""
    cameras = [
        image.camera
        for name, image in place.model.images.items()
        if image.camera.size == size and (place.images is None or facts_in(place.images / name).focal_35mm == focal)
    ]
    if not cameras:
        return None
    focals = np.array([camera.params[0] for camera in cameras])
    if np.quantile(focals, 0.9) > _ALIKE * np.quantile(focals, 0.1):
        return None
    return cameras[int(np.argsort(focals)[len(focals) // 2])]
