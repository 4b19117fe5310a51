"""Masks that say which parts of an image may have keypoints, in COLMAP's convention: black is ignored."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.errors import ImageError, InputError
from cyano.pairs.entries import entry_name, which
from cyano.processing.images import ImageLimits, ImageSource, read_pixels
from cyano.reading import read_text
from cyano.types import ImageSize, ResizeMap

__all__ = [
    "FOLDER_MASK",
    "find_mask",
    "is_list",
    "keep_keypoints",
    "mask_path_for",
    "mask_scores",
    "mask_seen",
    "read_mask",
    "read_masks",
]

FOLDER_MASK = "mask.png"
"""The name of a mask for all images of a folder."""

_LIST_SUFFIX = ".txt"

_LIMITS = ImageLimits(min_side=1)


def read_mask(source: ImageSource, size: ImageSize) -> NDArray[np.bool_]:
    """Read the mask of an image.

    Args:
        source: as of an image; a pixel is kept if any colour channel is above zero and it is not fully
            transparent.
        size: of the image as displayed, which the mask must have as well.

    Returns:
        (H, W), True where keypoints are kept.

    Raises:
        ImageError: it cannot be read, or has another size.
    """
    raw = read_pixels(source, _LIMITS)
    pixels = raw.pixels
    found = ImageSize(pixels.shape[0], pixels.shape[1])
    if found != size:
        raise ImageError(
            f"{raw.name}: the mask is {found.height}x{found.width} pixels (height x width) but its image is "
            f"{size.height}x{size.width}; make the mask as large as the image"
        )
    lit: NDArray[np.bool_] = np.asarray(pixels != 0)
    if lit.ndim == 2:
        return lit
    # Without an alpha channel, `all` looks at nothing, which is True.
    return np.logical_and(lit[..., :3].any(axis=2), lit[..., 3:].all(axis=2), dtype=np.bool_)


def mask_path_for(
    image_path: str | os.PathLike[str],
    mask_folder: str | os.PathLike[str],
    image_folder: str | os.PathLike[str] | None = None,
) -> Path:
    """Where COLMAP expects the mask of an image: `<mask folder>/<image name>.png`.

    Args:
        image_path: of the image, `room/1.jpg`.
        mask_folder: the folder of all masks, whose tree mirrors that of the images.
        image_folder: the folder of all images, to which `image_path` is made relative. Without it, the name
            is `image_path` itself if that is relative, else its last part.

    Raises:
        InputError: the image is not inside of `image_folder`, or its name points out of the folder by `..`.
    """
    path = Path(image_path)
    if image_folder is not None:
        if not path.is_relative_to(image_folder):
            raise InputError(f"{path} is not inside the image folder {image_folder}; pass the folder it is in")
        path = path.relative_to(image_folder)
    elif path.is_absolute():
        path = Path(path.name)
    if ".." in path.parts:
        raise InputError(f"{path} points outside its folder; pass a path without '..'")
    return Path(mask_folder) / path.with_name(path.name + ".png")


def find_mask(name: str, masks: Path) -> Path:
    """The mask of an image of a collection: its own, or that of the nearest folder, or that of all.

    Args:
        name: of the image, relative to the folder of the images.
        masks: a mask for all images, or a folder of masks whose tree mirrors that of the images: `a/1.jpg.png` for
            `a/1.jpg` (see `mask_path_for`), and `a/mask.png` for the other images of `a`; or a list, see `read_masks`.

    Returns:
        Its path; that of its own mask if there is none at all, and in the list itself if that has none for it.

    Raises:
        InputError: the name points out of its folder, or the list is none.
    """
    if is_list(masks):
        status = masks.stat()
        listed = _read_once(masks, (status.st_mtime_ns, status.st_size))
        entry = which(listed, name)
        return masks / name if entry is None else listed[entry]
    if masks.is_file():
        return masks
    own = mask_path_for(name, masks)
    if own.exists():
        return own
    folders = [folder for folder in own.parents if folder == masks or folder.is_relative_to(masks)]
    return next((path for folder in folders if (path := folder / FOLDER_MASK).is_file()), own)


def is_list(masks: Path) -> bool:
    """Whether this is a list of masks, see `read_masks`, and no mask itself."""
    return masks.suffix.lower() == _LIST_SUFFIX and masks.is_file()


def read_masks(path: Path) -> dict[str, Path]:
    """The masks of images and folders, from a text file with a line for each: NAME MASK.

        left/* masks/rig.png
        extra/1.jpg masks/people.png

    A folder ends in a slash or in /*, and * is for all images; the nearest counts. Masks lie relative to the file. A
    tab stands between the two where a name has spaces.

    Raises:
        InputError: it is no such file, or a name stands in it twice.
    """
    found: dict[str, Path] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fields = [field.strip() for field in (line.strip().split("\t") if "\t" in line.strip() else line.split())]
        if len(fields) != 2:
            raise InputError(
                f"{path}, line {number}: not NAME MASK; put a tab between the two where a name has spaces, and use an "
                "image file if this should be a mask itself"
            )
        name = entry_name(fields[0])
        if name in found:
            raise InputError(f"{path}: {fields[0]!r} appears twice; remove one")
        found[name] = path.parent / fields[1]
    return found


@lru_cache(maxsize=4)
def _read_once(path: Path, _state: tuple[int, int]) -> dict[str, Path]:
    return read_masks(path)


def keep_keypoints(mask: NDArray[np.bool_], keypoints: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Which keypoints the mask keeps, by the pixel that each is on.

    Args:
        mask: (H, W), True where keypoints are kept.
        keypoints: (N, 2) as (x, y) in pixels of the same image; the image reaches half a pixel beyond the
            outer pixels' centres, and points beyond that are not kept.

    Returns:
        (N,) bool.
    """
    x, y = keypoints[:, 0], keypoints[:, 1]
    height, width = mask.shape
    inside: NDArray[np.bool_] = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    keep = np.zeros(len(keypoints), dtype=np.bool_)
    columns = np.clip(np.floor(x[inside] + 0.5), 0, width - 1).astype(np.int64)
    rows = np.clip(np.floor(y[inside] + 0.5), 0, height - 1).astype(np.int64)
    keep[inside] = mask[rows, columns]
    return keep


def mask_seen(mask: NDArray[np.bool_], frame: ResizeMap) -> NDArray[np.bool_]:
    """The mask of an image as the network sees it: each pixel is kept or not as a keypoint on its middle would be.

    Args:
        mask: (H, W) of the ORIGINAL image, True where keypoints are kept.
        frame: the way between the two.

    Returns:
        (h, w) of the network's image.
    """
    height, width = frame.network.height, frame.network.width
    y, x = np.mgrid[:height, :width]
    pixels = torch.from_numpy(np.stack([x.ravel(), y.ravel()], axis=1)).float()
    return keep_keypoints(mask, frame.to_original(pixels).numpy()).reshape(height, width)


def mask_scores(scores: Tensor, mask: NDArray[np.bool_], frame: ResizeMap) -> Tensor:
    """Zero the keypoint scores that fall on masked pixels.

    Args:
        scores: (H, W) of the network's image, mostly zeros after non-maximum suppression.
        mask: (H, W) of the ORIGINAL image, True where keypoints are kept.
        frame: the way between the two.

    Returns:
        (H, W) like `scores`, which stays as it is.
    """
    flat = torch.nonzero(scores.flatten() > 0)[:, 0]
    width = scores.shape[1]
    keypoints = torch.stack([flat % width, flat // width], dim=1).float()
    hidden = ~keep_keypoints(mask, frame.to_original(keypoints).cpu().numpy())
    masked = scores.flatten().clone()
    masked[flat[torch.from_numpy(hidden).to(flat.device)]] = 0
    return masked.view_as(scores)
