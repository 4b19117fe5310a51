"""The numbers of the alignment, and which matches stay once their places are known: numpy alone.

`cyano.processing.alignment` says what they are about. They are here because they have two users: the alignment in
torch, and that of the distribution without torch (docs/decisions/0026-runtime.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DOUBTFUL", "dropped_matches", "score_without_a_place"]

LEVELS = ((4, False), (2, True), (1, True))
"""From coarse to fine: pixels between two samples of a patch, and whether it is sheared as well as moved."""

CERTAIN_PX = 2.5
"""Uncertainty up to which a place is right; `cyano.processing.alignment.Alignment` says of what."""

# Patches, see `cyano.processing.patches`.

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

CONTRAST = 1e-2
"""Least standard deviation of a patch that says anything (images are in [0, 1]): that of a camera's noise."""

# Maps of neighbours, see `cyano.processing.local_maps`.

NEIGHBOURS = 12
"""Of the nearest matches so many have a say."""

FEWEST = 4
"""With fewer neighbours than that a map would follow from its noise."""

INLIER_PX = 3.0
"""A neighbour that is so far from where the first fit has it counts for a quarter in the second."""

RIDGE = 1e-3
"""Pull towards the identity; it decides where neighbours lie on a line, and little elsewhere."""

# Which matches stay.

CONFIRMED = 0.85
"""Share of the matches of a sharp pair of near views whose place is certain."""

SURE = 0.7
"""In such a pair, matches whose place is uncertain are none, unless the matcher is this sure."""

PRIOR = 10.0
"""So many matches count towards what `CONFIRMED` says of a pair, beside its own."""

DOUBTFUL = 0.25
"""Share of the usual probability that is enough for matches whose place is certain."""


def dropped_matches(
    scores: NDArray[np.float32], moved: NDArray[np.bool_], plain: NDArray[np.bool_], usual: float
) -> NDArray[np.bool_]:
    """(K,) which of a pair's matches are none.

    Args:
        scores: (K,) probability of each.
        moved: (K,) whether its place is certain.
        plain: (K,) whether its patch is too plain to tell.
        usual: the probability that is asked of matches of which the pictures say nothing.
    """
    asked = np.where(plain, 0, score_without_a_place(scores, moved, (scores > usual) & ~plain))
    dropped: NDArray[np.bool_] = ~moved & ((scores <= usual) | (scores < asked))
    return dropped


def score_without_a_place(scores: NDArray[np.float32], moved: NDArray[np.bool_], judged: NDArray[np.bool_]) -> float:
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
