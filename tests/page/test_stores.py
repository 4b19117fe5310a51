"""A collection of which stores of several runs are there: what is read together is of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.collection import Collection, Run, extract_images, match_pairs, select_pairs, verify_pairs
from cyano.geometry import RobustOptions
from cyano.page.work.reconstructed import Reconstructed
from cyano.page.work.stored import stored_matches
from cyano.processing.decode import ImageLimits
from cyano.store import StoredKeypoints, StoredPair
from support.collection import VERIFICATION, recipe, write_images
from support.foreign import write_posed_model

pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

RUNS: tuple[dict[str, Any], ...] = ({}, {"nms_radius": 6}, {"match_threshold": 0.001}, {"subpixel": False})
"""Options of one run after the other in one folder."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    write_images(made / "images", 6)
    for number, options in enumerate(RUNS):
        collection = _collection(made, VERIFICATION, **options)
        run = Run(force=True)
        extract_images(collection, run)
        match_pairs(collection, select_pairs(collection).pairs, run)
        places, names = _features(collection), collection.stored()[2]
        moved = [StoredKeypoints(name, places[name] + np.float32(0.3 * (number + 1)), 1) for name in names]
        collection.aligning(names).open().write(moved)  # whose random matches would move none
    return made


def _collection(folder: Path, verification: RobustOptions | None, **options: Any) -> Collection:
    return Collection(folder / "images", folder / "out", recipe(**options), verification)


def _reconstructed(folder: Path, places: Mapping[str, NDArray[np.float32]]) -> Reconstructed:
    """Results with a model of images whose keypoints are there."""
    results = folder / "results"
    results.mkdir(exist_ok=True)
    (results / "store").symlink_to(folder / "out" / "store")
    sparse = results / "sparse" / "0"
    camera = ("PINHOLE", (100.0, 100.0, 64.0, 48.0), 128, 96)
    model = write_posed_model(sparse, dict.fromkeys(places, np.eye(4)), camera)
    for image in model.images.values():
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D(xy + 0.5) for xy in places[image.name].astype(float)])
    model.write(str(sparse))
    return Reconstructed(results, folder / "images", ImageLimits())


def _features(collection: Collection) -> dict[str, NDArray[np.float32]]:
    features, _, names = collection.stored()
    return {image.name: image.keypoints for image in features.read(names)}


@pytest.mark.parametrize("options", RUNS)
@pytest.mark.parametrize("aligned", [True, False])
def test_stores_are_those_of_the_model(folder: Path, tmp_path: Path, options: dict[str, Any], aligned: bool) -> None:
    (tmp_path / "out").symlink_to(folder / "out")
    collection = _collection(folder, VERIFICATION, **options)
    features, matches, names = collection.stored()
    exact = collection.aligning(names).open()
    places = {image.name: image.keypoints for image in exact.read(names)}
    shown = _reconstructed(tmp_path, places if aligned else _features(collection))
    assert shown.features.folder.name == features.folder.name
    if aligned:
        assert shown.matches is not None
        assert shown.matches.folder.name == matches.folder.name
    pair = next(pair for pair in matches.items() if len(pair.scores))
    stored = stored_matches(shown, *(shown.names.index(name) for name in (pair.name0, pair.name1)))
    for side in (stored.result.image0, stored.result.image1):
        expected = shown.keypoints(shown.names.index(side.name))[0]
        np.testing.assert_allclose(side.keypoints, expected, atol=1e-3)
        assert len(side.scores) == len(side.keypoints)


def test_verified_matches_go_first(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 6)
    later = _collection(tmp_path, None)
    extract_images(later)
    match_pairs(later, select_pairs(later).pairs)
    verify_pairs(replace(later, verification=VERIFICATION))
    shown = _reconstructed(tmp_path, _features(later))
    assert shown.matches is not None
    assert shown.matches.configuration["verification"] == "fundamental"
    assert [row[:2] for row in shown.pairs] == [[i, j] for i in range(6) for j in range(i + 1, 6)]


def test_doubtful_matches_that_nothing_verified_are_none(tmp_path: Path) -> None:
    """They wait in the store for `cyano verify`."""
    write_images(tmp_path / "images", 6)
    collection = _collection(tmp_path, None)
    extract_images(collection)
    usual = collection.recipe.usual_threshold
    scores = np.array([usual + 0.1, usual - 0.01, usual + 0.2], np.float32)
    _, matches, names = collection.stored()
    first, second = names[1:3]
    matches.write([StoredPair(first, second, np.array([[2, 3], [4, 5], [6, 7]], np.int32), scores)])
    shown = _reconstructed(tmp_path, _features(collection))
    assert shown.pairs == [[1, 2, 2, -1]]
    assert stored_matches(shown, 1, 2).result.indices.tolist() == [[2, 3], [6, 7]]


def test_images_that_were_removed_are_none_of_the_collection(tmp_path: Path) -> None:
    """But for those that are in the model, and as long as their folder is there at all."""
    write_images(tmp_path / "images", 6)
    collection = _collection(tmp_path, VERIFICATION)
    extract_images(collection)
    names = collection.names()
    places = {name: each for name, each in _features(collection).items() if name in names[:2]}
    results = _reconstructed(tmp_path, places)
    assert results.names == names
    for name in (names[0], names[-1]):
        (tmp_path / "images" / name).unlink()
    assert Reconstructed(results.results, tmp_path / "images", ImageLimits()).names == names[:-1]
    assert Reconstructed(results.results, None, ImageLimits()).names == names
