"""One number per surface (or level), spread over the pixels that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["spread", "spread_bytes"]


def spread(values: NDArray[np.floating], index: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) float32 `values[index]` of a table of 256; several times faster than numpy's indexing."""
    return np.asarray(cv2.LUT(index, values.astype(np.float32).reshape(1, 256)), dtype=np.float32)


def spread_bytes(values: NDArray[np.uint8], index: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) uint8 `values[index]` of a table of 256."""
    return np.asarray(cv2.LUT(index, values.reshape(1, 256)), dtype=np.uint8)
