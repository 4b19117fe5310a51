"""What files and options say of cameras, in COLMAP's order and pixels, and the `LensCamera` that they mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from cyano.errors import InputError
from cyano.formats.colmap.pixels import HALF, lens_of
from cyano.geometry import LENS_MODELS, LensCamera
from cyano.pairs.checks import some
from cyano.types import ImageSize

__all__ = ["CameraEntry", "displayed_camera"]

_OFF_CENTRE = 0.1
"""Share of a side by which a principal point may be off the middle of a picture that its parameters are taken for."""


@dataclass(frozen=True)
class CameraEntry:
    """What a line of a cameras file, or an option, says of a camera: perhaps its model alone.

    Attributes:
        model: COLMAP's name of it.
        params: in COLMAP's order and pixels, those of the picture as the file stores it; () for nothing.
        size: of the picture that the parameters are for; None takes that one of the images' sizes whose middle the
            principal point is near to.
        shared: a name; images whose cameras have the same one share it, whatever else is said of sharing. "" for none.

    Raises:
        InputError: an unknown model, a parameter that is not finite, or other parameters than the model has.

    Example:
        >>> entry = CameraEntry("PINHOLE", (1400, 1400, 960, 540), ImageSize(1080, 1920))
        >>> entry.lens().model
        'PINHOLE'
    """

    model: str
    params: tuple[float, ...] = ()
    size: ImageSize | None = None
    shared: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.params):
            raise InputError(f"camera parameters are finite numbers, not {self.params}")
        if self.model not in LENS_MODELS:
            raise InputError(f"unknown camera model {self.model!r}: choose one of {', '.join(LENS_MODELS)}")
        if self.params:
            lens_of(self.model, self.params, self.size or ImageSize(1, 1))  # checks them

    def lens(self, sizes: Iterable[ImageSize] = ()) -> LensCamera:
        """The camera, of the picture that its parameters are for.

        Args:
            sizes: of the images that it took, as their files store them; one of them counts where the entry has none.

        Raises:
            InputError: there are no parameters, or the principal point is not near the middle of any image.
        """
        if not self.params:
            raise InputError(f"only the camera's model is given, {self.model}; give its parameters as well")
        if self.size is not None:
            return lens_of(self.model, self.params, self.size)
        candidates = [lens_of(self.model, self.params, size) for size in sorted(set(sizes))]
        off = [_off_centre(lens) for lens in candidates]
        if not off or min(off) > _OFF_CENTRE:
            shown = some([f"{lens.size.width}x{lens.size.height} px" for lens in candidates])
            raise InputError(
                f"the principal point of {self.model} {self.params} is not near the centre of the images ({shown}), so "
                "the parameters are for images of another size; give that size (--camera MODEL:P,P,...@WxH, or in the "
                "cameras file), or other parameters"
            )
        return candidates[int(np.argmin(off))]


def displayed_camera(known: LensCamera | CameraEntry, stored: ImageSize, orientation: int, what: str) -> LensCamera:
    """The camera of a photograph as it is displayed, see `LensCamera.displayed`.

    Args:
        known: the camera; an entry without a size is of the photograph itself.
        stored: size of the pixels in the file.
        orientation: of EXIF, 1 to 8.
        what: the photograph, for messages.

    Raises:
        InputError: see `CameraEntry.lens` and `LensCamera.displayed`.
    """
    lens = known if isinstance(known, LensCamera) else known.lens([stored])
    return lens.displayed(stored, orientation, what)


def _off_centre(lens: LensCamera) -> float:
    """How far the principal point is off the middle, as a share of a side."""
    camera, size = lens.pinhole, lens.size
    return max(abs((camera.cx + HALF) / size.width - 0.5), abs((camera.cy + HALF) / size.height - 0.5))
