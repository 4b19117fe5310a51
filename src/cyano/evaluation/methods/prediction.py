"""What a method found in one pair of images: plain arrays, all that the metrics see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cyano.types import ImageSize, ResizeMap

__all__ = ["PairPrediction", "failed_prediction"]


@dataclass(frozen=True, eq=False)
class PairPrediction:
    """Keypoints and matches of one pair.

    Attributes:
        keypoints0: (M, 2) float32 (x, y) in pixels of the original image 0.
        keypoints1: (N, 2) float32 likewise for image 1.
        matches: (K, 2) int64 rows (index in image 0, index in image 1).
        scores: (K,) float32, higher is surer; the scale is the method's own.
        frame0: how image 0 was resized; turns are left out.
        frame1: likewise for image 1.
        error: why there are no keypoints and no matches; empty if nothing went wrong.
        doubtful: (L, 2) int64 rows like those of `matches`, which only estimators see.
    """

    keypoints0: NDArray[np.float32]
    keypoints1: NDArray[np.float32]
    matches: NDArray[np.int64]
    scores: NDArray[np.float32]
    frame0: ResizeMap
    frame1: ResizeMap
    error: str = ""
    doubtful: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    @property
    def matched0(self) -> NDArray[np.float64]:
        """(K, 2) float64 matched positions in pixels of the original image 0."""
        return self.keypoints0[self.matches[:, 0]].astype(np.float64)

    @property
    def matched1(self) -> NDArray[np.float64]:
        """(K, 2) float64 their partners in pixels of the original image 1."""
        return self.keypoints1[self.matches[:, 1]].astype(np.float64)

    def with_doubtful(self) -> tuple[PairPrediction, NDArray[np.bool_]]:
        """The same with the doubtful matches among the others, and which of all (K + L,) they are."""
        matches = np.concatenate([self.matches, self.doubtful])
        return replace(self, matches=matches), np.arange(len(matches)) >= len(self.matches)


def failed_prediction(error: str) -> PairPrediction:
    """The prediction of a pair that could not be matched."""
    none, frame = np.zeros((0, 2), np.float32), ResizeMap.identity(ImageSize(1, 1))
    return PairPrediction(none, none, np.zeros((0, 2), np.int64), np.zeros(0, np.float32), frame, frame, error)
