"""The cameras of a COLMAP database: which images share one, and what is known of it beforehand."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from cyano.errors import InputError
from cyano.formats.colmap_pixels import HALF
from cyano.formats.exif import focal_35mm
from cyano.formats.extras import load_pycolmap
from cyano.geometry import Camera
from cyano.types import ImageSize

__all__ = ["CameraOptions", "CameraPlan", "Sharing", "need_camera"]

Sharing = Literal["image", "folder", "all"]

_DEFAULT_FOCAL = 1.2
"""Focal length over the longest side where nothing is known; COLMAP begins with the same."""


@dataclass(frozen=True, eq=False)
class CameraOptions:
    """What is known of the cameras.

    Attributes:
        model: COLMAP's name of the model, for images that are not in `known`.
        sharing: which images share a camera: each has its own ("image"), those of a folder, or all. Images of
            different sizes never do.
        params: of the model, in COLMAP's order and pixels; () begins with the focal length of EXIF, or 1.2 times the
            longest side.
        images: folder of the images, to read the focal length from; None to do without.
        known: the intrinsics of images by name, in Cyano's pixels; images with equal ones share a camera.

    Raises:
        InputError: the sharing is unknown, or a parameter is not finite.
    """

    model: str = "SIMPLE_RADIAL"
    sharing: Sharing = "image"
    params: tuple[float, ...] = ()
    images: str | os.PathLike[str] | None = None
    known: Mapping[str, Camera] | None = None

    def __post_init__(self) -> None:
        if self.sharing not in get_args(Sharing):
            raise InputError(f"unknown sharing {self.sharing!r}: choose one of {', '.join(get_args(Sharing))}")
        if not all(math.isfinite(value) for value in self.params):
            raise InputError(f"camera parameters are finite numbers, not {self.params}")

    def __str__(self) -> str:
        """All that decides the cameras but the images' own EXIF data, in one line."""
        known = sorted((self.known or {}).items())
        return f"{self.sharing} {self.model} {self.params} {known}"


def need_camera(options: CameraOptions) -> None:
    """Refuse early what would be refused when the database is written.

    COLMAP is asked in another process: it takes over the signals of the one that loads it.

    Raises:
        InputError: COLMAP has no such model, or the parameters are not those of the model.
    """
    if (options.model, options.params) == (CameraOptions.model, ()):
        return
    command = [sys.executable, "-c", _ASK, options.model, *map(repr, options.params)]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode == _REFUSED:  # whatever else goes wrong there goes wrong in the end as well, and is told then
        raise InputError(asked.stdout.strip())


_REFUSED = 2
_ASK = f"""
import sys
from cyano.errors import InputError
from cyano.formats.colmap_cameras import CameraOptions, CameraPlan
from cyano.types import ImageSize
options = CameraOptions(sys.argv[1], params=tuple(map(float, sys.argv[2:])))
try:
    CameraPlan(["any"], options).build("any", ImageSize(480, 640))
except InputError as error:
    print(error)
    sys.exit({_REFUSED})
"""


class CameraPlan:
    """The camera of each image of a collection."""

    def __init__(self, names: Iterable[str], options: CameraOptions) -> None:
        """Plan for these images; no file is read yet.

        Raises:
            InputError: COLMAP has no such model.
            MissingExtraError: pycolmap is not installed.
        """
        self._pycolmap = load_pycolmap()
        models = sorted(self._pycolmap.CameraModelId.__members__.keys() - {"INVALID"})
        if options.model not in models:
            raise InputError(f"unknown camera model {options.model!r}: choose one of {', '.join(models)}")
        self._options = options
        self._groups: dict[str, list[str]] = {}
        for name in names:
            self._groups.setdefault(self._group(name), []).append(name)

    def _group(self, name: str) -> str:
        folder = str(PurePosixPath(name).parent)
        return {"image": name, "folder": folder, "all": ""}[self._options.sharing]

    def key(self, name: str, size: ImageSize) -> Hashable:
        """Equal for the images that share a camera.

        Args:
            name: of the image.
            size: of the original image.
        """
        known = (self._options.known or {}).get(name)
        return (self._group(name) if known is None else known, size)

    def build(self, name: str, size: ImageSize) -> Any:
        """COLMAP's camera of an image; arguments as of `key`.

        Raises:
            InputError: the parameters are not those of the model, or a known camera is of another size.
        """
        known = (self._options.known or {}).get(name)
        if known is not None:
            return self._known(known, name, size)
        if self._options.params:
            return self._given(self._options.model, self._options.params, size)
        focal = next(filter(None, map(self._focal_35mm, self._groups[self._group(name)])), None)
        pixels = _DEFAULT_FOCAL * size.longest if focal is None else Camera.from_focal_35mm(focal, size).fx
        create = self._pycolmap.Camera.create_from_model_name
        camera = create(0, self._options.model, pixels, size.width, size.height)
        camera.has_prior_focal_length = focal is not None
        return camera

    def _known(self, known: Camera, name: str, size: ImageSize) -> Any:
        if known.size not in (None, size):
            raise InputError(f"the camera given for {name!r} is of a {known.size} image, and it is a {size} image")
        return self._given("PINHOLE", (known.fx, known.fy, known.cx + HALF, known.cy + HALF), size)

    def _given(self, model: str, params: tuple[float, ...], size: ImageSize) -> Any:
        camera = self._pycolmap.Camera(model=model, width=size.width, height=size.height, params=list(params))
        if not camera.verify_params():
            raise InputError(f"the camera model {model} has the parameters {camera.params_info}, not {params}")
        camera.has_prior_focal_length = True
        return camera

    def _focal_35mm(self, name: str) -> float | None:
        return None if self._options.images is None else focal_35mm(Path(self._options.images) / name)
