"""Which matches of a pair stay, and where, once they are aligned (`cyano.processing.alignment`).

A match with a certain place is moved there, and needs less of a probability than usual. One without is dropped as far
as that says anything, which the pair's other matches tell.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from cyano.models.transfers import upload
from cyano.processing.alignment import align
from cyano.processing.alignment_rules import dropped_matches
from cyano.types import Features, Matches

__all__ = ["align_matches"]


@torch.inference_mode()
def align_matches(
    features0: Features, features1: Features, matches: Matches, usual: float = 0.0
) -> tuple[Features, Matches]:
    """The matches of a pair made exact, if its features came with what the detector saw.

    Args:
        features0: of image 0.
        features1: of image 1.
        matches: down to `alignment_rules.DOUBTFUL` of the usual probability.
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
    dropped = dropped_matches(scores, moved, plain, usual)
    return replace(features1, keypoints=keypoints), matches.without(matched[dropped])
