"""How probably a pose is right."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BIAS", "CERTAIN", "WEIGHTS", "Evidence", "confidence_of", "features_of"]

CERTAIN = 0.5
"""Less is uncertain."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pose.

    Attributes:
        inliers: keypoints that agree with it.
        share: of the keypoints that match points of the map.
        cells: of the photograph, that hold inliers.
        rival: keypoints that agree with the best pose of another place.
        spread: standard deviation of the position along its worst axis, over the median depth of the inliers; 1 where
            they do not determine it.
    """

    inliers: int
    share: float
    cells: int
    rival: int
    spread: float


def confidence_of(evidence: Evidence) -> float:
    """Probability that the pose is right."""
    odds = BIAS + sum(weight * value for weight, value in zip(WEIGHTS, features_of(evidence), strict=True))
    return min(1 / (1 + math.exp(-odds)), 1 - _RIVAL * _rivalry(evidence))


def features_of(evidence: Evidence) -> tuple[float, ...]:
    """What the odds are linear in: in the order of `WEIGHTS`."""
    return (
        math.log(max(evidence.inliers, 1)),
        evidence.share,
        math.log(max(evidence.cells, 1)),
        _rivalry(evidence),
        math.log10(min(max(evidence.spread, _SHARPEST), 1.0)),
    )


def _rivalry(evidence: Evidence) -> float:
    return min(evidence.rival / max(evidence.inliers, 1), 1.0)


BIAS = -13.0
WEIGHTS = (2.0, 2.0, 1.5, -1.0, -1.0)

_SHARPEST = 1e-4
"""A spread below counts as this one."""

_RIVAL = 0.6
"""What a rival of the same strength takes at least: of two places that look alike, neither is certain."""
