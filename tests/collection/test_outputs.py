"""What a model is looked at with, beside models that are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cyano.collection import Collection, outputs, write_model, write_triangulated
from cyano.collection.derived import derived
from cyano.collection.views import ModelViews
from cyano.formats import DatabaseSummary, ModelSummary
from cyano.formats.mapping.triangulation import TriangulationSummary
from support.collection import VERIFICATION, recipe, write_images
from support.foreign import write_posed_model

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

Write = Callable[..., Any]
CAMERA = ("PINHOLE", (100.0, 100.0, 64.0, 48.0), 128, 96)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(write_images(tmp_path / "images", 6), tmp_path / "out", recipe(), VERIFICATION)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where models were made, each with its second camera further off."""
    folders: list[Path] = []

    def model(folder: Path) -> None:
        folders.append(folder)
        away = np.eye(4)
        away[0, 3] = -len(folders)
        write_posed_model(folder, {"a.png": np.eye(4), "b.png": away}, CAMERA)

    def mapped(database: Path, images: Path, folder: Path, mapping: object) -> ModelSummary:
        model(folder / "0")
        return ModelSummary("incremental", 2, 2, 0, 0.0, 0.0, 1)

    def triangulated(posed: Path, sightings: object, folder: Path, *, images: Path) -> TriangulationSummary:
        model(folder)
        return TriangulationSummary(2, 0, 0.0, 0.0)

    monkeypatch.setattr(outputs, "sparse_model", mapped)
    monkeypatch.setattr(outputs, "triangulated_model", triangulated)
    return folders


@pytest.fixture(params=["mapped", "triangulated"])
def write(request: pytest.FixtureRequest, collection: Collection, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the model of the collection."""
    if request.param == "triangulated":
        source = SimpleNamespace(digest=lambda: "x", sightings=lambda: None)
        monkeypatch.setattr(outputs, "_source", lambda collection, align: source)
        return lambda **options: write_triangulated(collection, collection.images, **options)

    def database(path: Path) -> DatabaseSummary:
        path.write_bytes(b"made up")
        return DatabaseSummary(1, 2, 0, 1, 0, 1, 0)

    derived(collection.database, "x", database, DatabaseSummary)
    return lambda **options: write_model(collection, **options)


@pytest.mark.parametrize("lost", ModelViews._fields)
def test_a_view_that_was_removed_is_there_again(
    collection: Collection, made: list[Path], write: Write, lost: str
) -> None:
    summary, views = write(), ModelViews.within(collection.out)
    before = [path.read_bytes() for path in views]
    getattr(views, lost).unlink()
    assert write() == summary
    assert len(made) == 1  # the model is as it was
    assert [path.read_bytes() for path in views] == before


def test_views_are_those_of_the_model_that_is_there(collection: Collection, made: list[Path], write: Write) -> None:
    views = ModelViews.within(collection.out)
    write()
    before, times = views.cameras.read_bytes(), [path.stat().st_mtime_ns for path in views]
    write()
    assert [path.stat().st_mtime_ns for path in views] == times
    write(force=True)
    assert len(made) == 2
    assert views.cameras.read_bytes() != before
