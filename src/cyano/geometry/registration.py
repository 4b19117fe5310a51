"""Bring one image into the frame of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import ImageError, InputError
from cyano.geometry.checks import numbers_of
from cyano.geometry.homography import invert_homography
from cyano.types import ImageSize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


__all__ = ["warp_image"]

_LARGEST_SIDE = 32766  # OpenCV addresses the pixels of a warp by 16-bit numbers


def warp_image(image: NDArray[np.uint8], H: ArrayLike, size: ImageSize) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Image 1 as it would look from where image 0 was taken, for a homography that maps 0 -> 1.

    Values are interpolated bilinearly. No low-pass filter is applied: where image 1 has several times the
    resolution of image 0, shrink it first.

    Args:
        image: (H1, W1, 3) RGB or (H1, W1) grey uint8, image 1.
        H: (3, 3) homography from pixels of image 0 to pixels of image 1.
        size: size of image 0.

    Returns:
        The registered image, (H, W, 3) or (H, W) uint8 with 0 where image 1 shows nothing, and the (H, W)
        bool mask of the pixels that it covers.

    Raises:
        ImageError: an image of another shape or dtype, empty, or with a side above 32766 pixels.
        InputError: H is not a finite, invertible (3, 3) matrix.

    Example:
        >>> image = np.zeros((20, 30, 3), np.uint8)
        >>> warped, covered = warp_image(image, np.eye(3), ImageSize(20, 30))
        >>> bool(covered.all())
        True
    """
    import cv2

    _check_image(image, size)
    inverse = invert_homography(H)
    matrix, target = numbers_of(H, "H", (3, 3)), (size.width, size.height)
    # Each target pixel looks up its place in image 1, so `WARP_INVERSE_MAP` takes H as it is.
    sharp, nearest = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    source = np.ascontiguousarray(image)
    # Replicated borders keep the outermost half pixel from fading to black; the mask then cuts.
    warped = cv2.warpPerspective(source, matrix, target, flags=sharp, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(np.ones(source.shape[:2], np.uint8), matrix, target, flags=nearest)
    covered = (inside > 0) & _on_visible_side(matrix, inverse, size, source.shape)
    warped[~covered] = 0
    return np.asarray(warped, dtype=np.uint8), covered


def _check_image(image: NDArray[np.uint8], size: ImageSize) -> None:
    if not isinstance(image, np.ndarray) or not isinstance(size, ImageSize):
        raise InputError(f"an array and an ImageSize are needed, not {type(image).__name__} and {type(size).__name__}")
    is_grey_or_rgb = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if not is_grey_or_rgb or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(f"the image must be (H, W) or (H, W, 3) uint8 and not empty, not {image.shape} {image.dtype}")
    if max(*image.shape[:2], size.longest) > _LARGEST_SIDE:
        raise ImageError(f"an image to register may have {_LARGEST_SIDE} pixels a side at most: resize it first")


def _on_visible_side(
    H: NDArray[np.float64], inverse: NDArray[np.float64], size: ImageSize, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which target pixels lie on image 1's side of the horizon; beyond it the image repeats upside down."""
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2, 1.0])
    side = np.sign(inverse[2] @ centre)
    depth = H[2, 0] * np.arange(size.width) + (H[2, 1] * np.arange(size.height) + H[2, 2])[:, None]  # (H, W)
    return np.asarray(depth * side > 0)
