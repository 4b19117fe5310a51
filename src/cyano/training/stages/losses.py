"""The detector's and the descriptors' losses (the matcher's is `cyano.models.assignment_loss`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.models.superpoint import CELL

__all__ = ["cell_targets", "detector_loss", "info_nce"]


def cell_targets(corners: Tensor, height: int, width: int) -> Tensor:
    """What the detector's head should say where the corners of one image are known to a fraction of a pixel.

    Each corner is shared among the four pixels around it by bilinear weights, so that the centroid of what the
    network learns to predict is the corner itself. A cell with more mass than 1 is scaled down, and what is missing
    to 1 is "no keypoint". The paper (section 3.3) has one whole pixel a cell instead; its labels cannot be better
    than half a pixel.

    Args:
        corners: (N, 2) float (x, y).
        height: of the image, a multiple of 8.
        width: likewise.

    Returns:
        (65, height / 8, width / 8) float32, summing to 1 over the classes.
    """
    heat = torch.zeros(height * width, dtype=torch.float32, device=corners.device)
    step = torch.tensor([(0, 0), (1, 0), (0, 1), (1, 1)], dtype=torch.int64, device=corners.device)
    base = corners.floor()
    part = (corners - base)[:, None]
    share = torch.where(step == 1, part, 1 - part).prod(2)
    x, y = (base.long()[:, None] + step).unbind(2)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    heat.index_add_(0, (y * width + x)[inside], share[inside].to(heat.dtype))
    classes = F.pixel_unshuffle(heat.view(1, 1, height, width), CELL)[0]
    mass = classes.sum(0, keepdim=True)
    classes = classes / mass.clamp(min=1)
    return torch.cat([classes, 1 - mass.clamp(max=1)])


def detector_loss(logits: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy over the 65 classes of each cell (section 3.3, eq. 2), less the entropy of the targets.

    Args:
        logits: (B, 65, Hc, Wc).
        targets: (B, 65, Hc, Wc) from `cell_targets`.
        valid: (B, Hc, Wc) bool, False where a cell shows nothing of the photograph.

    Returns:
        A scalar, 0 where the prediction is the target: the mean over valid cells.
    """
    targets = targets.float()
    losses = -(targets * F.log_softmax(logits.float(), dim=1)).sum(1) + torch.xlogy(targets, targets).sum(1)
    return torch.where(valid, losses, 0).sum() / valid.sum().clamp(min=1)


def info_nce(
    descriptors0: Tensor,
    descriptors1: Tensor,
    points1: Tensor,
    temperature: Tensor,
    apart: float = 6.0,
) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE (van den Oord et al., arXiv:1807.03748) over corresponding descriptors of one pair.

    The paper's hinge loss (section 3.3, eq. 3-4) has millions of easy negatives and learns far more slowly.

    Args:
        descriptors0: (N, D) unit rows.
        descriptors1: (N, D) unit rows; row i belongs to row i.
        points1: (N, 2) where they lie in image 1; other points nearer than `apart` pixels are no negatives.
        temperature: cosines are multiplied by this.
        apart: pixels.

    Returns:
        The loss, 0 for N = 0, and the share of rows whose best partner is the right one.
    """
    if not len(descriptors0):
        return temperature.sum() * 0, temperature.new_zeros(())
    cosines = descriptors0.float() @ descriptors1.float().t() * temperature
    count = len(cosines)
    near = torch.cdist(points1.float(), points1.float()) < apart
    near.fill_diagonal_(False)
    cosines = cosines.masked_fill(near, torch.finfo(cosines.dtype).min)
    own = torch.arange(count, dtype=torch.int64, device=cosines.device)
    right = (cosines.argmax(1) == own).float().mean()
    loss = (F.cross_entropy(cosines, own) + F.cross_entropy(cosines.t(), own)) / 2
    return loss, right.detach()
