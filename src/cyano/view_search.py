"""Extreme viewpoints: where two images hardly match, each is also seen compressed and reduced, and the best is kept.

Sources: Morel and Yu, ASIFT, 2009, for the views; Mishkin, Matas and Perdoch, MODS: Fast and robust method for
two-view matching, 2015, for doing so only where the images themselves do not match. docs/decisions/0028-views.md has
the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.detector import Detector, NetworkImage
from cyano.processing.images import LoadedImage
from cyano.processing.views import View, affine_view, compression
from cyano.types import Features, ImageSize, Matches, ResizeMap

__all__ = ["Side", "Trial", "ViewSearch", "are_few"]

TILTS = ((4, 4), (6, 6), (2, 2))
"""Compressions and in how many directions, likely ones first. What lies between two of them the networks bear."""

REDUCTIONS = (2, 4)
"""Of an image that shows a part of the other from nearer."""

FEW = 0.1
"""Share of the keypoints that match where views are not worth their time."""

ENOUGH = 15
"""Fewer matches than that also come about between views of different things."""

SCREENED = 512
"""Keypoints of an image by which views are compared; matching them takes a third of the time of 1,024."""

PLENTY = 50
"""A view with so many matches of these is the right one."""

GAIN = 2
"""Times as many matches as the images themselves have. A view is of one surface, and loses others: fewer more are worse
for a pose."""

CANDIDATES = 3
"""So many of the best views are improved on."""

ROUNDS = 2
"""How often the affine map of a view's matches makes the next view."""

LEAST = 4
"""Matches that agree on an affine map, at least."""

NEAR = 12 / 640
"""How far matches may be from an affine map, as a share of the longer side: surfaces are not quite flat."""

STRONGEST = 12
"""A map that enlarges or reduces more in some direction is of wrong matches."""


def are_few(matches: int, keypoints0: int, keypoints1: int, few_matches: int) -> bool:
    """Whether so many matches of so many keypoints are worth a look at other views."""
    return matches < max(few_matches, FEW * min(keypoints0, keypoints1))


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
    def upright(self) -> NDArray[np.float64]:
        """(2, 2) that turns the image as it was turned for its features."""
        quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])  # counter-clockwise, with y down
        return np.linalg.matrix_power(quarter, self.features.frame.quarter_turns % 4)


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


class _Screened(NamedTuple):
    """Which image is seen under which linear map, and how many matches that gave."""

    which: int
    linear: NDArray[np.float64]
    matches: int


class ViewSearch:
    """Looks for the view of one image that matches the other best."""

    def __init__(self, detector: Detector, trial: Callable[[Features, Features], Trial]) -> None:
        """Take what detects, and what matches and aligns the features of two images."""
        self._detector, self._trial = detector, trial

    def better(self, plain: Trial, sides: tuple[Side, Side]) -> Trial:
        """The trial of a view that has far more matches, if there is one; otherwise that of the images themselves."""
        found = self.best(sides)
        wanted = max(ENOUGH, GAIN * plain.kept.count)
        return plain if found is None or found.kept.count < wanted else found

    def best(self, sides: tuple[Side, Side]) -> Trial | None:
        """The best of all views of either image; None if none has matches that agree with each other."""
        views = sorted(self._screened(sides), key=lambda view: -view.matches)[:CANDIDATES]
        trials = (self._seen(sides, view.which, view.linear) for view in views if view.matches)
        improved = (better for trial in trials for better in self._improved(sides, trial))
        return max(improved, key=lambda trial: trial.kept.count, default=None)

    def _screened(self, sides: tuple[Side, Side]) -> Iterator[_Screened]:
        """All views with how well their strongest keypoints match, until one matches well."""
        strong = tuple(side._replace(features=_strongest(side.features)) for side in sides)
        for linear, which in product(_linear_maps(), (0, 1)):
            turned = linear @ sides[which].upright
            count = self._seen((strong[0], strong[1]), which, turned, _strongest).kept.count
            yield _Screened(which, turned, count)
            if count >= PLENTY:
                return

    def _improved(self, sides: tuple[Side, Side], trial: Trial) -> Iterator[Trial]:
        """A trial whose matches agree on an affine map, and those of the views that such maps give, while they gain."""
        for _ in range(ROUNDS + 1):
            linear = _agreed(*trial.points(), sides)
            if linear is None:
                return
            yield trial
            if np.linalg.det(linear) < 1:
                seen = self._seen(sides, 0, sides[1].upright @ linear)
            else:
                seen = self._seen(sides, 1, sides[0].upright @ np.linalg.inv(linear))
            if seen.kept.count <= trial.kept.count:
                return
            trial = seen

    def _seen(
        self,
        sides: tuple[Side, Side],
        which: int,
        linear: NDArray[np.float64],
        of_view: Callable[[Features], Features] = lambda features: features,
    ) -> Trial:
        """The trial of a view of one image, or of some of its features, with the other image."""
        image, keep, features = sides[which]
        view = affine_view(image.grey, linear, features.frame.network.longest, keep)
        frame = ResizeMap.identity(ImageSize(*view.grey.shape))
        seen = of_view(self._detector([NetworkImage(view.grey, frame, view.keep)])[0])
        if which == 0:
            trial = self._trial(seen, sides[1].features)
            return trial._replace(features0=_back(trial.features0, view, features.frame))
        trial = self._trial(sides[0].features, seen)
        return trial._replace(features1=_back(trial.features1, view, features.frame))


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


def _linear_maps() -> Iterator[NDArray[np.float64]]:
    for tilt, directions in TILTS:
        for step in range(directions):
            yield compression(tilt, np.pi * step / directions)
    for reduction in REDUCTIONS:
        yield np.eye(2) / reduction


def _agreed(
    points0: NDArray[np.float32], points1: NDArray[np.float32], sides: tuple[Side, Side]
) -> NDArray[np.float64] | None:
    """(2, 2) of the affine map from image 0 to image 1 that most matches agree on; None if it makes no sense."""
    if len(points0) < LEAST:
        return None
    near = NEAR * sides[1].image.size.longest
    matrix, inliers = cv2.estimateAffine2D(points0, points1, ransacReprojThreshold=near, maxIters=5000)
    if matrix is None or inliers.sum() < LEAST:
        return None
    linear = np.asarray(matrix[:, :2], dtype=np.float64)
    most, least = np.linalg.svd(linear)[1]
    relative = sides[0].image.size.longest / sides[1].image.size.longest
    if np.linalg.det(linear) <= 0 or most * relative > STRONGEST or least * relative < 1 / STRONGEST:
        return None
    return linear
