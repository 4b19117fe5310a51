"""Which matches of a pair stay, and where, once they are aligned (`cyano.processing.alignment`).

A match with a certain place is moved there, and needs less of a probability than usual. One without is dropped as far
as that says anything, which the pair's other matches tell.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.models.transfers import upload
from cyano.processing.alignment import align
from cyano.types import Features, Matches

__all__ = ["DOUBTFUL", "align_matches"]

CONFIRMED = 0.85
"""Share of the matches of a sharp pair of near views whose place is certain."""

SURE = 0.7
"""In such a pair, matches whose place is uncertain are none, unless the matcher is this sure."""

PRIOR = 10.0
"""So many matches count towards what `CONFIRMED` says of a pair, beside its own."""

DOUBTFUL = 0.25
"""Share of the usual probability that is enough for matches whose place is certain."""


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
