"""Predictions made by hand: keypoints that match row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cyano.evaluation.methods.prediction import PairPrediction
from cyano.types import ImageSize, ResizeMap

SIZE = ImageSize(480, 640)


def prediction(
    points0: ArrayLike,
    points1: ArrayLike,
    *,
    scores: ArrayLike | None = None,
    size0: ImageSize = SIZE,
    size1: ImageSize = SIZE,
    resized0: ImageSize | None = None,
    resized1: ImageSize | None = None,
) -> PairPrediction:
    """All of (K, 2) points0 matched with (K, 2) points1, in pixels of the original images."""
    first = np.asarray(points0, dtype=np.float32).reshape(-1, 2)
    second = np.asarray(points1, dtype=np.float32).reshape(-1, 2)
    rows = np.arange(len(first), dtype=np.int64)
    return PairPrediction(
        first,
        second,
        np.stack([rows, rows], axis=1),
        np.ones(len(first), np.float32) if scores is None else np.asarray(scores, dtype=np.float32),
        ResizeMap(size0, resized0 or size0),
        ResizeMap(size1, resized1 or size1),
    )
