"""The anchor that somebody names."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

from cyano.processing.images import read
from cyano.tracking.options import Anchor, TrackOptions
from cyano.video.frames import Frame

__all__ = ["named_anchor"]


def named_anchor(name: str, min_matches: int, max_gap: int) -> tuple[TrackOptions, Frame | None]:
    """What frames are matched with, and the image if it is one from elsewhere.

        options, image = named_anchor("object.jpg", 60, 10)
        tracker = Tracker(matcher, options, image)

    Args:
        name: "first", "previous", "keyframe", or the path of an image.
        min_matches: see `TrackOptions`.
        max_gap: likewise.

    Raises:
        InputError: a value is out of its range.
        ImageError: it is a path, and there is no image.
    """
    if name in get_args(Anchor):
        return TrackOptions(cast("Anchor", name), min_matches, max_gap=max_gap), None
    path = Path(name)
    return TrackOptions("first", min_matches, max_gap=max_gap), Frame(-1, read(path).rgb, name=path.name)
