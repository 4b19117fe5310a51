"""Points followed through frames, with ids that stay.

    from cyano import Matcher
    from cyano.tracking import Tracker
    from cyano.video import open_source

    tracker = Tracker(Matcher.from_pretrained())
    with open_source("walk.mp4") as source:
        for frame in source:
            seen = tracker.push(frame)
            print(frame.index, seen.anchor_index, len(seen.result), seen.track_ids)

How to use it: docs/how-to/video.md.
"""

from cyano.tracking.options import TrackOptions
from cyano.tracking.result import FrameResult
from cyano.tracking.tracker import Tracker

__all__ = ["FrameResult", "TrackOptions", "Tracker"]
