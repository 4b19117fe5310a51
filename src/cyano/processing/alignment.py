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
from torch import Tensor

from cyano.models.precision import full_precision
from cyano.native import library
from cyano.native.alignment import LevelRules, align_level
from cyano.processing.alignment_rules import (
    CERTAIN_PX,
    CONTRAST,
    FARTHEST_PX,
    LEVELS,
    STEPS,
    STIFFNESS,
    STILL,
    WINDOW,
)
from cyano.processing.local_maps import local_maps
from cyano.processing.patches import Patches, Placement, Reduced, descend

__all__ = ["Alignment", "align"]


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
    place = Placement(points1, torch.zeros_like(maps), points1.new_empty(len(points1)))
    for spacing, shears in LEVELS:
        patches = Patches(Reduced(image0, spacing), points0, spacing, shears)
        on_cpu = points1.device.type == "cpu"
        place = descend(patches, Reduced(image1, spacing), maps, place, points1, asking=on_cpu)
    return place.centres, patches.uncertainty(place.cost)


def _by_kernel(image0: Tensor, image1: Tensor, points0: Tensor, points1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """The same."""
    points0, origins, maps = (each.contiguous() for each in (points0, points1, maps))
    centres, shears = origins.clone(), torch.zeros_like(maps)
    for spacing, sheared in LEVELS:
        reduced = [Reduced(image, spacing) for image in (image0, image1)]
        first, second = ((each.pixels[0, 0].contiguous(), each.side) for each in reduced)
        rules = LevelRules(spacing, sheared, STIFFNESS, WINDOW, CONTRAST, STEPS, STILL, FARTHEST_PX)
        uncertainty = align_level((first, second), points0, maps, origins, centres, shears, rules)
    return centres, uncertainty
