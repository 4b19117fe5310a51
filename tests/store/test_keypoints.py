"""Exact keypoints: what was written comes back, and is found by those who know no more than the folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.store import KeypointStore, StoredKeypoints, open_stores
from support.stores import CONFIGURATION, NAMES


def _keypoints(name: str) -> StoredKeypoints:
    rng = np.random.default_rng(len(name))
    return StoredKeypoints(name, rng.uniform(0, 5000, (len(name), 2)).astype(np.float32), len(name) // 2)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    store = KeypointStore(tmp_path, CONFIGURATION)
    names = [*NAMES, "b\u00fccher/\udce4.jpg"]
    store.write([_keypoints(name) for name in names[:5]])
    store.write([_keypoints(name) for name in names[4:]])
    assert store.compact().shards_after == 1
    (opened,) = open_stores(tmp_path)
    assert isinstance(opened, KeypointStore)
    assert sorted(item.name for item in opened.items()) == sorted(opened.keys()) == sorted(names)
    for found, name in zip(opened.read(names), names, strict=True):
        assert (found.name, found.moved) == (name, len(name) // 2)
        assert found.keypoints.dtype == np.float32
        np.testing.assert_array_equal(found.keypoints, _keypoints(name).keypoints)


def test_compaction_removes_what_a_killed_writer_of_references_left(tmp_path: Path) -> None:
    store = KeypointStore(tmp_path, CONFIGURATION)
    store.write([_keypoints("a")])
    left, references = store.folder / ".references.safetensors.0123abcd", store.folder / "references.safetensors"
    for path in left, references:
        path.touch()
        os.utime(path, (0, 0))
    store.compact()
    assert references.exists()
    assert not left.exists()


def test_what_is_no_keypoint_is_refused() -> None:
    for wrong in (np.zeros((3, 3), np.float32), np.array([[0, np.nan]], np.float32), np.zeros(4, np.float32)):
        with pytest.raises(InputError, match=r"'a' are a finite \(N, 2\)"):
            StoredKeypoints("a", wrong, 0)
