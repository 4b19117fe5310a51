"""Images with known content, and damaged copies of image files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def photograph(height: int = 48, width: int = 64) -> Image.Image:
    """A small colour photograph (of an astronaut, in the public domain)."""
    from skimage import data

    return Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.BOX)


def from_the_side(folder: Path, turns: int = 0) -> tuple[Path, Path]:
    """Files of a photograph (of an astronaut), and of it compressed to a sixth of its width, as from the side.

    Args:
        folder: where they go.
        turns: CLOCKWISE quarter turns that set the second upright.
    """
    from skimage import data

    front = np.asarray(data.astronaut())[:, :480]
    aside = np.rint(front.reshape(len(front), 80, 6, 3).mean(axis=2)).astype(np.uint8)
    Image.fromarray(front).save(folder / "front.png")
    Image.fromarray(np.rot90(aside, turns)).save(folder / "aside.png")
    return folder / "front.png", folder / "aside.png"


def colours(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) independent random colours: no pixel is like its neighbour, so that no turn goes
    unnoticed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def exif(orientation: int | None = None, focal_35mm: int | None = None) -> bytes:
    """Encoded EXIF with an orientation and a focal length in millimetres on 35 mm film."""
    tags = Image.Exif()
    if orientation is not None:
        tags[0x0112] = orientation
    if focal_35mm is not None:
        tags.get_ifd(0x8769)[0xA405] = focal_35mm
    return tags.tobytes()


def blobs(height: int, width: int, centres: NDArray[np.float64], sigma: float) -> NDArray[np.float32]:
    """(H, W) sum of Gaussian blobs, peak 1, at (K, 2) sub-pixel positions (x, y); pixel centres are
    integers."""
    y, x = np.mgrid[:height, :width]
    squares = ((x - cx) ** 2 + (y - cy) ** 2 for cx, cy in centres)
    return np.sum([np.exp(-square / (2 * sigma**2)) for square in squares], axis=0).astype(np.float32)


def centroid(image: NDArray[np.float32], near: NDArray[np.float64], radii: tuple[float, float]) -> NDArray[np.float64]:
    """(x, y) mean position of the brightness in the window of half-sizes (along x, along y) around a
    point."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image * (np.abs(x - near[0]) <= radii[0]) * (np.abs(y - near[1]) <= radii[1])
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def damaged(data: bytes, count: int, rng: np.random.Generator) -> Iterator[bytes]:
    """Copies of a file, in turn cut off at a random place, and with 1 to 8 bits flipped anywhere or in its
    head."""
    for index in range(count):
        if index % 3 == 0:
            yield data[: int(rng.integers(1, len(data)))]
            continue
        copy = bytearray(data)
        reach = len(data) if index % 3 == 1 else min(len(data), 64)
        for position in rng.integers(0, reach, int(rng.integers(1, 9))):
            copy[position] ^= 1 << int(rng.integers(0, 8))
        yield bytes(copy)
