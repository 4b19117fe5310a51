"""Matches made exact, and those without a certain place dropped: Cyano's alignment in numpy.

The twin of `cyano.processing.alignment` and `cyano.processing.aligned_matches`, which say why, and where the method
comes from. The numbers are theirs (`cyano.processing.alignment_rules`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.processing.alignment_rules import CERTAIN_PX, LEVELS, dropped_matches
from cyano.types import Matches
from cyano_runtime.features import Features
from cyano_runtime.local_maps import local_maps
from cyano_runtime.patches import Floats, Patches, Placement, Reduced, descend

__all__ = ["Alignment", "align", "align_matches"]

AT_ONCE = 256
"""Patches laid over the picture at once: their samples fit a processor's cache."""


class Alignment(NamedTuple):
    """Where the partners are, and how certain that is.

    Attributes:
        points1: (K, 2) float32 in pixels of image 1; unmoved where the place is uncertain.
        uncertainty: (K,) pixels, as in `cyano.processing.alignment`; NaN where a patch is too plain to tell.
        moved: (K,) bool, where the place is certain.
    """

    points1: Floats
    uncertainty: Floats
    moved: NDArray[np.bool_]


def align(image0: Floats, image1: Floats, points0: Floats, points1: Floats, scores: Floats) -> Alignment:
    """Move the second point of each match to where its surroundings look like those of the first.

    Args:
        image0: (H, W) float32 grey in [0, 1].
        image1: (H', W') likewise.
        points0: (K, 2) float32 (x, y) in pixels of image 0.
        points1: (K, 2) their partners in image 1.
        scores: (K,) probability of each match; surer ones say more about how their neighbours are sheared.
    """
    maps = local_maps(points0, points1, scores)
    levels = [(Reduced(image0, spacing), Reduced(image1, spacing)) for spacing, _ in LEVELS]
    centres, uncertainty = points1.copy(), np.full(len(points1), np.nan, np.float32)
    for first in range(0, len(points1), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        origin = points1[some]
        place = Placement(origin, np.zeros_like(maps[some]), np.zeros(len(origin), np.float32))
        for (spacing, sheared), (small0, small1) in zip(LEVELS, levels, strict=True):
            patches = Patches(small0, points0[some], spacing, sheared)
            place = descend(patches, small1, maps[some], place, origin)
        centres[some], uncertainty[some] = place.centres, patches.uncertainty(place.cost)
    moved: NDArray[np.bool_] = uncertainty <= CERTAIN_PX
    return Alignment(np.where(moved[:, None], centres, points1), uncertainty, moved)


def align_matches(features0: Features, features1: Features, matches: Matches, usual: float) -> tuple[Features, Matches]:
    """The matches of a pair made exact, if its features came with what the detector saw.

    Args:
        features0: of image 0.
        features1: of image 1.
        matches: down to a quarter of the usual probability.
        usual: the probability that is asked of matches of which the pictures say nothing.

    Returns:
        The features of image 1 with the matched keypoints moved, and the matches without the doubtful ones.
    """
    matched = np.flatnonzero(matches.matches0 >= 0)
    if features0.image is None or features1.image is None or not len(matched):
        return features1, matches.above(usual)
    partners, scores = matches.matches0[matched], matches.scores0[matched]
    found = align(
        features0.image.astype(np.float32),
        features1.image.astype(np.float32),
        features0.network_keypoints[matched],
        features1.network_keypoints[partners],
        scores,
    )
    keypoints = features1.keypoints.copy()
    keypoints[partners[found.moved]] = features1.frame.to_original(found.points1)[found.moved]
    dropped = dropped_matches(scores, found.moved, np.isnan(found.uncertainty), usual)
    return replace(features1, keypoints=keypoints), matches.without(matched[dropped])
