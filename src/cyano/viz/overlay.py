"""One image over another one that was registered to it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.viz.layout import checked_image

__all__ = ["OverlayMode", "overlay_image"]

OverlayMode = Literal["blend", "checkerboard", "anaglyph"]

CHECKS = 8
"""Squares of the checkerboard along the shorter side of the image."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601)."""


def overlay_image(
    image0: NDArray[np.uint8],
    warped1: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    mode: OverlayMode = "blend",
) -> NDArray[np.uint8]:
    """Two registered images in one, to judge how well they fall together.

    - `blend`: the mean of both; what is not aligned looks double.
    - `checkerboard`: squares of one and the other in turn; what is not aligned breaks at their edges.
    - `anaglyph`: the first image in red, the second in cyan; aligned parts are grey, others have coloured
      fringes.

    Args:
        image0: (H, W, 3) RGB or (H, W) grey, uint8.
        warped1: the second image in the frame of the first, of the same height and width.
        mask: (H, W), true where `warped1` shows something; elsewhere the picture is `image0`.
        mode: how to mix them.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        InputError: the sizes differ, or the mode is not one of the three.

    Example:
        >>> dark, light = np.full((240, 320, 3), 100, np.uint8), np.full((240, 320, 3), 200, np.uint8)
        >>> overlay_image(dark, light, np.ones((240, 320), bool))[0, 0].tolist()
        [150, 150, 150]
    """
    base, other = checked_image(image0, "image0"), checked_image(warped1, "warped1")
    valid = np.asarray(mask, dtype=bool)
    if other.shape != base.shape or valid.shape != base.shape[:2]:
        raise InputError(
            "an overlay needs image0, warped1 and mask of one height and width, not "
            f"{base.shape[:2]}, {other.shape[:2]} and {valid.shape}; warp the second image into the first"
        )
    if mode == "blend":
        mixed = ((base.astype(np.uint16) + other + 1) // 2).astype(np.uint8)
    elif mode == "checkerboard":
        mixed = np.where(_checks(*base.shape[:2])[:, :, None], other, base)
    elif mode == "anaglyph":
        red, cyan = _grey(base), _grey(other)
        mixed = np.stack([red, cyan, cyan], axis=-1)
    else:
        raise InputError(f"the overlay mode is blend, checkerboard or anaglyph, not {mode!r}")
    picture: NDArray[np.uint8] = np.where(valid[:, :, None], mixed, base)
    return picture


def _checks(height: int, width: int) -> NDArray[np.bool_]:
    """(H, W), true on every other square; the top-left square is false."""
    side = max(1, min(height, width) // CHECKS)
    rows, columns = np.arange(height) // side, np.arange(width) // side
    checks: NDArray[np.bool_] = (rows[:, None] + columns[None, :]) % 2 == 1
    return checks


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey: NDArray[np.uint8] = np.rint(image @ np.array(LUMA)).astype(np.uint8)
    return grey
