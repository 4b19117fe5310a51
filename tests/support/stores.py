"""Items for stores, the same for the same name, and a program that writes some of them: python stores.py ROOT SEED."""

from __future__ import annotations

import sys
import zlib
from itertools import combinations
from pathlib import Path

import numpy as np

from cyano.store import FeatureStore, MatchStore, ModelKind, StoredImage, StoredPair, TwoViewGeometry
from cyano.types import ImageSize, ResizeMap

CONFIGURATION = {"weights": "random", "max_keypoints": 20, "threshold": 0.2, "masks": None}
NAMES = [f"folder {number % 3}/{number}.jpg" for number in range(16)]
PAIRS = list(combinations(NAMES, 2))


def _generator(*names: str) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode("utf-8", "surrogatepass")) for name in names])


def image(name: str, count: int | None = None, channels: int = 8, extras: bool = False) -> StoredImage:
    """Features with values that float16 holds exactly in the descriptors alone."""
    rng = _generator(name)
    count = int(rng.integers(0, 20)) if count is None else count
    return StoredImage(
        name,
        f"{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}",
        rng.uniform(0, 5000, (count, 2)).astype(np.float32),
        rng.random(count, np.float32),
        rng.normal(size=(count, channels)).astype(np.float16),
        ResizeMap(ImageSize(1000 + count, 700), ImageSize(640, 448), 1),
        rng.random((count, 2), np.float32) if extras else None,
    )


def pair(name0: str, name1: str, kind: ModelKind | None = None, count: int | None = None) -> StoredPair:
    """Matches with scores that float16 holds exactly."""
    rng = _generator(name0, name1)
    count = int(rng.integers(0, 30)) if count is None else count
    indices = np.stack([rng.permutation(2 * count)[:count] for _ in range(2)], axis=1).astype(np.int32)
    scores = rng.random(count).astype(np.float16).astype(np.float32)
    if kind is None:
        return StoredPair(name0, name1, indices, scores)
    matrix = np.eye(4 if kind == "pose" else 3) + 0.1 * rng.normal(size=(4 if kind == "pose" else 3,) * 2)
    return StoredPair(name0, name1, indices, scores, TwoViewGeometry(kind, matrix, rng.random(count) < 0.5))


def assert_same_image(found: StoredImage, expected: StoredImage) -> None:
    assert (found.name, found.content, found.frame) == (expected.name, expected.content, expected.frame)
    assert found.arrays().keys() == expected.arrays().keys()
    for name, array in expected.arrays().items():
        assert found.arrays()[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays()[name], array)


def assert_same_pair(found: StoredPair, expected: StoredPair) -> None:
    assert (found.name0, found.name1) == (expected.name0, expected.name1)
    assert (found.indices.dtype, found.scores.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert (found.geometry is None) == (expected.geometry is None)
    if found.geometry and expected.geometry:
        assert found.geometry.kind == expected.geometry.kind
        np.testing.assert_array_equal(found.geometry.matrix, expected.geometry.matrix)
        np.testing.assert_array_equal(found.geometry.inliers, expected.geometry.inliers)


def fill(root: Path, seed: int) -> None:
    """Write what is missing, in an order and in portions that depend on the seed, compacting on the way."""
    rng = np.random.default_rng(seed)
    features, matches = FeatureStore(root, CONFIGURATION), MatchStore(root, CONFIGURATION)
    names = features.missing(rng.permutation(NAMES).tolist())
    while names:
        some = [names.pop() for _ in range(min(len(names), int(rng.integers(1, 4))))]
        features.write([image(name) for name in some])
        print("wrote", flush=True)
    pairs = matches.missing([PAIRS[number] for number in rng.permutation(len(PAIRS))])
    while pairs:
        chosen = [pairs.pop() for _ in range(min(len(pairs), int(rng.integers(1, 9))))]
        matches.write([pair(*names, "pose") for names in chosen])
        print("wrote", flush=True)
        if rng.random() < 0.2:
            matches.compact(target_bytes=20_000)


if __name__ == "__main__":
    print("begins", flush=True)
    fill(Path(sys.argv[1]), int(sys.argv[2]))
