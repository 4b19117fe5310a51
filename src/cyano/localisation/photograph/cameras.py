"""The intrinsics of a photograph, by what is known of it."""

from __future__ import annotations

from cyano.formats.mapping.known_cameras import CameraEntry, displayed_camera
from cyano.formats.poses.absolute_pose import Intrinsics
from cyano.geometry import Camera, LensCamera
from cyano.localisation.map import Map
from cyano.localisation.outcome import CameraSource
from cyano.localisation.photograph.features import Photograph
from cyano.types import ImageSize

__all__ = ["intrinsics_of"]

_GUESS = 1.2
"""Focal length over the longest side, as COLMAP begins with."""


def intrinsics_of(
    place: Map, photograph: Photograph, given: LensCamera | CameraEntry | None
) -> list[tuple[Intrinsics, CameraSource]]:
    """What to try, the most trusted first; see `Search` for how the choice is made.

    Args:
        place: the map.
        photograph: whose.
        given: its camera, if that is known; it follows the photograph, see `LensCamera.displayed`.

    Raises:
        InputError: the camera given is of a picture of another shape.
    """
    if given is not None and given.params:
        own = displayed_camera(given, photograph.stored, photograph.orientation, repr(photograph.name))
        return [(Intrinsics(own), "given")]
    size, focal = photograph.size, photograph.focal_35mm
    cameras = place.cameras.like(photograph.stored, photograph.orientation, focal)
    held = bool(cameras) and _one_camera(place, size, focal)
    found: list[tuple[Intrinsics, CameraSource]] = [(Intrinsics(alike, exact=held), "map") for alike in cameras]
    if focal is not None:
        camera = Camera.from_focal_35mm(focal, size)
        found.append((Intrinsics(_simple(camera.fx, size), exact=False), "EXIF"))
    if held:  # it may have been zoomed, or be another one of its kind
        found += [(Intrinsics(alike, exact=False), "estimated") for alike in cameras]
    guess = _simple(_GUESS * size.longest, size)
    return [*found, (Intrinsics(guess, exact=False, guessed=True), "estimated")]


def _one_camera(place: Map, size: ImageSize, focal_35mm: float | None) -> bool:
    """Whether the images of a size and EXIF focal length, or of the only size there is, have one camera."""
    sizes = {image.camera.size for image in place.model.images.values()}
    of_it = next(iter(sizes)) if len(sizes) == 1 else size
    return place.cameras.sharing(of_it, focal_35mm) is not None


def _simple(focal: float, size: ImageSize) -> LensCamera:
    return LensCamera("SIMPLE_PINHOLE", size, (focal, (size.width - 1) / 2, (size.height - 1) / 2))
