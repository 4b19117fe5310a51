"""What the matcher learns from (SuperGlue, arXiv:1911.11763, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["IGNORE", "UNMATCHED", "assignment_loss"]

UNMATCHED = -1
"""The label of a keypoint that surely has no partner."""

IGNORE = -2
"""The label of a keypoint that neither matches nor surely lacks a match; it does not count in the loss."""


def assignment_loss(log_assignment: Tensor, matches0: Tensor, matches1: Tensor) -> Tensor:
    """Negative log-likelihood of the true assignment (section 3.3, eq. 10), positives and negatives balanced.

    Each pair's loss is the mean over its true matches plus the mean over its unmatched keypoints of both images
    (each mean over nothing is 0), and the result is the mean over the pairs.

    Args:
        log_assignment: (B, M+1, N+1) from `SuperGlue`.
        matches0: (B, M) int64 true index in image 1; -1 unmatched, -2 ignore (padding too).
        matches1: (B, N) int64 likewise for image 1.

    Returns:
        A scalar.
    """
    positive = matches0 >= 0
    columns = matches0.clamp(min=0)
    matched = log_assignment[:, :-1, :].gather(2, columns[..., None])[..., 0]
    lonely0, lonely1 = matches0 == -1, matches1 == -1
    likelihood = torch.where(positive, matched, 0).sum(1) / positive.sum(1).clamp(min=1)
    unmatched = torch.where(lonely0, log_assignment[:, :-1, -1], 0).sum(1)
    unmatched = unmatched + torch.where(lonely1, log_assignment[:, -1, :-1], 0).sum(1)
    likelihood = likelihood + unmatched / (lonely0.sum(1) + lonely1.sum(1)).clamp(min=1)
    return -likelihood.mean()
