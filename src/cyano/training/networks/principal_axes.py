"""Descriptors turned to their principal axes, so that the second half of a state's channels is free for the matcher."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cyano.models.superpoint import SuperPoint
from cyano.training.data.features import Extractor, FeatureExtractor
from cyano.training.data.photographs import Photographs

__all__ = ["turn_detector", "turn_projection"]

PHOTOGRAPHS, KEYPOINTS = 300, 256


def turn_detector(superpoint: SuperPoint, photographs: Photographs, seed: int) -> None:
    """Leave a detector's descriptors in the first half of their channels, in place.

    A turn changes no product of descriptors; the second half, which is set to zero, is nearly empty after it (3.6 % of
    the squared length with the recipe small, and nearest neighbours are right nearly as often without it). Descriptors
    that are turned already stay as they are.

    Args:
        superpoint: a trained detector.
        photographs: where its descriptors are looked at.
        seed: of the choice of photographs.
    """
    last = superpoint.descriptor_decoder.conv_descriptor_b
    half = last.out_channels // 2
    if not last.weight[half:].any():
        return
    axes = _axes(FeatureExtractor(superpoint, KEYPOINTS), photographs, half, seed)
    with torch.no_grad():
        weight, bias = axes @ last.weight.double()[:, :, 0, 0], axes @ last.bias.double()  # type: ignore[union-attr]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        last.weight[:half, :, 0, 0] = weight.float()
        last.bias[:half] = bias.float()  # type: ignore[index]


def turn_projection(projection: nn.Linear, extract: Extractor, photographs: Photographs, seed: int) -> None:
    """Let a matcher's input projection take descriptors to their axes, in the first half of its channels, in place."""
    half = min(projection.out_features // 2, projection.in_features)
    nn.init.zeros_(projection.weight)
    nn.init.zeros_(projection.bias)
    with torch.no_grad():
        projection.weight[:half] = _axes(extract, photographs, half, seed).float()


def _axes(extract: Extractor, photographs: Photographs, count: int, seed: int) -> Tensor:
    """(count, D) the axes of the largest second moments, each pointing where its largest part is positive."""
    rng = np.random.default_rng((seed, PHOTOGRAPHS))
    moments: Tensor | float = 0.0
    for _ in range(PHOTOGRAPHS):
        _, photograph = photographs.draw(rng)
        height, width = (min(side // 8 * 8, most) for side, most in zip(photograph.shape, (480, 640), strict=True))
        descriptors = extract(photograph[:height, :width], rng)["descriptors"].double()
        moments = moments + descriptors.T @ descriptors
    axes: Tensor = torch.linalg.eigh(moments).eigenvectors.T.flip(0)[:count]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return axes * largest.sign()
