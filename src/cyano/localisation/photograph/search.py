"""One photograph on its way from matches to a pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import AbsolutePose, Intrinsics, absolute_pose
from cyano.formats.poses.covariance import pose_covariance
from cyano.localisation.outcome import CameraSource, Localisation, Status
from cyano.localisation.photograph.agreement import CELLS, centre_of, copies_of, spread_of
from cyano.localisation.photograph.confidence import CERTAIN, Evidence, confidence_of
from cyano.localisation.photograph.correspondences import counted
from cyano.localisation.photograph.groups import connected, differ
from cyano.localisation.photograph.matched import Found, Matched
from cyano.localisation.photograph.mirror import HARDLY_MIRRORED, better_mirrored
from cyano.localisation.photograph.own_camera import deviation_of, with_own_camera

__all__ = ["Search"]

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


class Search(Matched):
    """A photograph whose pose is searched for; see `run`."""

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
            return self.failed("too few matches", f"{_keypoints(count)} match points of the map; a pose needs more")
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
        some, options = counted(self.found.chosen(part)), self.options
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
        return self.at(pose.T_world_to_camera, pose.camera, source, held=known.exact)

    def _with_own_camera(self, best: Found) -> Found:
        """The pose with what the photograph itself tells of its camera, where nothing else does."""
        if best.source not in ("estimated", "EXIF"):
            return best
        points = self.map.model.points[self.found.points]
        own = with_own_camera(self.found, points, best.pose, self.options.threshold_px, self.photograph.size)
        return best if own is None else self.counted(own.pose, best.source, moved=own.moved)

    def _judged(self, best: Found, rival: int) -> Localisation:
        found, pose, points = self.found, best.pose, self.map.model.points
        seen = found.chosen(pose.inliers)
        covariance = pose_covariance(
            seen.places,
            points[seen.points],
            pose.T_world_to_camera,
            pose.camera,
            weights=1 / copies_of(seen),
            focal_refined=not best.held,
            principal_deviation=deviation_of(self.map, self.photograph.size, best.source, moved=best.moved),
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
        words = f"{_keypoints(best.inliers)} agree with the pose, in {best.cells} of {CELLS**2} cells of the image"
        if rival:
            words += f"; {rival} with one elsewhere"
        words += mirrored + ("; its principal point is off-centre: a cropped image" if best.moved else "")
        away = 0.0 if self.prior is None else float(self.prior.distances(centre_of(pose.T_world_to_camera)[None])[0])
        if away > self.options.prior_radius:
            confidence = min(confidence, _CONTRADICTED)
            words += f"; it is {away:.3g} from its known position"
        status: Status = "ok" if confidence >= CERTAIN else "uncertain"
        return replace(self.outcome(status, words, best, covariance, confidence), evidence=evidence)


def _of_another_place(one: AbsolutePose, other: AbsolutePose) -> bool:
    return differ(one.T_world_to_camera, one.inliers, other.T_world_to_camera, other.inliers)


def _keypoints(count: int) -> str:
    return f"{count} keypoint" if count == 1 else f"{count} keypoints"
