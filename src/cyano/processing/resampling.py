"""Images at another size: by OpenCV where it is installed, which Cyano requires, otherwise by the same sums in numpy.

`cyano-runtime` works without OpenCV (docs/decisions/0026-runtime.md). Both compute the same to float32 rounding, so
that the networks see the same image.
"""

from __future__ import annotations

from math import ceil
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

try:
    import cv2
except ImportError:  # cyano-runtime without its extra
    cv2 = None  # type: ignore[assignment]

__all__ = ["averaged", "interpolated"]

_Pixels = TypeVar("_Pixels", NDArray[np.float32], NDArray[np.uint8])
_Weights = tuple[NDArray[np.intp], NDArray[np.float32]]

_SLIVER = 1e-3
"""OpenCV ignores a pixel of which less than this lies in a new one."""


def averaged(pixels: _Pixels, height: int, width: int) -> _Pixels:
    """A smaller image whose pixels are means over their areas.

    Args:
        pixels: (H, W) or (H, W, C), float32 or uint8.
        height: of the result, at most H.
        width: of the result, at most W.

    Returns:
        (height, width) or (height, width, C) of the same dtype, a new array.

    Example:
        >>> averaged(np.array([[0, 1, 0, 0]], np.float32), 1, 2).tolist()
        [[0.5, 0.0]]
    """
    if cv2 is not None:
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), pixels.dtype)
    return _resampled(pixels, _areas(pixels.shape[0], height), _areas(pixels.shape[1], width))


def interpolated(pixels: _Pixels, height: int, width: int) -> _Pixels:
    """An image at another size by linear interpolation between the centres of pixels; beyond the border as on it.

    Args:
        pixels: (H, W) or (H, W, C), float32 or uint8.
        height: of the result.
        width: of the result.

    Returns:
        (height, width) or (height, width, C) of the same dtype, a new array.

    Example:
        >>> interpolated(np.array([[0, 1]], np.float32), 1, 4).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    if cv2 is not None:
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), pixels.dtype)
    return _resampled(pixels, _neighbours(pixels.shape[0], height), _neighbours(pixels.shape[1], width))


def _areas(old: int, new: int) -> _Weights:
    """The old pixels (new, T) that each new one covers along an axis, and the share (new, T) that each has in it."""
    scale = old / new
    start = np.arange(new, dtype=np.float64)[:, None] * scale
    end = np.minimum(start + scale, old)
    covered = np.floor(start) + np.arange(ceil(scale) + 1)
    lengths = np.minimum(covered + 1, end) - np.maximum(covered, start)
    shares = np.where(lengths > _SLIVER, lengths, 0) / (end - start)
    return np.minimum(covered, old - 1).astype(np.intp), shares.astype(np.float32)


def _neighbours(old: int, new: int) -> _Weights:
    """The old pixels (new, 2) around each new one's centre along an axis, and their weights (new, 2)."""
    centres = (np.arange(new, dtype=np.float64) + 0.5) * (old / new) - 0.5
    before = np.floor(centres)
    beyond = centres - before
    pair = np.stack([before, before + 1], axis=1).astype(np.intp)
    return pair.clip(0, old - 1), np.stack([1 - beyond, beyond], axis=1).astype(np.float32)


def _resampled(pixels: _Pixels, rows: _Weights, columns: _Weights) -> _Pixels:
    """Weighted sums along the rows' axis, then along the columns'."""
    sums: NDArray[Any] = pixels
    for axis, (places, weights) in enumerate((rows, columns)):
        if places.shape == (pixels.shape[axis], 2) and not weights[:, 1].any():
            continue  # this axis keeps its length
        shape = [-1 if each == axis else 1 for each in range(pixels.ndim)]
        pairs = zip(places.T, weights.T, strict=True)
        taps = (sums.take(place, axis) * weight.reshape(shape) for place, weight in pairs)
        total = next(taps)
        for each in taps:
            total += each
        sums = total
    return np.array(np.rint(sums) if pixels.dtype == np.uint8 else sums, dtype=pixels.dtype)
