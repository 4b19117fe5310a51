"""How probably a pose is right."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["CERTAIN", "Evidence", "confidence_of"]

CERTAIN = 0.5
"""Less is uncertain."""


class Evidence(NamedTuple):
    """What speaks for a pose.

    Attributes:
        inliers: keypoints that agree with it.
        share: of the keypoints that match points of the map.
        cells: of the photograph, that hold inliers.
        rival: keypoints that agree with the best pose of another place.
        spread: standard deviation of the position along its worst axis, over the median depth of the inliers.
    """

    inliers: int
    share: float
    cells: int
    rival: int
    spread: float


def confidence_of(evidence: Evidence) -> float:
    """Probability that the pose is right."""
    features = (
        math.log(max(evidence.inliers, 1)),
        evidence.share,
        math.log(max(evidence.cells, 1)),
        evidence.rival / max(evidence.inliers, 1),
    )
    odds = _BIAS + sum(weight * value for weight, value in zip(_WEIGHTS, features, strict=True))
    return 1 / (1 + math.exp(-odds))


_BIAS = -11.0
_WEIGHTS = (2.0, 2.0, 1.5, -3.0)
