"""Which colour says what: numbers in, (K, 3) uint8 RGB out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError

__all__ = [
    "INLIER",
    "OUTLIER",
    "PLAIN",
    "UNKNOWN",
    "UNMATCHED",
    "error_colours",
    "inlier_colours",
    "one_colour",
    "score_colours",
]

SCORE_ANCHORS = ((200, 30, 34), (244, 109, 45), (255, 217, 61), (145, 207, 70), (20, 160, 75))
"""Red, orange, yellow, lime, green: scores 0, 1/4, 1/2, 3/4, 1. Lightness peaks at yellow, as in
ColorBrewer's diverging maps, but yellow is saturated: a pale one would be lost on photographs."""

INLIER = (0, 190, 240)
OUTLIER = (250, 95, 10)
"""Cyan-blue against vermilion: apart in hue, for colour-blind readers too, and bright enough for
photographs."""

PLAIN = (60, 210, 255)
"""Matches about which nothing is known but that they match."""

UNMATCHED = (255, 255, 255)
"""Keypoints shown besides the matches."""

UNKNOWN = (165, 165, 165)
"""Matches without ground truth among others that have it."""


def score_colours(scores: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Red through yellow to green for scores from 0 to 1.

    Args:
        scores: (K,) finite numbers; those outside [0, 1] get the colours of the ends.

    Returns:
        (K, 3) uint8 RGB.

    Raises:
        InputError: a score is not finite.
    """
    if not np.isfinite(scores).all():
        raise InputError("scores have to be finite numbers, and one is NaN or infinite")
    positions = np.linspace(0.0, 1.0, len(SCORE_ANCHORS))
    channels = [np.interp(scores, positions, channel) for channel in zip(*SCORE_ANCHORS, strict=True)]
    colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return colours


def one_colour(colour: tuple[int, int, int], count: int) -> NDArray[np.uint8]:
    """The same colour so many times, (count, 3) uint8 RGB."""
    return np.tile(np.array(colour, dtype=np.uint8), (count, 1))


def inlier_colours(inliers: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """`INLIER` where true, `OUTLIER` where false.

    Args:
        inliers: (K,) bool.

    Returns:
        (K, 3) uint8 RGB.
    """
    colours: NDArray[np.uint8] = np.where(inliers[:, None], one_colour(INLIER, 1), one_colour(OUTLIER, 1))
    return colours


def error_colours(errors: NDArray[np.floating], threshold: float) -> NDArray[np.uint8]:
    """Green for no error, yellow at the threshold, red from twice the threshold on.

    Args:
        errors: (K,) numbers of at least 0, infinite allowed; NaN says that there is no ground truth:
            `UNKNOWN`.
        threshold: the largest error that still counts as correct, in the unit of the errors, more than 0.

    Returns:
        (K, 3) uint8 RGB.

    Raises:
        InputError: the threshold is not a positive number, or an error is negative.
    """
    if not (np.isfinite(threshold) and threshold > 0):
        raise InputError(f"the error threshold has to be a positive number, not {threshold}")
    if (errors < 0).any():
        raise InputError("errors are distances of at least 0, and one is negative")
    known = ~np.isnan(errors)
    quality = 1.0 - np.minimum(np.where(known, errors, 0.0) / (2.0 * threshold), 1.0)
    colours: NDArray[np.uint8] = np.where(known[:, None], score_colours(quality), one_colour(UNKNOWN, 1))
    return colours
