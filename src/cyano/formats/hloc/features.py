"""hloc's files of features: one HDF5 group for each image, named by its path.

In a group: `keypoints` (N, 2), `descriptors` (D, N), `scores` (N,) and `image_size` (width, height). Keypoints are in
pixels of the original image with the centre of the top-left one at (0, 0), as in Cyano. What hloc has no place for
(the frame of the detector, the hash of the image) is in attributes and in `extras`, so nothing is lost on the way
there and back; without them the detector is taken to have seen the original image.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.errors import InputError
from cyano.exif import OPENING_ERRORS
from cyano.formats.hloc.hdf5 import CheckedGroup, create, create_group, open_checked
from cyano.formats.items import batches, images_of
from cyano.reading import reason_of, without_warnings
from cyano.store import FeatureStore, Precision, StoredImage
from cyano.store.precision import narrowed
from cyano.types import ImageSize, ResizeMap

__all__ = ["SOURCE", "export_features", "file_digest", "import_features", "read_features"]

SOURCE = "hloc"
"""The source of imported items, as their store's configuration names it."""

logger = logging.getLogger(__name__)

_CONTENT, _FRAME = "cyano_content", "cyano_frame"
_BATCH = 64  # images
_MAX_SIDE = 2**31 - 1  # pixels


def export_features(
    store: FeatureStore,
    path: str | os.PathLike[str],
    names: Iterable[str] | None = None,
    *,
    precision: Precision = "float32",
    places: Mapping[str, NDArray[np.float32]] | None = None,
    overwrite: bool = False,
) -> int:
    """Write hloc's file of features; descriptors keep the precision of the store.

    Args:
        store: the features.
        path: of the file, usually `features.h5`.
        names: of the images; None for all, in the order of their names.
        precision: of the keypoints; hloc itself writes float16, which is off by up to a pixel beyond 2,048.
        places: (N, 2) of the keypoints of some images by name, where they are elsewhere than the features have them.
        overwrite: replace an existing file.

    Returns:
        How many images it holds.

    Raises:
        InputError: an image is not stored, or its name cannot be that of an HDF5 group.
        OutputError: the file exists or cannot be written.
        MissingExtraError: h5py is not installed.

    Example:
        >>> features, matches, names = collection.stored()
        >>> export_features(features, "features.h5", names)
        6
    """
    chosen = sorted(store.keys()) if names is None else list(names)
    with create(path, overwrite=overwrite) as file:
        for image in images_of(store, chosen):
            placed = replace(image, keypoints=(places or {}).get(image.name, image.keypoints))
            _write_image(create_group(file, image.name), placed, precision)
    return len(chosen)


def _write_image(group: Any, image: StoredImage, precision: Precision) -> None:
    original, network = image.frame.original, image.frame.network
    arrays = {
        **image.arrays(),
        "keypoints": narrowed(image.keypoints, precision, f"keypoints of {image.name!r}"),
        "descriptors": np.ascontiguousarray(image.descriptors.T),
        "image_size": np.array([original.width, original.height], np.int64),
    }
    for name in sorted(arrays):
        if name in group:
            raise InputError(f"{image.name!r} and another image would share the HDF5 group {group.name!r}; rename one")
        group.create_dataset(name, data=arrays[name])
    # As in hloc, how exactly a keypoint is known: a pixel of the image that the detector saw, in original ones.
    group["keypoints"].attrs["uncertainty"] = 2 / sum(image.frame.scale)
    sizes = (original.height, original.width, network.height, network.width)
    group.attrs[_FRAME] = np.array([*sizes, image.frame.quarter_turns], np.int64)
    if image.content:
        group.attrs[_CONTENT] = np.bytes_(image.content.encode("ascii"))


def read_features(path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None) -> Iterator[StoredImage]:
    """The features of all images in hloc's file, one after the other.

    Args:
        path: of the file, by whomever it was made: of hloc's extractors, or of its dense matchers, whose keypoints have
            no descriptors.
        images: folder of the images, from which sizes are read that the file does not tell; without it, such an image
            is taken to be as large as its keypoints reach, with a warning.

    Yields:
        Images in the order of their names, folder by folder; everything in float32 but descriptors, which keep
        float16.

    Raises:
        InputError: the file is not of this form, or not safe to read; the message says where.
        MissingExtraError: h5py is not installed.

    Example:
        >>> features, matches, names = collection.stored()
        >>> count = export_features(features, "features.h5", names)
        >>> [image.name for image in read_features("features.h5")][:2]
        ['view0.png', 'view1.png']
    """
    guessed = 0
    with open_checked(path) as file:
        for group in file.groups():
            if "keypoints" in group.datasets:
                guessed += images is None and "image_size" not in group.datasets
                yield _image(group, None if images is None else Path(images))

    if guessed:
        logger.warning("%s does not tell the sizes of %d images; give the folder of the images as well", path, guessed)


def import_features(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str],
    *,
    precision: Precision = "float32",
    images: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> FeatureStore:
    """Take hloc's features into a store, to be matched; what is there already is left.

    Args:
        path: of hloc's file.
        root: folder of the store.
        precision: of the descriptors in the store.
        images: see `read_features`.
        force: begin anew beside the features of other configurations or files instead of refusing.

    Returns:
        The store. The hash of the file is its configuration.

    Raises:
        InputError: the file is not of this form, holds no features, or is not safe to read.
        OutputError: the store holds other features, or cannot be written.
        MissingExtraError: h5py is not installed.

    Example:
        >>> features, matches, names = collection.stored()
        >>> count = export_features(features, "features.h5")
        >>> import_features("features.h5", "imported").count()
        6
    """
    count = 0
    store: FeatureStore | None = None
    for batch in batches(read_features(path, images), _BATCH):
        if store is None:  # only for a file that begins well
            configuration = {"source": SOURCE, "file_blake2b": file_digest(path)}
            store = FeatureStore(root, configuration, precision=precision, force=force)
        missing = set(store.missing([image.name for image in batch]))
        store.write([image for image in batch if image.name in missing])
        count += len(batch)
    if store is None:
        raise InputError(f"{os.fspath(path)} holds no keypoints; give hloc's file of local features")
    return store


def file_digest(path: str | os.PathLike[str]) -> str:
    """BLAKE2b of a file, as 128 hexadecimal digits.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError as error:
        raise InputError(f"{os.fspath(path)} cannot be read: {error.strerror}; check the path") from error


_SCORES = ("scores", "keypoint_scores", "score")
"""What hloc's extractors call them: those of SuperPoint and SIFT, of ALIKED and DISK, and its dense matchers."""


def _image(group: CheckedGroup, folder: Path | None) -> StoredImage:
    keypoints = group.array("keypoints", "fiu", (None, 2))
    count = len(keypoints)
    if "descriptors" in group.datasets:
        descriptors = group.array("descriptors", "f", (None, count)).T
    else:  # of dense matchers, which compare images and not keypoints
        descriptors = np.zeros((count, 0), np.float16)
    named = next((name for name in _SCORES if name in group.datasets), None)
    scores = np.ones(count, np.float32) if named is None else group.array(named, "f", (count,))
    extras = group.array("extras", "f", (count, None)) if "extras" in group.datasets else None
    half = descriptors.dtype.itemsize == 2
    content = group.attribute(_CONTENT, "S")
    return StoredImage(
        group.name,
        "" if content is None else bytes(content).decode("latin-1"),
        _float32(keypoints),
        _float32(scores),
        np.ascontiguousarray(descriptors) if half else _float32(descriptors),
        _frame(group, keypoints, folder),
        None if extras is None else _float32(extras),
    )


def _float32(values: Any) -> Any:
    """Contiguous float32; what is too large becomes infinite, which a `StoredImage` refuses."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32)


def _frame(group: CheckedGroup, keypoints: NDArray[Any], folder: Path | None) -> ResizeMap:
    """How the detector saw the image, where Cyano wrote it; else as it is."""
    if "image_size" not in group.datasets:
        return ResizeMap.identity(_size_of_file(group.name, keypoints, folder))
    width, height = (_side(group, value) for value in group.array("image_size", "iuf", (2,)))
    original = ImageSize(height, width)
    frame = group.attribute(_FRAME, "i")
    if frame is None:
        return ResizeMap.identity(original)
    values = np.ravel(frame).tolist()
    if len(values) != 5 or tuple(values[:2]) != (height, width) or values[4] not in range(-3, 4):
        raise InputError(f"the attribute {_FRAME} of {group.name!r} cannot be understood: {values}; export it again")
    return ResizeMap(original, ImageSize(_side(group, values[2]), _side(group, values[3])), values[4])


def _size_of_file(name: str, keypoints: NDArray[Any], folder: Path | None) -> ImageSize:
    """The size of an image that hloc's file does not tell, as in those of its dense matchers.

    hloc passes over EXIF orientation, so it is that of the stored pixels.
    """
    if folder is None:
        width, height = (1, 1) if not len(keypoints) else (int(side) for side in np.ceil(keypoints.max(axis=0) + 1))
        return ImageSize(max(height, 1), max(width, 1))
    try:
        with without_warnings(r"PIL\."), Image.open(folder / name) as image:
            return ImageSize(image.height, image.width)
    except OPENING_ERRORS as error:
        raise InputError(f"the size of {folder / name} cannot be read: {reason_of(error)}; check the folder") from error


def _side(group: CheckedGroup, value: Any) -> int:
    if not 1 <= value <= _MAX_SIDE or value != int(value):
        raise InputError(f"the image size of {group.name!r} is in whole pixels from 1, not {value}; export it again")
    return int(value)
