"""From matches with images of the map to points of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.localisation.map import Map
from cyano.matcher import Matcher
from cyano.types import Features

__all__ = ["Correspondences", "counted", "find_correspondences", "joined", "most_probable", "nothing_found"]

_COPIES = 3
"""Matches of a keypoint with a point that count in the estimate of a pose: what many images of the map show would
outweigh what few do."""


class Correspondences(NamedTuple):
    """Places in a photograph and points of the map.

    A keypoint occurs once for each candidate that it is matched with: alignment gives each pair its own place of it.
    The most probable ones have a say in the pose, see `most_probable`.

    Attributes:
        keypoints: (K,) int64 of the photograph.
        places: (K, 2) float64 where they are, in pixels of the photograph.
        points: (K,) int64 rows of the map's points.
        images: (K,) int64 places among the candidates' names.
        scores: (K,) float32 probabilities of the matches.
    """

    keypoints: NDArray[np.int64]
    places: NDArray[np.float64]
    points: NDArray[np.int64]
    images: NDArray[np.int64]
    scores: NDArray[np.float32]

    def chosen(self, which: NDArray[np.bool_]) -> Correspondences:
        """Some of them."""
        keypoints, places, points, images, scores = self
        return Correspondences(keypoints[which], places[which], points[which], images[which], scores[which])


def find_correspondences(
    matcher: Matcher, place: Map, names: Sequence[str], features: Features, first: int = 0
) -> Correspondences:
    """Match a photograph with images of the map.

    The image of the map comes first in each pair, so that alignment moves the photograph's point to where the map's
    exact keypoint lies.

    Args:
        matcher: with the map's recipe.
        place: the map.
        names: of its images.
        features: of the photograph.
        first: number of the first of these candidates.
    """
    parts = [nothing_found()]
    results = matcher.iter_matches((place.features(name), features) for name in names)
    for number, (name, result) in enumerate(zip(names, results, strict=True), start=first):
        rows = place.image(name).points[result.indices[:, 0]]
        known = rows >= 0
        parts.append(
            Correspondences(
                result.indices[known, 1],
                result.keypoints1[known].astype(np.float64),
                rows[known],
                np.full(int(known.sum()), number, np.int64),
                result.scores[known],
            )
        )
    return joined(parts)


def joined(parts: Sequence[Correspondences]) -> Correspondences:
    """All of them."""
    return Correspondences(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def counted(found: Correspondences) -> Correspondences:
    """Those that count in the estimate of a pose, of a camera or of a rig's."""
    return found.chosen(most_probable(found, _COPIES))


def most_probable(found: Correspondences, most: int) -> NDArray[np.bool_]:
    """(K,) bool: of the copies of a keypoint and a point, one for each candidate that shows it, so many at most.

    Args:
        found: correspondences.
        most: copies of a pair to keep; of equally probable ones the first.
    """
    order = np.lexsort((-found.scores, found.points, found.keypoints))
    keypoints, points = found.keypoints[order], found.points[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (keypoints[1:] != keypoints[:-1]) | (points[1:] != points[:-1])
    places = np.arange(len(order))
    rank = places - np.maximum.accumulate(np.where(begins, places, 0))
    kept = np.zeros(len(order), bool)
    kept[order] = rank < most
    return kept


def nothing_found() -> Correspondences:
    """None of them."""
    whole = np.empty(0, np.int64)
    return Correspondences(whole, np.empty((0, 2)), whole, whole, np.empty(0, np.float32))
