"""Descriptors at keypoints, read off the dense map by bilinear interpolation (SuperPoint, section 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.models.precision import full_precision
from cyano.models.superpoint import CELL
from cyano.models.transfers import upload

__all__ = ["sample_descriptors"]


@full_precision
def sample_descriptors(maps: Tensor, keypoints: Tensor) -> Tensor:
    """Unit descriptors of the keypoints of one image.

    Positions on the map of cells are by the formula that all published weights were trained with: they shrink slightly
    towards the top left, by up to 3.5 px at the far edge.

    Args:
        maps: (D, Hc, Wc) dense descriptors, one for each 8x8 cell.
        keypoints: (N, 2) float32 (x, y) in pixels of the network's image.

    Returns:
        (N, D), of the maps' dtype.
    """
    _, rows, columns = maps.shape
    size = upload(torch.tensor([columns, rows], dtype=keypoints.dtype, device="cpu"), keypoints.device)
    from_centre = keypoints - (CELL - 1) / 2  # pixels from the centre of the first cell
    grid = 2 * from_centre / (CELL * size - CELL / 2 - 0.5) - 1
    sampled = F.grid_sample(maps[None], grid[None, None].to(maps.dtype), mode="bilinear", align_corners=True)
    return F.normalize(sampled[0, :, 0], dim=0).t()
