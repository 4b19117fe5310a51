"""What is known of cameras beforehand, in COLMAP's parameters: of all images, of folders, or of single ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cyano.errors import InputError
from cyano.formats.extras import load_pycolmap
from cyano.pairs.checks import some
from cyano.types import ImageSize

__all__ = [
    "KnownCamera",
    "camera_of",
    "check_camera_model",
    "check_known_camera",
    "known_as_displayed",
    "plain_camera",
    "reference_size",
    "size_of",
]

_OFF_CENTRE = 0.1
"""Share of a side by which a principal point may be off the middle of a picture that its parameters are taken for."""

_TRANSPOSES = {2: "x", 3: "xy", 4: "y", 5: "t", 6: "tx", 7: "txy", 8: "ty"}
"""EXIF orientation to what sets the picture upright: transposed first, then mirrored along x, y or both."""

_ACROSS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "OPENCV": ((7, 6),),
    "FULL_OPENCV": ((7, 6),),
    "THIN_PRISM_FISHEYE": ((7, 6), (10, 11)),
}
"""Parameters of COLMAP's models that point somewhere, as places of (x, y), and so turn with the picture: tangential
distortion moves a point q by |q|^2 t + 2 (q t) q with t = (p2, p1), a thin prism by |q|^2 (sx1, sy1)."""

_ROUND = {
    *("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "FOV"),
    *("OPENCV_FISHEYE", "SIMPLE_DIVISION", "DIVISION", "SIMPLE_FISHEYE", "FISHEYE", "EUCM"),
}
"""Models whose distortion is the same in all directions."""


@dataclass(frozen=True)
class KnownCamera:
    """A camera of which something is known.

    Attributes:
        model: COLMAP's name of it.
        params: in COLMAP's order and pixels, those of the picture as the file stores it; () for nothing.
        size: of the picture that the parameters are for; None takes that one of the images' sizes whose middle the
            principal point is near to.
        shared: a name; images whose cameras have the same one share it, whatever else is said of sharing. "" for none.

    Raises:
        InputError: a parameter is not finite.
    """

    model: str
    params: tuple[float, ...] = ()
    size: ImageSize | None = None
    shared: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.params):
            raise InputError(f"camera parameters are finite numbers, not {self.params}")


def reference_size(pycolmap: Any, known: KnownCamera, sizes: Iterable[ImageSize]) -> ImageSize:
    """The size of the picture that parameters are for, where nobody said it.

    Args:
        pycolmap: the package.
        known: the camera.
        sizes: of the images that it took, as their files store them.

    Raises:
        InputError: the principal point is not near the middle of any.
    """
    candidates = sorted(set(sizes))
    off = [max(_off_centre(pycolmap, known, size)) for size in candidates]
    best = int(np.argmin(off))
    if off[best] > _OFF_CENTRE:
        shown = some([f"{size.width}x{size.height} px" for size in candidates])
        raise InputError(
            f"the principal point of {known.model} {known.params} is not near the middle of the images ({shown}), so "
            "these are not the pictures that the parameters are for; give the size of those (--camera-size), or other "
            "parameters"
        )
    return candidates[best]


def _off_centre(pycolmap: Any, known: KnownCamera, size: ImageSize) -> tuple[float, float]:
    camera = plain_camera(pycolmap, known, size)
    places = [camera.params[place] for place in camera.principal_point_idxs()]
    x, y = places if len(places) == 2 else (size.width / 2, size.height / 2)
    return abs(x / size.width - 0.5), abs(y / size.height - 0.5)


def check_camera_model(pycolmap: Any, name: str) -> None:
    """Check that COLMAP has a camera model.

    Raises:
        InputError: it has none of this name.
    """
    models = sorted(pycolmap.CameraModelId.__members__.keys() - {"INVALID"})
    if name not in models:
        raise InputError(f"unknown camera model {name!r}: choose one of {', '.join(models)}")


def plain_camera(pycolmap: Any, known: KnownCamera, size: ImageSize) -> Any:
    """COLMAP's camera of pictures of that size.

    Raises:
        InputError: COLMAP has no such model, or the parameters are not those of it.
    """
    check_camera_model(pycolmap, known.model)
    camera = pycolmap.Camera(model=known.model, width=size.width, height=size.height, params=list(known.params))
    if not camera.verify_params():
        raise InputError(f"the camera model {known.model} has the parameters {camera.params_info}, not {known.params}")
    return camera


def size_of(known: KnownCamera) -> ImageSize:
    """The size of the picture that the parameters are for.

    Raises:
        InputError: nobody said it.
    """
    if known.size is None:
        raise InputError(f"the camera {known.model} {known.params} lacks the size of its picture; give that as well")
    return known.size


def check_known_camera(known: KnownCamera) -> None:
    """Check that COLMAP has the camera model, and that the parameters are those of it.

    Raises:
        InputError: it has not, or they are not.
        MissingExtraError: pycolmap is not installed.
    """
    plain_camera(load_pycolmap(), known, known.size or ImageSize(480, 640))


def known_as_displayed(known: KnownCamera, name: str, stored: ImageSize, orientation: int) -> KnownCamera:
    """The camera of an image as it is displayed, with the size of that; see `camera_of`.

    Args:
        known: the camera; without a size it is that of the image itself, whose middle its principal point is near to.
        name: of the image, for messages.
        stored: size of its pixels in the file.
        orientation: of EXIF, 1 to 8.

    Raises:
        InputError: see `camera_of` and `reference_size`; or there are no parameters.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    if not known.params:
        raise InputError(f"the camera of {name!r} has no parameters; give them, or no camera")
    if known.size is None:
        reference_size(pycolmap, known, [stored])
    camera = camera_of(pycolmap, known, name, stored, orientation)
    size = ImageSize(camera.height, camera.width)
    return KnownCamera(known.model, tuple(float(value) for value in camera.params), size)


def camera_of(pycolmap: Any, known: KnownCamera, name: str, stored: ImageSize, orientation: int) -> Any:
    """COLMAP's camera of an image as it is displayed: scaled from the size that the parameters are for, and turned.

    Args:
        pycolmap: the package.
        known: the camera, with its size.
        name: of the image, for messages.
        stored: size of its pixels in the file.
        orientation: of EXIF, 1 to 8.

    Raises:
        InputError: the parameters are not those of the model, or the image has another shape than the picture that
            they are for.
    """
    camera = plain_camera(pycolmap, known, known.size or stored)
    if known.size not in (None, stored):
        if known.size is not None and not stored.has_shape_of(known.size):
            raise InputError(
                f"{name!r} is stored as {stored.width}x{stored.height} pixels and the camera parameters are for "
                f"{known.size.width}x{known.size.height}, which is another shape; give this image its own camera "
                "(--cameras-file), or leave it out"
            )
        camera.rescale(stored.width, stored.height)
    changes = _TRANSPOSES.get(orientation, "")
    if changes and known.model not in _ROUND and known.model not in _ACROSS:
        raise InputError(f"EXIF turns {name!r}, which parameters of {known.model} cannot follow; turn the file itself")
    return _upright(pycolmap, camera, known.model, changes)


def _upright(pycolmap: Any, camera: Any, model: str, changes: str) -> Any:
    """The camera of the picture after these changes; see `_TRANSPOSES`."""
    params, width, height = list(camera.params), camera.width, camera.height
    if "t" in changes:
        width, height = height, width
        pairs = [camera.principal_point_idxs(), camera.focal_length_idxs(), *_ACROSS.get(model, ())]
        for pair in pairs:
            if len(pair) == 2:
                one, two = pair
                params[one], params[two] = params[two], params[one]
    for axis, side in enumerate((width, height)):
        if "xy"[axis] in changes:
            place = camera.principal_point_idxs()[axis]
            params[place] = side - params[place]
            for pair in _ACROSS.get(model, ()):
                params[pair[axis]] = -params[pair[axis]]
    return pycolmap.Camera(model=model, width=width, height=height, params=params)
