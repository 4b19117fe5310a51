"""Points followed through frames: each is matched with a keyframe, and ids go from one keyframe to the next."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.image_keypoints import ImageKeypoints
from cyano.matcher import Matcher
from cyano.result import PairResult
from cyano.tracking.chains import UNTRACKED, TrackIds
from cyano.tracking.continuation import continued
from cyano.tracking.options import TrackOptions
from cyano.tracking.result import FrameResult, FrameStatus
from cyano.types import Features, Matches
from cyano.video.frames import Frame

__all__ = ["Tracker"]


@dataclass(eq=False)
class _View:
    """A frame that others can be matched with.

    Attributes:
        frame: its pixels and number.
        features: its keypoints, those of tracks where they look like the track's keyframe.
        ids: (N,) int64 tracks of its keypoints.
        most: matches that a frame had with it.
        places: (N, 2) where its keypoints were, or should have been, in the last frame that was tracked; NaN where
            nothing tells.
        found: how many keypoints the detector found; those that were followed come on top.
    """

    frame: Frame
    features: Features
    ids: NDArray[np.int64]
    places: NDArray[np.float32]
    found: int
    most: int = 0

    @classmethod
    def fresh(cls, frame: Frame, features: Features) -> _View:
        ids = np.full(len(features), UNTRACKED, np.int64)
        return cls(frame, features, ids, features.keypoints.cpu().numpy(), len(features))

    def as_anchor(self) -> _View:
        """With no more keypoints than the detector found: those of tracks, and the strongest of the others."""
        features = self.features
        if len(features) <= self.found:
            return self
        order = np.lexsort((-features.scores.cpu().numpy(), self.ids == UNTRACKED))
        rows = np.sort(order[: self.found])
        chosen = torch.from_numpy(rows).to(features.keypoints.device)
        keypoints, scores, descriptors = (
            features.keypoints[chosen],
            features.scores[chosen],
            features.descriptors[chosen],
        )
        extras = None if features.extras is None else features.extras[chosen]
        fewer = Features(keypoints, scores, descriptors, features.frame, extras, features.image)
        return _View(self.frame, fewer, self.ids[rows], self.places[rows], self.found)


class Tracker:
    """Follows points through the frames of a source.

    A point's place in a frame is where the frame looks like the point's surroundings in the keyframe, not where it
    looks like the frame before; so errors do not add up from frame to frame, only from keyframe to keyframe. Each frame
    is extracted once and matched once, twice where a keyframe is due.

    Example:
        >>> from cyano.video import open_source
        >>> tracker = Tracker(matcher, TrackOptions(anchor="keyframe", min_matches=60))
        >>> with open_source("walk.mp4") as source:
        ...     for frame in source:
        ...         seen = tracker.push(frame)  # seen.result.keypoints1 (K, 2), seen.track_ids (K,)
        >>> tracker.restart()  # the last frame is the next keyframe
        >>> seen.frame.index, tracker.count > 60
        (3, True)
    """

    def __init__(self, matcher: Matcher, options: TrackOptions = TrackOptions(), anchor: Frame | None = None) -> None:  # noqa: B008 - it is frozen
        """Begin with no frame.

        Args:
            matcher: extracts and matches.
            options: what frames are matched with.
            anchor: an image from elsewhere that all frames are matched with, such as the photograph of an object; give
                it the index -1.

        Raises:
            InputError: an image from elsewhere is no keyframe and no previous frame.
        """
        self.options = options
        self._matcher = matcher
        self._ids = TrackIds()
        self._gap = 0
        self._last: _View | None = None
        self._anchor: _View | None = None
        self._used: _View | None = None  # by the frame before
        if anchor is not None:
            if options.anchor != "first":
                raise InputError(f'an anchor image goes with anchor="first", not {options.anchor!r}')
            self._anchor = _View.fresh(anchor, matcher.extract([anchor.rgb])[0])

    @property
    def count(self) -> int:
        """How many tracks there were until now."""
        return self._ids.count

    def restart(self) -> None:
        """Make the frame that was pushed last the anchor, whatever the options say."""
        if self._last is not None:
            self._anchor, self._gap = self._last, 0

    def push(self, frame: Frame) -> FrameResult:
        """Match the next frame.

        Args:
            frame: of the same source as those before, later than they are.

        Raises:
            ImageError: the picture is none that the matcher takes.
        """
        begun = time.perf_counter()
        features = self._matcher.extract([frame.rgb])[0]
        extracted = time.perf_counter()
        view = _View.fresh(frame, features)
        anchor, result, status = self._matched(view)
        ids = np.full(len(result), UNTRACKED, np.int64)
        if status == "tracked":
            result = self._chained(anchor, view, result)
            ids = view.ids[result.indices[:, 1]]
        if status != "few matches" or self._last is None:
            self._last = view
        seconds = {"extract": extracted - begun, "match": time.perf_counter() - extracted}
        new, self._used = anchor is not self._used, anchor
        self._anchor = view.as_anchor() if self.options.anchor == "previous" and status != "few matches" else anchor
        return FrameResult(frame, anchor.frame, result, ids, status, new, seconds)

    def _matched(self, view: _View) -> tuple[_View, PairResult, FrameStatus]:
        """The anchor of a frame and the matches with it."""
        anchor = self._anchor
        if anchor is None:
            return view, _nothing(view), "anchor"
        result, least = self._match(anchor, view), self.options.min_matches
        if self._is_due(anchor, result) and self._last is not None and self._last is not anchor:
            last = self._last.as_anchor()
            later = self._match(last, view)
            if len(later) >= least:
                anchor, result = last, later
        anchor.most = max(anchor.most, len(result))
        if len(result) >= least:
            self._gap = 0
            return anchor, result, "tracked"
        self._gap += 1
        if self._gap > self.options.max_gap and self.options.anchor != "first":
            self._gap = 0
            return view, _nothing(view), "anchor"
        return anchor, result, "few matches"

    def _chained(self, anchor: _View, view: _View, result: PairResult) -> PairResult:
        """The matches with the points that are followed besides; the frame's view gets their tracks and places."""
        seen = (anchor.ids != UNTRACKED) & np.isfinite(anchor.places).all(axis=1)
        wanted = np.flatnonzero(seen & (result.matches.matches0 < 0) & self.options.follow)
        score = self._matcher.assignment.matching_threshold
        found = continued(anchor.features, view.features, result, wanted, anchor.places, score)
        result = found.result
        view.features = _moved(found.features, result)
        view.ids = self._ids.chained(anchor.ids, result.indices, len(view.features))
        view.places = result.image1.keypoints
        anchor.places = np.full_like(anchor.places, np.nan)
        anchor.places[wanted] = found.guesses
        anchor.places[result.indices[:, 0]] = result.keypoints1
        return result

    def _is_due(self, anchor: _View, result: PairResult) -> bool:
        """Whether a keyframe is due."""
        if self.options.anchor != "keyframe":
            return False
        return len(result) < max(self.options.min_matches, self.options.min_share * anchor.most)

    def _match(self, anchor: _View, view: _View) -> PairResult:
        """The matches, with the pictures."""
        (result,) = self._matcher.match_features([(anchor.features, view.features)])
        side0 = replace(result.image0, rgb=anchor.frame.rgb, name=anchor.frame.name)
        side1 = replace(result.image1, rgb=view.frame.rgb, name=view.frame.name)
        return replace(result, image0=side0, image1=side1)


def _moved(features: Features, result: PairResult) -> Features:
    """The features with their keypoints where the matches have them."""
    keypoints = torch.from_numpy(result.image1.keypoints).to(features.keypoints.device)
    return replace(features, keypoints=keypoints)


def _nothing(view: _View) -> PairResult:
    """No matches of a frame with itself."""
    (side,) = ImageKeypoints.of_each([view.features])
    side = replace(side, rgb=view.frame.rgb, name=view.frame.name)
    none, zero = np.full(len(view.features), -1, np.int64), np.zeros(len(view.features), np.float32)
    return PairResult(side, side, Matches(none, none, zero, zero))
