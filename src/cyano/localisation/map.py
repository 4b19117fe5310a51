"""A reconstructed collection as a map: read, never written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.engine import Recipe
from cyano.errors import CyanoError, InputError
from cyano.formats.map_model import MapImage, MapModel, read_map_model
from cyano.processing import resize
from cyano.processing.images import read
from cyano.retrieval import Codebook, VladOptions, codebook_for, global_descriptors, sample_descriptors, vlad
from cyano.store import FeatureStore
from cyano.types import Features

__all__ = ["Map"]

_KEPT = 256
"""Images whose features and pixels are kept, 1.8 MB each with 1,024 keypoints at 640x480."""

_VLAD = VladOptions()


@dataclass(eq=False)
class Map:
    """Images with poses, their features, and the points that they see.

    Attributes:
        folder: of the results of `cyano reconstruct`.
        model: the largest model.
        store: features of its images.
        recipe: networks and options that the features were made with.
        images: the folder of the images, by which matches are aligned; None to do without.
    """

    folder: Path
    model: MapModel
    store: FeatureStore
    recipe: Recipe
    images: Path | None = None
    _kept: dict[str, Features] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path, recipe: Recipe, images: Path | None = None) -> Map:
        """Open the results of `cyano reconstruct`.

        Args:
            folder: of the results.
            recipe: networks and options of the collection; others have other features.
            images: the folder of the images; None for `folder/images`, if there is such a folder or a link.

        Raises:
            InputError: there is no model, it has no points, or it is of other features.
            OutputError: there are features of other options only.
            MissingExtraError: pycolmap is not installed.
        """
        model = read_map_model(folder / "sparse" / "0")
        if not len(model.points):
            raise InputError(f"the model in {folder} has no points to localise by; reconstruct it again")
        if images is not None and not images.is_dir():
            raise InputError(f"there is no folder {images}; give that of the map's images, or none")
        if images is None and (folder / "images").is_dir():
            images = folder / "images"
        store = recipe.features(folder / "store")
        names = list(model.images)
        missing = store.missing(names)
        if missing:
            raise InputError(
                f"{folder} lacks features of {len(missing)} of the {len(names)} images of its model, first those of "
                f"{missing[0]!r}; give the options that it was reconstructed with, or reconstruct it again"
            )
        counts = store.keypoint_counts(names)
        other = [name for name in names if counts[name] != len(model.images[name].points)]
        if other:
            raise InputError(f"the model in {folder} is not of these features ({other[0]!r}); reconstruct it again")
        return cls(folder, model, store, recipe, images)

    @property
    def names(self) -> list[str]:
        """Of the images with a pose, sorted."""
        return list(self.model.images)

    def image(self, name: str) -> MapImage:
        """What the model knows of an image."""
        return self.model.images[name]

    def features(self, name: str) -> Features:
        """Features of an image at the exact places of its keypoints, with its pixels where they are at hand."""
        if name not in self._kept:
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name] = self._read(name)
        return self._kept[name]

    def _read(self, name: str) -> Features:
        features = self.store.read([name])[0].to_features()
        exact = torch.from_numpy(self.image(name).keypoints.copy())
        return replace(features, keypoints=exact, image=self._pixels(name, features))

    def _pixels(self, name: str, features: Features) -> torch.Tensor | None:
        """What the detector saw; None where the image cannot be read any more, or is another one."""
        if self.images is None:
            return None
        options = self.recipe.options
        try:
            loaded = read(self.images / name, options.limits, stretch=options.stretch)
        except CyanoError:
            return None
        grey, frame = resize.apply(loaded, options.resize, features.frame.quarter_turns)
        return torch.from_numpy(grey).half() if frame == features.frame else None

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

    def most_alike(self, descriptors: NDArray[np.float32], count: int) -> list[str]:
        """The images whose global descriptors are nearest to that of an image with these local ones."""
        codebook, described = self._described
        asked = vlad(descriptors, codebook.centroids, _VLAD.normalisation)
        order = np.argsort(-(described.astype(np.float32) @ asked), kind="stable")
        return [self.names[row] for row in order[:count]]

    @cached_property
    def _described(self) -> tuple[Codebook, NDArray[np.float16]]:
        names, folder = self.names, self.folder / "store" / "codebooks"
        sample = sample_descriptors(self._local, names, _VLAD)
        codebook = codebook_for(sample, _VLAD, features=self.store.folder.name, folder=folder)
        return codebook, global_descriptors(self._local, names, codebook, _VLAD.normalisation)

    def _local(self, name: str) -> NDArray[np.float16] | NDArray[np.float32]:
        return self.store.read([name])[0].descriptors
