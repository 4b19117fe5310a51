"""The textures of a scene with their prefiltered levels, all in one picture, so that one look-up serves all pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cyano.errors import InputError
from cyano.synthesis.scenes.patterns import procedural_texture
from cyano.synthesis.scenes.tables import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["SIDE", "Atlas", "build_atlas", "crop_texture"]

SIDE = 512
"""Pixels along a side of each texture's finest level."""

LEVELS = 8
"""Prefiltered levels of each texture: 512 down to 4 pixels."""

_PAD = 2  # pixels of mirrored margin around each level, so that interpolation never reads a neighbour


@dataclass(frozen=True, eq=False)
class Atlas:
    """Square textures, one per row; in each row its levels from fine to coarse.

    Attributes:
        pixels: (rows, columns) float32 in [0, 1].
        count: number of textures.
    """

    pixels: NDArray[np.float32]
    count: int

    def look_up(
        self, u: NDArray[np.float32], v: NDArray[np.float32], level: NDArray[np.float32], texture: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Grey values, trilinear: between pixels and between the two levels around the wanted one.

        Args:
            u: (H, W) position along the rows of the texture in pixels of its finest level, from the outer edge
                of the first one; beyond the texture it continues mirrored. Overwritten.
            v: (H, W) likewise along its columns. Overwritten.
            level: (H, W) log2 of the finest level's pixels that one pixel of the image covers. Overwritten.
            texture: (H, W) index of the texture.

        Returns:
            (H, W) float32.
        """
        _mirror(u)
        _mirror(v)
        np.clip(level, 0, LEVELS - 1.001, out=level)
        lower = level.astype(np.uint8)
        level -= lower
        rows = spread(np.arange(256.0) * (SIDE + 2 * _PAD) + (_PAD - 0.5), texture)
        fine = self._at(u, v, lower, rows)
        lower += 1
        coarse = self._at(u, v, lower, rows)
        coarse -= fine
        coarse *= level
        coarse += fine
        return coarse

    def _at(
        self, u: NDArray[np.float32], v: NDArray[np.float32], level: NDArray[np.uint8], rows: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        shrink = spread(0.5 ** np.minimum(np.arange(256.0), LEVELS), level)
        columns = spread(_level_starts() + (_PAD - 0.5), level)
        columns += u * shrink
        shrink *= v
        shrink += rows
        return np.asarray(cv2.remap(self.pixels, columns, shrink, cv2.INTER_LINEAR), dtype=np.float32)


def _level_starts() -> NDArray[np.float64]:
    """(256,) column where each level with its margin starts; levels that do not exist repeat the last one."""
    widths = np.array([(SIDE >> level) + 2 * _PAD for level in range(LEVELS)])
    starts = np.concatenate([[0], np.cumsum(widths[:-1])])
    return np.concatenate([starts, np.full(256 - LEVELS, starts[-1])]).astype(np.float64)


def _mirror(values: NDArray[np.float32]) -> None:
    """Fold the line onto [0, SIDE], every second stretch backwards, in place."""
    period = np.float32(2 * SIDE)
    turns = np.floor(values / period)
    turns *= period
    values -= turns
    values -= np.float32(SIDE)
    np.abs(values, out=values)
    np.subtract(np.float32(SIDE), values, out=values)


_PLAIN = 0.12
"""Largest contrast of a plain texture, as a share of what it would have."""


def build_atlas(
    photographs: Sequence[NDArray[np.generic]],
    rng: np.random.Generator,
    count: int,
    procedural_share: float,
    plain_share: float = 0.0,
) -> Atlas:
    """Cut textures from photographs and make the others.

    Args:
        photographs: grey images (H, W), uint8 or float in [0, 1]; where there is none, all are procedural.
        rng: the source of randomness.
        count: textures wanted, 1 to 60.
        procedural_share: chance of a texture being procedural.
        plain_share: chance of a texture being plain, as a painted wall is.
    """
    if not 1 <= count <= 60:
        raise InputError(f"an atlas holds 1 to 60 textures, not {count}")
    starts = _level_starts()
    width = int(starts[LEVELS - 1]) + (SIDE >> (LEVELS - 1)) + 2 * _PAD
    pixels = np.zeros((count * (SIDE + 2 * _PAD), width), np.float32)
    for index in range(count):
        if len(photographs) == 0 or rng.random() < procedural_share:
            level = procedural_texture(rng, SIDE)
        else:
            level = _lively_crop(photographs, rng)
        if plain_share > 0 and rng.random() < plain_share:
            level = level.mean() + (level - level.mean()) * np.float32(rng.uniform(0, _PLAIN))
        top = index * (SIDE + 2 * _PAD)
        for step in range(LEVELS):
            padded = cv2.copyMakeBorder(level, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REFLECT)
            left = int(starts[step])
            pixels[top : top + len(padded), left : left + len(padded)] = padded
            level = _halved(level)
    return Atlas(pixels, count)


def _halved(level: NDArray[np.float32]) -> NDArray[np.float32]:
    half = (level.shape[1] // 2, level.shape[0] // 2)
    return np.asarray(cv2.resize(level, half, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _lively_crop(photographs: Sequence[NDArray[np.generic]], rng: np.random.Generator) -> NDArray[np.float32]:
    """A crop that is not plain, if a few tries find one, brought to a middling brightness.

    It is a surface's own grey, and light comes on top.
    """
    for _ in range(4):
        crop = crop_texture(photographs[int(rng.integers(len(photographs)))], rng)
        mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(crop))
        if deviation > 0.08:
            break
    contrast = min(0.26 / max(deviation, 0.02), rng.uniform(1.0, 1.8))
    crop -= np.float32(mean)
    crop *= np.float32(contrast)
    crop += np.float32(np.clip(mean, rng.uniform(0.3, 0.45), rng.uniform(0.5, 0.65)))
    return np.clip(crop, 0, 1, out=crop)


def crop_texture(photograph: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.float32]:
    """A random square of a photograph, (SIDE, SIDE) float32 in [0, 1], perhaps flipped.

    Raises:
        InputError: not a grey image of uint8 or floats.
    """
    if photograph.ndim != 2 or min(photograph.shape) < 8:
        raise InputError(f"a texture is a grey image (H, W) of at least 8x8 pixels, not {photograph.shape}")
    if photograph.dtype != np.uint8 and not np.issubdtype(photograph.dtype, np.floating):
        raise InputError(f"a texture holds uint8 or floats in [0, 1], not {photograph.dtype}")
    height, width = photograph.shape
    side = int(min(height, width) * rng.uniform(0.6, 1.0))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = photograph[top : top + side, left : left + side].astype(np.float32)
    if photograph.dtype == np.uint8:
        square *= np.float32(1 / 255)
    how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    out = cv2.resize(square, (SIDE, SIDE), interpolation=how)
    flip = int(rng.integers(4))
    return np.asarray(out if flip == 3 else cv2.flip(out, flip - 1), dtype=np.float32)
