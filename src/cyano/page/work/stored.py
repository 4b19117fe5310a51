"""Matches that a collection has stored, in the form of those that are found now."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.formats.items import pairs_of
from cyano.image_keypoints import ImageKeypoints
from cyano.page.work.answers import GoneError
from cyano.page.work.reconstructed import Reconstructed, shown
from cyano.result import PairResult
from cyano.store import TwoViewGeometry
from cyano.types import Matches, ResizeMap

__all__ = ["StoredMatches", "stored_matches"]


class StoredMatches(NamedTuple):
    """Of a pair.

    Attributes:
        result: without pixels; keypoints are aligned over the collection where that was done.
        geometry: that verified them, if one did.
        inliers: (K,) of it, in the order of the result.
    """

    result: PairResult
    geometry: TwoViewGeometry | None
    inliers: NDArray[np.bool_]

    def document(self) -> dict[str, Any]:
        """As `PairResult.to_dict`, with numbers of keypoints and the geometry."""
        models = []
        if self.geometry is not None:
            kind, matrix = self.geometry.kind, self.geometry.matrix.tolist()
            models.append({"kind": kind, "matrix": matrix, "inliers": self.inliers.tolist()})
        return {**self.result.to_dict(), "indices": self.result.indices.tolist(), "models": models}


def stored_matches(collection: Reconstructed, first: int, second: int) -> StoredMatches:
    """The matches of two images of a collection, by their numbers.

    Raises:
        GoneError: they were not matched.
    """
    names = collection.names[first], collection.names[second]
    if collection.matches is None or collection.matches.missing([names]):
        raise GoneError(f"{shown(names[0])!r} and {shown(names[1])!r} were not matched")
    (stored,) = pairs_of(collection.matches, [names])
    side0, side1 = (_side(collection, name) for name in names)
    order = np.argsort(stored.indices[:, 0], kind="stable")  # a result has them in the order of image 0
    rows, scores = stored.indices[order].astype(np.int64), stored.scores[order].astype(np.float32)
    matches = Matches(
        _spread(rows[:, 0], rows[:, 1], len(side0.keypoints), -1),
        _spread(rows[:, 1], rows[:, 0], len(side1.keypoints), -1),
        _spread(rows[:, 0], scores, len(side0.keypoints), 0),
        _spread(rows[:, 1], scores, len(side1.keypoints), 0),
    )
    inliers = np.zeros(len(rows), np.bool_) if stored.geometry is None else stored.geometry.inliers[order]
    return StoredMatches(PairResult(side0, side1, matches), stored.geometry, inliers)


def _spread(places: NDArray[np.int64], values: NDArray[Any], count: int, empty: int) -> NDArray[Any]:
    """(count,) with values at their places."""
    spread = np.full(count, empty, values.dtype)
    spread[places] = values
    return spread


def _side(collection: Reconstructed, name: str) -> ImageKeypoints:
    """Keypoints of an image where they were aligned, else where they were detected."""
    (found,) = collection.features.read([name])
    keypoints = collection.stores.places([name])[name]
    frame = ResizeMap.identity(collection.features.image_sizes([name])[name])
    return ImageKeypoints(np.asarray(keypoints, np.float32), np.asarray(found.scores, np.float32), frame, shown(name))
