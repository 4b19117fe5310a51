"""Maps of point clouds with known cameras, and a matcher that knows which keypoints show the same point."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.formats.colmap.map_model import MapImage, MapModel
from cyano.geometry import LensCamera
from cyano.localisation.map import Map
from cyano.localisation.photograph.features import Photograph
from cyano.options import MatcherOptions
from cyano.types import Features, ResizeMap
from support.orbit import CAMERA, Orbit
from support.scenes import project

__all__ = ["KNOWN", "TrackMatcher", "features_of", "map_of", "photograph_of"]

SIZE = CAMERA.size
assert SIZE is not None
KNOWN = LensCamera.from_pinhole(CAMERA)


class TrackMatcher:
    """Matches keypoints whose descriptors name the same point; nothing is aligned."""

    options = MatcherOptions(align=False)

    def iter_matches(self, pairs: Iterable[tuple[Features, Features]]) -> Iterator[Any]:
        for first, second in pairs:
            tracks0, tracks1 = (each.descriptors[:, 0].numpy().astype(int) for each in (first, second))
            _, rows0, rows1 = np.intersect1d(tracks0, tracks1, return_indices=True)
            moved = second.keypoints.numpy()[rows1]
            yield SimpleNamespace(
                indices=np.stack([rows0, rows1], 1), keypoints1=moved, scores=np.ones(len(rows0), np.float32)
            )


def features_of(keypoints: NDArray[np.floating], tracks: NDArray[np.int64], *, seen: bool = False) -> Features:
    """Features whose descriptors are the numbers of the points that they show, with a picture or without."""
    assert SIZE is not None
    image = torch.zeros(SIZE.height, SIZE.width) if seen else None
    scores = np.ones(len(keypoints), np.float32)
    return Features(keypoints, scores, tracks[:, None].astype(np.float32), ResizeMap(SIZE, SIZE), image=image)


def photograph_of(
    scene: Orbit, pose: NDArray[np.float64], tracks: NDArray[np.int64], *, names: NDArray[np.int64] | None = None
) -> Photograph:
    """What a camera sees of some points of a scene, which its descriptors call by other names if these are given."""
    seen = project(CAMERA, scene.points[tracks] @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
    return Photograph("query.jpg", features_of(seen, tracks if names is None else names))


def map_of(*scenes: Orbit, apart: float = 100.0, twins: bool = False, seen: bool = False) -> Map:
    """A map of scenes that stand so far apart, whose points look alike in all of them if they are `twins`.

    Points are numbered 10, 11, ... as COLMAP's numbers have gaps, those of each scene after those of the one before.
    """
    images: dict[str, MapImage] = {}
    kept: OrderedDict[str, Features] = OrderedDict()
    points: list[NDArray[np.float64]] = []
    before = 0
    for place, scene in enumerate(scenes):
        offset = np.array([apart * place, 0.0, 0.0])
        points.append(scene.points + offset)
        for name, pose, tracks, keypoints in zip(scene.names, scene.poses, scene.tracks, scene.keypoints, strict=True):
            moved = pose.copy()
            moved[:3, 3] -= pose[:3, :3] @ offset
            called = f"{place}/{name}"
            images[called] = MapImage(called, KNOWN, moved, keypoints, tracks + before)
            kept[called] = features_of(keypoints, tracks if twins else tracks + before, seen=seen)
        before += len(scene.points)
    model = MapModel(dict(sorted(images.items())), np.concatenate(points), np.arange(before) + 10)
    store: Any = None
    return Map(Path("nowhere"), model, store, store, None, kept)
