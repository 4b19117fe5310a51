"""Homographies, epipolar geometry and poses of matches that were found before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cyano.concise import finite
from cyano.evaluation.pair_lists.matched_pair import model_dict
from cyano.geometry import Camera, RobustEstimate, RobustOptions, sampson_distance, warp_points
from cyano.geometry.epipolar import fundamental_from_essential
from cyano.page.work.answers import Answer
from cyano.page.work.matching import Matching
from cyano.result import PairResult

__all__ = ["Geometry", "Model"]

Kind = Literal["homography", "fundamental", "essential", "pose"]


class Model:
    """What is estimated, and how: plain values, as the server sends them."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.kind: Kind = told["kind"]
        self.min_score: float | None = told.get("min_score")
        self.cameras = [None if told.get(name) is None else Camera(**told[name]) for name in ("camera0", "camera1")]
        estimator, threshold = told.get("estimator", "poselib"), told.get("threshold_px")
        self.options = RobustOptions(estimator, threshold, seed=told.get("seed", 0))

    def __call__(self, pair: PairResult) -> RobustEstimate:
        """The estimate from the matches of a pair."""
        if self.kind == "homography":
            return pair.homography(self.options)
        if self.kind == "fundamental":
            return pair.fundamental(self.options)
        camera0, camera1 = self.cameras
        if self.kind == "essential":
            return pair.essential(pair.image0.camera(camera0), pair.image1.camera(camera1), self.options)
        return pair.relative_pose(camera0, camera1, self.options)

    def chosen(self, pair: PairResult) -> PairResult:
        """The pair with the matches that are probable enough."""
        if self.min_score is None:
            return pair
        least = float(np.nextafter(np.float32(self.min_score), np.float32(-1)))
        doubtful = None if pair.doubtful is None else pair.doubtful.above(least)
        return replace(pair, matches=pair.matches.above(least), doubtful=doubtful)


class Geometry:
    """Estimates models."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self.jobs: dict[str, Callable[..., Answer]] = {"geometry": self.geometry}

    def geometry(self, pair: dict[str, Any], model: dict[str, Any]) -> Answer:
        """A model, which matches obey it, and by how much each misses it."""
        result, wanted = self._matching.result(pair), Model(model)
        found, (estimate,) = wanted.chosen(result).verified(wanted)
        rows = found.indices[:, 0][estimate.inliers]
        sets = {
            "": result,
            "doubtful_": result if result.doubtful is None else replace(result, matches=result.doubtful),
        }
        told = model_dict(estimate)
        for prefix, matches in sets.items():
            empty = prefix and result.doubtful is None
            inliers = np.isin(matches.indices[:, 0], rows)
            errors = _errors(matches, wanted, estimate)
            told[f"{prefix}inliers"] = [] if empty else inliers.tolist()
            told[f"{prefix}errors_px"] = [] if empty else [finite(float(each)) for each in errors]
        return Answer(told)


def _errors(pair: PairResult, model: Model, estimate: RobustEstimate) -> NDArray[np.float64]:
    """(K,) how far the matches are off a model in pixels, as inliers are told; NaN without a model."""
    if not estimate.ok:
        return np.full(len(pair), np.nan)
    if estimate.kind == "homography":
        moved = warp_points(estimate.matrix, pair.keypoints0)
        return np.asarray(np.linalg.norm(moved - pair.keypoints1, axis=1))
    if estimate.kind == "fundamental":
        return np.asarray(sampson_distance(estimate.matrix, pair.keypoints0, pair.keypoints1))
    points0, camera0 = pair.image0.side(pair.keypoints0, model.cameras[0])
    points1, camera1 = pair.image1.side(pair.keypoints1, model.cameras[1])
    matrix = fundamental_from_essential(estimate.matrix, camera0, camera1)
    return np.asarray(sampson_distance(matrix, points0, points1))
