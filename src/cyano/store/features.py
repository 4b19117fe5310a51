"""Features of images, as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.store.base import ShardStore
from cyano.store.precision import narrowed
from cyano.store.shard import Shard
from cyano.types import Features, ImageSize, ResizeMap

__all__ = ["FeatureStore", "StoredImage"]


@dataclass(frozen=True, eq=False, repr=False)
class StoredImage(Concise):
    """The features of one image on the CPU, and which image it was.

    Attributes:
        name: of the image, with any characters; usually its path relative to the folder of the images.
        content: hash of the image file, in ASCII.
        keypoints: (N, 2) float32, (x, y) in pixels of the original image.
        scores: (N,) float32, the detector's confidence.
        descriptors: (N, D) float16 or float32 rows of unit length.
        frame: how the original image became the one that the detector saw.
        extras: (N, E) float32, what else the matcher reads of each keypoint; None for nothing.
        stretched: whether the values of the image were spread over the whole range before.

    Raises:
        InputError: the shapes do not fit together, or a value is not finite.

    Example:
        >>> features = matcher.extract(["a.jpg"])[0]
        >>> image = StoredImage.of("a.jpg", "a hash of the file", features)
        >>> len(image.to_features()) == len(features), list(image.arrays())[0]
        (True, 'keypoints')
    """

    name: str
    content: str
    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    descriptors: NDArray[np.float16] | NDArray[np.float32]
    frame: ResizeMap
    extras: NDArray[np.float32] | None = None
    stretched: bool = False

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        fits = self.keypoints.shape == (count, 2) and self.scores.shape == (count,)
        for rows in (self.descriptors,) if self.extras is None else (self.descriptors, self.extras):
            fits = fits and rows.ndim == 2 and len(rows) == count
        if not fits:
            raise InputError(
                f"features of {self.name!r} need keypoints (N, 2), scores (N,), descriptors (N, D) and extras (N, E), "
                f"not {[array.shape for array in self.arrays().values()]}"
            )
        if not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise InputError(f"features of {self.name!r} hold values that are not finite; extract them again")
        if not self.content.isascii():
            raise InputError(f"the content hash of {self.name!r} is not ASCII: {self.content!r}")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, without extras where there are none."""
        arrays: dict[str, NDArray[Any]] = {"keypoints": self.keypoints, "scores": self.scores}
        arrays["descriptors"] = self.descriptors
        return arrays if self.extras is None else {**arrays, "extras": self.extras}

    @classmethod
    def of(cls, name: str, content: str, features: Features, *, stretched: bool = False) -> StoredImage:
        """From what a detector gives, on any device.

        Args:
            name: of the image.
            content: hash of the image file.
            features: of the image.
            stretched: see above.
        """
        arrays = (features.keypoints, features.scores, features.descriptors)
        keypoints, scores, descriptors = (tensor.detach().float().cpu().numpy() for tensor in arrays)
        extras = None if features.extras is None else features.extras.detach().float().cpu().numpy()
        return cls(name, content, keypoints, scores, descriptors, features.frame, extras, stretched)

    def to_features(self) -> Features:
        """What a matcher takes: tensors on the CPU, all in float32."""
        arrays: dict[str, Any] = self.arrays()
        return Features(**arrays, frame=self.frame)


class FeatureStore(ShardStore[str, StoredImage]):
    """Features by the name of their image.

    Example:
        >>> store = FeatureStore("store", {"weights": "cyano-small", "max_keypoints": 1024})
        >>> store.write([StoredImage.of("a.jpg", "a hash of the file", matcher.extract(["a.jpg"])[0])])
        >>> store.missing(["a.jpg", "b.jpg"]), store.read(["a.jpg"])[0].name
        (['b.jpg'], 'a.jpg')
        >>> store.image_sizes(["a.jpg"]), store.stretched_images()
        ({'a.jpg': ImageSize(height=240, width=320)}, [])
    """

    kind = "features"

    def changed(
        self, times: Mapping[str, float], content: Callable[[str], str], head: Callable[[str], str] | None = None
    ) -> list[str]:
        """The stored images that are others now than when their features were made.

        What nobody touched since its shard was written is the same, as far as clocks agree; only the other images are
        read whole. What is stored stays. Everything downstream was made from it, so begin a new store.

        Args:
            times: when each image was last touched, by name, in seconds since the epoch.
            content: gives the content hash of an image.
            head: gives what follows the first colon of the content hash, from a part of the image that is read
                whatever the clocks say; None does without.

        Raises:
            InputError: a shard cannot be read.

        Example:
            >>> features, matches, names = collection.stored()
            >>> features.changed(dict.fromkeys(names, 0.0), content=lambda name: "another")  # untouched since 1970
            []
        """
        self._shards.refresh()
        written = cache(self._shards.written)
        return [
            name
            for name, _, place in self._places(times)
            if place and _differs(place.tag, name, head, times[name] >= written(place.shard), content)
        ]

    def stretched_images(self) -> list[str]:
        """The images whose values were spread over the whole range, sorted; only the headers of the shards are read.

        Raises:
            InputError: a shard cannot be read.
        """
        return sorted(name for name, told in self._once(_told_stretched) if told)

    def image_sizes(self, names: Iterable[str]) -> dict[str, ImageSize]:
        """The size of the original of each of these images that is stored; only the headers of the shards are read.

        Raises:
            InputError: a shard cannot be read.
        """
        known = dict(self._once(_sizes))
        return {name: known[name] for name in names if name in known}

    def keypoint_counts(self, names: Iterable[str]) -> dict[str, int]:
        """How many keypoints each of these images has, in their order; only the headers of the shards are read.

        Raises:
            InputError: some are not stored, or a shard cannot be read.

        Example:
            >>> features, matches, names = collection.stored()
            >>> features.keypoint_counts(["view0.png"])
            {'view0.png': 200}
        """
        known = dict(self._once(_counts))
        asked = list(names)
        lost = [name for name in asked if name not in known]
        if lost:
            raise InputError(
                f"{self.folder} lacks the features of {len(lost)} of {len(asked)} images, first those of {lost[0]!r}; "
                "repeat the command that makes them"
            )
        return {name: known[name] for name in asked}

    def _names(self, key: str) -> Sequence[str]:
        return (key,)

    def _key(self, item: StoredImage) -> str:
        return item.name

    def _encode(self, items: Sequence[StoredImage]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        images, tensors = [], {}
        for row, item in enumerate(items):
            frame = item.frame
            sizes = (frame.original.height, frame.original.width, frame.network.height, frame.network.width)
            told = {"stretched": True} if item.stretched else {}
            images.append({"name": item.name, "content": item.content, "frame": [*sizes, frame.quarter_turns], **told})
            for name, array in item.arrays().items():
                precision = self.precision if name == "descriptors" else "float32"
                tensors[f"{row}/{name}"] = narrowed(array, precision, f"{name} of {item.name!r}")
        return {"images": images}, tensors

    def _decode(self, shard: Shard, rows: Sequence[int] | None) -> list[StoredImage]:
        images = shard.document["images"]
        return [_decoded(shard, row, images[row]) for row in (range(len(images)) if rows is None else rows)]

    def _keys(self, shard: Shard) -> list[tuple[str, str]]:
        return [(image["name"], image["content"]) for image in shard.document["images"]]


def _differs(
    tag: str, name: str, head: Callable[[str], str] | None, touched: bool, content: Callable[[str], str]
) -> bool:
    """Whether an image is another one; see `FeatureStore.changed`."""
    known = tag.partition(":")[2]
    if head is not None and known and known != head(name):
        return True
    return touched and tag != content(name)


def _counts(shard: Shard) -> list[tuple[str, tuple[str, int]]]:
    """The keypoints of each image, by its name."""
    images = enumerate(shard.document["images"])
    return [(image["name"], (image["name"], shard.shape(f"{row}/scores")[0])) for row, image in images]


def _told_stretched(shard: Shard) -> list[tuple[str, tuple[str, bool]]]:
    """Whether each image was, by its name."""
    return [(image["name"], (image["name"], "stretched" in image)) for image in shard.document["images"]]


def _sizes(shard: Shard) -> list[tuple[str, tuple[str, ImageSize]]]:
    """The size of each image, by its name."""
    images = shard.document["images"]
    return [(image["name"], (image["name"], ImageSize(*image["frame"][:2]))) for image in images]


def _decoded(shard: Shard, row: int, image: Mapping[str, Any]) -> StoredImage:
    height, width, network_height, network_width, turns = image["frame"]
    frame = ResizeMap(ImageSize(height, width), ImageSize(network_height, network_width), turns)
    keypoints, scores, descriptors = (shard.tensor(f"{row}/{name}") for name in ("keypoints", "scores", "descriptors"))
    extras = shard.tensor(f"{row}/extras") if f"{row}/extras" in shard.names else None
    told = bool(image.get("stretched", False))
    return StoredImage(image["name"], image["content"], keypoints, scores, descriptors, frame, extras, told)
