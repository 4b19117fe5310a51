"""Matches: both directions of a pair, geometry, and bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.store import MatchStore, ModelKind, StoredPair, TwoViewGeometry
from cyano.types import Matches
from support.stores import CONFIGURATION, PAIRS, assert_same_pair, pair

KINDS: tuple[ModelKind | None, ...] = (*get_args(ModelKind), None)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    store = MatchStore(tmp_path, CONFIGURATION)
    items = {names: pair(*names, KINDS[number % 5]) for number, names in enumerate(PAIRS)}
    store.write([items[names] for names in PAIRS[:70]])
    store.write([items[names] for names in PAIRS[70:-1]])
    assert store.missing(PAIRS) == PAIRS[-1:]
    assert store.count() == len(PAIRS) - 1
    assert sorted(store.keys()) == sorted(PAIRS[:-1])
    for found, names in zip(store.read(PAIRS[:-1]), PAIRS[:-1], strict=True):
        assert_same_pair(found, items[names])


def test_a_shard_without_a_single_match(tmp_path: Path) -> None:
    store = MatchStore(tmp_path, CONFIGURATION)
    items = [pair("a", "b", count=0), pair("a", "c", "pose", count=0)]
    store.write(items)
    for found, item in zip(store.read([("a", "b"), ("a", "c")]), items, strict=True):
        assert_same_pair(found, item)
        assert found.indices.shape == (0, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_direction(tmp_path: Path, kind: ModelKind | None) -> None:
    store = MatchStore(tmp_path, CONFIGURATION)
    written = [pair("a", "b", kind, 12), pair("z", "c", kind, 12)]
    store.write(written)
    assert store.missing([("b", "a"), ("a", "b"), ("a", "z"), ("z", "a")]) == [("a", "z")]
    for item in written:
        forth, back = store.read([(item.name0, item.name1), (item.name1, item.name0)])
        assert_same_pair(forth, item)
        assert (back.name0, back.name1) == (item.name1, item.name0)
        np.testing.assert_array_equal(back.indices, item.indices[:, ::-1])
        np.testing.assert_array_equal(back.scores, item.scores)
        assert back.indices.flags.c_contiguous


def test_geometry_of_the_other_direction() -> None:
    rng = np.random.default_rng(0)
    inliers, x0, x1 = np.ones(1, bool), np.append(rng.normal(size=2), 1), np.append(rng.normal(size=2), 1)
    F = rng.normal(size=(3, 3))
    turned = TwoViewGeometry("fundamental", F, inliers).swapped()
    assert x0 @ turned.matrix @ x1 == pytest.approx(x1 @ F @ x0)  # the same epipolar residual
    for kind, size in (("homography", 3), ("pose", 4)):
        matrix = np.eye(size) + 0.1 * rng.normal(size=(size, size))
        np.testing.assert_allclose(
            TwoViewGeometry(kind, matrix, inliers).swapped().matrix @ matrix, np.eye(size), atol=1e-12
        )


def test_many_keypoints_are_exact(tmp_path: Path) -> None:
    indices = np.array([[70_000, 3], [65_536, 2_000_000_000]], np.int32)
    store = MatchStore(tmp_path, CONFIGURATION)
    item = StoredPair("a", "b", indices, np.array([0.5, 1.0], np.float32))
    store.write([item, pair("c", "d")])
    assert_same_pair(store.read([("a", "b")])[0], item)
    assert_same_pair(store.read([("c", "d")])[0], pair("c", "d"))


def test_to_and_from_matches() -> None:
    matches0 = np.array([-1, 2, 0, -1])
    scores0 = np.array([0, 0.5, 0.75, 0], np.float32)
    matches = Matches(matches0, np.array([2, -1, 1]), scores0, np.array([0.75, 0, 0.5], np.float32))
    item = StoredPair.of("a", "b", matches)
    np.testing.assert_array_equal(item.indices, [[1, 2], [2, 0]])
    back = item.to_matches(4, 3)
    for name, expected in vars(matches).items():
        np.testing.assert_array_equal(getattr(back, name), expected)
        assert getattr(back, name).dtype == expected.dtype
    with pytest.raises(InputError, match="keypoint 2 of 'b'"):
        item.to_matches(4, 2)


def test_precision(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).random(100, np.float32)
    item = replace(pair("a", "b", count=100), scores=scores)
    for precision, tolerance in (("float32", 0), ("float16", 2**-11)):  # half a unit in the last place
        store = MatchStore(tmp_path / precision, CONFIGURATION, precision=precision)
        store.write([item])
        np.testing.assert_allclose(store.read([("a", "b")])[0].scores, scores, rtol=tolerance, atol=1e-7)


def test_bytes_of_a_pair(tmp_path: Path) -> None:
    names = [f"photographs/{number:06d}.jpg" for number in range(128)]
    store = MatchStore(tmp_path, CONFIGURATION)
    tile = [pair(a, b, count=500) for a in names[:16] for b in names[64:128]]
    store.write(tile)
    per_pair = sum(store.sizes().values()) / len(tile)
    assert 3012 < per_pair < 3020  # 500 matches of 6 bytes, 12 bytes for names and count
    verified = MatchStore(tmp_path, {**CONFIGURATION, "verified": True}, force=True)
    verified.write([pair(item.name0, item.name1, "pose", 500) for item in tile])
    assert 3012 + 128 + 63 < sum(verified.sizes().values()) / len(tile) < 3220


def test_what_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    good = pair("a", "b", "fundamental", 4)
    assert good.geometry is not None
    with pytest.raises(InputError, match="each once"):
        MatchStore(tmp_path, CONFIGURATION).write([good, good.swapped()])
    with pytest.raises(InputError, match=r"indices \(K, 2\)"):
        replace(good, indices=good.indices[:3])
    with pytest.raises(InputError, match="out of range"):
        replace(good, indices=good.indices - 100)
    with pytest.raises(InputError, match="not finite"):
        replace(good, scores=np.full(4, np.inf, np.float32))
    with pytest.raises(InputError, match="unknown model"):
        replace(good.geometry, kind="affine")
    with pytest.raises(InputError, match=r"finite \(3, 3\)"):
        replace(good.geometry, matrix=np.eye(4))
    with pytest.raises(InputError, match="has an inverse"):
        TwoViewGeometry("homography", np.zeros((3, 3)), good.geometry.inliers)
