"""What a photograph's EXIF says, in whatever state the file is."""

from __future__ import annotations

import math
import numbers
import struct
import zlib

from PIL import ExifTags, Image

__all__ = ["PILLOW_ERRORS", "orientation_and_focal"]

PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    AssertionError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders and parsers raise on damaged files, but for `DecompressionBombError`: they have no base class
of their own."""


def orientation_and_focal(image: Image.Image) -> tuple[int, float | None]:
    """(orientation, focal length in mm on 35 mm film); (1, None) where EXIF is absent or damaged."""
    try:
        exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        focal = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    except PILLOW_ERRORS:
        return 1, None
    millimetres = float(focal) if isinstance(focal, numbers.Real) else 0.0
    known = math.isfinite(millimetres) and millimetres > 0  # zero says "unknown"
    return orientation if isinstance(orientation, int) else 1, millimetres if known else None
