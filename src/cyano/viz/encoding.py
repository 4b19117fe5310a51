"""Pictures as the bytes of a file, so that they can be written whole or not at all."""

from __future__ import annotations

import io
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURE_FORMATS", "IMAGE_FORMATS", "figure_bytes", "image_bytes"]

FIGURE_FORMATS = ("png", "pdf", "svg", "jpg")
"""File endings that `figure_bytes` takes."""

IMAGE_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF", "webp": "WEBP"}
"""File endings that `image_bytes` takes, with Pillow's names for them."""


def figure_bytes(figure: Figure, extension: str = "png", dpi: float | None = None) -> bytes:
    """A matplotlib figure as a file's content; no date goes into it, so that equal pictures are equal files.

    Letters that matplotlib's font does not have, as in some names of files, become boxes.

    Args:
        figure: what to write.
        extension: of the file, with a dot or without.
        dpi: dots per inch; None for the figure's own.

    Raises:
        InputError: the ending is not one of `FIGURE_FORMATS`.
    """
    kind = _checked(extension, FIGURE_FORMATS)
    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        figure.savefig(buffer, format=kind, dpi=dpi or "figure", metadata=dates.get(kind))
    return buffer.getvalue()


def image_bytes(rgb: NDArray[np.uint8], extension: str = "png", quality: int = 75) -> bytes:
    """An (H, W, 3) uint8 image as a file's content.

    Args:
        rgb: the image.
        extension: of the file, with a dot or without.
        quality: of JPEG and WebP, 1 to 100.

    Raises:
        InputError: the ending is not one of `IMAGE_FORMATS`.
    """
    kind = _checked(extension, tuple(IMAGE_FORMATS))
    buffer = io.BytesIO()
    # Runs of equal bytes alone: photographs take a sixth of the time of a search for longer repeats, and no more room.
    options = {"compress_type": zlib.Z_RLE} if kind == "png" else {}
    options |= {"quality": quality} if IMAGE_FORMATS[kind] in ("JPEG", "WEBP") else {}
    Image.fromarray(rgb).save(buffer, IMAGE_FORMATS[kind], **options)
    return buffer.getvalue()


def _checked(extension: str, known: tuple[str, ...]) -> str:
    kind = extension.lower().removeprefix(".")
    if kind not in known:
        raise InputError(f"pictures are written as {', '.join(known)}, not {extension!r}; choose another ending")
    return kind
