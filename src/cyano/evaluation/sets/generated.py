"""A set that needs no download: procedural scenes with procedural textures, seen by two cameras each."""

from __future__ import annotations

import numpy as np

from cyano.evaluation.sets.pair_sets import EvaluationPair, PairSet
from cyano.synthesis.scenes import SceneOptions, sample_pair

__all__ = ["GENERATED_SET", "generated_set"]

GENERATED_SET = "generated"
"""The name of the set."""


def generated_set(count: int = 12, seed: int = 0) -> PairSet:
    """Pairs of 480x640 views with exact depth and pose; the first ones are easy, the last ones hard.

    Args:
        count: pairs, at least 1.
        seed: of scenes and cameras; the same seed gives the same pixels.
    """
    pairs = []
    for index in range(count):
        options = SceneOptions(difficulty=(index + 0.5) / count)
        posed = sample_pair([], np.random.default_rng((seed, index)), options)
        image0, image1 = (np.rint(image * 255).astype(np.uint8) for image in (posed.image0, posed.image1))
        pairs.append(EvaluationPair(f"{index:03d}a", f"{index:03d}b", image0, image1, posed.truth))
    return PairSet(GENERATED_SET, pairs)
