"""Keypoints from a detector's maps for exported graphs: no operation whose result has a size that the image decides.

The rules are those of `keypoint_maps`, `suppress_non_maxima`, `pick_keypoints`, `refine` and `sample_descriptors`, in
operations that ONNX has: pooling for windows, a mask for the threshold, one number of keypoints for all images. Sizes
are read from tensors, since one that is read as a number may be frozen when a graph is made
(docs/decisions/0025-portable-form.md). Constant frames are not looked for; a mask can say where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyano.models.superpoint import CELL, SuperPointConfig
from cyano.processing.structure import REACH, STRONG, hessian_filters

__all__ = ["PickedKeypoints", "PortableKeypoints", "portable_descriptors", "sides"]


_Refine: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


class PickedKeypoints(NamedTuple):
    """The strongest keypoints of one image.

    Attributes:
        keypoints: (K, 2) float32 (x, y) in pixels of the image that the detector saw.
        scores: (K,) float32, sorted by falling score; 0 where there is no keypoint.
        valid: (K,) bool, False where there is no keypoint.
    """

    keypoints: Tensor
    scores: Tensor
    valid: Tensor


class PortableKeypoints(nn.Module):
    """The rule of a configuration for where keypoints lie."""

    filters: Tensor

    def __init__(self, config: SuperPointConfig, count: int) -> None:
        """Prepare a rule.

        Args:
            config: how to localise, the radius, the threshold and the border.
            count: K, keypoints of an image.
        """
        super().__init__()
        self.config, self.count = config, count
        self.register_buffer("filters", torch.from_numpy(hessian_filters()))

    def forward(self, image: Tensor, probabilities: Tensor, mask: Tensor | None = None) -> PickedKeypoints:
        """Pick the keypoints of one image.

        Args:
            image: (1, 1, H, W) in [0, 1].
            probabilities: (1, h, w) of the detector, which drops a last strip of fewer than 8 rows or columns.
            mask: (1, 1, H, W) bool, False where there are to be no keypoints; None for anywhere. What it hides
                suppresses no other keypoint.
        """
        heat = probabilities[None]
        if self.config.keypoint_localisation == "structure":
            response = _cut(self._response(image), heat)
            scores, refine = _structured_scores(heat, response), _to_summits
        else:
            response, scores, refine = heat, heat, _to_centroids
        if mask is not None:
            scores = scores * _cut(mask.float(), heat)
        suppressed = _suppressed(scores, self.config.nms_radius)
        return self._pick(suppressed[0, 0], response[0, 0], refine)

    def _response(self, image: Tensor) -> Tensor:
        """(1, 1, H, W) as `hessian_response` has it."""
        radius = self.filters.shape[-1] // 2
        padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
        xx, yy, xy = F.conv2d(padded, self.filters).chunk(3, dim=1)
        return (xx * yy - xy * xy).clamp(min=0)

    def _pick(self, scores: Tensor, heat: Tensor, refine: _Refine) -> PickedKeypoints:
        """The strongest `count` of (h, w) scores."""
        ys, xs = _numbers(scores, 0)[:, None], _numbers(scores, 1)[None]
        border = max(self.config.border_removal_distance, 0)
        inside = (ys >= border) & (xs >= border) & (ys < ys[-1:] + 1 - border) & (xs < xs[:, -1:] + 1 - border)
        # A tiny image has fewer pixels than keypoints are asked for: zeros follow them.
        found = F.pad(torch.where(inside, scores, 0.0).flatten(), (0, self.count))
        values, where = torch.topk(found, self.count)
        valid = values > self.config.keypoint_threshold
        y, x = (F.pad(grid.expand_as(scores).flatten(), (0, self.count)).index_select(0, where) for grid in (ys, xs))
        moves = refine(heat, x, y)
        keypoints = torch.stack([x, y], dim=1).float() + moves
        mask = valid.float()
        return PickedKeypoints(keypoints * mask[:, None], values * mask, valid)


def portable_descriptors(dense: Tensor, keypoints: Tensor) -> Tensor:
    """Unit descriptors as `sample_descriptors` reads them, "published", by gathering the cells around each keypoint.

    Args:
        dense: (1, D, hc, wc) of the detector.
        keypoints: (K, 2) float32 (x, y) in pixels of the image that it saw.

    Returns:
        (K, D).
    """
    rows, columns = sides(dense[0, 0])
    last = torch.cat([columns, rows]) - 1
    where = (keypoints - (CELL - 1) / 2) / (CELL * (last + 1).float() - CELL / 2 - 0.5) * last.float()  # in cells
    first = where.floor()
    share, corner = where - first, first.long()
    table = dense[0].flatten(1).t()  # (hc * wc, D)
    total = torch.zeros_like(table[:1])
    for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
        cell = corner + torch.tensor([right, below], dtype=torch.int64, device=corner.device)
        inside = ((cell >= 0) & (cell <= last)).float()  # beyond the map there are zeros
        weight = inside * torch.cat([_part(share[:, :1], right), _part(share[:, 1:], below)], dim=1)
        cell = torch.minimum(torch.maximum(cell, torch.zeros_like(cell)), last)
        total = total + table.index_select(0, cell[:, 1] * columns + cell[:, 0]) * weight.prod(1, keepdim=True)
    return F.normalize(total, dim=1)


def sides(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Height and width of (H, W) as int64 tensors of one element."""
    return _numbers(plane, 0)[-1:] + 1, _numbers(plane, 1)[-1:] + 1


def _numbers(plane: Tensor, axis: int) -> Tensor:
    """0, 1, ... along an axis, as int64."""
    return torch.arange(plane.shape[axis], dtype=torch.int64, device=plane.device)


def _cut(plane: Tensor, heat: Tensor) -> Tensor:
    """The first rows and columns of (1, 1, H, W), as many as (1, 1, h, w) has; slices would ask about sizes."""
    return plane.index_select(2, _numbers(heat, 2)).index_select(3, _numbers(heat, 3))


def _part(share: Tensor, beyond: int) -> Tensor:
    return share if beyond else 1 - share


def _window_max(x: Tensor, radius: int) -> Tensor:
    """Maximum over a (2r+1)-sided window of (1, 1, H, W): along one axis after the other, which takes fewer steps."""
    side = 2 * radius + 1
    along_y = F.max_pool2d(x, (side, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(along_y, (1, side), stride=1, padding=(0, radius))


def _structured_scores(probabilities: Tensor, response: Tensor) -> Tensor:
    """(1, 1, h, w) as `structured_scores` has them."""
    side = 2 * REACH + 1
    mean = F.avg_pool2d(probabilities, (side, 1), stride=1, padding=(REACH, 0), count_include_pad=False)
    mean = F.avg_pool2d(mean, (1, side), stride=1, padding=(0, REACH), count_include_pad=False)
    maxima = (response == _window_max(response, 1)) & (response > 0)
    return torch.where(maxima, (mean * CELL**2).clamp(max=1) * (response / (response + STRONG)), 0.0)


def _suppressed(scores: Tensor, radius: int) -> Tensor:
    """(1, 1, h, w) as `suppress_non_maxima` has them."""
    maxima = scores == _window_max(scores, radius)
    for _ in range(2):
        near = _window_max(maxima.float(), radius) > 0
        rest = torch.where(near, 0.0, scores)
        maxima = maxima | ((rest == _window_max(rest, radius)) & ~near)
    return torch.where(maxima, scores, 0.0)


def _to_summits(heat: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(K, 2): how far `refine_summits` moves keypoints at (K,) whole pixels of an (h, w) map."""
    flat, (height, width) = heat.flatten(), sides(heat)

    def logs(row: Tensor, column: Tensor) -> Tensor:
        return flat.index_select(0, row * width + column).clamp(min=1e-8).log()

    def summit(before: Tensor, after: Tensor) -> Tensor:
        curvature = (2 * here - before - after).clamp(min=1e-3)
        return ((after - before) / (2 * curvature)).clamp(-0.5, 0.5)

    here = logs(y, x)
    along_x = summit(logs(y, x - (x > 0).long()), logs(y, x + (x < width - 1).long()))
    along_y = summit(logs(y - (y > 0).long(), x), logs(y + (y < height - 1).long(), x))
    return torch.stack([along_x, along_y], dim=1)


def _to_centroids(heat: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(K, 2): how far `refine_keypoints` moves keypoints at (K,) whole pixels of an (h, w) map."""
    padded, (_, width) = F.pad(heat, (1, 1, 1, 1)), sides(heat)
    step = torch.arange(9, dtype=torch.int64, device=heat.device)
    step_y, step_x = step // 3, step % 3
    places = (y[:, None] + step_y) * (width + 2) + x[:, None] + step_x  # (K, 9)
    window = padded.flatten().index_select(0, places.flatten()).view(-1, 9)
    mass = window.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return (window @ torch.stack([step_x - 1, step_y - 1], dim=1).float()) / mass
