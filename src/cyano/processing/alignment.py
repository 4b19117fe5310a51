"""Matches made exact: the picture around each partner is laid over the picture around its keypoint.

Keypoints are found in each image for itself, half a pixel from the same point of the scene at best, and now and then
the same point is a keypoint in one image alone and its match is a neighbour's. The two pictures together know better:
the patch around the keypoint of image 0 is moved and sheared over image 1 until the grey values agree up to gain and
offset. Source: Lucas and Kanade, An iterative image registration technique, 1981, in the inverse compositional form
of Baker and Matthews, Lucas-Kanade 20 years on, 2004, from the maps that neighbouring matches agree on
(`cyano.processing.local_maps`). docs/decisions/0011-alignment.md has the measurements.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.processing.local_maps import local_maps
from cyano.types import Features, Matches

__all__ = ["Alignment", "align", "align_matches"]

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

CERTAIN_PX = 2.5
"""Uncertainty up to which a place is right; `Alignment` says of what."""

SURE = 0.7
"""Matches whose place is uncertain are none, unless the matcher is this sure."""

DOUBTFUL = 0.25
"""Share of the usual probability that is enough for matches whose place is certain."""

CONTRAST = 1e-2
"""Least standard deviation of a patch that says anything (images are in [0, 1]): that of a camera's noise."""


class Alignment(NamedTuple):
    """Where the partners are, and how certain that is.

    Attributes:
        points1: (K, 2) float32 in pixels of image 1; unmoved where the place is uncertain.
        uncertainty: (K,) pixels by which a patch would have to lie elsewhere for its grey values to differ by as much
            again as they do: large where patches are unlike, or have nothing to be held by across an edge. NaN where a
            patch is too plain to tell.
        moved: (K,) bool, where the place is certain.
    """

    points1: Tensor
    uncertainty: Tensor
    moved: Tensor


class _Reduced:
    """An image whose pixels are means of so many by so many: what samples at that distance can show."""

    def __init__(self, image: Tensor, spacing: int) -> None:
        side = min(spacing, *image.shape)
        self.pixels = F.avg_pool2d(image[None, None], side)
        self.covered = image.new_tensor([self.pixels.shape[3] * side, self.pixels.shape[2] * side])


class _Placement(NamedTuple):
    """How K patches lie in image 1.

    Attributes:
        centres: (K, 2) pixels.
        maps: (K, 2, 2) steps in image 0 to steps in image 1.
        correlation: (K,) with the patches of image 0.
    """

    centres: Tensor
    maps: Tensor
    correlation: Tensor


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
    uncertainty = torch.full_like(scores, torch.nan)
    place = _Placement(points1, maps, uncertainty)
    if len(points0):
        for spacing, shears in LEVELS:
            patches = _Patches(_Reduced(image0, spacing), points0, spacing, shears)
            place = _descend(patches, _Reduced(image1, spacing), place, points1)
        uncertainty = patches.uncertainty(place.correlation)
    moved = uncertainty <= CERTAIN_PX
    return Alignment(torch.where(moved[:, None], place.centres, points1), uncertainty, moved)


@torch.inference_mode()
def align_matches(
    features0: Features, features1: Features, matches: Matches, usual: float = 0.0
) -> tuple[Features, Matches]:
    """The matches of a pair made exact, if its features came with what the detector saw.

    Args:
        features0: of image 0.
        features1: of image 1.
        matches: down to `DOUBTFUL` of the usual probability.
        usual: the probability that is asked of matches of which the pictures say nothing.

    Returns:
        The features of image 1 with the matched keypoints moved, and the matches without the doubtful ones.
    """
    matched = np.flatnonzero(matches.matches0 >= 0)
    if features0.image is None or features1.image is None or not len(matched):
        return features1, matches.above(usual)
    partners, scores = matches.matches0[matched], matches.scores0[matched]
    device = features1.keypoints.device
    which0, which1 = torch.from_numpy(matched).to(device), torch.from_numpy(partners).to(device)
    found = align(
        features0.image.float(),
        features1.image.float(),
        features0.network_keypoints[which0],
        features1.network_keypoints[which1],
        torch.from_numpy(scores).to(device),
    )
    keypoints = features1.keypoints.clone()
    keypoints[which1[found.moved]] = features1.frame.to_original(found.points1[found.moved])
    plain = found.uncertainty.isnan().cpu().numpy()
    doubtful = ~found.moved.cpu().numpy() & np.where(plain, scores <= usual, scores < SURE)
    return replace(features1, keypoints=keypoints), matches.without(matched[doubtful])


class _Patches:
    """The patches of image 0, and what a difference of grey values says about the place of each."""

    def __init__(self, image: _Reduced, centres: Tensor, spacing: int, shears: bool) -> None:
        ticks = torch.arange(-RADIUS - 1, RADIUS + 2, device=centres.device) * float(spacing)
        grid = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), dim=-1)
        self.spacing, self.reach = spacing, RADIUS * spacing
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
        return weighted, torch.linalg.inv(normal + torch.diag_embed(damping))

    def uncertainty(self, correlation: Tensor) -> Tensor:
        """(K,) pixels, see `Alignment`: the root of unexplained variance times that of the place for one of 1."""
        unexplained = (1 - correlation.square()).clamp(min=0)
        return (unexplained * self.inverse.diagonal(dim1=1, dim2=2)[:, :2].sum(1)).sqrt()

    def step(self, place: _Placement, which: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        """Centres and maps of `which` patches after a step that explains (N, P) differences of grey values."""
        unknowns = (self.inverse[which] @ (self.weighted[which] @ difference[..., None]))[..., 0]
        maps = place.maps[which]
        if unknowns.shape[1] > 2:
            change = (unknowns[:, 2:] / self.reach).clamp(-0.25, 0.25).view(-1, 2, 2)
            maps = maps - maps @ change  # the inverse of 1 + change, but for what vanishes on arrival
        move = -(maps @ unknowns[:, :2, None])[..., 0]
        length = move.norm(dim=1, keepdim=True)
        move = move * (1.5 * self.spacing / length.clamp(min=1e-9)).clamp(max=1)
        return place.centres[which] + move, maps


def _descend(patches: _Patches, image: _Reduced, start: _Placement, origin: Tensor) -> _Placement:
    """Gauss-Newton steps of all patches at once, each until it lies still; the best place of each."""
    now = _Placement(start.centres.clone(), start.maps.clone(), torch.full_like(start.correlation, -1))
    best = _Placement(*(each.clone() for each in now))
    plain = patches.plain.clone()
    active = torch.arange(len(origin), device=origin.device)
    for _ in range(STEPS):
        places = now.centres[active, None] + patches.offsets @ now.maps[active].transpose(1, 2)
        seen, deviation = _standardised(_sample(image, places), patches.weights)
        plain[active] |= deviation[:, 0] < CONTRAST
        expected = patches.values[active]
        alike = (expected * seen * patches.weights).sum(1)
        now.correlation[active] = alike
        better = active[alike > best.correlation[active]]
        for kept, current in zip(best, now, strict=True):
            kept[better] = current[better]
        centres, maps = patches.step(now, active, seen - alike[:, None] * expected)
        still = (centres - now.centres[active]).norm(dim=1) < STILL * patches.spacing
        now.centres[active], now.maps[active] = centres, maps
        active = active[~still & ((centres - origin[active]).norm(dim=1) <= FARTHEST_PX)]
        if not len(active):
            break
    return best._replace(correlation=torch.where(plain, torch.nan, best.correlation))


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
