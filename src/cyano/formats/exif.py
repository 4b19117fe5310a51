"""The two facts of EXIF that matter to COLMAP, from files of any kind and in any state."""

from __future__ import annotations

import math
import numbers
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

__all__ = ["focal_35mm", "is_turned"]

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")  # those of the readable formats that carry EXIF

# What Pillow's parsers raise on damaged files: they have no base class of their own.
_PILLOW_ERRORS = (
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
    Image.DecompressionBombError,
)


def focal_35mm(path: Path) -> float | None:
    """EXIF FocalLengthIn35mmFilm in millimetres; None if the file does not tell, for whatever reason."""
    focal = _tag(path, ExifTags.Base.FocalLengthIn35mmFilm, ExifTags.IFD.Exif)
    value = float(focal) if isinstance(focal, numbers.Real) else 0.0
    return value if math.isfinite(value) and value > 0 else None  # zero says "unknown"


def is_turned(path: Path) -> bool:
    """Whether EXIF says that the picture is displayed in another orientation than its pixels are stored in."""
    return _tag(path, ExifTags.Base.Orientation) in range(2, 9)


def _tag(path: Path, tag: int, directory: int | None = None) -> Any:
    """The value of a tag of EXIF; None if there is none that can be read."""
    if not path.is_file():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about damaged EXIF
            with Image.open(path, formats=_FORMATS) as image:
                exif = image.getexif()
                return (exif if directory is None else exif.get_ifd(directory)).get(tag)
    except _PILLOW_ERRORS:
        return None
