"""Matches made exact: the picture around each partner is laid over the picture around its keypoint.

Keypoints are found in each image for itself, half a pixel from the same point of the scene at best, and now and then
the same point is a keypoint in one image alone and its match is a neighbour's. The two pictures together know better:
the patch around the keypoint of image 0 is moved and sheared over image 1 until the grey values agree up to gain and
offset. Source: Lucas and Kanade, An iterative image registration technique, 1981, in the inverse compositional form
of Baker and Matthews, Lucas-Kanade 20 years on, 2004, from the maps that neighbouring matches agree on
(`cyano.processing.local_maps`), which also hold a patch back from shears that its grey values hardly ask for.
docs/decisions/0011-alignment.md has the measurements.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.models.precision import full_precision
from cyano.native import library
from cyano.native.alignment import LevelRules, align_level
from cyano.processing.local_maps import local_maps

__all__ = ["CERTAIN_PX", "Alignment", "align"]

LEVELS = ((4, False), (2, True), (1, True))
"""From coarse to fine: pixels between two samples of a patch, and whether it is sheared as well as moved."""

RADIUS = 7
"""Samples from a patch's centre to its side."""

WINDOW = 0.6
"""Standard deviation of the samples' weights, as a share of the patch's radius."""

FARTHEST_PX = 8.0
"""Nothing moves farther: what is farther away is another match."""

STEPS = 8
"""Of a level, at most."""

STILL = 0.02
"""A patch that moves by less than this share of the distance of its samples has arrived."""

STIFFNESS = 3e-3
"""What it costs to shear a patch so that its side is a pixel from where its neighbours have it, in shares of the
variance of its grey values."""

CERTAIN_PX = 2.5
"""Uncertainty up to which a place is right; `Alignment` says of what."""

CONTRAST = 1e-2
"""Least standard deviation of a patch that says anything (images are in [0, 1]): that of a camera's noise."""


class Alignment(NamedTuple):
    """Where the partners are, and how certain that is.

    Attributes:
        points1: (K, 2) float32 in pixels of image 1; unmoved where the place is uncertain.
        uncertainty: (K,) pixels by which a patch would have to lie elsewhere for its grey values to differ by as much
            again as they do: large where patches are unlike, or sheared unlike their neighbours, or have nothing to be
            held by across an edge. NaN where a patch is too plain to tell.
        moved: (K,) bool, where the place is certain.
    """

    points1: Tensor
    uncertainty: Tensor
    moved: Tensor


class _Reduced:
    """An image whose pixels are means of so many by so many: what samples at that distance can show."""

    def __init__(self, image: Tensor, spacing: int) -> None:
        self.side = min(spacing, *image.shape)
        self.pixels = F.avg_pool2d(image[None, None], self.side)
        self.covered = image.new_tensor([self.pixels.shape[3] * self.side, self.pixels.shape[2] * self.side])


class _Placement(NamedTuple):
    """How K patches lie in image 1.

    Attributes:
        centres: (K, 2) pixels.
        shears: (K, 2, 2) S of each: the map of a patch, steps in image 0 to steps in image 1, is its neighbours' times
            1 + S.
        cost: (K,) share of the variance of the grey values that stays unexplained, and that of the shears.
    """

    centres: Tensor
    shears: Tensor
    cost: Tensor


@full_precision
def align(
    image0: Tensor, image1: Tensor, points0: Tensor, points1: Tensor, scores: Tensor, chosen: Tensor | None = None
) -> Alignment:
    """Move the second point of each match to where its surroundings look like those of the first.

    Args:
        image0: (H, W) grey in [0, 1].
        image1: (H', W') likewise.
        points0: (K, 2) float32 (x, y) in pixels of image 0.
        points1: (K, 2) their partners in image 1.
        scores: (K,) probability of each match; surer ones say more about how their neighbours are sheared.
        chosen: (L,) indices of matches that are to be aligned, and that the result is of; None for all.
    """
    maps = local_maps(points0, points1, scores)
    if chosen is not None:
        maps, points0, points1, scores = maps[chosen], points0[chosen], points1[chosen], scores[chosen]
    if not len(points0):
        return Alignment(points1, scores, scores > 0)
    by = _by_kernel if library.serves(image0, image1, points0, points1, maps) else _by_torch
    centres, uncertainty = by(image0, image1, points0, points1, maps)
    moved = uncertainty <= CERTAIN_PX
    return Alignment(torch.where(moved[:, None], centres, points1), uncertainty, moved)


def _by_torch(image0: Tensor, image1: Tensor, points0: Tensor, points1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """(K, 2) best places in image 1, and (K,) their uncertainties."""
    place = _Placement(points1, torch.zeros_like(maps), points1.new_empty(len(points1)))
    for spacing, shears in LEVELS:
        patches = _Patches(_Reduced(image0, spacing), points0, spacing, shears)
        place = _descend(patches, _Reduced(image1, spacing), maps, place, points1)
    return place.centres, patches.uncertainty(place.cost)


def _by_kernel(image0: Tensor, image1: Tensor, points0: Tensor, points1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """The same."""
    points0, origins, maps = (each.contiguous() for each in (points0, points1, maps))
    centres, shears = origins.clone(), torch.zeros_like(maps)
    for spacing, sheared in LEVELS:
        reduced = [_Reduced(image, spacing) for image in (image0, image1)]
        first, second = ((each.pixels[0, 0].contiguous(), each.side) for each in reduced)
        rules = LevelRules(spacing, sheared, STIFFNESS, WINDOW, CONTRAST, STEPS, STILL, FARTHEST_PX)
        uncertainty = align_level((first, second), points0, maps, origins, centres, shears, rules)
    return centres, uncertainty


class _Patches:
    """The patches of image 0, and what a difference of grey values says about the place of each."""

    def __init__(self, image: _Reduced, centres: Tensor, spacing: int, shears: bool) -> None:
        ticks = spacing * torch.arange(-RADIUS - 1, RADIUS + 2, dtype=centres.dtype, device=centres.device)
        grid = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), dim=-1)
        self.spacing, self.reach, self.shears = spacing, RADIUS * spacing, shears
        self.offsets = grid[1:-1, 1:-1].flatten(0, 1)
        weights = torch.exp(-self.offsets.square().sum(1) / (2 * (WINDOW * self.reach) ** 2))
        self.weights = weights / weights.sum()
        values = _sample(image, centres[:, None] + grid.flatten(0, 1)).view(-1, *grid.shape[:2])
        self.values, deviation = _standardised(values[:, 1:-1, 1:-1].flatten(1), self.weights)
        self.plain = deviation[:, 0] < CONTRAST
        values = values / (2 * spacing * deviation[..., None])
        slopes = [
            (values[:, 1:-1, 2:] - values[:, 1:-1, :-2]).flatten(1),
            (values[:, 2:, 1:-1] - values[:, :-2, 1:-1]).flatten(1),
        ]
        if shears:  # in shares of the reach, so that all unknowns have one size
            slopes += [slope * self.offsets[:, axis] / self.reach for slope in slopes for axis in (0, 1)]
        self.weighted, self.inverse = self._least_squares(torch.stack(slopes, dim=1))

    def _least_squares(self, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """(K, U, P) slopes by the U unknowns -> the two factors, (K, U, P) and (K, U, U), of their pseudo-inverse."""
        # Gain and offset are free; what they explain says nothing about the place.
        for free in (torch.ones_like(self.values), self.values):
            slopes = slopes - (slopes * (free * self.weights)[:, None]).sum(2, keepdim=True) * free[:, None]
        weighted = slopes * self.weights
        normal = weighted @ slopes.transpose(1, 2)
        damping = normal.diagonal(dim1=1, dim2=2) * 1e-3 + 1e-6
        damping[:, 2:] += STIFFNESS
        return weighted, torch.linalg.inv(normal + torch.diag_embed(damping))

    def uncertainty(self, cost: Tensor) -> Tensor:
        """(K,) pixels, see `Alignment`: the root of a place's cost times its variance for a cost of 1."""
        return (cost * self.inverse.diagonal(dim1=1, dim2=2)[:, :2].sum(1)).sqrt()

    def step(self, shears: Tensor, which: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2) and (N, 2, 2): how (N, P) differences of grey values move and shear `which` patches in image 0."""
        slopes = self.weighted[which] @ difference[..., None]
        if not self.shears:
            return (self.inverse[which] @ slopes)[..., 0], torch.zeros_like(shears)
        slopes[:, 2:] += STIFFNESS * self.reach * shears.flatten(1)[..., None]
        unknowns = (self.inverse[which] @ slopes)[..., 0]
        return unknowns[:, :2], (unknowns[:, 2:] / self.reach).clamp(-0.25, 0.25).view(-1, 2, 2)


def _descend(patches: _Patches, image: _Reduced, neighbours: Tensor, start: _Placement, origin: Tensor) -> _Placement:
    """Gauss-Newton steps of all patches at once, each until it lies still; the best place of each."""
    now = _Placement(start.centres.clone(), start.shears.clone(), torch.full_like(start.cost, torch.inf))
    best = _Placement(*(each.clone() for each in now))
    plain = patches.plain.clone()
    active = torch.arange(len(origin), dtype=torch.int64, device=origin.device)
    for _ in range(STEPS):
        centres, shears, maps = now.centres[active], now.shears[active], neighbours[active]
        maps = maps + maps @ shears
        seen, deviation = _standardised(
            _sample(image, centres[:, None] + patches.offsets @ maps.transpose(1, 2)), patches.weights
        )
        plain[active] |= deviation[:, 0] < CONTRAST
        expected = patches.values[active]
        alike = (expected * seen * patches.weights).sum(1)
        cost = 1 - alike * alike.abs() + STIFFNESS * (patches.reach * shears).square().sum((1, 2))
        better = cost < best.cost[active]
        for kept, current in zip(best, (centres, shears, cost), strict=True):
            kept[active[better]] = current[better]
        move, shear = patches.step(shears, active, seen - alike[:, None] * expected)
        # The inverse of what the patch of image 0 would do, but for what vanishes on arrival.
        shears = shears - shear - shears @ shear
        move = -((maps - maps @ shear) @ move[..., None])[..., 0]
        length = move.norm(dim=1)
        move = move * (1.5 * patches.spacing / length.clamp(min=1e-9)).clamp(max=1)[:, None]
        still = length < STILL * patches.spacing
        now.centres[active], now.shears[active] = centres + move, shears
        active = active[~still & ((now.centres[active] - origin[active]).norm(dim=1) <= FARTHEST_PX)]
        if not len(active):
            break
    return best._replace(cost=torch.where(plain, torch.nan, best.cost))


def _standardised(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """(K, P) values less their mean and over their standard deviation, and that, (K, 1)."""
    centred = values - (values * weights).sum(1, keepdim=True)
    deviation = (centred.square() * weights).sum(1, keepdim=True).sqrt().clamp(min=1e-6)
    return centred / deviation, deviation


def _sample(image: _Reduced, places: Tensor) -> Tensor:
    """Grey values at (K, P, 2) places of the whole image, by linear interpolation; beyond the border as on it."""
    grid = (places + 0.5) * (2 / image.covered) - 1
    sampled = F.grid_sample(image.pixels, grid[None], padding_mode="border", align_corners=False)
    return sampled[0, 0]
