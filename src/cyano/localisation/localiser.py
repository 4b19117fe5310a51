"""Where was this photograph taken? From the photograph and a map to a pose, or to an honest no."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.absolute_pose import AbsolutePose, Intrinsics, absolute_pose, projected
from cyano.formats.known_cameras import KnownCamera
from cyano.localisation.cameras import intrinsics_of
from cyano.localisation.confidence import CERTAIN, Evidence, confidence_of
from cyano.localisation.correspondences import find_correspondences, joined
from cyano.localisation.map import Map
from cyano.localisation.outcome import CameraSource, Candidate, Localisation, Status
from cyano.types import Features, ImageSize

__all__ = ["LocaliseOptions", "Localiser"]

_CELLS = 8
"""Cells along each side of a photograph, by which the spread of inliers is counted."""

_CONNECTED = 8
"""Points that two images of the map share, for them to show one place."""

_GROWN = 1.05
"""By how much expansion has to raise the number of inliers to go on."""

_ROUNDS = 3
"""Of expansion, at most."""


@dataclass(frozen=True)
class LocaliseOptions:
    """How photographs are localised.

    Attributes:
        top_k: images of the map that a photograph is matched with, by the likeness of their global descriptors.
        all_up_to: maps of so many images are matched whole.
        threshold_px: how far an inlier may be from its projection, in pixels of the photograph.
        min_inliers: fewer make no pose.
        expand: also match the images of the map that share most points with the inliers.
        seed: of the sampling.

    Raises:
        InputError: a number is out of its range.
    """

    top_k: int = 10
    all_up_to: int = 20
    threshold_px: float = 4.0
    min_inliers: int = 12
    expand: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("top_k", 1), ("all_up_to", 0), ("min_inliers", 4), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not 0 < self.threshold_px < float("inf"):
            raise InputError(f"threshold_px must be positive, not {self.threshold_px}")


_DEFAULTS = LocaliseOptions()


class Localiser:
    """Localises photographs in one map; networks are built once."""

    def __init__(self, place: Map, options: LocaliseOptions = _DEFAULTS) -> None:
        """Prepare.

        Args:
            place: the map.
            options: how.
        """
        self.map = place
        self.options = options
        self._matcher = place.recipe.matcher()

    def localise_all(self, images: Iterable[Path], camera: KnownCamera | None = None) -> Iterator[Localisation]:
        """One after the other, in the order of the images; see `localise`."""
        return (self.localise(image, camera) for image in images)

    def localise(self, image: Path, camera: KnownCamera | None = None) -> Localisation:
        """Localise one photograph.

        Args:
            image: its file.
            camera: its intrinsics, with the size of the image; None takes those of the map's images of the same camera,
                or of EXIF, or estimates them.

        Raises:
            ImageError: the photograph cannot be read.
            InputError: the camera is of another size.
        """
        features = self._matcher.extract([image])[0]
        search = _Search(self, image, features)
        if not len(features):
            return search.failed("no keypoints", "the photograph has no keypoints: it is plain, dark or blurred")
        return search.run(self._candidates(features), intrinsics_of(self.map, image, features.frame.original, camera))

    def _candidates(self, features: Features) -> list[str]:
        if len(self.map.names) <= max(self.options.all_up_to, self.options.top_k):
            return self.map.names
        return self.map.most_alike(features.descriptors.cpu().numpy(), self.options.top_k)


@dataclass
class _Found:
    """A pose, how it came about and how far it can be trusted."""

    pose: AbsolutePose
    source: CameraSource
    cells: int
    rival: int = 0


class _Search:
    """One photograph on its way."""

    def __init__(self, localiser: Localiser, image: Path, features: Features) -> None:
        self.map, self.options, self.matcher = localiser.map, localiser.options, localiser._matcher
        self.name, self.features = str(image), features
        self.names: list[str] = []
        self.found = find_correspondences(self.matcher, self.map, [], features)

    @property
    def size(self) -> ImageSize:
        return self.features.frame.original

    def run(self, names: Sequence[str], intrinsics: Sequence[tuple[Intrinsics, CameraSource]]) -> Localisation:
        """Match, estimate, expand, judge."""
        self._match(names)
        if len(np.unique(self.found.keypoints)) < self.options.min_inliers:
            count = len(np.unique(self.found.keypoints))
            return self.failed("too few matches", f"{count} keypoints match points of the map; a pose takes more")
        best = self._best(intrinsics)
        if best is None:
            return self.failed("no pose", "no pose agrees with the matches")
        best = self._expanded(best, intrinsics) if self.options.expand else best
        if self._inlying(best) < self.options.min_inliers:
            return self.failed("no pose", f"no pose agrees with {self.options.min_inliers} keypoints or more")
        return self._judged(best)

    def _expanded(self, best: _Found, intrinsics: Sequence[tuple[Intrinsics, CameraSource]]) -> _Found:
        """The pose with the images of the map that share most points with the inliers, as long as they add to it."""
        for _ in range(_ROUNDS):
            before, found, names = self._inlying(best), self.found, list(self.names)
            more = self.map.neighbours(np.unique(found.points[best.pose.inliers]), names)
            if not more:
                break
            self._match([name for name, _ in more[: self.options.top_k]])
            grown = self._best(intrinsics)
            if grown is None or self._inlying(grown) < before:
                self.found, self.names = found, names
                break
            best = grown
            if self._inlying(best) < _GROWN * before:
                break
        return best

    def _match(self, names: Sequence[str]) -> None:
        more = find_correspondences(self.matcher, self.map, names, self.features, first=len(self.names))
        self.names += names
        self.found = joined([self.found, more])

    def _best(self, intrinsics: Sequence[tuple[Intrinsics, CameraSource]]) -> _Found | None:
        """The pose whose inliers cover most of the photograph, of all matches and of those of each place by itself."""
        groups = self._places()
        poses: list[_Found] = []
        for known, source in intrinsics:
            for group in groups:
                pose = self._pose(group, known)
                if pose is not None:
                    poses.append(_Found(pose, source, self._cells(pose.inliers)))
        if not poses:
            return None
        best = max(poses, key=lambda each: (each.cells, self._inlying(each)))
        others = [each for each in poses if _differ(each.pose, best.pose)]
        best.rival = max((self._inlying(each) for each in others), default=0)
        return best

    def _pose(self, group: NDArray[np.bool_], known: Intrinsics) -> AbsolutePose | None:
        part = self.found.chosen(group)
        options = self.options
        pose = absolute_pose(
            part.places, self.map.model.points[part.points], known, threshold_px=options.threshold_px, seed=options.seed
        )
        if pose is None:
            return None
        # Matches of other places may agree as well.
        seen = projected(self.map.model.points[self.found.points], pose.T_world_to_camera, pose.camera)
        inliers = np.linalg.norm(seen - self.found.places, axis=1) <= options.threshold_px
        return replace(pose, inliers=self._once_each(inliers, seen))

    def _once_each(self, inliers: NDArray[np.bool_], seen: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Without the copies of a keypoint that go to other points than the one that fits it best."""
        error = np.where(inliers, np.linalg.norm(seen - self.found.places, axis=1), np.inf)
        order = np.argsort(error, kind="stable")
        best: dict[int, int] = {}
        for row in order[: int(inliers.sum())]:
            best.setdefault(int(self.found.keypoints[row]), int(self.found.points[row]))
        pairs = zip(self.found.keypoints.tolist(), self.found.points.tolist(), strict=True)
        return inliers & np.array([best.get(keypoint) == point for keypoint, point in pairs], np.bool_)

    def _places(self) -> list[NDArray[np.bool_]]:
        """All matches, and those with each group of images that show points in common, where there are several."""
        everything = np.ones(len(self.found.keypoints), bool)
        groups = _components([self.map.image(name).points for name in self.names])
        if len(groups) == 1:
            return [everything]
        parts = [np.isin(self.found.images, group) for group in groups]
        counted = sorted(parts, key=lambda part: -int(part.sum()))
        return [everything, *(part for part in counted[:3] if part.sum() >= self.options.min_inliers)]

    def _inlying(self, found: _Found) -> int:
        """Keypoints that agree with a pose."""
        return len(np.unique(self.found.keypoints[found.pose.inliers]))

    def _cells(self, inliers: NDArray[np.bool_]) -> int:
        """Cells of the photograph that hold inliers."""
        sides = np.array([self.size.width, self.size.height], np.float64)
        cells = np.clip((self.found.places[inliers] + 0.5) / sides * _CELLS, 0, _CELLS - 1).astype(int)
        return len(np.unique(cells @ (1, _CELLS))) if len(cells) else 0

    def _judged(self, best: _Found) -> Localisation:
        pose, count = best.pose, self._inlying(best)
        depths = (self.map.model.points[self.found.points[pose.inliers]] @ pose.T_world_to_camera[2, :3]) + (
            pose.T_world_to_camera[2, 3]
        )
        evidence = Evidence(
            inliers=count,
            share=count / len(np.unique(self.found.keypoints)),
            cells=best.cells,
            rival=best.rival,
            spread=float(np.sqrt(np.nanmax(np.diag(pose.covariance)[3:], initial=0))) / float(np.median(depths)),
        )
        confidence = confidence_of(evidence)
        status: Status = "ok" if confidence >= CERTAIN else "uncertain"
        words = f"{count} keypoints agree with the pose, in {best.cells} of {_CELLS**2} cells of the photograph"
        return self._outcome(status, words, best, confidence)

    def failed(self, status: Status, message: str) -> Localisation:
        """An outcome without a pose."""
        return self._outcome(status, message, None, 0.0)

    def _outcome(self, status: Status, message: str, best: _Found | None, confidence: float) -> Localisation:
        found = self.found
        inliers = np.zeros(len(found.keypoints), bool) if best is None else best.pose.inliers
        candidates = [
            Candidate(name, int((found.images == number).sum()), int((inliers & (found.images == number)).sum()))
            for number, name in enumerate(self.names)
        ]
        nothing = np.full((6, 6), np.nan)
        return Localisation(
            self.name,
            status,
            message,
            np.full((4, 4), np.nan) if best is None else best.pose.T_world_to_camera,
            None if best is None else best.pose.camera,
            None if best is None else best.source,
            nothing if best is None else best.pose.covariance,
            confidence,
            found.places,
            self.map.model.point_ids[found.points],
            inliers,
            found.images,
            tuple(sorted(candidates, key=lambda each: -each.inliers)),
        )


def _differ(one: AbsolutePose, other: AbsolutePose) -> bool:
    """Whether two poses are of different places: turned by 10 degrees or more, or most inliers are others."""
    turn = one.T_world_to_camera[:3, :3] @ other.T_world_to_camera[:3, :3].T
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    common = int((one.inliers & other.inliers).sum())
    return bool(angle > 10 or common < 0.5 * min(one.inliers.sum(), other.inliers.sum()))


def _components(seen: Sequence[NDArray[np.int64]]) -> list[list[int]]:
    """Groups of images that are connected by common points."""
    sets = [np.unique(points[points >= 0]) for points in seen]
    group = list(range(len(sets)))
    for one in range(len(sets)):
        for other in range(one):
            if group[one] != group[other] and len(np.intersect1d(sets[one], sets[other], True)) >= _CONNECTED:
                old, new = group[one], group[other]
                group = [new if each == old else each for each in group]
    return [[place for place, each in enumerate(group) if each == label] for label in dict.fromkeys(group)]
