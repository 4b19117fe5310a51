"""The two facts of EXIF that matter to COLMAP, from files of any kind and in any state."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

from cyano.exif import PILLOW_ERRORS, orientation_and_focal

__all__ = ["focal_35mm", "is_turned"]

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")  # those of the readable formats that carry EXIF


def focal_35mm(path: Path) -> float | None:
    """EXIF FocalLengthIn35mmFilm in millimetres; None if the file does not tell, for whatever reason."""
    return _facts(path)[1]


def is_turned(path: Path) -> bool:
    """Whether EXIF says that the picture is displayed in another orientation than its pixels are stored in."""
    return _facts(path)[0] in range(2, 9)


def _facts(path: Path) -> tuple[int, float | None]:
    """Orientation and focal length; (1, None) where the file cannot be read."""
    if not path.is_file():
        return 1, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about damaged EXIF
            with Image.open(path, formats=_FORMATS) as image:
                return orientation_and_focal(image)
    except (*PILLOW_ERRORS, Image.DecompressionBombError):
        return 1, None
