"""What became of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cyano.geometry import RobustEstimate, RobustOptions
from cyano.result import PairResult
from cyano.video.frames import Frame

__all__ = ["FrameResult", "FrameStatus"]

FrameStatus: TypeAlias = Literal["anchor", "tracked", "few matches"]

_DEFAULT_OPTIONS = RobustOptions()


@dataclass(frozen=True, eq=False)
class FrameResult:
    """A frame, matched with its anchor.

    Attributes:
        frame: as it was given.
        anchor: the frame that it was matched with; itself where the status is "anchor".
        result: the matches, the anchor being image 0; keypoints of image 1 lie where they look like the anchor's.
            Points that the detector did not find, but that were followed, are among them with a match's least score.
        track_ids: (K,) int64, which point each match shows: equal in all frames that show it. -1, no track, in frames
            with the status "few matches".
        status: "anchor" for a frame that begins anew, "tracked", or "few matches": fewer than
            `TrackOptions.min_matches`, so that none of them is to be trusted.
        new_keyframe: whether the anchor is another one than that of the frame before.
        seconds: of "extract" and "match".

    Example:
        >>> from cyano.video import open_source
        >>> tracker = Tracker(matcher)
        >>> with open_source("walk.mp4") as source:
        ...     first, second, *others = [tracker.push(frame) for frame in source]
        >>> second.status, second.anchor_index, len(second.track_ids) == len(second.result)
        ('tracked', 0, True)
        >>> second.homography().matrix[:2, 2].round().tolist()  # the picture moved by 8 pixels
        [-8.0, 0.0]
    """

    frame: Frame
    anchor: Frame
    result: PairResult
    track_ids: NDArray[np.int64]
    status: FrameStatus
    new_keyframe: bool
    seconds: Mapping[str, float]

    def __repr__(self) -> str:
        told = f"frame {self.frame.index}, anchor {self.anchor_index}, {self.status}"
        return f"FrameResult({told}, {len(self.result)} matches)"

    @property
    def anchor_index(self) -> int:
        """The number of the anchor in the source; -1 for an image from elsewhere."""
        return self.anchor.index

    def homography(self, options: RobustOptions = _DEFAULT_OPTIONS) -> RobustEstimate:
        """The homography that maps pixels of the anchor to the frame, where the two show a plane or turn on the spot.

        See `cyano.geometry.estimate_homography`.
        """
        return self.result.homography(options)
