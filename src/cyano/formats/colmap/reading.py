"""Read a COLMAP database back: images with their cameras and keypoints, and pairs."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.formats.colmap.pixels import keypoints_from_colmap, model_from_colmap
from cyano.formats.extras import load_pycolmap, need_room, quiet, translated
from cyano.store import ModelKind, StoredPair, TwoViewGeometry
from cyano.types import ImageSize

__all__ = ["Database", "DatabaseImage", "copy_database", "read_database"]

_TABLES = {"cameras", "images", "keypoints", "matches", "two_view_geometries"}

_BLOBS = {"keypoints": 4, "matches": 4, "two_view_geometries": 4}
"""Tables with arrays, and the bytes of a number in them."""


@dataclass(frozen=True, eq=False, repr=False)
class DatabaseImage(Concise):
    """An image of a COLMAP database.

    Attributes:
        name: its path relative to the folder of the images.
        size: of the image, as its camera has it.
        model: COLMAP's name of the camera model.
        params: of the camera, in COLMAP's order and pixels.
        keypoints: (N, 2) float32, (x, y) in Cyano's pixels.

    Example:
        >>> image = read_database("run/database.db").images[0]
        >>> image.name, image.size, image.model, image.keypoints.shape
        ('view0.png', ImageSize(height=360, width=480), 'SIMPLE_RADIAL', (200, 2))
    """

    name: str
    size: ImageSize
    model: str
    params: tuple[float, ...]
    keypoints: NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Database(Concise):
    """What a COLMAP database holds.

    Attributes:
        images: in the order of their ids.
        pairs: in the order of their images, scores all 1, each with COLMAP's two-view geometry in Cyano's pixels where
            there is one of a known kind.

    Example:
        >>> database = read_database("run/database.db")
        >>> len(database.images), len(database.pairs)
        (6, 15)
    """

    images: tuple[DatabaseImage, ...]
    pairs: tuple[StoredPair, ...]


def read_database(path: str | os.PathLike[str]) -> Database:
    """Read a COLMAP database; the file itself stays as it is.

    Args:
        path: of the file.

    Returns:
        All that Cyano understands of it.

    Raises:
        InputError: it is no such database, or damaged.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> database = read_database("run/database.db")
        >>> pair = database.pairs[0]
        >>> pair.name0, pair.name1, pair.geometry.kind
        ('view0.png', 'view1.png', 'fundamental')
    """
    pycolmap = load_pycolmap()
    with TemporaryDirectory() as folder, quiet(pycolmap):
        copy = copy_database(path, Path(folder))
        with translated(f"{os.fspath(path)} cannot be understood", "export it again"):
            _check_blobs(copy)
            with pycolmap.Database.open(str(copy)) as database:
                return _read(pycolmap, database, _pair_ids(copy))


def copy_database(path: str | os.PathLike[str], folder: Path) -> Path:
    """A copy of a COLMAP database for COLMAP to open, which writes to what it opens and leaves files beside it.

    Args:
        path: of the database.
        folder: where the copy goes.

    Returns:
        The path of the copy.

    Raises:
        InputError: it is no such database, damaged, or cannot be copied.
    """
    copy = folder / "copy.db"
    told = f"{os.fspath(path)} cannot be used as a COLMAP database"
    if not Path(path).is_file():
        raise InputError(f"{told}: there is no such file; check the path")
    with translated(told, "check it, or export it again"):
        shutil.copyfile(path, copy)
        wal = Path(f"{os.fspath(path)}-wal")
        if wal.exists():  # changes that whoever has it open has not moved into the file yet
            shutil.copyfile(wal, f"{copy}-wal")
        need_room(folder, copy.stat().st_size)  # for what COLMAP changes in it
        with closing(sqlite3.connect(copy)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables >= _TABLES:
        lacking = ", ".join(sorted(_TABLES - tables))
        raise InputError(f"{os.fspath(path)} cannot be used as a COLMAP database: it lacks the tables {lacking}")
    return copy


def _check_blobs(copy: Path) -> None:
    """Refuse arrays that are not as long as the database says, before COLMAP believes it.

    Raises:
        InputError: there are such.
    """
    with closing(sqlite3.connect(copy)) as connection:
        for table, item in _BLOBS.items():
            query = f"SELECT count(*) FROM {table} WHERE rows < 0 OR cols < 0 OR rows * cols * ? != length(data)"
            (count,) = connection.execute(query, (item,)).fetchone()
            if count:
                raise InputError(f"{count} rows of the table {table} do not have the declared length; export it again")


def _pair_ids(copy: Path) -> list[int]:
    """Of all pairs that were matched; pycolmap passes over those without a match."""
    with closing(sqlite3.connect(copy)) as connection:
        query = "SELECT pair_id FROM matches UNION SELECT pair_id FROM two_view_geometries ORDER BY pair_id"
        return [pair_id for (pair_id,) in connection.execute(query)]


def _read(pycolmap: Any, database: Any, pair_ids: Sequence[int]) -> Database:
    cameras = {camera.camera_id: camera for camera in database.read_all_cameras()}
    images = sorted(database.read_all_images(), key=lambda image: int(image.image_id))
    names = {image.image_id: image.name for image in images}
    found = tuple(_image(database, image, cameras[image.camera_id]) for image in images)
    return Database(found, tuple(_pairs(pycolmap, database, pair_ids, names)))


def _image(database: Any, image: Any, camera: Any) -> DatabaseImage:
    has = database.exists_keypoints(image.image_id)
    keypoints = database.read_keypoints(image.image_id) if has else np.zeros((0, 2), np.float32)
    return DatabaseImage(
        image.name,
        ImageSize(camera.height, camera.width),
        camera.model.name,
        tuple(map(float, camera.params)),
        keypoints_from_colmap(np.ascontiguousarray(keypoints[:, :2], np.float32)),
    )


def _pairs(pycolmap: Any, database: Any, pair_ids: Sequence[int], names: Mapping[int, str]) -> Iterator[StoredPair]:
    geometries = dict(zip(*database.read_two_view_geometries(), strict=True))
    matches = dict(zip(*database.read_all_matches(), strict=True))
    for pair_id in pair_ids:
        first, second = pycolmap.pair_id_to_image_pair(pair_id)
        raw = matches.get(pair_id, np.zeros((0, 2), np.uint32))
        yield _pair(pycolmap, names[first], names[second], raw, geometries.get(pair_id))


def _pair(pycolmap: Any, name0: str, name1: str, raw: NDArray[np.uint32], two_view: Any) -> StoredPair:
    """Matches in the order of their keypoints; COLMAP's guided matching finds inliers beyond them."""
    model = None if two_view is None else _model(pycolmap, two_view)
    if model is None:
        indices = np.unique(raw.reshape(-1, 2).astype(np.int32), axis=0)
        return StoredPair(name0, name1, indices, np.ones(len(indices), np.float32))
    obeying = {tuple(row) for row in two_view.inlier_matches.tolist()}
    rows = sorted(obeying | {tuple(row) for row in raw.tolist()})
    kind, matrix = model
    geometry = TwoViewGeometry(kind, matrix, np.array([row in obeying for row in rows], bool))
    indices = np.array(rows, np.int32).reshape(-1, 2)
    return StoredPair(name0, name1, indices, np.ones(len(rows), np.float32), model_from_colmap(geometry))


def _model(pycolmap: Any, two_view: Any) -> tuple[ModelKind, NDArray[np.float64]] | None:
    """The kind and the matrix, still in COLMAP's pixels; None where COLMAP found none."""
    kinds = pycolmap.TwoViewGeometryConfiguration
    planar = (kinds.PLANAR, kinds.PANORAMIC, kinds.PLANAR_OR_PANORAMIC)
    config = kinds(two_view.config)
    if config == kinds.CALIBRATED and two_view.cam2_from_cam1 is not None:
        return "pose", np.vstack([two_view.cam2_from_cam1.matrix(), (0.0, 0.0, 0.0, 1.0)])
    if config == kinds.CALIBRATED and two_view.E is not None:
        return "essential", np.array(two_view.E, np.float64)
    if config == kinds.UNCALIBRATED and two_view.F is not None:
        return "fundamental", np.array(two_view.F, np.float64)
    if config in planar and two_view.H is not None:
        return "homography", np.array(two_view.H, np.float64)
    return None
