"""Adverse conditions: night, haze, other sensors, rain, strong blur. Each leaves every point where it is.

`photometric_change` is what two photographs of one afternoon differ by; this is what they differ by after a season, at
night, from a moving hand or from another sensor. It is meant for one view of a pair: what both views have lost, no
network can match.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.synthesis.photometric import jpeg, motion_blur

__all__ = ["adverse_change"]

_Image = NDArray[np.float32]


def adverse_change(image: _Image, rng: np.random.Generator, other: _Image | None = None) -> _Image:
    """One or two strong changes: of light, of optics, or of both.

    Args:
        image: (H, W) float32 in [0, 1].
        rng: where all randomness comes from.
        other: (H', W') another photograph, whose light this one may take over.

    Returns:
        (H, W) float32 in [0, 1].
    """
    kind = rng.random()
    if kind < 0.75:
        light = _LIGHT[int(rng.integers(len(_LIGHT)))]
        image = _weather_of(image, rng, other) if other is not None and rng.random() < 0.2 else light(image, rng)
    if kind > 0.4:
        image = _OPTICS[int(rng.integers(len(_OPTICS)))](np.clip(image, 0, 1).astype(np.float32), rng)
    return np.asarray(np.clip(image, 0, 1), dtype=np.float32)


def _tones(image: _Image, rng: np.random.Generator) -> _Image:
    """A tone curve that rises, bends back, or falls, as of a thermal or infrared sensor beside a camera."""
    values = rng.uniform(0, 1, 6)
    drawn = rng.random()
    if drawn < 0.5:
        values = np.sort(values)
    elif drawn < 0.65:
        values = np.sort(values)[::-1]
    spread = float(np.ptp(values))
    values = (values - values.min()) / max(spread, 0.3)
    return np.asarray(np.interp(image, np.linspace(0, 1, len(values)), values), dtype=np.float32)


def _gain_field(image: _Image, rng: np.random.Generator) -> _Image:
    """Light from elsewhere: some parts bright, others dark."""
    height, width = image.shape
    coarse = np.exp(rng.uniform(-1.6, 0.5, (int(rng.integers(2, 5)), int(rng.integers(2, 5))))).astype(np.float32)
    return np.asarray(image * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _night(image: _Image, rng: np.random.Generator) -> _Image:
    """Dark, with the noise of a sensor whose gain is up, and lamps."""
    height, width = image.shape
    dark = np.power(image, np.float32(rng.uniform(1.0, 1.8))) * np.float32(
        np.exp(rng.uniform(np.log(0.08), np.log(0.4)))
    )
    if rng.random() < 0.4:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        for _ in range(int(rng.integers(1, 5))):
            cx, cy, reach = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.03, 0.25) * width
            lamp = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * reach**2)).astype(np.float32)
            dark = dark + image * lamp * np.float32(rng.uniform(0.3, 1.0))
    noise = rng.normal(0, rng.uniform(0.004, 0.02), image.shape)
    return np.asarray(dark + noise, dtype=np.float32)


def _haze(image: _Image, rng: np.random.Generator) -> _Image:
    """Contrast down to a fifth, about a grey that may change over the picture."""
    height, width = image.shape
    grey = cv2.resize(rng.uniform(0.2, 0.9, (2, 2)).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    contrast = np.float32(rng.uniform(0.2, 0.6))
    noise = rng.normal(0, rng.uniform(0, 0.01), image.shape)
    return np.asarray(grey + (image - np.float32(0.5)) * contrast + noise, dtype=np.float32)


def _precipitation(image: _Image, rng: np.random.Generator) -> _Image:
    """Snow or rain before the scene, snow on what is bright."""
    height, width = image.shape
    drops = (rng.random((height, width)) < rng.uniform(0.001, 0.01)).astype(np.float32)
    reach = int(rng.integers(0, 8))
    drops = motion_blur(drops, reach, rng.uniform(1.2, 1.9)) * (2 * reach + 1) if reach else drops
    drops = np.clip(cv2.GaussianBlur(drops, (0, 0), rng.uniform(0.5, 1.2)) * 4, 0, 1)
    if rng.random() < 0.5:
        image = np.where(image > np.quantile(image, rng.uniform(0.4, 0.9)), 0.25 * image + 0.75, image)
    return np.asarray(image * (1 - drops) + np.float32(0.9) * drops, dtype=np.float32)


def _weather_of(image: _Image, rng: np.random.Generator, other: _Image) -> _Image:
    """The lowest frequencies of another photograph (Yang and Soatto, FDA, arXiv:2004.05498)."""
    height, width = image.shape
    own, taken = np.fft.rfft2(image), np.fft.rfft2(cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA))
    reach = int(rng.integers(2, 9))
    for rows in (slice(0, reach), slice(height - reach, height)):
        block = np.s_[rows, :reach]
        own[block] = np.abs(taken[block]) * np.exp(1j * np.angle(own[block]))
    return np.asarray(np.fft.irfft2(own, s=(height, width)), dtype=np.float32)


def _focus(image: _Image, rng: np.random.Generator) -> _Image:
    """Out of focus by a sigma of 1.2 to 4 pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(1.2, 4.0)), dtype=np.float32)


def _motion(image: _Image, rng: np.random.Generator) -> _Image:
    """Moved by 7 to 25 pixels during the exposure."""
    return motion_blur(image, int(rng.integers(3, 13)), rng.uniform(0, np.pi))


def _grain(image: _Image, rng: np.random.Generator) -> _Image:
    """The noise of a small sensor."""
    return np.asarray(image + rng.normal(0, rng.uniform(0.03, 0.09), image.shape), dtype=np.float32)


def _compression(image: _Image, rng: np.random.Generator) -> _Image:
    """Heavy JPEG, of half the size now and then."""
    height, width = image.shape
    if rng.random() < 0.4:
        half = cv2.resize(image, (max(8, width // 2), max(8, height // 2)), interpolation=cv2.INTER_AREA)
        whole = cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
        image = np.asarray(whole, dtype=np.float32)
    return jpeg(image, int(rng.integers(8, 30)))


_Change = Callable[[_Image, np.random.Generator], _Image]
_LIGHT: tuple[_Change, ...] = (_tones, _gain_field, _night, _night, _haze, _precipitation)
_OPTICS: tuple[_Change, ...] = (_focus, _focus, _motion, _motion, _grain, _compression)
