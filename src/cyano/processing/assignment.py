"""Matches from a log assignment: mutual best, above a threshold (SuperGlue, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cyano.types import Matches

__all__ = ["MatchTensors", "mutual_matches"]


class MatchTensors(NamedTuple):
    """Matches of B pairs, from both sides.

    Attributes:
        matches0: (B, M) int64, index in image 1 or -1.
        matches1: (B, N) int64, index in image 0 or -1.
        scores0: (B, M) probability of each match, 0 where none.
        scores1: (B, N) likewise.
    """

    matches0: Tensor
    matches1: Tensor
    scores0: Tensor
    scores1: Tensor

    def pairs(self, counts: Sequence[tuple[int, int]]) -> list[Matches]:
        """All pairs, their padding cut off, as numpy arrays; a GPU is asked for them once.

        Args:
            counts: keypoints of image 0 and of image 1, of each pair.
        """
        numbers = [self.matches0.int(), self.matches1.int()]
        # Four bytes each, so that all can travel in one tensor.
        numbers += [each.float().contiguous().view(torch.int32) for each in (self.scores0, self.scores1)]
        packed = torch.cat(numbers, dim=1).cpu().numpy()
        matches0, matches1, scores0, scores1 = np.split(packed, np.cumsum([each.shape[1] for each in numbers[:3]]), 1)
        return [
            Matches(
                matches0[i, :count0].astype(np.int64),
                matches1[i, :count1].astype(np.int64),
                scores0[i, :count0].view(np.float32),
                scores1[i, :count1].view(np.float32),
            )
            for i, (count0, count1) in enumerate(counts)
        ]


def mutual_matches(log_assignment: Tensor, threshold: float) -> MatchTensors:
    """Pairs of keypoints that are each other's most probable partner, with a probability above `threshold`.

    Args:
        log_assignment: (B, M+1, N+1), dustbins last.
        threshold: in [0, 1); the comparison is strict.
    """
    inner = log_assignment[:, :-1, :-1]
    batch, rows, columns = inner.shape
    if rows == 0 or columns == 0:
        scores0, scores1 = inner.new_zeros(batch, rows), inner.new_zeros(batch, columns)
        return MatchTensors(scores0.long() - 1, scores1.long() - 1, scores0, scores1)
    best0, best1 = inner.max(2), inner.max(1)
    mutual0 = best1.indices.gather(1, best0.indices) == torch.arange(rows, dtype=torch.int64, device=inner.device)
    mutual1 = best0.indices.gather(1, best1.indices) == torch.arange(columns, dtype=torch.int64, device=inner.device)
    scores0 = torch.where(mutual0, best0.values.exp(), 0)
    scores0 = torch.where(scores0 > threshold, scores0, 0)
    scores1 = torch.where(mutual1, scores0.gather(1, best1.indices), 0)
    matches0 = torch.where(scores0 > 0, best0.indices, -1)
    matches1 = torch.where(scores1 > 0, best1.indices, -1)
    return MatchTensors(matches0, matches1, scores0, scores1)
