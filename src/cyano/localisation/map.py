"""A reconstructed collection as a map: read, never written."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.engine import Recipe
from cyano.errors import CyanoError, InputError, OutputError
from cyano.formats.colmap.map_model import MapImage, MapModel, read_map_model
from cyano.formats.priors import PositionPrior
from cyano.localisation.maps.global_descriptors import GlobalDescriptors
from cyano.localisation.maps.map_cameras import MapCameras
from cyano.processing import resize
from cyano.processing.images import read
from cyano.store import FeatureStore
from cyano.types import Features

__all__ = ["Map", "pixels_of"]

_KEPT = 256
"""Images whose features and pixels are kept, 1.8 MB each with 1,024 keypoints at 640x480."""

_MOVED_PX = 8.0
"""How far alignment moves keypoints at most, in pixels that the detector saw."""


@dataclass(eq=False)
class Map:
    """Images with poses, their features, and the points that they see; for one thread at a time.

    Attributes:
        folder: of the results of `cyano reconstruct`.
        model: the largest model.
        store: features of its images.
        recipe: networks and options that the features were made with.
        images: the folder of the images, by which matches are aligned; None to do without.
        in_memory: whether the model is not, or not yet, that of the folder: a map that grows. Nothing made from it is
            kept in the folder then.

    Example:
        >>> place = Map.open(Path("run"), recipe)
        >>> len(place.names), place.image("view0.png").camera.model, len(place.features("view0.png"))
        (6, 'SIMPLE_RADIAL', 200)
        >>> place.neighbours(np.arange(len(place.model.points)), without=["view1.png"])[0][0] in place.names
        True
    """

    folder: Path
    model: MapModel
    store: FeatureStore
    recipe: Recipe
    images: Path | None = None
    in_memory: bool = field(default=False, kw_only=True)
    _kept: OrderedDict[str, Features] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def open(cls, folder: Path, recipe: Recipe, images: Path | None = None) -> Map:
        """Open the results of `cyano reconstruct`.

        Args:
            folder: of the results.
            recipe: networks and options of the collection; others have other features.
            images: the folder of the images; None for `folder/images`, if there is such a folder or a link.

        Raises:
            InputError: there is no model, it has no points, or it is of other features.
            MissingExtraError: pycolmap is not installed.
        """
        model = read_map_model(folder / "sparse" / "0")
        if not len(model.points):
            raise InputError(f"the model in {folder} has no points, which localisation needs; reconstruct it again")
        if images is not None and not images.is_dir():
            raise InputError(f"there is no folder {images}; give that of the map's images, or none")
        if images is None and (folder / "images").is_dir():
            images = folder / "images"
        opened = cls(folder, model, _features_of(folder, recipe), recipe, images)
        opened._check()
        return opened

    @classmethod
    def from_colmap(cls, sparse: Path, images: Path, out: Path, recipe: Recipe) -> Map:
        """Make a map of any COLMAP model, whose poses and cameras stay, and open it; see `make_map`.

        Args:
            sparse: folder of the model, in binary or text form.
            images: folder of its images; those that are not there are left out.
            out: folder of the map; what is there already is not made again.
            recipe: networks and options.

        Raises:
            InputError: there is no such model, or no map comes of it.
            OutputError: it cannot be written.
            MissingExtraError: pycolmap is not installed.

        Example:
            >>> sparse = Path("run/sparse").rename("posed") / "0"  # a model, whoever made it
            >>> place = Map.from_colmap(sparse, Path("scene"), Path("run"), recipe)  # features are in run
            >>> len(place.names)
            6
        """
        from cyano.localisation.maps.foreign import make_map

        make_map(sparse, images, out, recipe)
        return cls.open(out, recipe, images)

    def _check(self) -> None:
        """Check that the model is of these features, as far as their numbers and the first image tell.

        Raises:
            InputError: it is not.
        """
        missing = self.store.missing(self.names)
        if missing:
            raise InputError(
                f"{self.folder} lacks features of {len(missing)} of the {len(self.names)} images of its model, first "
                f"those of {missing[0]!r}; give the options that it was reconstructed with, or reconstruct it again"
            )
        counts = self.store.keypoint_counts(self.names)
        for name in self.names:
            if counts[name] != len(self.image(name).points):
                raise self._of_others(name)
        self.features(next((name for name in self.names if counts[name]), self.names[0]))

    def _of_others(self, name: str) -> InputError:
        return InputError(
            f"the model in {self.folder} is not of the features there (those of {name!r} are others); give the options "
            "that it was reconstructed with, or reconstruct it again"
        )

    @property
    def names(self) -> list[str]:
        """Of the images with a pose, sorted."""
        return list(self.model.images)

    def image(self, name: str) -> MapImage:
        """What the model knows of an image."""
        return self.model.images[name]

    def features(self, name: str) -> Features:
        """Features of an image at the exact places of its keypoints, with its pixels where they are at hand.

        Raises:
            InputError: the model is not of these features.
        """
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        while len(self._kept) >= _KEPT:
            self._kept.popitem(last=False)
        self._kept[name] = self._read(name)
        return self._kept[name]

    def _read(self, name: str) -> Features:
        features = self.store.read([name])[0].to_features()
        exact = torch.from_numpy(self.image(name).keypoints.copy())
        moved = torch.linalg.norm(features.frame.to_network(exact) - features.network_keypoints, dim=1)
        if len(moved) and float(moved.median()) > _MOVED_PX:
            raise self._of_others(name)
        return replace(features, keypoints=exact, image=self._pixels(name, features))

    def _pixels(self, name: str, features: Features) -> torch.Tensor | None:
        return None if self.images is None else pixels_of(self.images / name, features, self.recipe)

    def neighbours(self, points: NDArray[np.int64], without: Sequence[str]) -> list[tuple[str, int]]:
        """The images that see most of some points, and how many, the most first.

        Args:
            points: (K,) rows of the model's points.
            without: images that do not count.
        """
        wanted = np.zeros(len(self.model.points), bool)
        wanted[points] = True
        counts = Counter(
            {name: int(wanted[image.points[image.points >= 0]].sum()) for name, image in self.model.images.items()}
        )
        return [(name, count) for name, count in counts.most_common() if count and name not in set(without)]

    def images_near(self, prior: PositionPrior, radius: float) -> list[str]:
        """The images whose cameras stand within a radius, in the map's unit, of a position; sorted.

        Example:
            >>> place = Map.open(Path("run"), recipe)
            >>> pose = place.image("view0.png").T_world_to_camera
            >>> centre = -pose[:3, :3].T @ pose[:3, 3]
            >>> place.images_near(PositionPrior(tuple(centre)), radius=1e-3)
            ['view0.png']
        """
        near = prior.distances(self._centres) <= radius
        return [name for name, counts in zip(self.names, near, strict=True) if counts]

    @cached_property
    def _centres(self) -> NDArray[np.float64]:
        poses = np.array([image.T_world_to_camera for image in self.model.images.values()])
        return np.asarray(-np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3]))

    def most_alike(self, descriptors: NDArray[np.float32], count: int, among: Sequence[str] | None = None) -> list[str]:
        """The images whose global descriptors are nearest to that of an image with these local ones.

        Args:
            descriptors: (N, D) local ones.
            count: how many images at most.
            among: the only images that count; None for all.

        Example:
            >>> place = Map.open(Path("run"), recipe)
            >>> place.most_alike(place.store.read(["view0.png"])[0].descriptors, count=1)
            ['view0.png']
        """
        asked = self._global.asked(descriptors)
        names = self.names
        wanted = range(len(names)) if among is None else np.searchsorted(names, sorted(among)).tolist()
        rows = np.array(wanted, np.int64)
        order = np.argsort(-self._global.closeness(asked)[rows], kind="stable")
        return [names[row] for row in rows[order[:count]]]

    @cached_property
    def digest(self) -> str:
        """Stands for the model as it was read and its features; a model in text has another one, as it is rounded."""
        total = blake2b(digest_size=16)
        names = "\n".join((self.store.folder.name, *self.names)).encode()
        for part in (names, *(part for image in self.model.images.values() for part in _parts(image))):
            total.update(b"%d:" % len(part))
            total.update(part)
        total.update(self.model.points.tobytes())
        return total.hexdigest()

    @cached_property
    def _global(self) -> GlobalDescriptors:
        store = None if self.in_memory else self.folder / "store"
        return GlobalDescriptors.of_map(store, self.digest, self.names, self._local, self.store.folder.name)

    @cached_property
    def cameras(self) -> MapCameras:
        """Those of its images, to tell those of photographs by."""
        return MapCameras(self.model, self.images)

    def _local(self, name: str) -> NDArray[np.float16] | NDArray[np.float32]:
        return self.store.read([name])[0].descriptors


def _parts(image: MapImage) -> tuple[bytes, ...]:
    """All that a map knows of an image."""
    arrays = (image.T_world_to_camera, image.keypoints, image.points)
    return repr(image.camera).encode(), *(array.tobytes() for array in arrays)


def pixels_of(path: Path, features: Features, recipe: Recipe) -> torch.Tensor | None:
    """(h, w) float16, what the detector saw; None where the image cannot be read any more, or is another one."""
    options = recipe.options
    try:
        loaded = read(path, options.limits, stretch=options.stretch)
    except CyanoError:
        return None
    grey, frame = resize.apply(loaded, options.resize, features.frame.quarter_turns)
    return torch.from_numpy(grey).half() if frame == features.frame else None


def _features_of(folder: Path, recipe: Recipe) -> FeatureStore:
    """The store of a map's features; nothing is made.

    Raises:
        InputError: there is none of these options.
    """
    root, configuration = folder / "store", recipe.feature_configuration()
    if not (root / "features").is_dir():
        raise InputError(
            f"{folder} has no features (store/features); give the folder of `cyano reconstruct --out`, or make "
            "it a map (cyano map)"
        )
    if not FeatureStore.exists(root, configuration, precision=recipe.feature_precision):
        remedy = "give the options that the map was reconstructed with"
        try:
            recipe.features(root)
        except OutputError as error:
            raise InputError(f"{str(error).split('; repeat')[0]}; {remedy}") from error
        raise InputError(f"{root} has no features of these options; {remedy}")
    return recipe.features(root)
