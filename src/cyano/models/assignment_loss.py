"""What the matcher learns from (SuperGlue, arXiv:1911.11763, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["IGNORE", "UNMATCHED", "assignment_loss"]

UNMATCHED = -1
"""The label of a keypoint that surely has no partner."""

IGNORE = -2
"""The label of a keypoint that neither matches nor surely lacks a match; it does not count in the loss."""


def assignment_loss(log_assignment: Tensor, matches0: Tensor, matches1: Tensor, *, balanced: bool = True) -> Tensor:
    """Negative log-likelihood of the true assignment (section 3.3, eq. 10), for pairs of any number of keypoints.

    Balanced, each pair's loss is the mean over its true matches plus the mean over its unmatched keypoints of both
    images, which learns to match fast. But where few keypoints match, a doubtful one is then taken for a match too
    readily, and where most match, too seldom. Otherwise it is twice the mean over the labelled keypoints of both
    images, matched or not, and what is least of all when the scores are the probabilities of the matches.

    Args:
        log_assignment: (B, M+1, N+1) from `SuperGlue`.
        matches0: (B, M) int64 true index in image 1; -1 unmatched, -2 ignore (padding too).
        matches1: (B, N) int64 likewise for image 1.
        balanced: see above.

    Returns:
        A scalar, the mean over the pairs; means over nothing are 0.
    """
    positive = matches0 >= 0
    columns = matches0.clamp(min=0)
    matched = log_assignment[:, :-1, :].gather(2, columns[..., None])[..., 0]
    lonely0, lonely1 = matches0 == UNMATCHED, matches1 == UNMATCHED
    likelihood = torch.where(positive, matched, 0).sum(1)
    unmatched = torch.where(lonely0, log_assignment[:, :-1, -1], 0).sum(1)
    unmatched = unmatched + torch.where(lonely1, log_assignment[:, -1, :-1], 0).sum(1)
    matches, others = positive.sum(1), lonely0.sum(1) + lonely1.sum(1)
    if balanced:
        return -(likelihood / matches.clamp(min=1) + unmatched / others.clamp(min=1)).mean()
    # A match is the state of two keypoints.
    return -(2 * (2 * likelihood + unmatched) / (2 * matches + others).clamp(min=1)).mean()
