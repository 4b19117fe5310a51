"""A COLMAP model that further images are added to, in memory, while what it holds stays as it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.formats.colmap.map_model import MapModel, map_model_of
from cyano.formats.colmap.model_files import save_model
from cyano.formats.colmap.pixels import keypoints_to_colmap, lens_to_colmap
from cyano.formats.colmap.sparse import opened_model
from cyano.formats.extras import load_pycolmap, quiet, translated
from cyano.formats.mapping.mappers import Start, adjust
from cyano.formats.mapping.triangulation import FARTHEST_PX, SMALLEST_ANGLE, Tracks
from cyano.geometry import LensCamera

__all__ = ["GrowingModel", "NewImage"]

_ROUNDS = 3
"""Of adjusting, leaving out what does not fit then, and looking for more."""


class NewImage(NamedTuple):
    """An image to add.

    Attributes:
        name: of the image; none of the model's.
        camera: with its size.
        T_world_to_camera: (4, 4) float64, to begin with.
        keypoints: (N, 2) float32 in Cyano's pixels.
        points: (N,) int64 COLMAP's numbers of the points that they show, each once; -1 for none.
        held: leave the camera as it is.
        like: an image of the model whose camera is this one's, too, and is held; None for a camera of its own.
    """

    name: str
    camera: LensCamera
    T_world_to_camera: NDArray[np.float64]
    keypoints: NDArray[np.float32]
    points: NDArray[np.int64]
    held: bool = False
    like: str | None = None


class GrowingModel:
    """A model in memory. All numbers that it has stay, and so do, unless `refine_all`, poses, cameras and points."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Read a model, which is not written.

        Args:
            folder: with COLMAP's files of it.

        Raises:
            InputError: there is no such model.
            MissingExtraError: pycolmap is not installed.
        """
        self._pycolmap = load_pycolmap()
        with opened_model(folder) as model:
            self._model = model
        self._old_points = frozenset(model.points3D)
        self._old_images = frozenset(model.images)
        self._held: set[int] = set(model.cameras)
        self._known: dict[LensCamera, int] = {}

    @property
    def added(self) -> dict[str, int]:
        """The observations of the images that were added, by name."""
        new = (self._model.image(number) for number in self._new_images())
        return {image.name: int(image.num_points3D) for image in sorted(new, key=lambda each: each.name)}

    @property
    def points(self) -> tuple[int, int]:
        """How many points there were, and how many are new."""
        kept = len(self._old_points & set(self._model.points3D))
        return kept, self._model.num_points3D() - kept

    def errors(self) -> tuple[float, float]:
        """Mean reprojection errors in pixels: of all observations, and of the added images'; NaN of none."""
        own: list[float] = []
        total: list[float] = []
        for number in self._model.reg_image_ids():
            found = list(self._misses(self._model.image(number)).values())
            total += found
            own += [] if number in self._old_images else found
        return _mean(total), _mean(own)

    def map_model(self) -> MapModel:
        """The model as a map."""
        return map_model_of(self._model)

    def grow(self, images: Sequence[NewImage], pairs: Iterable[tuple[str, str, NDArray[np.int32]]]) -> None:
        """Add images: continue tracks, triangulate new points, and adjust the new poses and points to all of it.

        Args:
            images: to add.
            pairs: matches of all images, of those to come too; see `Sightings`.
        """
        with self._guarded("cannot take these images"):
            for image in images:
                self._register(image)
            tracks = Tracks(self._pycolmap, self._model, pairs, two_views=len(self._model.images) < 3)
            for image in images:
                self._observe(tracks, image)
            self._adjust()
            for _ in range(_ROUNDS):
                tracks.triangulate(self._new_images())
                tracks.complete(self._new_points())
                self._filter(tracks)
                self._adjust()
            self._filter(tracks)

    def refine_all(self, pairs: Iterable[tuple[str, str, NDArray[np.int32]]]) -> None:
        """Adjust all poses, cameras and points; points that turn out to be one are merged.

        Args:
            pairs: see `grow`.
        """
        with self._guarded("cannot be refined"):
            tracks = Tracks(self._pycolmap, self._model, pairs, two_views=len(self._model.images) < 3)
            for _ in range(_ROUNDS):
                tracks.complete_and_merge()
                adjust(self._pycolmap, self._model, Start("incremental", 0, "distortion"))

    def remove(self, names: Iterable[str]) -> None:
        """Take added images out again."""
        numbers = {image.name: number for number, image in self._model.images.items()}
        for name in names:
            self._model.deregister_frame(self._model.image(numbers[name]).frame_id)

    def save(self, target: Path) -> None:
        """Write the model into a new folder.

        Raises:
            OutputError: it cannot be written.
        """
        with self._guarded(f"cannot be written to {target}"):
            save_model(self._pycolmap, self._model, target)

    def colour(self, images: Path) -> None:
        """Read the colours of new points from a folder of the images."""
        with self._guarded("gets no colours"):
            for number in self._new_images():
                self._model.extract_colors_for_image(number, str(images))

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        with quiet(self._pycolmap, errors=False), translated(f"the model {what}", "check the images and the folder"):
            yield

    def _new_images(self) -> list[int]:
        return sorted(number for number in self._model.reg_image_ids() if number not in self._old_images)

    def _new_points(self) -> set[int]:
        return set(self._model.points3D) - self._old_points

    def _register(self, new: NewImage) -> None:
        model = self._model
        places = keypoints_to_colmap(new.keypoints).astype(np.float64)
        camera_id, rig_id = self._camera(new)
        number = max([*model.images, *model.frames], default=0) + 1
        image = self._pycolmap.Image(name=new.name, keypoints=places, camera_id=camera_id, image_id=number)
        pose = self._pycolmap.Rigid3d(new.T_world_to_camera[:3])
        frame = self._pycolmap.Frame(frame_id=number, rig_id=rig_id, rig_from_world=pose)
        frame.add_data_id(image.data_id)
        model.add_frame(frame)
        image.frame_id = number
        model.add_image(image)
        model.register_frame(number)

    def _camera(self, new: NewImage) -> tuple[int, int]:
        """Numbers of the camera and of a rig that has nothing but it."""
        model = self._model
        if new.like is not None:
            alike = model.find_image_with_name(new.like).camera_id
            for number, rig in model.rigs.items():
                if rig.num_sensors() == 1 and rig.ref_sensor_id.id == alike:
                    return alike, number
        elif new.held and new.camera in self._known:
            number = self._known[new.camera]
            return number, number
        camera = lens_to_colmap(self._pycolmap, new.camera)
        camera.camera_id = max([*model.cameras, *model.rigs], default=0) + 1
        model.add_camera_with_trivial_rig(camera)
        if new.held or new.like is not None:
            self._known[new.camera] = camera.camera_id
            self._held.add(camera.camera_id)
        return camera.camera_id, camera.camera_id

    def _observe(self, tracks: Tracks, new: NewImage) -> None:
        """Continue the tracks of the points that an image is known to show, where they are projected near enough."""
        image = self._model.find_image_with_name(new.name)
        for row in np.flatnonzero(new.points >= 0).tolist():
            number = int(new.points[row])
            if number in self._model.points3D and self._miss(image, row, number) <= FARTHEST_PX:
                element = self._pycolmap.TrackElement(image.image_id, row)
                tracks.manager.add_observation(number, element)

    def _miss(self, image: Any, row: int, point: int) -> float:
        """How far a keypoint is from the projection of a point, in pixels; infinitely behind the camera."""
        seen = image.project_point(self._model.points3D[point].xyz)
        return float("inf") if seen is None else float(np.linalg.norm(seen - image.point2D(row).xy))

    def _misses(self, image: Any) -> dict[int, float]:
        rows = image.get_observation_point2D_idxs()
        return {row: self._miss(image, row, image.point2D(row).point3D_id) for row in rows}

    def _filter(self, tracks: Tracks) -> None:
        """Leave out new points and observations that do not fit; old points keep all that they had."""
        tracks.manager.filter_points3D(FARTHEST_PX, SMALLEST_ANGLE, self._new_points())
        for number in self._new_images():
            image = self._model.image(number)
            for row, miss in self._misses(image).items():
                if miss > FARTHEST_PX and image.point2D(row).has_point3D():  # which goes with its last but one
                    tracks.manager.delete_observation(number, row)

    def _adjust(self) -> None:
        """Bundle adjustment of new poses, new cameras' focal lengths and new points; all else is constant."""
        config = self._pycolmap.BundleAdjustmentConfig()
        new = self._new_images()
        for number in new:
            config.add_image(number)
        for camera in {self._model.image(number).camera_id for number in new} & self._held:
            config.set_constant_cam_intrinsics(camera)
        seen = {point.point3D_id for number in new for point in self._model.image(number).get_observation_points2D()}
        for point in seen & self._old_points:
            config.add_constant_point(point)
        for point in self._new_points():
            config.add_variable_point(point)
        options = self._pycolmap.BundleAdjustmentOptions()
        options.print_summary, options.refine_extra_params = False, False
        self._pycolmap.create_default_bundle_adjuster(options, config, self._model).solve()


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
