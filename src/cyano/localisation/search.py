"""One photograph on its way from matches to a pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cyano.formats.absolute_pose import AbsolutePose, Intrinsics, absolute_pose, projected
from cyano.formats.pose_covariance import pose_covariance
from cyano.formats.priors import PositionPrior
from cyano.geometry import LensCamera
from cyano.localisation.agreement import CELLS, cells_of, centre_of, copies_of, once_each, spread_of
from cyano.localisation.confidence import CERTAIN, Evidence, confidence_of
from cyano.localisation.correspondences import Correspondences, find_correspondences, joined, nothing_found
from cyano.localisation.groups import connected, differ
from cyano.localisation.map import Map
from cyano.localisation.mirror import HARDLY_MIRRORED, better_mirrored
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import CameraSource, Candidate, Localisation, Status
from cyano.localisation.own_camera import may_be_a_part, with_own_camera
from cyano.localisation.photographs import Photograph
from cyano.matcher import Matcher

__all__ = ["Found", "Search"]

_GROUPS = 3
"""Places of the map whose matches are also tried by themselves."""

_GROWN = 1.05
"""By how much expansion has to raise the number of inliers to go on."""

_ROUNDS = 3
"""Of expansion, at most."""

_CLEARLY = 1.1
"""By how much more inliers a camera that is trusted less has to explain."""

_CONTRADICTED = 0.25
"""Confidence, at most, in a pose that is not where it was known to be."""

_Sources = Sequence[tuple[Intrinsics, CameraSource]]


@dataclass(frozen=True, eq=False)
class Found:
    """A pose and how it came about.

    Attributes:
        pose: with its inliers among all correspondences, one point for each keypoint.
        source: of the camera.
        moved: whether its principal point was found with the pose.
        inliers: keypoints that agree with it.
        cells: of the photograph that hold them.
    """

    pose: AbsolutePose
    source: CameraSource
    inliers: int
    cells: int
    moved: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """Of two poses with one camera the one that explains more of the photograph is better."""
        return self.cells, self.inliers


class Search:
    """One photograph on its way."""

    def __init__(
        self,
        place: Map,
        matcher: Matcher,
        options: LocaliseOptions,
        photograph: Photograph,
        prior: PositionPrior | None = None,
        among: Sequence[str] | None = None,
    ) -> None:
        """Nothing is matched yet.

        Args:
            place: the map.
            matcher: with the map's recipe.
            options: how.
            photograph: whose pose is searched for.
            prior: where it was taken, if something is known of that.
            among: the only images of the map that count; None for all.
        """
        self.prior, self.among = prior, None if among is None else set(among)
        self.map, self.matcher, self.options, self.photograph = place, matcher, options, photograph
        self.names: list[str] = []
        self.found: Correspondences = nothing_found()

    def run(self, names: Sequence[str], sources: _Sources) -> Localisation:
        """Match, estimate, expand, judge.

        Args:
            names: of the map's images to begin with.
            sources: what is known of the camera, the most trusted first.
        """
        best = self.explored(names, sources)
        if isinstance(best, Localisation):
            return best
        return self._judged(best, self._rival(best, [each for each in sources if each[1] == best.source]))

    def explored(self, names: Sequence[str], sources: _Sources) -> Found | Localisation:
        """The best pose, or what is to be told where there is none; see `run`."""
        self.match(names)
        count = len(np.unique(self.found.keypoints))
        if count < self.options.min_inliers:
            return self.failed("too few matches", f"{_keypoints(count)} match points of the map; a pose takes more")
        best = self._best(sources)
        if best is None:
            return self.failed("no pose", f"no pose agrees with the {count} keypoints that match points of the map")
        chosen = [each for each in sources if each[1] == best.source]
        if self.options.expand:
            best = self._expanded(best, chosen)
        best = self._with_own_camera(best)
        if best.inliers < self.options.min_inliers:
            least = self.options.min_inliers
            return self.failed("no pose", f"no pose agrees with {least} keypoints or more ({best.inliers} at best)")
        return best

    def failed(self, status: Status, message: str) -> Localisation:
        """An outcome without a pose."""
        return self.outcome(status, message, None)

    def _expanded(self, best: Found, sources: _Sources) -> Found:
        """The pose with the images of the map that share most points with the inliers, as long as they add to it."""
        for _ in range(_ROUNDS):
            found, names = self.found, list(self.names)
            more = self.map.neighbours(np.unique(found.points[best.pose.inliers]), names)
            fresh = [name for name, _ in more if self.among is None or name in self.among]
            if not fresh:
                break
            self.match(fresh[: self.options.top_k])
            grown = self._best(sources)
            if grown is None or grown.inliers < best.inliers:
                self.found, self.names = found, names
                break
            before, best = best, grown
            if best.inliers < _GROWN * before.inliers:
                break
        return best

    def match(self, names: Sequence[str]) -> None:
        """Match with further images of the map."""
        more = find_correspondences(self.matcher, self.map, names, self.photograph.features, first=len(self.names))
        self.names = [*self.names, *names]
        self.found = joined([self.found, more])

    def _best(self, sources: _Sources) -> Found | None:
        """The pose that explains most of the photograph, of the most trusted camera that is not clearly worse."""
        best: Found | None = None
        for known, source in sources:
            tried = [self._pose(group, known, source) for group in self._groups()]
            poses = [each for each in tried if each is not None]
            if not poses:
                continue
            found = max(poses, key=lambda each: each.rank)
            if best is None or (
                found.rank > best.rank if source == best.source else found.inliers > _CLEARLY * best.inliers
            ):
                best = found
        return best

    def _rival(self, best: Found, sources: _Sources) -> int:
        """Keypoints that agree with the best pose of another place: of a group of images, or of what is left over."""
        known = replace(sources[0][0], camera=best.pose.camera, exact=True, guessed=False)
        tried = [self._pose(part, known, best.source) for part in [~best.pose.inliers, *self._groups()[1:]]]
        counts = [each.inliers for each in tried if each is not None and _of_another_place(each.pose, best.pose)]
        return max(counts, default=0)

    def _groups(self) -> list[NDArray[np.bool_]]:
        """All matches, and those with each group of images that show points in common, where there are several."""
        everything = np.ones(len(self.found.keypoints), bool)
        groups = connected([self.map.image(name).points for name in self.names])
        if len(groups) == 1:
            return [everything]
        parts = sorted((np.isin(self.found.images, group) for group in groups), key=lambda part: -int(part.sum()))
        return [everything, *(part for part in parts[:_GROUPS] if part.sum() >= self.options.min_inliers)]

    def _pose(self, part: NDArray[np.bool_], known: Intrinsics, source: CameraSource) -> Found | None:
        """The pose of some matches, with its inliers among all of them, since those of other places may agree."""
        some, options = self.found.chosen(part), self.options
        points = self.map.model.points
        pose = absolute_pose(
            some.places,
            points[some.points],
            known,
            threshold_px=options.threshold_px,
            seed=options.seed,
            prior=self.prior,
        )
        if pose is None:
            return None
        return self.at(pose.T_world_to_camera, pose.camera, source)

    def at(self, T_world_to_camera: NDArray[np.float64], camera: LensCamera, source: CameraSource) -> Found:
        """A pose with its inliers among all matches."""
        seen = projected(self.map.model.points[self.found.points], T_world_to_camera, camera)
        errors = np.linalg.norm(seen - self.found.places, axis=1)
        inliers = once_each(self.found, np.where(errors <= self.options.threshold_px, errors, np.inf))
        return self._counted(AbsolutePose(T_world_to_camera, camera, inliers), source)

    def _counted(self, pose: AbsolutePose, source: CameraSource, *, moved: bool = False) -> Found:
        count = len(np.unique(self.found.keypoints[pose.inliers]))
        return Found(pose, source, count, cells_of(self.found.places[pose.inliers], self.photograph.size), moved)

    def _with_own_camera(self, best: Found) -> Found:
        """The pose with what the photograph itself tells of its camera, where nothing else does."""
        if best.source not in ("estimated", "EXIF"):
            return best
        points = self.map.model.points[self.found.points]
        own = with_own_camera(self.found, points, best.pose, self.options.threshold_px, self.photograph.size)
        return best if own is None else self._counted(own.pose, best.source, moved=own.moved)

    def _judged(self, best: Found, rival: int) -> Localisation:
        found, pose, points = self.found, best.pose, self.map.model.points
        seen = found.chosen(pose.inliers)
        covariance = pose_covariance(
            seen.places,
            points[seen.points],
            pose.T_world_to_camera,
            pose.camera,
            weights=1 / copies_of(seen),
            focal_refined=best.source != "given",
            principal_refined=best.moved or (best.source != "given" and may_be_a_part(self.map, self.photograph.size)),
        )
        share = best.inliers / len(np.unique(found.keypoints))
        mirrored = ""
        if share < HARDLY_MIRRORED:
            mirrored = better_mirrored(self.map, self.matcher, self.photograph, self.names, found, pose.inliers)
        evidence = Evidence(
            inliers=best.inliers,
            share=share,
            cells=best.cells,
            rival=max(rival, best.inliers if mirrored else 0),
            spread=spread_of(pose.T_world_to_camera, covariance, points[seen.points]),
        )
        confidence = confidence_of(evidence)
        words = f"{_keypoints(best.inliers)} agree with the pose, in {best.cells} of {CELLS**2} parts of the picture"
        if rival:
            words += f"; {rival} with one elsewhere"
        words += mirrored + ("; its principal point is off the middle: a part of a picture" if best.moved else "")
        away = 0.0 if self.prior is None else float(self.prior.distances(centre_of(pose.T_world_to_camera)[None])[0])
        if away > self.options.prior_radius:
            confidence = min(confidence, _CONTRADICTED)
            words += f"; it is {away:.3g} from where the photograph is said to be taken"
        status: Status = "ok" if confidence >= CERTAIN else "uncertain"
        return replace(self.outcome(status, words, best, covariance, confidence), evidence=evidence)

    def outcome(
        self,
        status: Status,
        message: str,
        best: Found | None,
        covariance: NDArray[np.float64] | None = None,
        confidence: float = 0.0,
    ) -> Localisation:
        """All that is to be told, with a pose or without."""
        found = self.found
        inliers = np.zeros(len(found.keypoints), bool) if best is None else best.pose.inliers
        candidates = [self._candidate(number, inliers) for number in range(len(self.names))]
        order = sorted(range(len(candidates)), key=lambda number: -candidates[number].inliers)
        rank = np.argsort(np.array(order, np.int64))
        blank = Localisation.failed(self.photograph.name, status, message)
        outcome = replace(
            blank,
            keypoints=found.keypoints,
            points2D=found.places,
            points=self.map.model.point_ids[found.points],
            inliers=inliers,
            seen_in=rank[found.images],
            candidates=tuple(candidates[number] for number in order),
        )
        if self.matcher.options.align and not outcome.aligned:
            outcome = replace(outcome, message=f"{message}; not aligned, since images of the map are not at hand")
        if best is None:
            return outcome
        pose = best.pose
        return replace(
            outcome,
            T_world_to_camera=pose.T_world_to_camera,
            camera=pose.camera,
            camera_source=best.source,
            covariance=outcome.covariance if covariance is None else covariance,
            confidence=confidence,
        )

    def _candidate(self, number: int, inliers: NDArray[np.bool_]) -> Candidate:
        name, of_it = self.names[number], self.found.images == number
        aligned = self.matcher.options.align and self.map.features(name).image is not None
        return Candidate(name, int(of_it.sum()), int((inliers & of_it).sum()), aligned)


def _of_another_place(one: AbsolutePose, other: AbsolutePose) -> bool:
    return differ(one.T_world_to_camera, one.inliers, other.T_world_to_camera, other.inliers)


def _keypoints(count: int) -> str:
    return f"{count} keypoint" if count == 1 else f"{count} keypoints"
