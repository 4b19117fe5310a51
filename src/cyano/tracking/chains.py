"""Track ids: which keypoints of many frames are the same point, told by chaining matches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNTRACKED", "TrackIds"]

UNTRACKED = -1


class TrackIds:
    """Gives out ids; a keypoint of an anchor gets one with its first match, and keeps it.

    Attributes:
        count: how many tracks there were until now; their ids are 0 to count - 1.
    """

    def __init__(self) -> None:
        self.count = 0

    def chained(self, anchor: NDArray[np.int64], indices: NDArray[np.int64], keypoints: int) -> NDArray[np.int64]:
        """The ids of the keypoints of a frame by its matches with an anchor.

        Args:
            anchor: (M,) int64 ids of the anchor's keypoints, `UNTRACKED` where none; those that are matched for the
                first time get theirs here.
            indices: (K, 2) rows (index in the anchor, index in the frame), each index once.
            keypoints: N, of the frame.

        Returns:
            (N,) int64 ids of the frame's keypoints, `UNTRACKED` where not matched.
        """
        fresh = indices[anchor[indices[:, 0]] == UNTRACKED, 0]
        anchor[fresh] = self.count + np.arange(len(fresh))
        self.count += len(fresh)
        ids = np.full(keypoints, UNTRACKED, np.int64)
        ids[indices[:, 1]] = anchor[indices[:, 0]]
        return ids
