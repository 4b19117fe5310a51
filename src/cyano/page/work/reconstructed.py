"""A reconstructed collection, read for a browser: arrays as little-endian bytes, everything else as plain values."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.checkpoints.loading import Networks
from cyano.collection.derived import summary_of
from cyano.engine import Recipe
from cyano.errors import InputError
from cyano.formats import ModelSummary, read_model
from cyano.formats.colmap.map_model import MapImage, read_map_model
from cyano.formats.colmap.pixels import colmap_params
from cyano.formats.items import pairs_of
from cyano.formats.ply import points_ply
from cyano.geometry import LensCamera
from cyano.localisation import LocaliseOptions, Localiser, Map
from cyano.options import MatcherOptions
from cyano.page.work.stores import RunStores, stores_of
from cyano.processing.decode import ImageLimits
from cyano.processing.images import read
from cyano.processing.resize import ResizeRule
from cyano.store import FeatureStore, MatchStore
from cyano.store.opening import open_stores
from cyano.types import ImageSize
from cyano.viz.model import frame_of
from cyano.viz.viewer import frustum_depth

__all__ = ["CHUNK", "FIELDS", "Reconstructed", "camera_dict", "shown"]

CHUNK = 100_000
"""Points in a piece of `points`."""

FIELDS = (("xyz", "<f4", 3), ("error", "<f4", 1), ("track", "<u2", 1), ("rgb", "|u1", 3))
"""What each piece holds, one array after the other: positions in the model's frame, mean reprojection errors in pixels,
how many images see each point, colours."""


class Reconstructed:
    """The results of `cyano reconstruct`, and what is kept of them in memory."""

    def __init__(self, results: Path, images: Path | None, limits: ImageLimits) -> None:
        """Nothing is read yet.

        Args:
            results: folder of `cyano reconstruct --out`.
            images: folder of the images; None for `results/images`, if it is there.
            limits: of images.
        """
        inside = results / "images"
        self.results, self.images = results, images or (inside if inside.is_dir() else None)
        self.name = results.resolve().name
        self._limits = limits

    @cached_property
    def names(self) -> list[str]:
        """Of all images, with a pose or without one, sorted; an image's number is its place here.

        Features stay when their image is removed from the folder; it is none of the collection any more.
        """
        images, stored = self.images, self.features.keys()
        there = (name for name in stored if images is None or (images / name).is_file())
        return sorted({*self._model.names, *there})

    @cached_property
    def _sparse(self) -> Path:
        return self.results / "sparse" / "0"

    @cached_property
    def _model(self) -> Any:
        return read_model(self._sparse)

    @cached_property
    def _seen(self) -> dict[str, MapImage]:
        return read_map_model(self._sparse).images

    @cached_property
    def stores(self) -> RunStores:
        """What the model was made of."""
        places = {name: image.keypoints for name, image in self._seen.items()}
        return stores_of(open_stores(self.results / "store"), places)

    @property
    def features(self) -> FeatureStore:
        """Those of the images."""
        return self.stores.features

    @property
    def matches(self) -> MatchStore | None:
        """Those of these features, if there are any."""
        return self.stores.matches

    @cached_property
    def pairs(self) -> list[list[int]]:
        """(i, j, matches, inliers) of all pairs that were matched; -1 inliers where none were looked for."""
        if self.matches is None:
            return []
        number = {name: place for place, name in enumerate(self.names)}
        rows = []
        for pair in pairs_of(self.matches, self.matches.keys()):
            if pair.name0 in number and pair.name1 in number:
                inliers = -1 if pair.geometry is None else int(pair.geometry.inliers.sum())
                first, second = sorted((number[pair.name0], number[pair.name1]))
                rows.append([first, second, len(pair.scores), inliers])
        return sorted(rows)

    def summary(self) -> dict[str, Any]:
        """Images with what became of each, counts, the frame to look from, and options."""
        model, counts = self._model, self.features.keypoint_counts(self.names)
        told = summary_of(self.results / "sparse", ModelSummary)
        reasons = {} if told is None else dict(told.taken_out)
        seen = dict(zip(model.names, model.seen.tolist(), strict=True))
        partners = np.zeros(len(self.names), np.int64)
        for first, second, matches, inliers in self.pairs:
            partners[[first, second]] += max(inliers, 0) if inliers >= 0 else matches
        images = [
            {
                "i": place,
                "name": shown(name),
                "keypoints": counts.get(name, 0),
                "matches": int(partners[place]),
                "registered": name in seen,
                "points": seen.get(name, 0),
                "reason": None if name in seen else reasons.get(name, "no pose was found for it"),
            }
            for place, name in enumerate(self.names)
        ]
        frame = frame_of(model.points, model.T_world_to_camera)
        return {
            "name": shown(self.name),
            "verdict": None if told is None else told.verdict,
            "sound": None if told is None else told.sound,
            "images": images,
            "registered": len(model.names),
            "pairs": len(self.pairs),
            "points": {"count": len(model.points), "chunk": CHUNK, "fields": FIELDS},
            "frame": {
                "axes": frame.axes.tolist(),
                "middle": frame.middle.tolist(),
                "reach": frame.reach,
                "frustum_depth": frustum_depth(model),
            },
            "options": dict(self.features.configuration),
            "previews": self.images is not None,
        }

    def points(self) -> bytes:
        """Pieces of `CHUNK` points, each as `FIELDS` says."""
        model = self._model
        tracks = np.minimum(model.track_lengths, np.iinfo(np.uint16).max)
        columns = (model.points, model.errors, tracks, model.colours)
        pieces = []
        for start in range(0, len(model.points), CHUNK):
            for column, (_, kind, _) in zip(columns, FIELDS, strict=True):
                pieces.append(np.ascontiguousarray(column[start : start + CHUNK], kind).tobytes())
        return b"".join(pieces)

    def ply(self) -> bytes:
        """The points as a PLY file."""
        return points_ply(self._model)

    def archive(self) -> bytes:
        """COLMAP's files of the model, in a zip archive that does not compress."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in sorted(self._sparse.iterdir()):
                if path.is_file():
                    archive.write(path, path.name)
        return buffer.getvalue()

    def cameras(self) -> list[dict[str, Any]]:
        """Of the images with a pose: pose, intrinsics in COLMAP's order, and what to draw."""
        model, number = self._model, {name: place for place, name in enumerate(self.names)}
        told = []
        for row, name in enumerate(model.names):
            told.append(
                {
                    "i": number[name],
                    "name": shown(name),
                    "T_world_to_camera": model.T_world_to_camera[row].tolist(),
                    "half_view": model.half_views[row].tolist(),
                    "camera": camera_dict(self._seen[name].camera),
                    "points": int(model.seen[row]),
                }
            )
        return told

    def track(self, point: int) -> dict[str, Any]:
        """A point, and where each image sees it.

        Raises:
            InputError: there are fewer.
        """
        model, number = self._model, {name: place for place, name in enumerate(self.names)}
        if point >= len(model.points):
            raise InputError(f"point is a number below {len(model.points)}, not {point}")
        images = []
        for name, image in self._seen.items():
            for row in np.flatnonzero(image.points == point).tolist():
                x, y = image.keypoints[row].tolist()
                images.append({"i": number[name], "name": shown(name), "keypoint": row, "x": x, "y": y})
        return {
            "point": point,
            "xyz": model.points[point].tolist(),
            "rgb": model.colours[point].tolist(),
            "error": float(model.errors[point]),
            "images": images,
        }

    def keypoints(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(N, 2) keypoints of an image, exact where they are, and (N,) the points that they are, -1 for none."""
        name = self.names[number]
        if name in self._seen:
            return self._seen[name].keypoints, self._seen[name].points
        found = self.stores.places([name])[name]
        return found, np.full(len(found), -1, np.int64)

    def pixels(self, number: int) -> NDArray[np.uint8]:
        """An image as it is displayed.

        Raises:
            InputError: the images are not at hand.
            ImageError: it cannot be read.
        """
        if self.images is None:
            raise InputError("the images of this collection are not available; start the server with --images")
        return read(self.images / self.names[number], self._limits).rgb

    def localiser(self, networks: Networks, device: str) -> Localiser:
        """A localiser with the options that the features were made with.

        Raises:
            InputError: these weights, or this device, are others than those of the features.
        """
        recipe = Recipe(networks, replace(options_of(self.features.configuration), limits=self._limits), device)
        return Localiser(Map.open(self.results, recipe, self.images), LocaliseOptions())


def options_of(configuration: Any) -> MatcherOptions:
    """The options that a store of features was made with.

    Raises:
        InputError: it took masks, which are not known here.
    """
    if configuration.get("masks"):
        raise InputError("the features were made with masks; use `cyano localise --masks` instead")
    size = configuration["exact_size"]
    exact = None if size is None else ImageSize(*map(int, str(size).split("x")))
    rule = ResizeRule(configuration["longest_side"], exact, bool(configuration["allow_upscale"]))
    names = ("max_keypoints", "keypoint_threshold", "nms_radius", "localisation", "subpixel", "stretch", "precision")
    return MatcherOptions(resize=rule, **{name: configuration[name] for name in names})


def camera_dict(lens: LensCamera) -> dict[str, Any]:
    """A camera in plain values, parameters in COLMAP's order and pixels."""
    size = {"width": lens.size.width, "height": lens.size.height}
    return {"model": lens.model, **size, "params": colmap_params(lens)}


def shown(name: str) -> str:
    """A name of a file as text: bytes that are none become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")
