"""How probably a pose is right."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BIAS", "CERTAIN", "RIVAL", "WEIGHTS", "Evidence", "confidence_of", "features_of"]

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
    return min(1 / (1 + math.exp(-odds)), 1 - RIVAL * _rivalry(evidence))


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


BIAS = -4.143
WEIGHTS = (0.539, 0.539, 0.405, -0.809, -0.27)
"""Of the logarithm of the inliers, their share, the logarithm of the cells, the rival and the decimal logarithm of the
spread. Fitted to 178 poses of three sets, of which 150 are right, by `scripts/bench localisation_confidence`
(benchmarks/results/localisation_confidence.json): 850 inliers are right 92 times in 100, 30 that are a tenth of the
matches 38 times."""

_SHARPEST = 1e-4
"""A spread below counts as this one."""

RIVAL = 0.6
"""What a rival of the same strength takes at least: of two places that look alike, neither is certain."""
