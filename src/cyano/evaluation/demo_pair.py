"""The real stereo pair of the demo, and how far matches are from its measured disparity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.errors import MissingExtraError

__all__ = ["DemoPair", "load_demo_pair", "stereo_errors"]


@dataclass(frozen=True, eq=False, repr=False)
class DemoPair(Concise):
    """A rectified stereo pair with its ground truth.

    Attributes:
        left: (H, W, 3) uint8 RGB.
        right: (H, W, 3) uint8 RGB.
        disparity: (H, W) float32: what the pixel (x, y) of the left image shows is at (x - disparity, y) in
            the right one; not finite, or 0, where it was not measured.
    """

    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    disparity: NDArray[np.float32]


def load_demo_pair() -> DemoPair:
    """The motorcycle of the Middlebury stereo benchmark (Scharstein et al., GCPR 2014), as scikit-image ships it.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    try:
        from skimage.data import stereo_motorcycle
    except ImportError as error:
        raise MissingExtraError(
            'the stereo pair comes with scikit-image: pip install ".[demo]" in the folder of Cyano, or give two images'
        ) from error
    left, right, disparity = stereo_motorcycle()  # type: ignore[no-untyped-call]
    return DemoPair(np.asarray(left), np.asarray(right), np.asarray(disparity, dtype=np.float32))


def stereo_errors(
    keypoints0: NDArray[np.floating], keypoints1: NDArray[np.floating], disparity: NDArray[np.float32]
) -> NDArray[np.float64]:
    """How far each match is from where the disparity puts it in the right image.

    The disparity is read at the nearest pixel: between the pixels of an edge there is no disparity to
    interpolate.

    Args:
        keypoints0: (K, 2) positions (x, y) in pixels of the left image.
        keypoints1: (K, 2) their partners in the right image.
        disparity: (H, W) of the left image, see `DemoPair`.

    Returns:
        (K,) distances in pixels, NaN where there is no ground truth.
    """
    height, width = disparity.shape
    columns = np.clip(np.rint(keypoints0[:, 0]).astype(np.int64), 0, width - 1)
    rows = np.clip(np.rint(keypoints0[:, 1]).astype(np.int64), 0, height - 1)
    found = disparity[rows, columns].astype(np.float64)
    known = np.isfinite(found) & (found != 0)
    shift = np.where(known, found, np.nan)
    dx = keypoints1[:, 0] - (keypoints0[:, 0] - shift)
    dy = keypoints1[:, 1] - keypoints0[:, 1]
    return np.asarray(np.hypot(dx, dy), dtype=np.float64)
