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

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.models.precision import full_precision
from cyano.models.transfers import upload
from cyano.native import library
from cyano.native.alignment import LevelRules, align_level
from cyano.processing.local_maps import local_maps
from cyano.processing.patches import (
    CONTRAST,
    FARTHEST_PX,
    STEPS,
    STIFFNESS,
    STILL,
    WINDOW,
    Patches,
    Placement,
    Reduced,
    descend,
)
from cyano.types import Features, Matches

__all__ = ["Alignment", "align", "align_matches"]

LEVELS = ((4, False), (2, True), (1, True))
"""From coarse to fine: pixels between two samples of a patch, and whether it is sheared as well as moved."""

CERTAIN_PX = 2.5
"""Uncertainty up to which a place is right; `Alignment` says of what."""

CONFIRMED = 0.85
"""Share of the matches of a sharp pair of near views whose place is certain."""

SURE = 0.7
"""In such a pair, matches whose place is uncertain are none, unless the matcher is this sure."""

PRIOR = 10.0
"""So many matches count towards what `CONFIRMED` says of a pair, beside its own."""

DOUBTFUL = 0.25
"""Share of the usual probability that is enough for matches whose place is certain."""


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
    which0, which1, scored = (upload(torch.from_numpy(each), device) for each in (matched, partners, scores))
    found = align(
        features0.image.float(),
        features1.image.float(),
        features0.network_keypoints[which0],
        features1.network_keypoints[which1],
        scored,
    )
    keypoints = features1.keypoints.clone()
    there = features1.frame.to_original(found.points1)
    keypoints[which1] = torch.where(found.moved[:, None], there, keypoints[which1])
    moved, plain = torch.stack([found.moved, found.uncertainty.isnan()]).cpu().numpy()
    asked = np.where(plain, 0, _score_without_a_place(scores, moved, (scores > usual) & ~plain))
    dropped = ~moved & ((scores <= usual) | (scores < asked))
    return replace(features1, keypoints=keypoints), matches.without(matched[dropped])


def _score_without_a_place(scores: NDArray[np.float32], moved: NDArray[np.bool_], judged: NDArray[np.bool_]) -> float:
    """Least score of a match whose place is uncertain.

    That a place is uncertain speaks against a match as far as those of other right matches of the pair are certain:
    in blurred pictures and between distant views hardly any are, and it says nothing. By Bayes the odds of a match
    shrink by the share of right matches without a place, which the pair's own matches tell, each counted by its score.

    Args:
        scores: (K,) of the pair's matches.
        moved: (K,) bool, whether their places are certain.
        judged: (K,) bool, which of them say something of the pair.
    """
    right = scores * judged
    without = (PRIOR * (1 - CONFIRMED) + (right * ~moved).sum()) / (PRIOR + right.sum())
    odds = SURE / (1 - SURE) * (1 - CONFIRMED) / without
    return min(SURE, float(odds / (1 + odds)))
