"""Points of the world from keypoints and matches of images whose poses are known, by COLMAP's triangulation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.colmap.model_files import save_model
from cyano.formats.colmap.pixels import keypoints_to_colmap
from cyano.formats.colmap.sparse import opened_model
from cyano.formats.extras import load_pycolmap, quiet, translated
from cyano.formats.mapping.soundness import Evidence, agreement, median_ray_angle

__all__ = ["Sightings", "Tracks", "TriangulationSummary", "triangulated_model"]

FARTHEST_PX, SMALLEST_ANGLE = 4.0, 1.5
"""Of observations and of rays, as the mappers filter points."""

_ROUNDS = 5
"""Of adjusting points and looking for more, as COLMAP has."""

_CHANGED = 0.0005
"""Share of the observations that a round changes, for another one to be worth it."""

_LEAST_AGREEMENT = 0.5
_FEWEST_POINTS = 15
"""As models are judged; see `cyano.formats.mapping.soundness`."""


class Sightings(NamedTuple):
    """Keypoints of images and which of them match.

    Attributes:
        keypoints: (N, 2) float32 in Cyano's pixels, by the names of the images.
        pairs: names of two images and (K, 2) rows of their keypoints.
    """

    keypoints: Mapping[str, NDArray[np.float32]]
    pairs: Iterable[tuple[str, str, NDArray[np.int32]]]


@dataclass(frozen=True)
class TriangulationSummary:
    """What became of a model whose points were triangulated anew.

    Attributes:
        images: with a pose.
        points: of the model.
        mean_track_length: images that see a point, on average.
        mean_reprojection_error: in pixels.
        agreement: share of the verified matches of an image that agree with the poses, on average over the images.
        ray_angle: the largest angle between two rays to a point in degrees, in the median over the points.
        doubtful: images whose poses most of their matches contradict, or that see hardly a point, with the reasons.
    """

    images: int
    points: int
    mean_track_length: float
    mean_reprojection_error: float
    agreement: float = 1.0
    ray_angle: float = 0.0
    doubtful: dict[str, str] = field(default_factory=dict)


class Tracks:
    """The tracks of a model of pycolmap's in memory, which matches of its images continue and begin."""

    def __init__(
        self, pycolmap: Any, model: Any, pairs: Iterable[tuple[str, str, NDArray[np.int32]]], *, two_views: bool = False
    ) -> None:
        """Know the matches.

        Args:
            pycolmap: the module.
            model: whose images have their keypoints.
            pairs: see `Sightings`; those of images that the model lacks are passed over.
            two_views: whether keypoints that match in one other image only become points, too.
        """
        self._pycolmap, self.model = pycolmap, model
        numbers = {image.name: number for number, image in model.images.items()}
        self._graph = pycolmap.CorrespondenceGraph()
        for number, image in model.images.items():
            self._graph.add_image(number, image.num_points2D())
        for name0, name1, rows in pairs:
            if name0 in numbers and name1 in numbers and len(rows):
                geometry = pycolmap.TwoViewGeometry(inlier_matches=np.asarray(rows, np.uint32))
                self._graph.add_two_view_geometry(numbers[name0], numbers[name1], geometry)
        self._graph.finalize()
        self.manager = pycolmap.ObservationManager(model, self._graph)
        self._triangulator = pycolmap.IncrementalTriangulator(self._graph, model, self.manager)
        self._options = pycolmap.IncrementalTriangulatorOptions()
        self._options.random_seed = 0
        self._options.ignore_two_view_tracks = not two_views

    def triangulate(self, numbers: Iterable[int]) -> None:
        """Continue tracks with keypoints of these images, and begin new ones."""
        for number in numbers:
            self._triangulator.triangulate_image(self._options, number)

    def complete(self, points: Set[int]) -> int:
        """Observations that were added to these points."""
        return int(self._triangulator.complete_tracks(self._options, points))

    def complete_and_merge(self) -> int:
        """Observations that were added to all points, or belong to others now."""
        added = self._triangulator.complete_all_tracks(self._options)
        return int(added + self._triangulator.merge_all_tracks(self._options))

    def adjust_points(self) -> None:
        """Move all points to where their observations want them; the cameras stay as they are, to the last bit."""
        config = self._pycolmap.BundleAdjustmentConfig()
        for number in self.model.points3D:
            config.add_variable_point(number)
        options = self._pycolmap.BundleAdjustmentOptions()
        options.print_summary = False
        self._pycolmap.create_default_bundle_adjuster(options, config, self.model).solve()


def triangulated_model(
    posed: str | os.PathLike[str], sightings: Sightings, target: Path, *, images: Path | None = None
) -> TriangulationSummary:
    """Write a model with the poses and cameras of another one, and points of other keypoints.

    Numbers of images and cameras stay, too. Images without keypoints here are left out, and those of a rig count one by
    one.

    Args:
        posed: folder of a model of COLMAP's, text or binary.
        sightings: of images that have a pose there.
        target: folder of the result, which must not exist.
        images: folder of the images, for the colours of the points; None to do without.

    Raises:
        InputError: there is no such model, or no point comes of the matches.
        OutputError: it cannot be written.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    with opened_model(posed) as source:
        model = _without_points(pycolmap, source, sightings.keypoints)
    pairs = list(sightings.pairs)
    with quiet(pycolmap, errors=False), translated(f"{target} cannot be made", "check the model and the folder"):
        tracks = Tracks(pycolmap, model, pairs, two_views=len(model.images) < 3)
        tracks.triangulate(sorted(model.images))
        tracks.complete_and_merge()
        for _ in range(_ROUNDS):
            tracks.adjust_points()
            observations = model.compute_num_observations()
            changed = tracks.complete_and_merge()
            changed += tracks.manager.filter_all_points3D(FARTHEST_PX, SMALLEST_ANGLE)
            if changed <= _CHANGED * observations:
                break
        if not model.num_points3D():
            raise InputError(
                f"the matches give no points with the poses of {os.fspath(posed)}; check that the images are those "
                "of the model, under the same names"
            )
        if images is not None:
            model.extract_colors_for_all_images(str(images))
        save_model(pycolmap, model, target)
        return _summary(model, sightings.keypoints, pairs)


def _without_points(pycolmap: Any, source: Any, keypoints: Mapping[str, NDArray[np.float32]]) -> Any:
    """The cameras and poses of a model with other keypoints."""
    model = pycolmap.Reconstruction()
    images = {number: image for number, image in source.images.items() if image.has_pose and image.name in keypoints}
    for number in sorted({image.camera_id for image in images.values()}):
        model.add_camera_with_trivial_rig(source.cameras[number])
    for number, image in sorted(images.items()):
        places = keypoints_to_colmap(keypoints[image.name]).astype(np.float64)
        fresh = pycolmap.Image(name=image.name, keypoints=places, camera_id=image.camera_id, image_id=number)
        model.add_image_with_trivial_frame(fresh, image.cam_from_world())
    return model


def _summary(
    model: Any,
    keypoints: Mapping[str, NDArray[np.float32]],
    pairs: Iterable[tuple[str, str, NDArray[np.int32]]],
) -> TriangulationSummary:
    numbers = {image.name: number for number, image in model.images.items()}
    places = {number: keypoints_to_colmap(keypoints[name]).astype(np.float64) for name, number in numbers.items()}
    rows = [
        (numbers[name0], numbers[name1], found.astype(np.int64))
        for name0, name1, found in pairs
        if name0 in numbers and name1 in numbers and len(found)
    ]
    shares = agreement(model, Evidence(dict(model.cameras), places, rows))
    doubtful = {}
    for number, image in sorted(model.images.items(), key=lambda each: each[1].name):
        if image.num_points3D < _FEWEST_POINTS:
            doubtful[image.name] = f"sees {image.num_points3D} points"
        elif shares[number] < _LEAST_AGREEMENT:
            doubtful[image.name] = f"{100 * shares[number]:.0f} % of its verified matches agree with its pose"
    model.update_point_3d_errors()
    return TriangulationSummary(
        len(model.images),
        model.num_points3D(),
        float(model.compute_mean_track_length()),
        float(model.compute_mean_reprojection_error()),
        float(np.mean(list(shares.values()))),
        median_ray_angle(model),
        doubtful,
    )
