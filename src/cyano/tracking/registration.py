"""Frames brought into one frame of reference, as a movie from a tripod would be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.geometry import RobustEstimate, warp_image
from cyano.tracking.result import FrameResult
from cyano.types import ImageSize

__all__ = ["Registered", "Registration"]


class Registered(NamedTuple):
    """A frame as it looks from where another one was taken.

    Attributes:
        rgb: (H, W, 3) uint8 of the other one's size, black where this one shows nothing.
        reference: number of the other one.
        H: (3, 3) float64 homography from pixels of the other one to this frame.
    """

    rgb: NDArray[np.uint8]
    reference: int
    H: NDArray[np.float64]


class _Place(NamedTuple):
    reference: int
    size: ImageSize
    H: NDArray[np.float64]


class Registration:
    """Registers the frames of a tracker to its first anchor; after tracks were given up, to the one that began anew.

    Homographies of a frame are those from its anchor, after those that led to the anchor.
    """

    def __init__(self) -> None:
        self._places: dict[int, _Place] = {}

    def add(self, seen: FrameResult, estimate: RobustEstimate | None) -> Registered | None:
        """The next frame, registered; None where its matches say nothing of where it belongs.

        Args:
            seen: the frame.
            estimate: the homography from its anchor, if it was tracked.
        """
        if not self._places or seen.status == "anchor":
            size = seen.result.image0.size
            self._places = {seen.anchor_index: _Place(seen.anchor_index, size, np.eye(3))}
        if seen.status == "anchor":
            return Registered(seen.frame.rgb, seen.frame.index, np.eye(3))
        start = self._places.get(seen.anchor_index)
        if start is None or estimate is None or not estimate.ok:
            return None
        place = _Place(start.reference, start.size, estimate.matrix @ start.H)
        self._places = {seen.anchor_index: start, seen.frame.index: place}  # the next anchor is one of these
        rgb, _ = warp_image(seen.frame.rgb, place.H, place.size)
        return Registered(rgb, place.reference, place.H)
