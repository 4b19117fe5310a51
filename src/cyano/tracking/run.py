"""A whole source through a tracker."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cyano.tracking.result import FrameResult
from cyano.tracking.tracker import Tracker
from cyano.video.source import Source

__all__ = ["track"]


def track(tracker: Tracker, source: Source) -> Iterator[tuple[FrameResult, float]]:
    """Each frame as it is tracked, and the seconds that it took to read.

    Args:
        tracker: takes the frames.
        source: gives them.

    Raises:
        InputError: the source has no frame that can be read.
    """
    frames = iter(source)
    while True:
        begun = time.perf_counter()
        frame = next(frames, None)
        if frame is None:
            return
        read = time.perf_counter() - begun
        yield tracker.push(frame), read
