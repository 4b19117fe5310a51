"""Options of a live session for small pictures."""

from __future__ import annotations

from cyano.checkpoints.loading import Networks
from cyano.live import LiveOptions
from cyano.options import MatcherOptions
from cyano.tracking import TrackOptions


def live_options(networks: Networks) -> LiveOptions:
    """Options for small pictures."""
    return LiveOptions(networks, MatcherOptions(max_keypoints=96), TrackOptions("first", min_matches=10))
