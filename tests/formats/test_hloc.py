"""hloc's files: what is in them, and that it comes back."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cyano.errors import InputError, MissingExtraError, OutputError
from cyano.formats import export_features, export_matches, import_features, import_matches, read_features, read_matches
from cyano.store import FeatureStore, MatchStore, StoredPair
from cyano.types import ImageSize, ResizeMap
from support.orbit import Stores, orbit, stores_of
from support.stores import CONFIGURATION, assert_same_image, assert_same_pair, image

h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra collections")

# Parts of paths: anything that a file may be called, but for what HDF5 drops.
PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=8)
NAME = st.lists(PART.filter(lambda part: part != "."), min_size=1, max_size=3).map("/".join)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return stores_of(orbit(views=4, points=60), tmp_path_factory.mktemp("stores"), verified=False)


@settings(max_examples=25, deadline=None)
@given(names=st.lists(NAME, min_size=1, max_size=5, unique=True), extras=st.booleans())
def test_features_come_back_whatever_their_names(names: list[str], extras: bool) -> None:
    with TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "a", CONFIGURATION, precision="float32")
        items = [image(name, extras=extras) for name in names]
        items = [replace(item, descriptors=item.descriptors.astype(np.float32) / 3) for item in items]
        store.write(items)
        path = Path(folder) / "features.h5"
        assert export_features(store, path) == len(names)
        found = import_features(path, Path(folder) / "b")
        for item in items:
            assert_same_image(found.read([item.name])[0], item)
        assert sorted(path.name for path in Path(folder).iterdir()) == ["a", "b", "features.h5"]


@pytest.mark.parametrize(("verification", "kept"), [(None, [0.25, 0.5]), ("fundamental", [0.125, 0.25, 0.5])])
def test_doubtful_matches_wait_for_their_geometry(tmp_path: Path, verification: str | None, kept: list[float]) -> None:
    features = FeatureStore(tmp_path / "features", CONFIGURATION)
    features.write([image("a", 9), image("b", 9)])
    configuration = {**CONFIGURATION, "match_threshold": 0.2, "verification": verification}
    matches = MatchStore(tmp_path / "matches", configuration, precision="float32")
    rows = np.array([[0, 3], [4, 4], [8, 1]], np.int32)
    matches.write([StoredPair("a", "b", rows, np.array([0.125, 0.25, 0.5], np.float32))])
    export_matches(features, matches, tmp_path / "matches.h5")
    (pair,) = read_matches(tmp_path / "matches.h5", {"a": 9, "b": 9})
    assert pair.scores.tolist() == kept
    assert len(matches.read([("a", "b")])[0].scores) == 3


def test_layout_of_features_is_hlocs(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    item = replace(image("folder/a b.jpg", 7), keypoints=np.full((7, 2), 4999.25, np.float32))
    store.write([item])
    export_features(store, tmp_path / "features.h5")
    with h5py.File(tmp_path / "features.h5") as file:
        group = file["folder/a b.jpg"]
        assert sorted(group) == ["descriptors", "image_size", "keypoints", "scores"]
        assert group["keypoints"].dtype == np.float32
        np.testing.assert_array_equal(group["keypoints"], item.keypoints)
        np.testing.assert_array_equal(group["descriptors"], item.descriptors.T)
        np.testing.assert_array_equal(group["scores"], item.scores)
        assert group["image_size"][()].tolist() == [700, 1007]  # width, height
        # 1007 x 700 pixels (height x width), turned to 700 x 1007 and resized to 640 x 448.
        assert group["keypoints"].attrs["uncertainty"] == pytest.approx(2 / (448 / 1007 + 640 / 700), rel=1e-6)
    export_features(store, tmp_path / "features.h5", precision="float16", overwrite=True)
    with h5py.File(tmp_path / "features.h5") as file:
        assert file["folder/a b.jpg/keypoints"].dtype == np.float16


def test_a_file_of_hloc_itself_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 400, (9, 2)).astype(np.float16)
    with h5py.File(tmp_path / "features.h5", "w", libver="latest") as file:
        group = file.create_group("db/1.jpg")
        group.create_dataset("keypoints", data=keypoints).attrs["uncertainty"] = 1.5
        group.create_dataset("descriptors", data=rng.normal(size=(8, 9)).astype(np.float16), compression="gzip")
        group.create_dataset("scores", data=rng.random(9).astype(np.float16))
        group.create_dataset("image_size", data=np.array([640, 480]))
    store = import_features(tmp_path / "features.h5", tmp_path / "store")
    (found,) = store.read(["db/1.jpg"])
    assert found.frame == ResizeMap.identity(ImageSize(480, 640))
    np.testing.assert_array_equal(found.keypoints, keypoints.astype(np.float32))
    assert found.descriptors.shape == (9, 8)
    assert found.to_features().keypoints.shape == (9, 2)
    again = import_features(tmp_path / "features.h5", tmp_path / "store")
    assert again.sizes() == store.sizes()  # nothing is done twice
    with h5py.File(tmp_path / "features.h5", "a") as file:
        file["db/1.jpg/scores"][0] = 0
    with pytest.raises(OutputError, match="file_blake2b was"):
        import_features(tmp_path / "features.h5", tmp_path / "store")


def test_matches_come_back(stores: Stores, tmp_path: Path) -> None:
    path = tmp_path / "matches.h5"
    assert export_matches(stores.features, stores.matches, path) == stores.matches.count()
    found = import_matches(path, tmp_path / "store", stores.features)
    assert found.count() == stores.matches.count()
    for key in stores.matches.keys():  # noqa: SIM118 - a store, not a mapping
        (expected,) = stores.matches.read([key])
        order = np.argsort(expected.indices[:, 0])
        expected = replace(expected, indices=expected.indices[order], scores=expected.scores[order])
        assert_same_pair(found.read([key])[0], expected)
    with h5py.File(path) as file:
        name0, name1 = (name.replace("/", "-") for name in next(iter(sorted(stores.matches.keys()))))
        group = file[name0][name1]
        assert sorted(group) == ["matches0", "matching_scores0"]
        assert group["matches0"].dtype == np.int32
        assert set(file) == {key[0].replace("/", "-") for key in stores.matches.keys()}  # noqa: SIM118


def test_both_forms_of_pair_names_are_read(tmp_path: Path) -> None:
    matches0, scores0 = np.array([-1, 4, 0], np.int16), np.array([0, 0.5, 0.25], np.float16)
    with h5py.File(tmp_path / "matches.h5", "w") as file:
        for name in ("a-x_1.jpg_b.jpg", "a-x_1.jpg/c_2.jpg", "c_2.jpg/a-x_1.jpg"):
            group = file.create_group(name)
            group["matches0"], group["matching_scores0"] = matches0, scores0
    counts = {"a/x_1.jpg": 3, "b.jpg": 5, "c_2.jpg": 5, "unused": 0}
    with pytest.raises(InputError, match=r"has the shape \(3,\) instead of \(5\)"):
        list(read_matches(tmp_path / "matches.h5", counts | {"a/x_1.jpg": 5}))
    pairs = list(read_matches(tmp_path / "matches.h5", counts))
    assert [(pair.name0, pair.name1) for pair in pairs] == [("a/x_1.jpg", "c_2.jpg"), ("a/x_1.jpg", "b.jpg")]
    for pair in pairs:
        assert pair.indices.tolist() == [[1, 4], [2, 0]]
        assert pair.scores.tolist() == [0.5, 0.25]
    for other, message in (
        ({"b.jpg": 5}, "is not a pair of the images"),
        (counts | {"a-x": 3, "1.jpg_b.jpg": 5}, "may be several pairs"),
        (counts | {"a-x_1.jpg": 3}, "slashes as dashes"),
        (counts | {"b.jpg": 4}, "has 4 keypoints"),
    ):
        with pytest.raises(InputError, match=message):
            list(read_matches(tmp_path / "matches.h5", other))


def test_what_the_files_cannot_hold_is_refused(tmp_path: Path) -> None:
    for name in ("", "a//b", "./a", "a/./b", "a\0", "\ud800"):
        store = FeatureStore(tmp_path / "bad", CONFIGURATION)
        store.write([image(name, 2)])
        with pytest.raises(InputError, match="no HDF5 group can be named after"):
            export_features(store, tmp_path / "x.h5", [name])
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image(name, 3) for name in ("a", "a/keypoints", "a/b", "a-b")])
    with pytest.raises(InputError, match=r"no HDF5 group|would share"):
        export_features(store, tmp_path / "x.h5")
    matches = MatchStore(tmp_path, CONFIGURATION)
    twice = np.array([[1, 0], [1, 2]], np.int32)
    beyond = np.array([[0, 3], [1, 2]], np.int32)
    scores = np.ones(2, np.float32)
    matches.write([StoredPair("a", "a-b", twice, scores), StoredPair("a", "a/b", beyond, scores)])
    with pytest.raises(InputError, match=r"slashes as dashes, so 'a-b' and 'a/b'"):
        export_matches(store, matches, tmp_path / "x.h5")
    with pytest.raises(InputError, match="has several matches"):
        export_matches(store, matches, tmp_path / "x.h5", [("a", "a-b")])
    with pytest.raises(InputError, match="refer to keypoint 3 of 'a/b', which has 3"):
        export_matches(store, matches, tmp_path / "x.h5", [("a", "a/b")])
    assert not list(tmp_path.glob("*x.h5*"))
    export_features(store, tmp_path / "x.h5", ["a", "a/b", "a-b"])
    with pytest.raises(OutputError, match="exists already"):
        export_features(store, tmp_path / "x.h5", ["a"])
    assert [found.name for found in read_features(tmp_path / "x.h5")] == ["a", "a/b", "a-b"]
    assert store.keypoint_counts(["a", "a/b"]) == {"a": 3, "a/b": 3}


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"\.\[collections\]"):
        import_features(tmp_path / "features.h5", tmp_path)


@pytest.mark.parametrize("scores", ["scores", "keypoint_scores", "score"])
def test_files_of_other_detectors_are_read(tmp_path: Path, scores: str) -> None:
    rng = np.random.default_rng(0)
    points, values = rng.random((30, 2)).astype(np.float16) * 400, rng.random(30).astype(np.float16)
    with h5py.File(tmp_path / "f.h5", "w", libver="latest") as file:
        group = file.create_group("db/a.jpg")
        group["keypoints"], group[scores], group["image_size"] = points, values, np.array([640, 480])
        group["descriptors"] = rng.normal(size=(128, 30)).astype(np.float16)
    (found,) = read_features(tmp_path / "f.h5")
    np.testing.assert_array_equal(found.scores, values.astype(np.float32))
    np.testing.assert_array_equal(found.keypoints, points.astype(np.float32))
    assert (found.descriptors.shape, found.frame.original) == ((30, 128), ImageSize(480, 640))


def test_files_of_dense_matchers_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    points = np.array([[10.5, 20.25], [99.5, 30]], np.float32)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        group = file.create_group("db/a.jpg")
        group["keypoints"], group["score"] = points, np.array([0.5, 0.75], np.float32)
    store = import_features(tmp_path / "f.h5", tmp_path / "guessed")
    (found,) = store.read(["db/a.jpg"])
    assert (found.descriptors.shape, found.frame.original) == ((2, 0), ImageSize(31, 101))
    assert "does not tell the sizes of 1 images" in caplog.text
    (tmp_path / "images" / "db").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # which hloc passes over
    Image.new("L", (640, 480)).save(tmp_path / "images" / "db" / "a.jpg", exif=exif)
    (found,) = import_features(tmp_path / "f.h5", tmp_path / "known", images=tmp_path / "images").read(["db/a.jpg"])
    assert found.frame.original == ImageSize(480, 640)
    np.testing.assert_array_equal(found.keypoints, points)
    with pytest.raises(InputError, match=r"the size of .*a\.jpg cannot be read"):
        list(read_features(tmp_path / "f.h5", tmp_path / "absent"))
