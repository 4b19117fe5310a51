"""Procedural textures, for what photographs seldom show: regular, plain and repeated surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["noise", "procedural_texture"]

_Image: TypeAlias = "NDArray[np.float32]"


def procedural_texture(rng: np.random.Generator, side: int) -> _Image:
    """A (side, side) float32 texture in [0, 1]: plaster, blotches, bricks, chequers, stripes or scribbles."""
    makers = (_plaster, _blotches, _bricks, _chequers, _stripes, _scribbles)
    image = makers[int(rng.integers(len(makers)))](rng, side)
    # No camera sees steps of one pixel.
    return np.asarray(np.clip(cv2.GaussianBlur(image, (3, 3), 0.7), 0, 1), dtype=np.float32)


def noise(rng: np.random.Generator, side: int, coarsest: int, finest: int) -> _Image:
    """(side, side) float32 sum of octaves of smooth noise, about 0 with a standard deviation near 1.

    Args:
        rng: the source of randomness.
        side: of the image in pixels.
        coarsest: cells along a side in the first octave.
        finest: cells along a side in the last octave; each has twice the cells and 0.7 of the amplitude.
    """
    total = np.zeros((side, side), np.float32)
    amplitude, power, cells = 1.0, 0.0, coarsest
    while cells <= finest:
        octave = rng.standard_normal((cells, cells), dtype=np.float32) * np.float32(amplitude)
        total += cv2.resize(octave, (side, side), interpolation=cv2.INTER_LINEAR)
        power += amplitude**2
        amplitude, cells = amplitude * 0.7, cells * 2
    return total / np.float32(np.sqrt(power) * 0.7)


def _plaster(rng: np.random.Generator, side: int) -> _Image:
    """Nearly plain, as most walls are."""
    contrast = np.float32(rng.uniform(0.01, 0.06))
    return np.float32(rng.uniform(0.3, 0.85)) + contrast * noise(rng, side, 4, 128)


def _blotches(rng: np.random.Generator, side: int) -> _Image:
    cells = int(rng.integers(2, 8))
    image = np.float32(0.5) + np.float32(rng.uniform(0.08, 0.25)) * noise(rng, side, cells, 128)
    if rng.random() < 0.5:  # stone-like: a few flat levels with sharp borders
        levels = np.float32(rng.integers(3, 7))
        image = np.floor(image * levels) / levels + np.float32(0.03) * noise(rng, side, 32, 256)
    return image


def _bricks(rng: np.random.Generator, side: int) -> _Image:
    """Courses of bricks or tiles, each with its own grey."""
    courses, per_course = int(rng.integers(4, 14)), int(rng.integers(3, 8))
    height, width = side / courses, side / per_course
    joint = max(2, int(rng.uniform(0.04, 0.12) * height))
    image = np.full((side, side), rng.uniform(0.2, 0.8), np.float32)
    base, spread, shifted = rng.uniform(0.3, 0.7), rng.uniform(0.03, 0.2), rng.random() < 0.7
    for course in range(courses):
        shift = width / 2 if shifted and course % 2 else 0.0
        for brick in range(-1, per_course + 1):
            left, top = round(brick * width + shift), round(course * height)
            corner = (round((brick + 1) * width + shift) - joint, round((course + 1) * height) - joint)
            cv2.rectangle(image, (left, top), corner, float(base + spread * rng.standard_normal()), cv2.FILLED)
    return image + np.float32(rng.uniform(0.01, 0.06)) * noise(rng, side, 16, 256)


def _chequers(rng: np.random.Generator, side: int) -> _Image:
    """A floor of two greys, turned by any angle, with some wear."""
    fields, angle = rng.uniform(4, 12), rng.uniform(0, np.pi)
    place = np.arange(side, dtype=np.float32) * np.float32(fields / side)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = np.floor(np.add.outer(sine * place, cosine * place)).astype(np.int16)
    across = np.floor(np.add.outer(cosine * place, -sine * place)).astype(np.int16)
    greys = np.array([rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.9)], np.float32)
    image: _Image = greys[(along + across) & 1]
    return image + np.float32(rng.uniform(0.02, 0.12)) * noise(rng, side, 8, 256)


def _stripes(rng: np.random.Generator, side: int) -> _Image:
    """Planks or cloth: streaks of random widths along one axis."""
    streaks = rng.uniform(0.2, 0.8, (1, int(rng.integers(8, 40)))).astype(np.float32)
    image = cv2.resize(streaks, (side, side), interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image.T)
    return image + np.float32(rng.uniform(0.03, 0.15)) * noise(rng, side, 4, 256)


def _scribbles(rng: np.random.Generator, side: int) -> _Image:
    """Labels and posters: letters, boxes and lines on a plain ground."""
    image = np.full((side, side), rng.integers(25, 230), np.uint8)  # OpenCV writes text on bytes alone
    for _ in range(int(rng.integers(15, 60))):
        x, y = (int(value) for value in rng.integers(0, side, 2))
        grey, thickness = int(rng.integers(256)), int(rng.integers(1, 7))
        kind = rng.random()
        if kind < 0.5:
            text = "".join(chr(int(code)) for code in rng.integers(48, 91, int(rng.integers(2, 9))))
            size = float(rng.uniform(0.5, 3))
            cv2.putText(image, text, (x, y), int(rng.integers(0, 5)), size, grey, thickness, cv2.LINE_AA)
        elif kind < 0.75:
            width, height = (int(value) for value in rng.integers(10, side // 3, 2))
            filled = cv2.FILLED if rng.random() < 0.5 else thickness
            cv2.rectangle(image, (x, y), (x + width, y + height), grey, filled)
        else:
            end = tuple(int(value) for value in rng.integers(0, side, 2))
            cv2.line(image, (x, y), end, grey, thickness, cv2.LINE_AA)
    worn = np.float32(rng.uniform(0, 0.04)) * noise(rng, side, 16, 256)
    return np.float32(1 / 255) * image + worn
