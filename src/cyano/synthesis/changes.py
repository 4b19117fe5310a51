"""Controlled changes of a photograph: each one alone, and the exact place of every point after it.

Training mixes changes at random (`photometric`, `homographies`). These are for measuring: what a method loses to blur,
darkness or distance shows only where nothing else changes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CHANGES", "Change", "change_homography", "changed"]

_Picture = NDArray[np.uint8]
_Image = NDArray[np.float32]

_FINE = 4
"""Samples to each side of a pixel of a view: a third of the size then has no aliases."""

_SURROUNDINGS = 1 / 16
"""Sigma of the blur that lies beyond the photograph, as a share of the longest side."""

_FAR = 0.01
"""Weight of the photograph's mean colour in that blur, whose own weight falls with the distance."""


@dataclass(frozen=True)
class Change:
    """What happens to a photograph, in the order of the attributes; the defaults change nothing.

    Attributes:
        name: what it is called.
        tilt: degrees by which the camera moves around the photograph, which hangs on a wall. It goes on looking at
            the middle from the same distance, the longest side, where the photograph takes 53 degrees of its sight.
        turn: degrees by which the camera then turns about its axis.
        scale: of what is seen, as from 1 / `scale` times the distance.
        blur: sigma of a Gaussian, in pixels.
        motion: length of the path of the image during the exposure, in pixels.
        gain: factor of the values.
        contrast: factor of their distances from the mean.
        noise: sigma of normal noise, the same for the three colours, as a share of the range.
        quality: of JPEG, 1 to 100; 0 is no JPEG.
    """

    name: str
    tilt: float = 0.0
    turn: float = 0.0
    scale: float = 1.0
    blur: float = 0.0
    motion: float = 0.0
    gain: float = 1.0
    contrast: float = 1.0
    noise: float = 0.0
    quality: int = 0

    @property
    def moves_points(self) -> bool:
        """Whether the homography is another than the identity."""
        return bool(self.tilt or self.turn or self.scale != 1)


CHANGES = (
    Change("blur 2", blur=2),
    Change("blur 3.5", blur=3.5),
    Change("motion 13", motion=13),
    Change("motion 25", motion=25),
    Change("dark", gain=0.12, noise=0.01),
    Change("contrast 1/4", contrast=0.25),
    Change("noise", noise=0.06),
    Change("JPEG 10", quality=10),
    Change("scale 1/2", scale=1 / 2),
    Change("scale 1/3", scale=1 / 3),
    Change("tilt 45", tilt=45),
    Change("tilt 62", tilt=62),
    Change("turn 35", turn=35),
    Change("turn 90", turn=90),
    Change("scale 1/2, blur 1", scale=1 / 2, blur=1),
    Change("tilt 45, motion 13", tilt=45, motion=13),
    Change("scale 1/2, dark", scale=1 / 2, gain=0.12, noise=0.01),
)
"""Those of the stress set, for photographs with a longest side of 640 pixels."""


def changed(photograph: _Picture, change: Change, seed: int = 0) -> tuple[_Picture, NDArray[np.float64]]:
    """A photograph after a change.

    Directions (of the motion, of the camera's way, of the turn) and noise depend on the seed and on the photograph
    alone: two lengths of motion go the same way.

    Args:
        photograph: (H, W, 3) uint8.
        change: what to do.
        seed: of what is random.

    Returns:
        (H, W, 3) uint8, and the (3, 3) homography that maps pixels of the photograph to it. What lies beyond the
        photograph is a blur of it: nothing to match, and no frame with an edge like that of a thing.
    """
    rng = np.random.default_rng((seed, zlib.crc32(photograph.tobytes())))
    tilt_axis, motion_direction = rng.uniform(0, 2 * np.pi, 2)
    turn_sign = rng.choice((-1.0, 1.0))
    height, width = photograph.shape[:2]
    image, H = photograph.astype(np.float32) / np.float32(255), np.eye(3)
    if change.moves_points:
        H = change_homography(change, width, height, tilt_axis, turn_sign)
        image = _view(image, H)
    if change.blur:
        image = _gaussian(image, change.blur)
    if change.motion:
        image = _filtered(image, _path(change.motion, motion_direction))
    image = image * np.float32(change.gain)
    image = (image - image.mean()) * np.float32(change.contrast) + image.mean()
    image = image + rng.normal(0, change.noise, (height, width, 1)).astype(np.float32)
    picture = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return (_jpeg(picture, change.quality) if change.quality else picture), H


def change_homography(
    change: Change, width: int, height: int, tilt_axis: float, turn_sign: float
) -> NDArray[np.float64]:
    """The (3, 3) homography of a change's tilt, turn and scale about the middle of a photograph.

    Args:
        change: see there.
        width: of the photograph in pixels.
        height: likewise.
        tilt_axis: radians from the x axis to the axis, in the photograph, about which the camera moves.
        turn_sign: 1 turns from the x to the y axis, -1 the other way.
    """
    focal = float(max(width, height))  # and the distance: without a tilt nothing changes
    middle = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    tilt = _rotation(np.radians(change.tilt) * np.array([np.cos(tilt_axis), np.sin(tilt_axis), 0]))
    turn = _rotation(np.radians(change.turn) * np.array([0, 0, turn_sign]))
    wall = np.stack([tilt[:, 0], tilt[:, 1], np.array([0, 0, focal])], axis=1)  # its point (x, y, 1) to the camera
    H = middle @ np.diag([change.scale, change.scale, 1]) @ turn @ np.diag([1, 1, 1 / focal]) @ wall
    return np.asarray(H @ np.linalg.inv(middle), dtype=np.float64)


def _rotation(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(vector)[0], dtype=np.float64)


def _view(image: _Image, H: NDArray[np.float64]) -> _Image:
    """The image under a homography, each pixel the mean of its area; beyond the image there is a blur of it."""
    height, width = image.shape[:2]
    fine = np.array([[_FINE, 0, (_FINE - 1) / 2], [0, _FINE, (_FINE - 1) / 2], [0, 0, 1]]) @ H
    many, size = (_FINE * width, _FINE * height), (width, height)
    inside = cv2.warpPerspective(np.ones((height, width), np.float32), fine, many)
    seen = cv2.warpPerspective(image, fine, many, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_AREA), dtype=np.float32)[:, :, None]
    part = share * np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    sigma = _SURROUNDINGS * max(size)
    near, weight = _gaussian(part, sigma), _gaussian(share, sigma).reshape(share.shape)
    around = (near + _FAR * image.mean(axis=(0, 1))) / (weight + _FAR)
    return np.asarray(part + (1 - share) * around, dtype=np.float32)


def _gaussian(image: _Image, sigma: float) -> _Image:
    side = 2 * int(np.ceil(4 * sigma)) + 1
    return np.asarray(cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101), dtype=np.float32)


def _filtered(image: _Image, kernel: _Image) -> _Image:
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101), dtype=np.float32)


def _path(length: float, direction: float) -> _Image:
    """The kernel of a straight, even motion: symmetric about its middle, so that no point moves."""
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    steps = np.linspace(-length / 2, length / 2, 16 * int(np.ceil(length)) + 1)
    points = reach + steps[:, None] * np.array([np.cos(direction), np.sin(direction)])
    low = np.floor(points).astype(np.int64)
    right, down = (points - low).T
    for x, y, share in ((0, 0, (1 - right) * (1 - down)), (1, 0, right * (1 - down)), (0, 1, (1 - right) * down)):
        np.add.at(kernel, (low[:, 1] + y, low[:, 0] + x), share)
    np.add.at(kernel, (low[:, 1] + 1, low[:, 0] + 1), right * down)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _jpeg(picture: _Picture, quality: int) -> _Picture:
    _, encoded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[:, :, ::-1])
