"""Reconstructed places as a source of training pairs: distant views whose truth is chained over those in between."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.colmap.tracks import TrackedModel, read_tracks
from cyano.geometry.tracked_views import track_truth
from cyano.geometry.tracks import TrackTruth
from cyano.processing import resize
from cyano.processing.images import read
from cyano.types import ImageSize, ResizeMap

__all__ = ["Place", "PlaceViews", "read_places"]

OVERLAP = (0.05, 0.7)
"""Shares of common points between which pairs are drawn: less is chance, and more has little to teach."""

_LEAST_COMMON = 12
_BINS = 13
_CACHED = 1000
"""Images kept in memory by each process, as bytes of grey at the size of the views."""


@dataclass(frozen=True, eq=False)
class PlaceViews:
    """Some views of a place.

    Attributes:
        images: (H, W) float32 in [0, 1] each, grey where there is none of the image.
        valid: (H, W) bool each, False there.
        truths: by the numbers of two views, the lower one first.
    """

    images: tuple[NDArray[np.float32], ...]
    valid: tuple[NDArray[np.bool_], ...]
    truths: dict[tuple[int, int], TrackTruth]


class Place:
    """A reconstructed place: its images, what they observed, and which of them are worth a pair."""

    def __init__(self, paths: Sequence[Path], model: TrackedModel) -> None:
        """Nothing is read yet.

        Args:
            paths: of the images of the model, in its order.
            model: of the place.
        """
        self.paths = tuple(paths)
        self.model = model
        self.overlaps = _overlaps(model)
        worth = np.triu((self.overlaps >= OVERLAP[0]) & (self.overlaps <= OVERLAP[1]), 1)
        self.pairs = np.argwhere(worth)
        shares = self.overlaps[worth]
        number = np.floor((shares - OVERLAP[0]) / (OVERLAP[1] - OVERLAP[0]) * _BINS).clip(max=_BINS - 1)
        self.bins = [np.flatnonzero(number == each) for each in np.unique(number)]
        self._read = lru_cache(maxsize=_CACHED)(self._read_bytes)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_read"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._read = lru_cache(maxsize=_CACHED)(self._read_bytes)

    def draw(self, rng: np.random.Generator, count: int) -> list[int]:
        """Images of which every two are worth a pair.

        The overlap of the first two is even over its range, as far as the place has pairs; then others join at random.

        Args:
            rng: draws.
            count: at most so many, at least two.
        """
        members = self.bins[int(rng.integers(len(self.bins)))]
        chosen = list(rng.permutation(self.pairs[int(rng.choice(members))]))
        worth = (self.overlaps >= OVERLAP[0]) & (self.overlaps <= OVERLAP[1])
        while len(chosen) < count:
            others = np.flatnonzero(worth[chosen].all(axis=0))
            if not len(others):
                break
            chosen.append(rng.choice(others))
        return [int(each) for each in chosen]

    def views(self, chosen: Sequence[int], size: ImageSize) -> PlaceViews:
        """Some images in frames of one size, each as large as it fits, with the truth between every two.

        Args:
            chosen: their numbers.
            size: of the frames.

        Raises:
            ImageError: an image cannot be read.
            InputError: an image is not of the size that the model has for it.
        """
        frames = [
            ResizeMap(self.model.views[each].size, _fitting(self.model.views[each].size, size)) for each in chosen
        ]
        tracked = [self.model.views[each].resized(frame) for each, frame in zip(chosen, frames, strict=True)]
        images, valid = [], []
        for each, frame in zip(chosen, frames, strict=True):
            height, width = frame.network.height, frame.network.width
            image, shown = (
                np.full((size.height, size.width), 0.5, np.float32),
                np.zeros((size.height, size.width), bool),
            )
            image[:height, :width] = self._read(each, frame.network).astype(np.float32) / np.float32(255)
            shown[:height, :width] = True
            images.append(image)
            valid.append(shown)
        truths = {
            (i, j): track_truth(self.model.points, tracked[i], tracked[j])
            for i, j in combinations(range(len(chosen)), 2)
        }
        return PlaceViews(tuple(images), tuple(valid), truths)

    def _read_bytes(self, number: int, size: ImageSize) -> NDArray[np.uint8]:
        """(h, w) grey."""
        image, expected = read(self.paths[number]), self.model.views[number].size
        if image.size != expected:
            raise InputError(
                f"{self.paths[number]} is {image.size.width}x{image.size.height} pixels, and the model was made of "
                f"{expected.width}x{expected.height}; give the images that it was made of, as they are displayed"
            )
        grey, _ = resize.apply(image, resize.ResizeRule.exact(size.height, size.width))
        return np.rint(grey * 255).astype(np.uint8)


def _fitting(image: ImageSize, frame: ImageSize) -> ImageSize:
    """The largest size of an image's shape within a frame."""
    scale = min(frame.height / image.height, frame.width / image.width)
    return ImageSize(min(frame.height, round(image.height * scale)), min(frame.width, round(image.width * scale)))


def _overlaps(model: TrackedModel) -> NDArray[np.float64]:
    """(C, C) shares of their points that two views have both observed, of the view with more; 0 of chance."""
    observed = np.zeros((len(model.views), len(model.points.places)), bool)
    for row, view in zip(observed, model.views, strict=True):
        row[view.points] = True
    common = np.stack([observed[:, view.points].sum(axis=1) for view in model.views]).astype(np.float64)
    most = np.maximum.outer(common.diagonal(), common.diagonal())
    return np.where(common >= _LEAST_COMMON, common / np.maximum(most, 1), 0)


def read_places(models: Sequence[Path], images: Path, aside: Collection[Path] = ()) -> list[Place]:
    """The places of some models.

    Args:
        models: folders, each what `cyano reconstruct` writes or a model of COLMAP itself, or with the latter in
            `sparse/0` or `sparse`.
        images: where the images of a model are that has no folder `images` of its own.
        aside: images that are kept aside.

    Raises:
        InputError: a path holds no model, images of it are missing, or no two of its views are worth a pair.
        MissingExtraError: pycolmap is not installed.
    """
    hidden = {path.resolve() for path in aside}
    return [_place(path, images, hidden) for path in models]


def _place(path: Path, images: Path, aside: Collection[Path]) -> Place:
    model = read_tracks(_model_folder(path))
    folder = path / "images" if (path / "images").is_dir() else images
    paths = [folder / name for name in model.names]
    missing = [str(each) for each in paths if not each.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(paths)} images of {path} are missing, the first is {missing[0]}; name the folder "
            f"of the images as IMAGES, or put it, or a link to it, beside the model as {path / 'images'}"
        )
    kept = [number for number, each in enumerate(paths) if each.resolve() not in aside]
    place = Place([paths[number] for number in kept], model.subset(kept))
    if not len(place.pairs):
        raise InputError(
            f"no two of the {len(kept)} images of {path} that are not held out share {OVERLAP[0]:.0%} to "
            f"{OVERLAP[1]:.0%} of their points, so there is nothing to learn from; take more views of it, farther apart"
        )
    return place


def _model_folder(path: Path) -> Path:
    """Where COLMAP's files are."""
    for folder in (path, path / "sparse" / "0", path / "sparse"):
        if (folder / "points3D.bin").is_file() or (folder / "points3D.txt").is_file():
            return folder
    raise InputError(
        f"{path} holds no reconstruction: give the folder that `cyano reconstruct` wrote (--out), or one with a model "
        "of COLMAP (points3D.bin and so on) in it, in sparse/0 or in sparse"
    )
