"""Ids of tracks by hand, and archives of tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.tracking.chains import TrackIds
from cyano.tracking.tracks import TrackRecorder, Tracks, read_tracks


def test_ids_by_hand() -> None:
    ids = TrackIds()
    anchor = np.full(4, -1, np.int64)
    first = ids.chained(anchor, np.array([[0, 2], [3, 0]]), 3)
    np.testing.assert_array_equal(anchor, [0, -1, -1, 1])
    np.testing.assert_array_equal(first, [1, -1, 0])
    second = ids.chained(anchor, np.array([[0, 0], [1, 1]]), 2)
    np.testing.assert_array_equal(anchor, [0, 2, -1, 1])
    np.testing.assert_array_equal(second, [0, 2])
    assert ids.count == 3
    np.testing.assert_array_equal(ids.chained(anchor, np.zeros((0, 2), np.int64), 2), [-1, -1])


def test_archives_are_read_again(tmp_path: Path) -> None:
    tracks = Tracks(
        np.array([0, 0, 4]), np.array([1, 2, 1]), np.eye(3, 2, dtype=np.float32), np.ones(3, np.float32), np.array([1])
    )
    tracks.save(tmp_path / "tracks.npz")
    again = read_tracks(tmp_path / "tracks.npz")
    for name, value in vars(tracks).items():
        np.testing.assert_array_equal(getattr(again, name), value)
        assert getattr(again, name).dtype == value.dtype
    np.testing.assert_array_equal(again.lengths, [2, 1])


def test_no_tracks_are_an_archive_too(tmp_path: Path) -> None:
    TrackRecorder().tracks().save(tmp_path / "tracks.npz")
    assert read_tracks(tmp_path / "tracks.npz").keypoints.shape == (0, 2)


def test_other_archives_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", track_ids=np.zeros(0))
    with pytest.raises(InputError, match=r"other\.npz"):
        read_tracks(tmp_path / "other.npz")
