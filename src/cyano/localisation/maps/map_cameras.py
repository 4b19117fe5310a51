"""The cameras of a map's images: what they tell of the camera of another photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cyano.exif import facts_in
from cyano.formats.colmap.map_model import MapModel
from cyano.geometry import LensCamera
from cyano.types import ImageSize

__all__ = ["MapCameras"]

_ALIKE = 1.05
"""By how much the focal lengths of one camera differ at most, over nine tenths of its images in a map."""

_QUARTERS = 6, 8
"""EXIF orientations of pictures that are turned by a quarter, clockwise and counter-clockwise, to be displayed."""


@dataclass(eq=False)
class MapCameras:
    """The cameras of the images of a map.

        (camera,) = place.cameras.like(ImageSize(3024, 4032), 1, 26.0)

    Attributes:
        model: with the images.
        folder: of the images, whose EXIF tells which are of the same camera; None, and any may be.
    """

    model: MapModel
    folder: Path | None

    def like(self, stored: ImageSize, orientation: int, focal_35mm: float | None) -> list[LensCamera]:
        """The camera of the map's images that took a photograph, if they agree on one, as it displays that.

        Images of the same size count, else those of the same shape, else those of the shape turned by a quarter.

        Args:
            stored: size of the photograph's pixels in the file.
            orientation: of its EXIF, 1 to 8.
            focal_35mm: what its EXIF says; None, and any image of the map may be of the same camera.

        Returns:
            That with the median focal length; both ways round where the photograph was turned by nobody knows which
            quarter, and it matters; none where the map's images do not agree.
        """
        shown = stored.turned(1 if orientation in range(5, 9) else 0)
        by_size: dict[ImageSize, list[LensCamera]] = {}
        for name, image in self.model.images.items():
            if focal_35mm is None or self.folder is None or self._focals[name] == focal_35mm:
                by_size.setdefault(image.camera.size, []).append(image.camera)
        alike = _agreed(by_size.get(shown, []))
        if alike is not None or shown in by_size:
            return [] if alike is None else [alike]
        for turned in (0, 1):
            wanted = shown.turned(turned)
            cameras = [each for size, some in by_size.items() if wanted.has_shape_of(size) for each in some]
            alike = _agreed(cameras)
            if alike is not None:
                return _turned_either_way(alike.scaled(wanted, same_model=True), stored, orientation, turned)
            if cameras:
                break
        return []

    def sharing(self, size: ImageSize, focal_35mm: float | None) -> str | None:
        """One of the images of this size and EXIF focal length, if all of them, at least two, have one camera.

        Args:
            size: of a photograph as it is displayed.
            focal_35mm: what its EXIF says; None for nothing.
        """
        names = [
            name
            for name, image in self.model.images.items()
            if image.camera.size == size and (self.folder is None or self._focals[name] == focal_35mm)
        ]
        alike = len(names) > 1 and len({self.model.images[name].camera for name in names}) == 1
        return names[0] if alike else None

    @cached_property
    def _focals(self) -> dict[str, float | None]:
        """What EXIF says of the images of the map."""
        folder = self.folder or Path()
        return {name: facts_in(folder / name).focal_35mm for name in self.model.images}


def _agreed(cameras: Sequence[LensCamera]) -> LensCamera | None:
    """The one with the median focal length for its size; None where they differ."""
    if not cameras:
        return None
    focals = np.array([camera.focal_length / camera.size.longest for camera in cameras])
    if np.quantile(focals, 0.9) > _ALIKE * np.quantile(focals, 0.1):
        return None
    return cameras[int(np.argsort(focals)[len(focals) // 2])]


def _turned_either_way(camera: LensCamera, stored: ImageSize, orientation: int, turned: int) -> list[LensCamera]:
    """A map's camera as the photograph displays it, whose picture is turned by so many quarters from the camera's."""
    if not turned:
        return [camera]
    if camera.size == stored and orientation in range(5, 9):
        return [camera.turned(orientation)]
    return list(dict.fromkeys(camera.turned(each) for each in _QUARTERS))
