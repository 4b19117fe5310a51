"""The stage from images to features."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.engine.plan import Unit, plan_images
from cyano.engine.recipe import Recipe
from cyano.engine.work import Outcome, Stage, Worker, failed
from cyano.errors import ImageError
from cyano.processing.images import read
from cyano.processing.masks import find_mask, mask_seen, read_mask
from cyano.processing.resize import apply
from cyano.store import FeatureStore, StoredImage
from cyano.types import Features, ResizeMap

__all__ = ["ExtractImages"]

_HEAD_BYTES = 16_384


@dataclass(frozen=True, eq=False)
class ExtractImages(Stage[str, StoredImage]):
    """Features of images, by their names.

    Attributes:
        recipe: networks and options.
        images: the folder to which names are relative.
        root: folder of the store.

    Example:
        >>> stage = ExtractImages(recipe, Path("scene").absolute(), Path("store"))
        >>> run_stage(stage, ["view0.png", "view1.png"]).done, stage.open().count()
        (2, 2)
        >>> stage.changed(["view0.png"]), [path.name for path in stage.files("view0.png")]
        ([], ['view0.png'])
    """

    recipe: Recipe
    images: Path
    root: Path

    def open(self, *, force: bool = False) -> FeatureStore:
        """See `Stage.open`."""
        return self.recipe.features(self.root, force=force)

    def plan(self, keys: Sequence[str], config_id: str) -> list[Unit[str]]:
        """Chunks of images; see `plan_images`."""
        return plan_images(keys, config_id)

    def changed(self, names: Iterable[str], *, force: bool = False) -> list[str]:
        """Those of the images that have features and are others now than when these were made.

        Args:
            names: of images.
            force: see `Stage.open`.

        Raises:
            OutputError: see `Stage.open`.
            ImageError: a name leads out of the folder.
        """
        times = {name: max(map(_touched, self.files(name))) for name in names}
        store = self.open(force=force)
        return store.changed(
            times, lambda name: _now(_content, self.files(name)), lambda name: _now(_head, self.files(name))
        )

    def files(self, name: str) -> list[Path]:
        """What decides the features of an image: its file, and that of its mask if there are masks.

        Raises:
            ImageError: the name leads out of the folder.
        """
        masks = self.recipe.masks
        return [_inside(self.images, name), *([] if masks is None else [find_mask(name, masks)])]

    def worker(self) -> ImageWorker:
        """See `Stage.worker`."""
        return ImageWorker(self)


class _Prepared(NamedTuple):
    """An image as the network sees it.

    Attributes:
        grey: (h, w) float32 in [0, 1].
        keep: (h, w) bool, where keypoints are wanted; None for everywhere.
        frame: the way back to the original image.
        content: BLAKE2b of the file, and of its mask if there is one.
        stretched: whether its values were spread over the whole range.
    """

    grey: NDArray[np.float32]
    keep: NDArray[np.bool_] | None
    frame: ResizeMap
    content: str
    stretched: bool


class ImageWorker(Worker[str, list[_Prepared | Exception], StoredImage]):
    """Extracts features in this process."""

    ahead = 4

    def __init__(self, stage: ExtractImages) -> None:
        self.store = stage.open()
        self._stage = stage
        self._matcher = stage.recipe.matcher()

    def steps(self, keys: Sequence[str]) -> list[list[str]]:
        """One image at a time."""
        return [[name] for name in keys] or [[]]

    def load(self, step: Sequence[str]) -> list[_Prepared | Exception]:
        """Read, decode and resize."""
        return [self._prepared(name) for name in step]

    def _prepared(self, name: str) -> _Prepared | Exception:
        options = self._stage.recipe.options
        try:
            _nameable(name)
            files = path, *masks = self._stage.files(name)
            image = read(path, options.limits, stretch=options.stretch)  # first, because it refuses what is too large
            grey, frame = apply(image, options.resize)
            keep = mask_seen(read_mask(masks[0], image.size), frame) if masks else None
            return _Prepared(grey, keep, frame, _content(files), image.stretched is not None)
        except Exception as error:  # noqa: BLE001 - a broken image costs itself only
            return error

    def compute(self, step: Sequence[str], loaded: list[_Prepared | Exception]) -> Iterator[Outcome[str, StoredImage]]:
        """Detect and describe."""
        for name, image in zip(step, loaded, strict=True):
            if isinstance(image, Exception):
                yield failed(name, image)
                continue
            try:
                features = self._matcher.extract([image.grey], masks=[image.keep])[0]
            except Exception as error:  # noqa: BLE001 - likewise
                yield failed(name, error)
            else:
                yield Outcome(name, partial(_stored, name, image, features))


def _touched(path: Path) -> float:
    """When a file was last written, or put where it is; if it is gone, that was never too long ago."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return math.inf
    return max(status.st_mtime, status.st_ctime)


def _now(what: Callable[[Sequence[Path]], str], paths: Sequence[Path]) -> str:
    """`_content` or `_head`, and of files that cannot be read nothing."""
    try:
        return what(paths)
    except (OSError, ValueError):
        return ""


def _content(paths: Sequence[Path]) -> str:
    """BLAKE2b of files, one after the other, a colon, and their `_head`."""
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return f"{digest.hexdigest()}:{_head(paths)}"


def _head(paths: Sequence[Path]) -> str:
    """BLAKE2b of the sizes and the beginnings of files, which notices a replaced image where clocks disagree."""
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        with path.open("rb") as file:
            digest.update(b"%d:" % os.fstat(file.fileno()).st_size + file.read(_HEAD_BYTES))
    return digest.hexdigest()


def _inside(folder: Path, name: str) -> Path:
    """The path of an image; lists of images come from anywhere and must not lead out of the folder."""
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise ImageError(f"{name!r} is outside the image folder; name images relative to that folder")
    return folder / name


def _nameable(name: str) -> None:
    """Refuse a name that what is made of the image cannot hold, such as COLMAP's database.

    Raises:
        ImageError: it is one.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ImageError(f"the name {name!r} is not valid UTF-8, which COLMAP needs; rename the file") from error
    if "\0" in name:
        raise ImageError(f"{name!r} has a null character, which no file name can; check the list")


def _stored(name: str, image: _Prepared, features: Features) -> StoredImage:
    """Features with positions in the original image: the matcher was given the resized one."""
    positions = image.frame.to_original(features.keypoints)
    seen = replace(features, keypoints=positions, frame=image.frame)
    return StoredImage.of(name, image.content, seen, stretched=image.stretched)
