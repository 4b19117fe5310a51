"""Patches of one picture laid over another: small squares of grey values, moved and sheared until they agree."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.models.transfers import upload
from cyano.processing.alignment_rules import CONTRAST, FARTHEST_PX, RADIUS, STEPS, STIFFNESS, STILL, WINDOW

__all__ = ["Patches", "Placement", "Reduced", "descend"]


class Reduced:
    """An image whose pixels are means of so many by so many: what samples at that distance can show."""

    def __init__(self, image: Tensor, spacing: int) -> None:
        self.side = min(spacing, *image.shape)
        self.pixels = F.avg_pool2d(image[None, None], self.side)
        covered = [self.pixels.shape[3] * self.side, self.pixels.shape[2] * self.side]
        self.covered = upload(torch.tensor(covered, dtype=image.dtype, device="cpu"), image.device)


class Placement(NamedTuple):
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


class Patches:
    """The patches of image 0, and what a difference of grey values says about the place of each."""

    def __init__(self, image: Reduced, centres: Tensor, spacing: int, shears: bool) -> None:
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
        return weighted, torch.linalg.inv_ex(normal + torch.diag_embed(damping)).inverse

    def uncertainty(self, cost: Tensor) -> Tensor:
        """(K,) pixels, see `Alignment`: the root of a place's cost times its variance for a cost of 1."""
        variance = self.inverse.diagonal(dim1=1, dim2=2)[:, :2].sum(1)
        return (cost.clamp(min=0) * variance).sqrt()  # of equal pictures the cost may round to less than 0

    def step(self, shears: Tensor, which: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2) and (N, 2, 2): how (N, P) differences of grey values move and shear `which` patches in image 0."""
        slopes = self.weighted[which] @ difference[..., None]
        if not self.shears:
            return (self.inverse[which] @ slopes)[..., 0], torch.zeros_like(shears)
        slopes[:, 2:] += STIFFNESS * self.reach * shears.flatten(1)[..., None]
        unknowns = (self.inverse[which] @ slopes)[..., 0]
        return unknowns[:, :2], (unknowns[:, 2:] / self.reach).clamp(-0.25, 0.25).view(-1, 2, 2)


def descend(
    patches: Patches, image: Reduced, neighbours: Tensor, start: Placement, origin: Tensor, *, asking: bool
) -> Placement:
    """Gauss-Newton steps of all patches at once, each until it lies still; the best place of each.

    Args:
        patches: K of image 0.
        image: image 1.
        neighbours: (K, 2, 2) maps of the patches' neighbours.
        start: where to begin.
        origin: (K, 2) from where a patch moves by `FARTHEST_PX` at most.
        asking: whether to ask after each step which patches still move, and to go on with those alone. To ask a GPU
            takes longer than to move them all. The result is the same.
    """
    now = Placement(start.centres.clone(), start.shears.clone(), torch.full_like(start.cost, torch.inf))
    best = Placement(*(each.clone() for each in now))
    plain = patches.plain.clone()
    active = torch.arange(len(origin), dtype=torch.int64, device=origin.device)
    moving = torch.ones_like(plain)
    for _ in range(STEPS):
        centres, shears, maps = now.centres[active], now.shears[active], neighbours[active]
        maps = maps + maps @ shears
        seen, deviation = _standardised(
            _sample(image, centres[:, None] + patches.offsets @ maps.transpose(1, 2)), patches.weights
        )
        plain[active] |= moving & (deviation[:, 0] < CONTRAST)
        expected = patches.values[active]
        alike = (expected * seen * patches.weights).sum(1)
        cost = 1 - alike * alike.abs() + STIFFNESS * (patches.reach * shears).square().sum((1, 2))
        better = moving & (cost < best.cost[active])
        for kept, current in zip(best, (centres, shears, cost), strict=True):
            kept[active] = torch.where(better.view(-1, *[1] * (current.ndim - 1)), current, kept[active])
        move, shear = patches.step(shears, active, seen - alike[:, None] * expected)
        # The inverse of what the patch of image 0 would do, but for what vanishes on arrival.
        shears = shears - shear - shears @ shear
        move = -((maps - maps @ shear) @ move[..., None])[..., 0]
        length = move.norm(dim=1)
        move = move * (1.5 * patches.spacing / length.clamp(min=1e-9)).clamp(max=1)[:, None]
        still = length < STILL * patches.spacing
        now.centres[active], now.shears[active] = centres + move, shears
        moving &= ~still & ((now.centres[active] - origin[active]).norm(dim=1) <= FARTHEST_PX)
        if asking:
            active, moving = active[moving], moving[moving]
            if not len(active):
                break
    return best._replace(cost=torch.where(plain, torch.nan, best.cost))


def _standardised(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """(K, P) values less their mean and over their standard deviation, and that, (K, 1)."""
    centred = values - (values * weights).sum(1, keepdim=True)
    deviation = (centred.square() * weights).sum(1, keepdim=True).sqrt().clamp(min=1e-6)
    return centred / deviation, deviation


def _sample(image: Reduced, places: Tensor) -> Tensor:
    """Grey values at (K, P, 2) places of the whole image, by linear interpolation; beyond the border as on it."""
    grid = (places + 0.5) * (2 / image.covered) - 1
    sampled = F.grid_sample(image.pixels, grid[None], padding_mode="border", align_corners=False)
    return sampled[0, 0]
