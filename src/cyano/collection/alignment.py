"""Keypoints of a collection made exact: each is laid over the one that most images match it with.

A match of two images is made exact by moving one of its points for that pair alone (`cyano.processing.alignment`).
Points of a model are seen by many images, and there a keypoint has one place. So of the keypoints that match each other
the one with the most matches stays, and those that match it directly move to where their surroundings look like its
own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.collection.folder import Collection
from cyano.formats.items import check_indices, images_of, pairs_of
from cyano.processing import resize
from cyano.processing.alignment import align
from cyano.processing.images import read
from cyano.store import FeatureStore, MatchStore
from cyano.types import ResizeMap
from cyano.watching import NOBODY, Watcher

__all__ = ["Aligned", "align_keypoints", "find_references"]

_IMAGES = 256
"""Kept for the pairs to come; 1.2 MB each at 640x480."""

Keypoints = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Aligned:
    """What came of it.

    Attributes:
        keypoints: (N, 2) of each image by name, in pixels of the original; the order of the keypoints is that of the
            features.
        moved: how many are elsewhere than the detector found them.
    """

    keypoints: dict[str, Keypoints]
    moved: int


class _Image(NamedTuple):
    """Of the features, what is needed here."""

    keypoints: Keypoints
    frame: ResizeMap


@dataclass(frozen=True, eq=False)
class _Verified:
    """A pair's inliers: (K, 2) indices within the images and (K,) scores."""

    names: tuple[str, str]
    indices: NDArray[np.int64]
    scores: NDArray[np.float32]

    def swapped(self) -> _Verified:
        return _Verified((self.names[1], self.names[0]), self.indices[:, ::-1], self.scores)


def align_keypoints(
    collection: Collection, features: FeatureStore, matches: MatchStore, names: list[str], watcher: Watcher = NOBODY
) -> Aligned:
    """Exact keypoints of these images, from their verified pairs.

    Raises:
        ImageError: an image of the collection cannot be read any more.
        InputError: matches are of other features.
    """
    images = {image.name: _Image(image.keypoints, image.frame) for image in images_of(features, names)}
    counts = {name: len(image.keypoints) for name, image in images.items()}
    pairs = list(_verified(matches, counts))
    *firsts, total = np.cumsum([0, *counts.values()]).tolist()
    starts = dict(zip(counts, firsts, strict=True))
    edges = [pair.indices + [starts[name] for name in pair.names] for pair in pairs]
    references = find_references(np.concatenate([np.zeros((0, 2), np.int64), *edges]), total)
    look = _looker(collection)
    found = {name: image.keypoints.copy() for name, image in images.items()}
    moved = 0
    for number, (pair, ends) in enumerate(zip(pairs, edges, strict=True)):
        for way, (reference, other) in ((pair, ends.T), (pair.swapped(), ends.T[::-1])):
            chosen = np.flatnonzero(references[other] == reference)
            if len(chosen):
                moved += _align(way, chosen, images, found[way.names[1]], look)
        watcher.at("aligning", number + 1, len(pairs))
    return Aligned(found, moved)


def find_references(edges: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """The keypoint that each one is to be laid over, -1 for those that stay.

    Args:
        edges: (E, 2) keypoints that match.
        total: so many keypoints there are; of two with as many matches the first has precedence.

    Returns:
        (total,) the neighbour with the most matches among those that have more than all of their own neighbours.
    """
    one, two = edges.T
    # Unique, so that of two neighbours one always comes first, and the number of the keypoint can be read off it.
    rank = np.bincount(edges.ravel(), minlength=total) * total + np.arange(total)[::-1]
    best = np.full(total, -1)
    np.maximum.at(best, one, rank[two])
    np.maximum.at(best, two, rank[one])
    stays = rank > best
    reference = np.full(total, -1)
    for neighbour, keypoint in ((one, two), (two, one)):
        staying = stays[neighbour]
        np.maximum.at(reference, keypoint[staying], rank[neighbour[staying]])
    return np.where(reference >= 0, total - 1 - reference % max(total, 1), -1)


def _verified(matches: MatchStore, counts: dict[str, int]) -> Iterator[_Verified]:
    stored = matches.keys()
    for pair in pairs_of(matches, sorted(names for names in stored if counts.keys() >= set(names))):
        if pair.geometry is not None and pair.geometry.inliers.any():
            check_indices(pair, counts)
            kept = pair.geometry.inliers
            yield _Verified((pair.name0, pair.name1), pair.indices[kept].astype(np.int64), pair.scores[kept])


def _looker(collection: Collection) -> Callable[[str], Tensor]:
    """What the detector saw of an image; the last ones are kept."""
    options = collection.recipe.options

    @lru_cache(_IMAGES)
    def look(name: str) -> Tensor:
        grey, _ = resize.apply(read(collection.images / name, options.limits), options.resize)
        return torch.from_numpy(grey)

    return look


@torch.inference_mode()
def _align(
    pair: _Verified,
    chosen: NDArray[np.int64],
    images: dict[str, _Image],
    keypoints1: Keypoints,
    look: Callable[[str], Tensor],
) -> int:
    """Move keypoints of the pair's second image, in place, to where `chosen` matches say; how many moved."""
    image0, image1 = (images[name] for name in pair.names)
    points0 = torch.from_numpy(image0.frame.to_network(image0.keypoints[pair.indices[:, 0]]))
    points1 = torch.from_numpy(image1.frame.to_network(image1.keypoints[pair.indices[:, 1]]))
    scores = torch.from_numpy(pair.scores)
    found = align(look(pair.names[0]), look(pair.names[1]), points0, points1, scores, torch.from_numpy(chosen))
    moved = found.moved.numpy()
    keypoints1[pair.indices[chosen[moved], 1]] = image1.frame.to_original(found.points1.numpy()[moved])
    return int(moved.sum())
