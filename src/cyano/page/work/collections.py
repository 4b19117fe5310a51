"""Jobs about collections: what is in them, and where a photograph was taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cyano.concise import finite
from cyano.errors import CyanoError, ImageError, InputError
from cyano.page.work.answers import Answer, GoneError
from cyano.page.work.pictures import jpeg

if TYPE_CHECKING:
    from cyano.formats import CameraEntry
    from cyano.localisation import Localisation, Localiser
    from cyano.page.work.desk import Desk
    from cyano.page.work.reconstructed import Reconstructed
    from cyano.page.work.stored import StoredMatches

__all__ = ["Collections"]

T = TypeVar("T")


class Collections:
    """The collections that the server was started with, each read when it is first asked for."""

    def __init__(self, desk: Desk, folders: Sequence[tuple[str, str | None]]) -> None:
        self._open = [_Open(desk, results, images) for results, images in folders]
        jobs: dict[str, Callable[..., Answer]] = {
            "summary": _summary,
            "points": _points,
            "ply": _ply,
            "archive": _archive,
            "cameras": _cameras,
            "pairs": _pairs,
            "track": _track,
            "keypoints": _keypoints,
            "preview": _preview,
            "localise": _localise,
        }
        self.jobs = {f"collection {name}": self._of_one(job) for name, job in jobs.items()}

    def stored(self, n: int, first: int, second: int) -> StoredMatches:
        """The matches that are stored of two images of the n-th collection.

        Raises:
            GoneError: there are none.
        """
        from cyano.page.work.stored import stored_matches

        def numbered(place: _Open) -> StoredMatches:
            return stored_matches(place.read, _checked(place, first), _checked(place, second))

        return self._of_one(numbered)(n)

    def pixels(self, n: int, i: int) -> NDArray[np.uint8]:
        """An image of the n-th collection, (H, W, 3) RGB as it is displayed.

        Raises:
            InputError: the images are not at hand.
            ImageError: it cannot be read.
        """
        pixels: NDArray[np.uint8] = self._of_one(lambda place: place.read.pixels(i))(n)
        return pixels

    def _of_one(self, job: Callable[..., T]) -> Callable[..., T]:
        """The job of one collection, whose messages name it and no path."""

        @wraps(job)
        def named(n: int, **arguments: Any) -> T:
            place = self._open[n]
            try:
                return job(place, **arguments)
            except ImageError:
                raise
            except CyanoError as error:
                raise type(error)(place.without_paths(str(error))) from error

        return named


class _Open:
    """A collection with what localises in it."""

    def __init__(self, desk: Desk, results: str, images: str | None) -> None:
        self.desk = desk
        self._folders = (Path(results), None if images is None else Path(images))

    @cached_property
    def read(self) -> Reconstructed:
        """The collection."""
        from cyano.page.work.reconstructed import Reconstructed

        return Reconstructed(*self._folders, self.desk.limits)

    @cached_property
    def localiser(self) -> Localiser:
        """Networks and map."""
        return self.read.localiser(self.desk.networks, self.desk.device)

    def without_paths(self, text: str) -> str:
        """A message with the folders' names in the place of their paths."""
        for folder in filter(None, self._folders):
            text = text.replace(str(folder), folder.name)
        return text


def _json(document: Any) -> Answer:
    return Answer({}, (json.dumps(document, allow_nan=False).encode("ascii"),))


def _summary(place: _Open) -> Answer:
    return _json(place.read.summary())


def _points(place: _Open) -> Answer:
    return Answer({}, (place.read.points(),))


def _ply(place: _Open) -> Answer:
    return Answer({}, (place.read.ply(),))


def _archive(place: _Open) -> Answer:
    return Answer({}, (place.read.archive(),))


def _cameras(place: _Open) -> Answer:
    return _json({"cameras": place.read.cameras()})


def _pairs(place: _Open) -> Answer:
    return _json({"columns": ["i", "j", "matches", "inliers"], "pairs": place.read.pairs})


def _track(place: _Open, point: int) -> Answer:
    return _json(place.read.track(point))


def _keypoints(place: _Open, i: int) -> Answer:
    places, points = place.read.keypoints(_checked(place, i))
    arrays = (np.ascontiguousarray(places, "<f4"), np.ascontiguousarray(points, "<i4"))
    return Answer({"count": len(places)}, (b"".join(array.tobytes() for array in arrays),))


def _preview(place: _Open, i: int, side: int) -> Answer:
    return Answer({}, (jpeg(place.read.pixels(_checked(place, i)), side),))


def _checked(place: _Open, number: int) -> int:
    count = len(place.read.names)
    if not 0 <= number < count:
        raise GoneError(f"images are numbered from 0 to {count - 1}; there is no {number}")
    return number


def _localise(place: _Open, image: str, camera: str | None) -> Answer:
    known = None if camera is None else _camera(camera)
    content, localiser = place.desk.content(image), place.localiser
    with place.desk.reading(image):
        found = localiser.localise(content, known)
    return _json(_told(place, found))


def _camera(text: str) -> CameraEntry:
    from cyano.formats import CameraEntry

    model, _, numbers = text.partition(":")
    try:
        params = tuple(float(number) for number in numbers.split(","))
    except ValueError as error:
        raise InputError(f"camera is MODEL:P,P,... such as PINHOLE:1400,1400,960,540, not {text!r}") from error
    return CameraEntry(model, params)


def _told(place: _Open, found: Localisation) -> dict[str, Any]:
    """A localisation in plain values: null for what there is not, and images and points by their numbers."""
    from cyano.page.work.reconstructed import camera_dict

    numbers = {name: number for number, name in enumerate(place.read.names)}
    names = [candidate.name for candidate in found.candidates]
    candidates = [
        {
            "i": numbers[each.name],
            "correspondences": each.correspondences,
            "inliers": each.inliers,
            "aligned": each.aligned,
        }
        for each in found.candidates
    ]
    points = np.searchsorted(place.localiser.map.model.point_ids, found.points)
    told: dict[str, Any] = {
        "format": "cyano-localised-1",
        "status": found.status,
        "message": found.message,
        "confidence": found.confidence,
        "inliers": found.inlier_count,
        "candidates": candidates,
        "correspondences": {
            "positions": found.points2D.tolist(),
            "points": points.tolist(),
            "inliers": found.inliers.tolist(),
            "images": [numbers[names[each]] for each in found.seen_in.tolist()],
        },
    }
    pose: dict[str, Any] = dict.fromkeys(
        ("T_world_to_camera", "centre", "direction", "camera", "camera_source", "covariance", "half_view")
    )
    lens = found.camera
    if lens is not None:
        covariance = [[finite(float(value)) for value in row] for row in found.covariance]
        pose = {
            "T_world_to_camera": found.T_world_to_camera.tolist(),
            "centre": found.centre.tolist(),
            "direction": found.direction.tolist(),
            "camera": camera_dict(lens),
            "camera_source": found.camera_source,
            "covariance": covariance,
            "half_view": [lens.size.width / (2 * lens.focal_length), lens.size.height / (2 * lens.focal_length)],
        }
    return {**told, **pose}
