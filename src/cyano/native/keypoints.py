"""Scores of keypoints from a detector's maps: see native/keypoints.cpp."""

from __future__ import annotations

import torch
from torch import Tensor

from cyano.native import library

__all__ = ["structured_scores", "suppress"]


def structured_scores(
    image: Tensor, probabilities: Tensor, filters: tuple[Tensor, Tensor], *, strong: float, reach: int, expected: float
) -> tuple[Tensor, Tensor]:
    """The response of one image and the scores of its maxima, as `cyano.processing.structure` has them.

    Args:
        image: (H, W) float32.
        probabilities: (h, w) float32 with h <= H and w <= W.
        filters: (3, 9) along x and (3, 9) along y, of the derivatives xx, yy and xy.
        strong: response at which a place counts half.
        reach: pixels to each side that are the surroundings of a keypoint.
        expected: over so many pixels the detector expects one keypoint where it is sure.

    Returns:
        (h, w) response and (h, w) scores.
    """
    image, probabilities = image.contiguous(), probabilities.contiguous()
    response, scores = torch.empty_like(probabilities), torch.empty_like(probabilities)
    along_x, along_y = filters
    library.function("structured_scores", "piipppiififppi")(
        *(image, *image.shape, along_x, along_y, probabilities, *probabilities.shape),
        *(strong, reach, expected, response, scores, library.threads()),
    )
    return response, scores


def suppress(scores: Tensor, radius: int) -> Tensor:
    """Non-maximum suppression of (H, W) float32 scores, as `cyano.processing.keypoints.suppress_non_maxima` has it."""
    scores = scores.contiguous()
    kept = torch.empty_like(scores)
    radius = min(radius, max(scores.shape))  # a wider window sees nothing more
    library.function("suppress", "piiipi")(scores, *scores.shape, radius, kept, library.threads())
    return kept
