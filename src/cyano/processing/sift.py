"""SIFT keypoints for a matcher that was trained on them: where, how strong, RootSIFT, scale and orientation.

SIFT is Lowe's (IJCV 2004) as OpenCV has it; RootSIFT is Arandjelović and Zisserman's (CVPR 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["SIFT_CHANNELS", "SIFT_EXTRAS", "SiftKeypoints", "describe_places", "detect_sift"]

SIFT_CHANNELS = 128
SIFT_EXTRAS = 3
"""Log-scale, cosine and sine of the orientation."""

_CONTRAST = 0.02
"""Least contrast of a keypoint, half of OpenCV's: a matcher that can refuse gains from weak keypoints."""
_REFERENCE = 4.0
"""Diameter in pixels with a log-scale of 0: that of a small keypoint."""
_FINE_OCTAVE = 1 << 8
"""Octave 0, layer 1, as OpenCV packs them: the level of the pyramid with keypoints of the diameter `_REFERENCE`."""


class SiftKeypoints(NamedTuple):
    """Keypoints of one image.

    Attributes:
        keypoints: (N, 2) float32 (x, y) in pixels, between them too.
        scores: (N,) float32, the contrast in (0, 1), strongest first.
        descriptors: (N, 128) float32 rows of unit length and without negative entries: RootSIFT.
        extras: (N, 3) float32: natural logarithm of the diameter over `_REFERENCE` pixels, cosine and sine of the
            orientation, which turns clockwise as seen in the image.
    """

    keypoints: Tensor
    scores: Tensor
    descriptors: Tensor
    extras: Tensor


def detect_sift(image: NDArray[np.float32], count: int = -1) -> SiftKeypoints:
    """The strongest keypoints of an image, one at each place and scale.

    OpenCV repeats a keypoint for every strong orientation. A matcher's assignment gives each keypoint one partner, and
    true matches know places alone, so a repetition could only be matched or refused by chance: the strongest
    orientation stays. OpenCV does not tell which that is, but the descriptor does: it is the one with the most gradient
    along it, whichever way the image is turned.

    Args:
        image: (H, W) grey in [0, 1].
        count: at most so many; a negative number keeps all.
    """
    found, raw = _sift().detectAndCompute(_bytes(image), None)
    if not found:
        return _keypoints((), np.zeros((0, SIFT_CHANNELS), np.float32))
    along = raw.reshape(len(raw), 16, 8)[:, :, 0].sum(axis=1)  # of 4 x 4 cells with 8 directions, the keypoint's own
    places = np.array([(*keypoint.pt, keypoint.size) for keypoint in found])
    strongest = np.lexsort((-along, *places.T))  # repetitions side by side, the strongest orientation first
    first = np.ones(len(found), bool)
    first[1:] = (places[strongest[1:]] != places[strongest[:-1]]).any(axis=1)
    kept = strongest[first]
    responses = np.array([found[i].response for i in kept])
    kept = kept[np.argsort(-responses, kind="stable")][: None if count < 0 else count]
    return _keypoints([found[i] for i in kept], np.asarray(raw[kept], np.float32))


def describe_places(
    image: NDArray[np.float32], places: NDArray[np.float32], angles: NDArray[np.float32]
) -> SiftKeypoints:
    """What SIFT sees at places that are no keypoints of it.

    Args:
        image: (H, W) grey in [0, 1].
        places: (K, 2) pixels (x, y).
        angles: (K,) orientations in degrees.

    Returns:
        Keypoints of a small scale, in the order of the places.
    """
    given = [
        cv2.KeyPoint(float(x), float(y), _REFERENCE, float(angle), 1e-6, _FINE_OCTAVE)
        for (x, y), angle in zip(places, angles, strict=True)
    ]
    if not given:
        return _keypoints((), np.zeros((0, SIFT_CHANNELS), np.float32))
    described, raw = _sift().compute(_bytes(image), given)
    return _keypoints(described, np.asarray(raw, np.float32))


def _sift() -> cv2.SIFT:
    # The precise enlargement keeps the first octave in place; without it keypoints lie a quarter of a pixel off.
    return cv2.SIFT.create(contrastThreshold=_CONTRAST, enable_precise_upscale=True)


def _bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _keypoints(found: Sequence[cv2.KeyPoint], raw: NDArray[np.float32]) -> SiftKeypoints:
    """OpenCV's keypoints and their (N, 128) descriptors as tensors."""
    numbers = np.array([(*k.pt, k.response, k.size, k.angle) for k in found], np.float32).reshape(-1, 5)
    angles = np.deg2rad(numbers[:, 4])
    extras = np.stack([np.log(numbers[:, 3] / _REFERENCE), np.cos(angles), np.sin(angles)], axis=1)
    shares = raw + np.float32(1e-3)  # far below a step of the descriptor; without texture, all directions are alike
    units = np.sqrt(shares / shares.sum(axis=1, keepdims=True))
    parts = (numbers[:, :2], numbers[:, 2], units, extras)
    return SiftKeypoints(*(torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)) for part in parts))
