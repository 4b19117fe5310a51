"""The stage from verified matches to exact keypoints: each is laid over the one that most images match it with.

A match of two images is made exact by moving one of its points for that pair alone (`cyano.processing.alignment`).
Points of a model are seen by many images, so here a keypoint moves once, to where its surroundings look like those of
its reference (`cyano.engine.references`). Images do not wait for each other: what stays is known before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.engine.plan import Unit, plan_images
from cyano.engine.recent import RecentImages
from cyano.engine.recipe import Recipe
from cyano.engine.references import References, digest_of
from cyano.engine.work import Outcome, Stage, Worker, failed
from cyano.errors import InputError
from cyano.formats.items import batches
from cyano.geometry import RobustOptions
from cyano.processing import resize
from cyano.processing.alignment import align
from cyano.processing.images import read
from cyano.store import FeatureStore, KeypointStore, MatchStore, StoredKeypoints, StoredPair
from cyano.types import ResizeMap

__all__ = ["AlignImages"]

_REFERENCES = "references.safetensors"
_DIGEST = "matches"
"""In the configuration: stands for the images and pairs that the references were found among."""

_AT_ONCE = 1000  # images of earlier results in memory
_KEPT_BYTES = 128 << 20
"""Of images for those to come; 1.2 MB each at 640x480."""

_KEPT_PLACES = 1000  # images whose keypoints are kept, 8 kB each


@dataclass(frozen=True, eq=False)
class AlignImages(Stage[str, StoredKeypoints]):
    """Exact keypoints of images, by their names.

    Attributes:
        recipe: networks and options that features and matches were made with.
        images: the folder to which names are relative.
        root: folder of the store.
        verification: that of the matches.
        digest: stands for the images and pairs that references were found among.

    Example:
        >>> from cyano.geometry import RobustOptions
        >>> features, matches, names = collection.stored()
        >>> stage = AlignImages.of(recipe, Path("scene"), Path("run/store"), RobustOptions(threshold_px=4.0), names)
        >>> stage.open().count(), sorted(stage.references().names) == names
        (6, True)
    """

    recipe: Recipe
    images: Path
    root: Path
    verification: RobustOptions
    digest: str

    @classmethod
    def of(
        cls, recipe: Recipe, images: Path, root: Path, verification: RobustOptions, names: Sequence[str]
    ) -> AlignImages:
        """The stage for what is matched by now among these images; finds their references if nobody has yet.

        Raises:
            InputError: features are missing, or matches are of other features.
            OutputError: the references cannot be written.
        """
        features, matches = recipe.features(root), recipe.matches(root, verification)
        stage = cls(recipe, images, root, verification, digest_of(features, matches, names))
        path = stage.open().folder / _REFERENCES
        if not _is_sound(path, names):
            references = References.of_matches(features, matches, names)
            stage._take_over(references)
            references.save(path)
        return stage

    def _take_over(self, references: References) -> None:
        """Keep what there was, when there were other images and pairs, of images that are laid over the same still."""
        store = self.open()
        for earlier in store.beside(_DIGEST):
            absent = store.missing(references.names)
            if not absent:
                return
            try:
                before = References.load(earlier.folder / _REFERENCES)
            except InputError:
                continue
            same = [name for name in absent if references.agree(before, name)]
            gone = set(earlier.missing(same))
            for some in batches((name for name in same if name not in gone), _AT_ONCE):
                store.write(earlier.read(some))

    def open(self, *, force: bool = False) -> KeypointStore:
        """See `Stage.open`; places that follow from fewer or more matches are there, and are not of other options."""
        configuration = {**self.recipe.match_configuration(self.verification), _DIGEST: self.digest}
        return KeypointStore(self.root, configuration, force=True)

    def references(self) -> References:
        """Those of this stage.

        Raises:
            InputError: somebody has removed them.
        """
        return References.load(self.open().folder / _REFERENCES)

    def plan(self, keys: Sequence[str], config_id: str) -> list[Unit[str]]:
        """Chunks of images; see `plan_images`."""
        return plan_images(keys, config_id)

    def worker(self) -> AlignWorker:
        """See `Stage.worker`."""
        return AlignWorker(self)


def _is_sound(path: Path, names: Sequence[str]) -> bool:
    """Whether there are references of these images."""
    try:
        return set(References.load(path).names) == set(names)
    except InputError:
        return False


class _Image(NamedTuple):
    """An image as the detector saw it, and where its keypoints are in the original."""

    grey: Tensor
    keypoints: NDArray[np.float32]
    frame: ResizeMap


class _Loaded(NamedTuple):
    """An image; and each that its keypoints are laid over, with their inliers, and which of these say so."""

    image: _Image
    others: list[tuple[_Image, StoredPair, NDArray[np.int64]]]


class AlignWorker(Worker[str, list[_Loaded | Exception], StoredKeypoints]):
    """Aligns keypoints in this process."""

    def __init__(self, stage: AlignImages) -> None:
        self.store = stage.open()
        self._stage = stage
        self._features: FeatureStore = stage.recipe.features(stage.root)
        self._matches: MatchStore = stage.recipe.matches(stage.root, stage.verification)
        self._references = stage.references()
        self._device = torch.device(stage.recipe.device)
        self._grey = RecentImages(self._read, _KEPT_BYTES)
        self._places = lru_cache(_KEPT_PLACES)(self._stored)

    def steps(self, keys: Sequence[str]) -> list[list[str]]:
        """One image at a time."""
        return [[name] for name in keys] or [[]]

    def _read(self, name: str) -> Tensor:
        options = self._stage.recipe.options
        grey, _ = resize.apply(read(self._stage.images / name, options.limits, stretch=options.stretch), options.resize)
        return torch.from_numpy(grey)

    def _stored(self, name: str) -> tuple[NDArray[np.float32], ResizeMap]:
        (features,) = self._features.read([name])
        return features.keypoints, features.frame

    def load(self, step: Sequence[str]) -> list[_Loaded | Exception]:
        """Read images, and those that they are laid over.

        Raises:
            InputError: a shard cannot be read.
        """
        return [self._loaded(name) for name in step]

    def _loaded(self, name: str) -> _Loaded | Exception:
        laid = [(other, *self._laid(other, name, *rows)) for other, *rows in self._references.of(name)]
        images = [name, *(other for other, _, _ in laid)]
        places = [self._places(image) for image in images]
        try:
            image, *others = [_Image(self._grey(image), *place) for image, place in zip(images, places, strict=True)]
        except Exception as error:  # noqa: BLE001 - an image that cannot be read any more costs itself only
            return error
        return _Loaded(image, [(other, pair, rows) for other, (_, pair, rows) in zip(others, laid, strict=True)])

    def _laid(
        self, other: str, name: str, own: NDArray[np.int64], theirs: NDArray[np.int64]
    ) -> tuple[StoredPair, NDArray[np.int64]]:
        """The inliers of a pair, and which of them say that keypoints `own` of the second are laid over `theirs`."""
        pair = _inliers(*self._matches.read([(other, name)]))
        laid = dict(zip(own.tolist(), theirs.tolist(), strict=True))
        rows = [row for row, (there, here) in enumerate(pair.indices.tolist()) if laid.get(here) == there]
        return pair, np.array(rows, np.int64)

    def compute(
        self, step: Sequence[str], loaded: list[_Loaded | Exception]
    ) -> Iterator[Outcome[str, StoredKeypoints]]:
        """Lay keypoints over their references."""
        for name, image in zip(step, loaded, strict=True):
            if isinstance(image, Exception):
                yield failed(name, image)
                continue
            keypoints = image.image.keypoints.copy()
            moved = sum(self._align(image.image, *other, keypoints) for other in image.others)
            yield Outcome(name, partial(StoredKeypoints, name, keypoints, moved))

    @torch.inference_mode()
    def _align(
        self, image: _Image, other: _Image, pair: StoredPair, chosen: NDArray[np.int64], keypoints: NDArray[np.float32]
    ) -> int:
        """Move keypoints of the image, in place, to where `chosen` inliers say; how many moved."""
        arguments = [
            each.to(self._device)
            for each in (
                other.grey,
                image.grey,
                torch.from_numpy(other.frame.to_network(other.keypoints[pair.indices[:, 0]])),
                torch.from_numpy(image.frame.to_network(image.keypoints[pair.indices[:, 1]])),
                torch.from_numpy(pair.scores),
                torch.from_numpy(chosen),
            )
        ]
        found = align(*arguments)
        moved = found.moved.cpu().numpy()
        keypoints[pair.indices[chosen[moved], 1]] = image.frame.to_original(found.points1.cpu().numpy()[moved])
        return int(moved.sum())


def _inliers(pair: StoredPair) -> StoredPair:
    """The pair without the matches that do not obey its geometry."""
    if pair.geometry is None:
        return pair
    kept = pair.geometry.inliers
    return StoredPair(pair.name0, pair.name1, pair.indices[kept], pair.scores[kept])
