"""Patches of one picture laid over another: `cyano.processing.patches` in numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.processing.alignment_rules import CONTRAST, FARTHEST_PX, RADIUS, STEPS, STIFFNESS, STILL, WINDOW

__all__ = ["Patches", "Placement", "Reduced", "descend"]

Floats = NDArray[np.float32]

_LEAST_DEVIATION = 1e-6
_LONGEST_STEP = 1.5
_LARGEST_SHEAR = 0.25


class Reduced:
    """An image whose pixels are means of so many by so many: what samples at that distance can show."""

    def __init__(self, image: Floats, spacing: int) -> None:
        """From an (H, W) float32 image."""
        self.side = side = min(spacing, *image.shape)
        height, width = (length // side for length in image.shape)
        blocks = image[: height * side, : width * side].reshape(height, side, width, side)
        self.pixels: Floats = np.ascontiguousarray(blocks.mean(axis=(1, 3), dtype=np.float32))

    def sample(self, x: Floats, y: Floats) -> Floats:
        """Grey values at places of the whole image, by linear interpolation; beyond the border as on it."""
        height, width = self.pixels.shape
        x0, along_x = _cell(x, self.side, width)
        y0, along_y = _cell(y, self.side, height)
        right, below = np.minimum(x0 + 1, width - 1) - x0, np.where(y0 < height - 1, width, 0)
        flat, corner = self.pixels.ravel(), y0 * width + x0
        upper, lower = flat.take(corner), flat.take(corner + below)
        upper += along_x * (flat.take(corner + right) - upper)
        lower += along_x * (flat.take(corner + below + right) - lower)
        sampled: Floats = upper + along_y * (lower - upper)
        return sampled


def _cell(places: Floats, side: int, length: int) -> tuple[NDArray[np.intp], Floats]:
    """The pixel at or before each place along an axis, and how far behind it the place is; NaN counts as 0."""
    inside = np.fmin(np.fmax((places + 0.5) / side - 0.5, 0), length - 1)
    before = inside.astype(np.intp)
    return before, inside - before.astype(np.float32)


class Placement(NamedTuple):
    """How K patches lie in image 1.

    Attributes:
        centres: (K, 2) pixels.
        shears: (K, 2, 2) S of each: the map of a patch, steps in image 0 to steps in image 1, is its neighbours' times
            1 + S.
        cost: (K,) share of the variance of the grey values that stays unexplained, and that of the shears.
    """

    centres: Floats
    shears: Floats
    cost: Floats


class Patches:
    """The patches of image 0, and what a difference of grey values says about the place of each."""

    def __init__(self, image: Reduced, centres: Floats, spacing: int, shears: bool) -> None:
        """Sample K patches around (K, 2) centres in pixels of the whole image."""
        self.spacing, self.reach, self.shears = spacing, float(RADIUS * spacing), shears
        ticks = np.arange(-RADIUS - 1, RADIUS + 2, dtype=np.float32) * self.spacing
        grid_x, grid_y = np.meshgrid(ticks, ticks)
        self.offsets: Floats = np.stack([grid_x[1:-1, 1:-1].ravel(), grid_y[1:-1, 1:-1].ravel()])  # (2, P)
        weights = np.exp(-np.square(self.offsets).sum(axis=0) / (2 * (WINDOW * self.reach) ** 2))
        self.weights: Floats = weights / weights.sum()
        x, y = centres[:, 0, None, None] + grid_x, centres[:, 1, None, None] + grid_y
        seen = image.sample(x, y)  # (K, R, R) with a rim of one sample, for the slopes
        self.values, deviation = _standardised(seen[:, 1:-1, 1:-1].reshape(len(centres), -1), self.weights)
        self.plain: NDArray[np.bool_] = deviation[:, 0] < CONTRAST
        seen /= 2 * self.spacing * deviation[..., None]
        slopes = [
            (seen[:, 1:-1, 2:] - seen[:, 1:-1, :-2]).reshape(self.values.shape),
            (seen[:, 2:, 1:-1] - seen[:, :-2, 1:-1]).reshape(self.values.shape),
        ]
        if shears:  # in shares of the reach, so that all unknowns have one size
            slopes += [slope * (self.offsets[axis] / self.reach) for slope in slopes for axis in (0, 1)]
        self.weighted, self.inverse = self._least_squares(np.stack(slopes, axis=1))

    def _least_squares(self, slopes: Floats) -> tuple[Floats, Floats]:
        """(K, U, P) slopes by the U unknowns -> the two factors, (K, U, P) and (K, U, U), of their pseudo-inverse."""
        # Gain and offset are free; what they explain says nothing about the place.
        slopes = slopes - (slopes @ self.weights)[..., None]
        shares = slopes @ (self.values * self.weights)[..., None]
        slopes -= shares * self.values[:, None]
        weighted = slopes * self.weights
        normal = weighted @ slopes.swapaxes(1, 2)
        unknowns = np.arange(slopes.shape[1])
        damping = normal[:, unknowns, unknowns] * 1e-3 + 1e-6
        damping[:, 2:] += STIFFNESS
        normal[:, unknowns, unknowns] += damping
        inverse: Floats = np.linalg.inv(normal)
        return weighted, inverse

    def uncertainty(self, cost: Floats) -> Floats:
        """(K,) pixels, see `cyano_runtime.alignment.Alignment`: the root of a place's cost times its variance."""
        variance = self.inverse[:, 0, 0] + self.inverse[:, 1, 1]
        root: Floats = np.sqrt(np.maximum(cost, 0) * variance)  # of equal pictures it may round to less than 0
        return root

    def step(self, shears: Floats, which: NDArray[np.intp], difference: Floats) -> tuple[Floats, Floats]:
        """(N, 2) and (N, 2, 2): how (N, P) differences of grey values move and shear `which` patches in image 0."""
        slopes = (self.weighted[which] @ difference[..., None])[..., 0]
        if self.shears:
            slopes[:, 2:] += STIFFNESS * self.reach * shears.reshape(-1, 4)
        unknowns = (self.inverse[which] @ slopes[..., None])[..., 0]
        if not self.shears:
            return unknowns, np.zeros_like(shears)
        shear: Floats = np.clip(unknowns[:, 2:] / self.reach, -_LARGEST_SHEAR, _LARGEST_SHEAR)
        return unknowns[:, :2], shear.reshape(-1, 2, 2)


def descend(patches: Patches, image: Reduced, neighbours: Floats, start: Placement, origin: Floats) -> Placement:
    """Gauss-Newton steps of all patches at once, each until it lies still; the best place of each.

    Args:
        patches: K of image 0.
        image: image 1.
        neighbours: (K, 2, 2) maps of the patches' neighbours.
        start: where to begin.
        origin: (K, 2) from where a patch moves by `FARTHEST_PX` at most.
    """
    centres, shears = start.centres, start.shears
    best = Placement(centres.copy(), shears.copy(), np.full_like(start.cost, np.inf))
    plain = patches.plain.copy()
    active = np.arange(len(origin))
    for _ in range(STEPS):
        maps = neighbours[active] @ (np.eye(2, dtype=np.float32) + shears)
        places = maps @ patches.offsets + centres[..., None]  # (N, 2, P)
        seen, deviation = _standardised(image.sample(places[:, 0], places[:, 1]), patches.weights)
        plain[active] |= deviation[:, 0] < CONTRAST
        expected = patches.values[active]
        alike: Floats = (expected * seen).dot(patches.weights)
        cost = _cost(alike, patches.reach * shears)
        better = cost < best.cost[active]
        for kept, current in zip(best, (centres, shears, cost), strict=True):
            kept[active[better]] = current[better]
        move, shear = patches.step(shears, active, seen - alike[:, None] * expected)
        # The inverse of what the patch of image 0 would do, but for what vanishes on arrival.
        shears = shears - shear - shears @ shear
        move = -((maps - maps @ shear) @ move[..., None])[..., 0]
        length = np.linalg.norm(move, axis=1)
        move *= np.minimum(_LONGEST_STEP * patches.spacing / np.maximum(length, 1e-9), 1)[:, None]
        centres = centres + move
        moves = length >= STILL * patches.spacing
        moves &= np.linalg.norm(centres - origin[active], axis=1) <= FARTHEST_PX
        active, centres, shears = active[moves], centres[moves], shears[moves]
        if not len(active):
            break
    return best._replace(cost=np.where(plain, np.float32(np.nan), best.cost))


def _cost(alike: Floats, shears: Floats) -> Floats:
    """(K,) of patches whose grey values have these correlations, and shears in pixels at their side."""
    cost: Floats = STIFFNESS * np.square(shears).sum(axis=(1, 2))
    cost += 1 - alike * np.abs(alike)
    return cost


def _standardised(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """(K, P) values less their mean and over their standard deviation, and that, (K, 1)."""
    centred = values - (values @ weights)[:, None]
    deviation = np.maximum(np.sqrt(np.square(centred) @ weights), _LEAST_DEVIATION)[:, None]
    centred /= deviation
    return centred, deviation
