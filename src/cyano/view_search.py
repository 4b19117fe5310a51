"""Other views of two images that hardly match: half size, compressed as from the side, reduced. The best is kept.

Sources: Morel and Yu, ASIFT, 2009, for the views; Mishkin, Matas and Perdoch, MODS: Fast and robust method for
two-view matching, 2015, for doing so only where the images themselves do not match. docs/decisions/0028-views.md has
the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.detector import Detector, NetworkImage
from cyano.image_keypoints import ImageKeypoints
from cyano.processing.images import LoadedImage
from cyano.processing.views import View, affine_view, compression
from cyano.result import PairResult
from cyano.types import Features, ImageSize, Matches, ResizeMap

_Maps: TypeAlias = "tuple[NDArray[np.floating] | None, NDArray[np.floating] | None]"

__all__ = ["FEW", "Side", "Trial", "ViewSearch", "are_few", "finished"]

TILTS = ((4, 4), (6, 6), (2, 2))
"""Compressions and in how many directions, likely ones first. What lies between two of them the networks bear."""

REDUCTIONS = (2, 4)
"""Of an image that shows a part of the other from nearer."""

HALVES = (np.eye(2) / 2, np.eye(2) / 2)
"""Both images at half their size: blur and noise are smaller there."""

LESS = 0.3
"""Half size is tried where less than this share of the keypoints match."""

FEW = 0.1
"""All other views are tried where less than this share match."""

ENOUGH = 30
"""Least number of matches of a view that is taken: images of different things had 23 at most."""

SCREENED = 512
"""Keypoints of an image by which views are compared; matching them takes a third of the time of 1,024."""

PLENTY = 50
"""Matches of these that end the comparison, if they are also as many as the images have with all keypoints."""

GAIN = 2
"""A view that is taken has so many times the matches of the images themselves. It fits one surface and loses others, so
that a pose from slightly more matches can be worse."""

CANDIDATES = 3
"""So many of the best views are matched with all keypoints and improved."""

ROUNDS = 2
"""How often the affine map that a view's matches agree on makes the next view."""

LEAST = 4
"""Least number of matches that agree on an affine map."""

NEAR = 12 / 640
"""How far matches may be from an affine map, as a share of the longer side: surfaces are not quite flat."""

DETAIL = 2
"""A view has at most so many times the resolution at which the detector saw the image, if the original has it."""

STRONGEST = 12
"""A map that enlarges or reduces more in some direction comes from wrong matches."""


def are_few(matches: int, keypoints0: int, keypoints1: int, few_matches: int, share: float = LESS) -> bool:
    """Whether so many matches of so many keypoints are worth a look at other views; not those of an image without any.

    Args:
        matches: of two images.
        keypoints0: of image 0.
        keypoints1: of image 1.
        few_matches: fewer are few, however few keypoints there are.
        share: of the keypoints that match where matches are not few.
    """
    return min(keypoints0, keypoints1) > 0 and matches < max(few_matches, share * max(keypoints0, keypoints1))


class Side(NamedTuple):
    """One of the images.

    Attributes:
        image: as it was read.
        keep: (H, W) bool where keypoints are wanted; None for everywhere.
        features: of the image itself.
    """

    image: LoadedImage
    keep: NDArray[np.bool_] | None
    features: Features

    @property
    def to_network(self) -> NDArray[np.float64]:
        """(2, 2): what becomes of the way between two pixels where the image is turned and resized for the detector."""
        frame = self.features.frame
        quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])  # counter-clockwise, with y down
        turned = np.linalg.matrix_power(quarter, frame.quarter_turns % 4)
        return np.asarray(np.diag(frame.scale) @ turned, dtype=np.float64)


class Trial(NamedTuple):
    """How two images match.

    Attributes:
        features0: of image 0, keypoints in pixels of it.
        features1: of image 1, the matched ones where they look like their partners.
        kept: the matches.
        found: these and others that are less probable.
    """

    features0: Features
    features1: Features
    kept: Matches
    found: Matches

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(K, 2) matched points of both images, each in pixels of its own."""
        which = np.flatnonzero(self.kept.matches0 >= 0)
        partners = self.kept.matches0[which]
        return self.features0.keypoints.cpu().numpy()[which], self.features1.keypoints.cpu().numpy()[partners]


def finished(trials: Sequence[Trial], images: Sequence[LoadedImage] | None = None) -> list[PairResult]:
    """Trials as results, with the pixels of the images of one trial where they are given."""
    sides = ImageKeypoints.of_each([each.features0 for each in trials] + [each.features1 for each in trials], images)
    every = zip(sides[: len(trials)], sides[len(trials) :], trials, strict=True)
    return [PairResult(side0, side1, each.kept, each.found.beyond(each.kept)) for side0, side1, each in every]


class _Screened(NamedTuple):
    """Which linear maps the images are seen under, None for an image as it is, and how many matches that gave."""

    maps: _Maps
    matches: int


class ViewSearch:
    """Looks for the views of two images that match best."""

    def __init__(self, detector: Detector, trial: Callable[[Features, Features], Trial], few_matches: int) -> None:
        """Take what detects and matches.

        Args:
            detector: of views.
            trial: matches and aligns the features of two images.
            few_matches: fewer are few, however few keypoints there are.
        """
        self._detector, self._trial, self._few = detector, trial, few_matches

    def better(self, plain: Trial, sides: tuple[Side, Side]) -> Trial:
        """The trial of views that have far more matches, if there are any; otherwise that of the images themselves."""
        if not are_few(plain.kept.count, len(plain.features0), len(plain.features1), self._few):
            return plain
        best = _far_more(plain, self._seen(sides, HALVES))
        if not are_few(best.kept.count, len(plain.features0), len(plain.features1), self._few, FEW):
            return best
        views = sorted(self._screened(sides, best.kept.count), key=lambda view: -view.matches)[:CANDIDATES]
        trials = (self._seen(sides, view.maps) for view in views if view.matches)
        improved = (better for trial in trials for better in self._improved(sides, trial))
        return _far_more(best, max(improved, key=lambda trial: trial.kept.count, default=best))

    def _screened(self, sides: tuple[Side, Side], matches: int) -> Iterator[_Screened]:
        """All views with how well their strongest keypoints match, until that is better than so many matches."""
        first, second = (side._replace(features=_strongest(side.features)) for side in sides)
        for maps in _candidates(sides):
            view = _Screened(maps, self._seen((first, second), maps, _strongest).kept.count)
            yield view
            if view.matches >= max(PLENTY, matches):
                return

    def _improved(self, sides: tuple[Side, Side], trial: Trial) -> Iterator[Trial]:
        """A trial whose matches agree on an affine map, and those of the views that such maps give, while they gain."""
        for _ in range(ROUNDS + 1):
            linear = _agreed(*trial.points(), sides)
            if linear is None:
                return
            yield trial
            if np.linalg.det(linear) < 1:  # what is reduced loses nothing
                seen = self._seen(sides, (_detailed(linear, sides[0]), None))
            else:
                seen = self._seen(sides, (None, _detailed(np.linalg.inv(linear), sides[1])))
            if seen.kept.count <= trial.kept.count:
                return
            trial = seen

    def _seen(
        self, sides: tuple[Side, Side], maps: _Maps, of_view: Callable[[Features], Features] = lambda every: every
    ) -> Trial:
        """The trial of views, or of some of their features."""
        views = [None if linear is None else _view(side, linear) for side, linear in zip(sides, maps, strict=True)]
        features = [
            side.features if view is None else of_view(self._detector([_network_image(view)])[0])
            for side, view in zip(sides, views, strict=True)
        ]
        trial = self._trial(*features)
        found = [
            each if view is None else _back(each, view, side.features.frame)
            for each, view, side in zip((trial.features0, trial.features1), views, sides, strict=True)
        ]
        return trial._replace(features0=found[0], features1=found[1])


def _candidates(sides: tuple[Side, Side]) -> Iterator[_Maps]:
    """The maps of views of one image, from pixels that the detector saw, those that help most often first."""
    for tilt, directions in TILTS:
        for step in range(directions):
            linear = compression(tilt, np.pi * step / directions)
            yield _detailed(linear, sides[0]), None
            yield None, _detailed(linear, sides[1])
    for reduction in REDUCTIONS:
        yield np.eye(2) / reduction, None
        yield None, np.eye(2) / reduction


def _detailed(linear: NDArray[np.floating], side: Side) -> NDArray[np.float64]:
    """A map enlarged to the resolution of the original image, up to `DETAIL`."""
    return np.asarray(linear * np.clip(1 / max(side.features.frame.scale), 1, DETAIL), dtype=np.float64)


def _view(side: Side, linear: NDArray[np.floating]) -> View:
    """An image under a map from pixels that the detector saw."""
    frame = side.features.frame
    return affine_view(side.image.grey, linear @ side.to_network, frame.network.longest, side.keep)


def _network_image(view: View) -> NetworkImage:
    return NetworkImage(view.grey, ResizeMap.identity(ImageSize(*view.grey.shape)), view.keep)


def _far_more(plain: Trial, found: Trial) -> Trial:
    """The trial that was found if it is the better one beyond doubt."""
    return found if found.kept.count >= max(ENOUGH, GAIN * plain.kept.count) else plain


def _strongest(features: Features) -> Features:
    """Those of the keypoints that views are screened with."""
    if len(features) <= SCREENED:
        return features
    kept = features.scores.topk(SCREENED).indices
    rows = {name: getattr(features, name)[kept] for name in ("keypoints", "scores", "descriptors")}
    return replace(features, **rows, extras=None if features.extras is None else features.extras[kept])


def _back(features: Features, view: View, frame: ResizeMap) -> Features:
    """Features of a view as such of its image."""
    return replace(features, keypoints=view.to_image(features.keypoints), frame=frame, image=None)


def _agreed(
    points0: NDArray[np.float32], points1: NDArray[np.float32], sides: tuple[Side, Side]
) -> NDArray[np.float64] | None:
    """(2, 2) of the affine map that most matches agree on, from what the detector saw of image 0 to what of image 1.

    None if there is none, or it makes no sense.
    """
    if len(points0) < LEAST:
        return None
    seen0, seen1 = (side.features.frame.to_network(each) for side, each in zip(sides, (points0, points1), strict=True))
    near = NEAR * sides[1].features.frame.network.longest
    matrix, inliers = cv2.estimateAffine2D(seen0, seen1, ransacReprojThreshold=near, maxIters=5000)
    if matrix is None or inliers.sum() < LEAST:
        return None
    linear = np.asarray(matrix[:, :2], dtype=np.float64)
    most, least = np.linalg.svd(linear)[1]
    return linear if np.linalg.det(linear) > 0 and most < STRONGEST and least > 1 / STRONGEST else None
