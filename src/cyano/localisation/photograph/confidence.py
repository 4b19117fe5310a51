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
        min(evidence.share, _MOST),
        math.log(max(evidence.cells, 1)),
        math.log10(min(max(evidence.spread, _SHARPEST), 1.0)),
    )


def _rivalry(evidence: Evidence) -> float:
    return min(evidence.rival / max(evidence.inliers, 1), 1.0)


BIAS = -14.274
WEIGHTS = (16.639, 1.302, -1.191)
"""Of the share of the inliers, the logarithm of the cells and the decimal logarithm of the spread, each with the sign
that it should have. Fitted to 199 poses of four sets, of which 173 are right; of the 636 that are known since, no other
ones do better (`scripts/bench localisation_confidence`, benchmarks/results/localisation_confidence.json)."""

_MOST = 0.5
"""A share above counts as this one: of the matches of right poses it is mostly 0.6 to 0.98, and no better for more."""

_SHARPEST = 1e-4
"""A spread below counts as this one."""

RIVAL = 0.6
"""What a rival of the same strength takes at least: of two places that look alike, neither is certain."""
