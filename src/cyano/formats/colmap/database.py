"""COLMAP's database: cameras, images, keypoints, matches and two-view geometries, through pycolmap.

Descriptors are left out: COLMAP knows those of its own features only, and its mappers need none.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import written_beside
from cyano.errors import InputError, OutputError
from cyano.formats.colmap.cameras import CameraOptions, CameraPlan
from cyano.formats.colmap.pixels import keypoints_to_colmap, model_to_colmap
from cyano.formats.extras import load_pycolmap, need_room, quiet, translated
from cyano.formats.items import batches, check_indices, images_of, pairs_of
from cyano.geometry import essential_from_pose
from cyano.store import FeatureStore, MatchStore, StoredImage, StoredPair, TwoViewGeometry

__all__ = ["DatabaseSummary", "Verification", "export_database", "remove_side_files"]

Verification = Literal["stored", "colmap", "none"]

_DEFAULT_CAMERAS = CameraOptions()
_IMAGES, _PAIRS = 64, 1000  # in a transaction
_ROW = 1024  # bytes of an image or a pair, but for its arrays
_TIMES = 3  # SQLite writes into a log, from there into the file, and keeps pages that are not full
_SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database that is open or was not closed."""


@dataclass(frozen=True)
class DatabaseSummary:
    """What a database holds.

    Attributes:
        cameras: number of cameras.
        images: number of images.
        keypoints: of all images together.
        pairs: pairs of images that were matched, those without a match included.
        matches: of all pairs together.
        verified_pairs: pairs with a two-view geometry.
        inlier_matches: matches that obey it, of all pairs together.
        guessed_cameras: cameras of which neither EXIF nor anybody told the focal length.
        moved_keypoints: keypoints that are elsewhere than the features have them.
        positions: images whose EXIF tells where they were taken, which COLMAP's pose priors hold.

    Example:
        >>> features, matches, names = collection.stored()
        >>> summary = export_database("colmap.db", features, matches)
        >>> summary.cameras, summary.images, summary.verified_pairs, summary.guessed_cameras
        (6, 6, 15, 6)
    """

    cameras: int
    images: int
    keypoints: int
    pairs: int
    matches: int
    verified_pairs: int
    inlier_matches: int
    guessed_cameras: int = 0
    moved_keypoints: int = 0
    positions: int = 0


def export_database(
    path: str | os.PathLike[str],
    features: FeatureStore,
    matches: MatchStore,
    cameras: CameraOptions = _DEFAULT_CAMERAS,
    *,
    verification: Verification = "stored",
    seed: int = 0,
    images: Mapping[str, NDArray[np.float32] | None] | None = None,
    overwrite: bool = False,
) -> DatabaseSummary:
    """Write a COLMAP database of images and their pairs, for COLMAP's mappers.

    Images count as they are displayed. COLMAP passes over EXIF orientation, so files that carry one have to be turned
    before COLMAP reads them too, for colours or undistortion.

    Args:
        path: of the file, usually `database.db`.
        features: its images are in the database, also those without keypoints or matches.
        matches: made from them.
        cameras: what is known of the cameras.
        verification: whence the two-view geometries, without which no mapper uses a pair: those in the store,
            estimated by COLMAP with its default options, or none.
        seed: of COLMAP's estimation.
        images: those that count, with the pairs among them, by name: where their keypoints are, (N, 2) in Cyano's
            pixels, or None for where the features have them. None for all images.
        overwrite: replace an existing file; nobody may have it open.

    Returns:
        What the database holds.

    Raises:
        InputError: the verification or the camera model is unknown, matches are of other features, features are
            missing, or COLMAP cannot hold a name.
        OutputError: the file exists or cannot be written.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> features, matches, names = collection.stored()
        >>> cameras = CameraOptions("PINHOLE", sharing="all", params=(400, 400, 240, 180))
        >>> export_database("colmap.db", features, matches, cameras, images=dict.fromkeys(names[:3])).pairs
        3
    """
    if verification not in get_args(Verification):
        raise InputError(f"unknown verification {verification!r}: choose one of {', '.join(get_args(Verification))}")
    pycolmap = load_pycolmap()
    target = Path(path)
    told = f"{target} cannot be written"
    with (
        quiet(pycolmap, errors=False),
        written_beside(target, overwrite=overwrite) as beside,
        translated(told, "check the folder and its space, and run again", OutputError),
    ):
        need_room(beside.parent, 0)
        with pycolmap.Database.open(str(beside)) as database:
            chosen = sorted(features.keys() if images is None else images)
            plan = CameraPlan(chosen, cameras, lambda: features.image_sizes(chosen))
            writer = _Writer(pycolmap, database, plan, beside.parent)
            for some in batches(images_of(features, chosen), _IMAGES):
                writer.images([_placed(image, (images or {}).get(image.name)) for image in some])
            kept = None if images is None else set(chosen)
            for pairs in batches(pairs_of(matches, _pairs(matches, kept)), _PAIRS):
                writer.pairs(pairs, with_geometry=verification == "stored")
        if verification == "colmap":
            need_room(beside.parent, _TIMES * writer.bytes)
            _verify(pycolmap, beside, seed)
        with pycolmap.Database.open(str(beside)) as database:
            summary = _summary(database)
        _one_file(beside)
        remove_side_files(target)
    return summary


def _placed(image: StoredImage, keypoints: NDArray[np.float32] | None) -> StoredImage:
    """The image with its keypoints there, or where they are."""
    return image if keypoints is None else replace(image, keypoints=keypoints)


def _pairs(matches: MatchStore, kept: frozenset[str] | set[str] | None) -> list[tuple[str, str]]:
    """The pairs among these images, or all, in the direction and the order that COLMAP wants."""
    pairs = sorted(map(_ascending, matches.keys()))
    return pairs if kept is None else [pair for pair in pairs if kept.issuperset(pair)]


def _ascending(pair: tuple[str, str]) -> tuple[str, str]:
    return min(pair), max(pair)


class _Writer:
    """Writes images, then pairs; the first in the order of its names has the smaller id, as COLMAP wants it."""

    def __init__(self, pycolmap: Any, database: Any, plan: CameraPlan, folder: Path) -> None:
        self._pycolmap = pycolmap
        self._database = database
        self._plan = plan
        self._folder = folder
        self.bytes = 0
        self._rigs: dict[Hashable, tuple[Any, int]] = {}
        self._ids: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def images(self, some: Sequence[StoredImage]) -> None:
        """Write images in one transaction."""
        with self._transaction(sum(_ROW + image.keypoints.nbytes for image in some)):
            for image in some:
                self._image(image)

    def pairs(self, some: Sequence[StoredPair], *, with_geometry: bool) -> None:
        """Write pairs in one transaction."""
        with self._transaction(sum(_ROW + 2 * pair.indices.nbytes for pair in some)):
            for pair in some:
                self._pair(pair, with_geometry=with_geometry)

    @contextmanager
    def _transaction(self, count: int) -> Iterator[None]:
        """Of so many bytes."""
        self.bytes += count
        need_room(self._folder, _TIMES * count)
        with self._pycolmap.DatabaseTransaction(self._database):
            yield

    def _image(self, stored: StoredImage) -> None:
        """Write an image, its camera if it is the first to use it, and its keypoints."""
        try:
            stored.name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"COLMAP cannot store the name {stored.name!r}, which is not valid UTF-8; rename the file"
            ) from error
        camera, rig = self._camera(stored)
        image = self._pycolmap.Image(name=stored.name, camera_id=camera.camera_id)
        image.image_id = self._ids[stored.name] = self._database.write_image(image)
        frame = self._pycolmap.Frame()
        frame.rig_id = rig
        frame.add_data_id(image.data_id)
        self._database.write_frame(frame)
        self._database.write_keypoints(image.image_id, keypoints_to_colmap(stored.keypoints))
        self._counts[stored.name] = len(stored.scores)
        self._pose_prior(image, self._plan.exif(stored.name).position)

    def _pose_prior(self, image: Any, position: tuple[float, float, float] | None) -> None:
        """Where the photograph was taken, as far as its EXIF tells."""
        if position is not None:
            prior = self._pycolmap.PosePrior()
            prior.corr_data_id = image.data_id
            prior.position = np.array(position)
            prior.coordinate_system = self._pycolmap.PosePriorCoordinateSystem.WGS84
            self._database.write_pose_prior(prior)

    def _camera(self, stored: StoredImage) -> tuple[Any, int]:
        """The camera and its rig, which is that camera alone."""
        size = stored.frame.original
        key, camera = self._plan.of(stored.name, size)
        if key not in self._rigs:
            camera.camera_id = self._database.write_camera(camera)
            rig = self._pycolmap.Rig()
            rig.add_ref_sensor(camera.sensor_id)
            self._rigs[key] = camera, self._database.write_rig(rig)
        return self._rigs[key]

    def _pair(self, pair: StoredPair, *, with_geometry: bool) -> None:
        """Write the matches of a pair, and its two-view geometry if there is one and it is wanted."""
        check_indices(pair, self._counts)
        ids = self._ids[pair.name0], self._ids[pair.name1]
        indices = pair.indices.astype(np.uint32)
        self._database.write_matches(*ids, indices)
        if with_geometry and pair.geometry is not None:
            geometry = _two_view_geometry(self._pycolmap, model_to_colmap(pair.geometry))
            geometry.inlier_matches = np.ascontiguousarray(indices[pair.geometry.inliers])
            self._database.write_two_view_geometry(*ids, geometry)


def _two_view_geometry(pycolmap: Any, model: TwoViewGeometry) -> Any:
    """COLMAP's form of a model that is in COLMAP's pixels already, without the inliers."""
    kinds, geometry = pycolmap.TwoViewGeometryConfiguration, pycolmap.TwoViewGeometry()
    if model.kind == "homography":  # whether of a plane or of a camera that only turns, the matrix does not tell
        geometry.config, geometry.H = kinds.PLANAR_OR_PANORAMIC, model.matrix
    elif model.kind == "fundamental":
        geometry.config, geometry.F = kinds.UNCALIBRATED, model.matrix
    elif model.kind == "essential":
        geometry.config, geometry.E = kinds.CALIBRATED, model.matrix
    else:
        geometry.config, geometry.E = kinds.CALIBRATED, essential_from_pose(model.matrix)
        geometry.cam2_from_cam1 = pycolmap.Rigid3d(model.matrix[:3])
    return geometry


def _verify(pycolmap: Any, path: Path, seed: int) -> None:
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = seed
    pycolmap.geometric_verification(str(path), two_view_geometry_options=options)


def _summary(database: Any) -> DatabaseSummary:
    return DatabaseSummary(
        database.num_cameras(),
        database.num_images(),
        database.num_keypoints(),
        database.num_matched_image_pairs(),
        database.num_matches(),
        database.num_verified_image_pairs(),
        database.num_inlier_matches(),
        sum(not camera.has_prior_focal_length for camera in database.read_all_cameras()),
        positions=database.num_pose_priors(),
    )


def _one_file(made: Path) -> None:
    """Take a database out of the mode in which opening it, even for reading, makes files beside it."""
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def remove_side_files(path: Path) -> None:
    """Remove what SQLite kept beside an older database of this name: it would replay that into the new one."""
    for suffix in _SIDE_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
