"""What light, lens and sensor do to an image: changes of its values that leave every point where it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["jpeg", "motion_blur", "photometric_change"]

_Image = NDArray[np.float32]


def photometric_change(image: _Image, rng: np.random.Generator, strength: float = 1.0) -> _Image:
    """A random mixture of shading, shadows, exposure, gamma, blur, noise and JPEG compression.

    Args:
        image: (H, W) float32 in [0, 1].
        rng: where all randomness comes from.
        strength: 0 changes nothing, 1 is the usual range.

    Returns:
        (H, W) float32 in [0, 1].
    """
    if strength <= 0:
        return image
    out = image
    if rng.random() < 0.5:
        out = _shading(out, rng, strength)
    if rng.random() < 0.25:
        out = _shadow(out, rng, strength)
    out = _exposure(out, rng, strength)
    if rng.random() < 0.35:
        out = _blur(out, rng, strength)
    if rng.random() < 0.6:
        out = out + rng.normal(0, rng.uniform(0, 0.05 * strength), out.shape).astype(np.float32)
    out = np.clip(out, 0, 1).astype(np.float32)
    return jpeg(out, int(rng.integers(35, 95))) if rng.random() < 0.3 else out


def _exposure(image: _Image, rng: np.random.Generator, strength: float) -> _Image:
    """Gamma, contrast around the mean, brightness; none of them moves a point."""
    gamma = np.exp(rng.uniform(-0.5, 0.5) * strength)
    contrast = np.exp(rng.uniform(-0.5, 0.4) * strength)
    shift = rng.uniform(-0.15, 0.15) * strength
    bent = np.power(np.clip(image, 0, 1), np.float32(gamma))
    mean = float(bent.mean())
    return np.asarray((bent - mean) * contrast + mean + shift, dtype=np.float32)


def _shading(image: _Image, rng: np.random.Generator, strength: float) -> _Image:
    """A smooth field of light and shadow."""
    height, width = image.shape
    coarse = rng.uniform(-0.6, 0.4, (rng.integers(2, 6), rng.integers(2, 6))).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(image * (1 + np.float32(strength) * field), dtype=np.float32)


def _shadow(image: _Image, rng: np.random.Generator, strength: float) -> _Image:
    """The shadow of something outside of the picture: polygons with an edge that the sun blurs more or less."""
    height, width = image.shape
    cover = np.zeros((height, width), dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        centre, reach = rng.uniform(0, 1, 2), rng.uniform(0.1, 0.6)
        turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
        corners = centre + reach * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        cv2.fillPoly(cover, [np.rint(corners * (width, height)).astype(np.int32)], 1.0)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.5, 4.0)), dtype=np.float32)
    return np.asarray(image * (1 - np.float32(rng.uniform(0.2, 0.7) * strength) * cover), dtype=np.float32)


def _blur(image: _Image, rng: np.random.Generator, strength: float) -> _Image:
    """Out of focus, or moved during the exposure."""
    if rng.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.3, rng.uniform(0.3, 1.6) * strength)), dtype=np.float32)
    reach = int(rng.integers(1, max(2, round(4 * strength)) + 1))
    return motion_blur(image, reach, rng.uniform(0, np.pi))


def motion_blur(image: _Image, reach: int, angle: float) -> _Image:
    """Moved along a line during the exposure; the kernel is symmetric, so that no point moves.

    Args:
        image: (H, W) float32.
        reach: pixels to either side.
        angle: of the line against the x axis, in radians.
    """
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
    tip = (np.cos(angle) * reach, np.sin(angle) * reach)
    ends = [(round(reach + s * tip[0]), round(reach + s * tip[1])) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    kernel += kernel[::-1, ::-1]
    return np.asarray(
        cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101), dtype=np.float32
    )


def jpeg(image: _Image, quality: int) -> _Image:
    """An image in [0, 1] after JPEG compression of that quality, 1 to 100."""
    _, encoded = cv2.imencode(".jpg", np.rint(image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.float32) / np.float32(255)
