"""What frames are matched with, and when that changes."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal, TypeAlias, get_args

from cyano.errors import InputError

__all__ = ["Anchor", "TrackOptions"]

Anchor: TypeAlias = Literal["first", "previous", "keyframe"]


@dataclass(frozen=True)
class TrackOptions:
    """What frames are matched with, and when that changes.

    Attributes:
        anchor: "first" matches every frame with the first one (or with the image that the tracker was given),
            "previous" with the one before it, and "keyframe" with a keyframe, which is replaced by a later frame when
            too little of it is still seen.
        min_matches: fewer matches with the anchor are not trusted: such a frame has no tracks, and a keyframe is due.
        min_share: a keyframe is also due when a frame has fewer matches with it than this share of the most that a
            frame had, so that what comes into view is followed, too; 0 waits for `min_matches`.
        max_gap: so many frames in a row may have too few matches, for example while something passes in front of the
            camera, before tracks are given up and the next frame begins anew.
        follow: look for points of tracks that the detector did not find in a frame where those around them are; see
            `cyano.tracking.continuation`. Without `MatcherOptions.align` there is no such thing.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> options = TrackOptions(anchor="first", min_matches=30)  # all frames with the first one
    """

    anchor: Anchor = "keyframe"
    min_matches: int = 60
    min_share: float = 0.5
    max_gap: int = 10
    follow: bool = True

    def __post_init__(self) -> None:
        if self.anchor not in get_args(Anchor):
            raise InputError(f"anchor is one of {', '.join(get_args(Anchor))}, not {self.anchor!r}")
        for name, value, least in (("min_matches", self.min_matches, 1), ("max_gap", self.max_gap, 0)):
            if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} is a whole number of at least {least}, not {value!r}")
        if not 0 <= self.min_share <= 1:
            raise InputError(f"min_share is a number from 0 to 1, not {self.min_share!r}")
