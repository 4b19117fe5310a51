"""Keypoints from a dense score map: non-maximum suppression, threshold, border, the strongest ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.native import library
from cyano.native.keypoints import suppress

__all__ = [
    "Border",
    "pick_fixed",
    "pick_in_each",
    "pick_keypoints",
    "refine_keypoints",
    "refine_summits",
    "suppress_non_maxima",
    "window_max",
]

Border = Literal["all", "top-left"]
"""On which sides keypoints near the border go: on all, or (transformers' rule) only at the top and on the left."""


def suppress_non_maxima(scores: Tensor, radius: int) -> Tensor:
    """Zero every score that is not the highest within `radius` pixels along both axes.

    A pixel that loses only to one which is itself suppressed gets its chance back, twice: two rounds after the
    first, as in the reference implementations, so on rare long ridges the result is not the greedy one. Ties
    are all kept.

    Args:
        scores: (B, H, W), not negative.
        radius: r of the (2r+1)-sided window; 0 changes nothing.

    Returns:
        (B, H, W), the scores of the maxima and 0 elsewhere.
    """
    if library.serves(scores):
        return torch.stack([suppress(each, radius) for each in scores]) if len(scores) else scores
    maxima = scores == window_max(scores, radius)
    for _ in range(2):
        near = window_max(maxima.to(scores.dtype), radius) > 0
        rest = scores.masked_fill(near, 0)
        maxima |= (rest == window_max(rest, radius)) & ~near
    return torch.where(maxima, scores, 0)


def window_max(x: Tensor, radius: int) -> Tensor:
    """Maximum over a (2r+1)-sided window of (B, H, W), beyond the border -inf."""
    radius = min(radius, max(x.shape[1:]))  # a wider window sees nothing more
    padded = F.pad(x, (radius, radius, radius, radius), value=-torch.inf)
    return _running_max(_running_max(padded, 2 * radius + 1, 2), 2 * radius + 1, 1)


def _running_max(x: Tensor, size: int, axis: int) -> Tensor:
    """Maximum over `size` neighbours along an axis, which gets shorter by size - 1.

    Windows double until one more shift completes them: O(log size) vectorised passes, about ten times faster on
    a CPU than pooling with one channel, which torch runs on one thread.
    """
    width = 1
    while width < size:
        shift = min(width, size - width)
        length = x.shape[axis] - shift
        x = torch.maximum(x.narrow(axis, 0, length), x.narrow(axis, shift, length))
        width += shift
    return x


def pick_keypoints(
    scores: Tensor, threshold: float, max_keypoints: int = -1, border: int = 4, sides: Border = "all"
) -> tuple[Tensor, Tensor]:
    """The keypoints of one image.

    Args:
        scores: (H, W) after non-maximum suppression.
        threshold: keep scores above this.
        max_keypoints: keep so many of the strongest, sorted by falling score; -1 keeps all, in row-major order
            (which also holds when there are no more than `max_keypoints`).
        border: drop keypoints nearer than this to the border of the map, in pixels.
        sides: the borders that count.

    Returns:
        Keypoints (N, 2) float32 as (x, y) whole pixels of the map, and scores (N,) float32.
    """
    return pick_in_each([scores], threshold, max_keypoints, border, sides)[0]


def pick_in_each(
    scores: Sequence[Tensor], threshold: float, max_keypoints: int = -1, border: int = 4, sides: Border = "all"
) -> list[tuple[Tensor, Tensor]]:
    """The keypoints of several images of one size, as `pick_keypoints` has them.

    How many there are is what a program has to ask its GPU for: once for all images.

    Args:
        scores: (H, W) of each image, see `pick_keypoints` for these and the others.
        threshold: see there.
        max_keypoints: see there.
        border: see there.
        sides: see there.
    """
    height, width = scores[0].shape
    strong = torch.stack([each > threshold for each in scores])
    near = max(border, 0)
    strong[:, :near] = strong[:, :, :near] = False
    if sides == "all":
        strong[:, max(height - near, 0) :] = strong[:, :, max(width - near, 0) :] = False
    flat = torch.nonzero(strong.flatten())[:, 0]
    counts = [len(flat)] if len(scores) == 1 else strong.sum((1, 2)).tolist()
    found = []
    for each, places in zip(scores, torch.split(flat % (height * width), counts), strict=True):
        values = each.flatten()[places]
        if 0 <= max_keypoints < len(values):
            values, order = torch.topk(values, max_keypoints)
            places = places[order]  # noqa: PLW2901
        keypoints = torch.stack([places % width, places // width], dim=1).float()
        found.append((keypoints, values.float()))
    return found


def pick_fixed(
    scores: Tensor, threshold: float, count: int, border: int = 4, sides: Border = "all"
) -> tuple[Tensor, Tensor, Tensor]:
    """The strongest keypoints of one image in tensors whose shapes the image does not decide, as exported models need.

    Args:
        scores: (H, W), see `pick_keypoints` for these and the others.
        threshold: at least 0.
        count: N, keypoints wanted; those that are not there lie at (0, 0) with a score of 0.
        border: in pixels.
        sides: the borders that count.

    Returns:
        Keypoints (N, 2) float32, scores (N,) float32, sorted by falling score, and which are real (N,) bool.
    """
    height, width = scores.shape
    near = max(border, 0)
    inside = F.pad(scores[near:, near:], (near, 0, near, 0))
    if sides == "all" and near:
        inside = F.pad(inside[:-near, :-near], (0, near, 0, near))
    values, flat = torch.topk(inside.flatten(), min(count, height * width))
    real = values > threshold
    keypoints = torch.stack([flat % width, flat // width], dim=1).float()
    return keypoints * real[:, None], torch.where(real, values, 0).float(), real


def refine_keypoints(heat: Tensor, keypoints: Tensor, radius: int = 1) -> Tensor:
    """Move each keypoint to the centroid of the detector's probabilities around it.

    A detector that was trained with corners shared among the pixels around them says by these shares where between
    the pixels the corner lies.

    Args:
        heat: (H, W) probabilities before non-maximum suppression.
        keypoints: (N, 2) float32 (x, y) whole pixels of the map.
        radius: r of the (2r+1)-sided window; what lies beyond the map's edge counts as 0.

    Returns:
        (N, 2) float32, at most `radius` pixels from where it was along each axis.
    """
    side = 2 * radius + 1
    padded = F.pad(heat, (radius, radius, radius, radius))
    x, y = keypoints[:, 0].long(), keypoints[:, 1].long()
    steps = torch.arange(side, dtype=torch.int64, device=heat.device)
    window = padded[y[:, None, None] + steps[:, None], x[:, None, None] + steps]  # (N, side, side)
    offset = (steps - radius).to(heat.dtype)
    mass = window.sum((1, 2)).clamp(min=torch.finfo(heat.dtype).tiny)
    moves = torch.stack([(window.sum(1) @ offset) / mass, (window.sum(2) @ offset) / mass], dim=1)
    return keypoints + moves.to(keypoints.dtype)


def refine_summits(heat: Tensor, keypoints: Tensor) -> Tensor:
    """Move each keypoint to the summits of the parabolas through the logarithms beside it, along each axis.

    Near its summit a smooth map is a Gaussian, for which this is exact, where a centroid would be drawn to the middle
    of its window.

    Args:
        heat: (H, W), not negative.
        keypoints: (N, 2) float32 (x, y), whole pixels at maxima of the map.

    Returns:
        (N, 2) float32, at most half a pixel from where it was along each axis.
    """
    logs = F.pad(heat.clamp(min=1e-8).log()[None], (1, 1, 1, 1), mode="replicate")[0]
    x, y = keypoints[:, 0].long() + 1, keypoints[:, 1].long() + 1
    here = logs[y, x]
    moves = []
    for before, after in ((logs[y, x - 1], logs[y, x + 1]), (logs[y - 1, x], logs[y + 1, x])):
        curvature = (2 * here - before - after).clamp(min=1e-3)
        moves.append(((after - before) / (2 * curvature)).clamp(-0.5, 0.5))
    return keypoints + torch.stack(moves, dim=1)
