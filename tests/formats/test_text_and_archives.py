"""COLMAP's text files and SuperGlue's archives: no package needed, and back again."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError, OutputError
from cyano.formats import export_archives, export_text, read_archive, read_text_keypoints, read_text_matches
from cyano.formats.items import check_path
from cyano.store import FeatureStore, MatchStore, StoredPair, TwoViewGeometry
from support.stores import CONFIGURATION, image

NAMES = ["a/1.jpg", "b/1.jpg", "empty.jpg"]


@pytest.fixture
def stores(tmp_path: Path) -> tuple[FeatureStore, MatchStore]:
    features, matches = FeatureStore(tmp_path / "s", CONFIGURATION), MatchStore(tmp_path / "s", CONFIGURATION)
    features.write([image(name, count) for name, count in zip(NAMES, (5, 4, 0), strict=True)])
    indices, scores = np.array([[3, 0], [1, 2]], np.int32), np.array([0.75, 0.5], np.float32)
    geometry = TwoViewGeometry("homography", np.eye(3), np.array([False, True]))
    nothing = np.zeros((0, 2), np.int32), np.zeros(0, np.float32)
    matches.write([StoredPair(NAMES[0], NAMES[1], indices, scores, geometry), StoredPair(NAMES[0], NAMES[2], *nothing)])
    return features, matches


def test_text_of_colmap(stores: tuple[FeatureStore, MatchStore], tmp_path: Path) -> None:
    folder = tmp_path / "text"
    export_text(folder, *stores)
    lines = (folder / "features/a/1.jpg.txt").read_text().splitlines()
    assert lines[0] == "5 128"
    stored = stores[0].read(["a/1.jpg"])[0].keypoints
    x, y, scale, orientation, *descriptor = lines[1].split()
    assert (float(x), float(y)) == pytest.approx(stored[0] + 0.5, abs=1e-3)  # COLMAP's pixels
    assert (scale, orientation, len(descriptor)) == ("1", "0", 128)
    np.testing.assert_allclose(read_text_keypoints(folder / "features/a/1.jpg.txt"), stored, atol=1e-3)
    assert read_text_keypoints(folder / "features/empty.jpg.txt").shape == (0, 2)
    assert (folder / "pairs.txt").read_text() == "a/1.jpg b/1.jpg\na/1.jpg empty.jpg\n"
    assert (folder / "matches.txt").read_text() == "a/1.jpg b/1.jpg\n3 0\n1 2\n\na/1.jpg empty.jpg\n\n"
    found = list(read_text_matches(folder / "matches.txt"))
    assert [(pair.name0, pair.name1, pair.indices.tolist()) for pair in found] == [
        ("a/1.jpg", "b/1.jpg", [[3, 0], [1, 2]]),
        ("a/1.jpg", "empty.jpg", []),
    ]
    with pytest.raises(OutputError, match="exists already"):
        export_text(folder, *stores)
    export_text(folder, *stores, verified=True, overwrite=True)
    assert next(read_text_matches(folder / "matches.txt")).indices.tolist() == [[1, 2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "text"]


def test_text_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for text in ("", "1", "1 128\n0 0 1 0\n", "2 1\n1 1 1 0 0\n", "1 1\nnan 1 1 0 0\n", "1 1\n1 x 1 0 0\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="is not a COLMAP text file of features"):
            read_text_keypoints(path)
    for text, line in (
        ("a b\n0 x\n", 2),
        ("a\n", 1),
        ("a b\n0 -1\n", 2),
        ("a b\n0 99999999999\n", 2),
        ("a b\n\na b c\n", 3),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=f"line {line}: not two names"):
            list(read_text_matches(path))
    for bad in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match=r"no file|not text in UTF-8|cannot be read"):
            list(read_text_matches(bad))


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "a/../../b.jpg", "C:/a.jpg", "a\0b", "", "a//b", "./a"])
def test_no_file_outside_of_the_folder(name: str, stores: tuple[FeatureStore, MatchStore], tmp_path: Path) -> None:
    stores[0].write([image(name, 1)])
    with pytest.raises(InputError, match="no file can be named after"):
        check_path(name)
    with pytest.raises(InputError, match="no file can be named after"):
        export_text(tmp_path / "deep" / "text", *stores)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


def test_names_that_text_cannot_hold(stores: tuple[FeatureStore, MatchStore], tmp_path: Path) -> None:
    for number, name in enumerate(("a b.jpg", "#a.jpg", "\udcff.jpg")):
        features = FeatureStore(tmp_path / str(number), CONFIGURATION)
        features.write([image(name, 1)])
        with pytest.raises(InputError, match="cannot hold the name"):
            export_text(tmp_path / "text", features, stores[1])


def test_archives(stores: tuple[FeatureStore, MatchStore], tmp_path: Path) -> None:
    features, matches = stores
    folder = tmp_path / "archives"
    paths = export_archives(folder, features, matches)
    assert [path.name for path in paths] == ["1_1_matches.npz", "1_empty_matches.npz"]
    first, second = features.read(NAMES[:2])
    found = read_archive(paths[0])
    assert (found.matches.dtype, found.match_confidence.dtype) == (np.int64, np.float32)
    assert found.matches.tolist() == [-1, 2, -1, 0, -1]
    assert found.match_confidence.tolist() == [0, 0.5, 0, 0.75, 0]
    np.testing.assert_array_equal(found.keypoints0, first.frame.to_network(first.keypoints))
    np.testing.assert_array_equal(found.keypoints1, second.frame.to_network(second.keypoints))
    with np.load(paths[0]) as arrays:
        np.testing.assert_array_equal(arrays["keypoints0_original"], first.keypoints)
        assert (int(arrays["turns0"]), arrays["keypoints0"].dtype) == (3, np.float32)
    assert read_archive(paths[1]).keypoints1.shape == (0, 2)
    with pytest.raises(OutputError, match="exists already"):
        export_archives(folder, features, matches)
    (other_way,) = export_archives(folder, features, matches, [(NAMES[1], NAMES[0])], overwrite=True)
    assert read_archive(other_way).matches.tolist() == [3, -1, 1, -1]


def test_archives_that_are_none(stores: tuple[FeatureStore, MatchStore], tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    good = {"keypoints0": np.zeros((2, 2), np.float32), "keypoints1": np.zeros((1, 2), np.float32)}
    good |= {"matches": np.array([0, -1]), "match_confidence": np.ones(2, np.float32)}
    for change in (
        {"matches": np.array([0, 1])},
        {"matches": np.array([0.0, -1.0])},
        {"match_confidence": np.ones(1, np.float32)},
        {"keypoints0": np.full((2, 2), np.nan, np.float32)},
        {"keypoints0": np.array([["a", "b"], ["c", "d"]])},
        {"keypoints1": np.array([{}, {}], dtype=object)},  # a pickle
    ):
        np.savez(path, **(good | change))
        with pytest.raises(InputError, match=r"x\.npz cannot be read"):
            read_archive(path)
    np.savez(path, **good)
    assert read_archive(path).matches.tolist() == [0, -1]
    for content in (b"", b"x" * 100, path.read_bytes()[:200], _bomb()):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"x\.npz cannot be read"):
            read_archive(path)


def _bomb() -> bytes:
    """An archive that declares 2 GiB in its directory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keypoints0.npy", b"\0" * 1000)
        archive.infolist()[0].file_size = 2**31
    return buffer.getvalue()
