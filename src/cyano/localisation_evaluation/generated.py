"""A set that needs no download: a rendered scene, photographed through a lens with distortion."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.atomic import write_atomically
from cyano.geometry import Camera, LensCamera
from cyano.localisation_evaluation.sets import PosedPhotograph, PosedSet
from cyano.synthesis.scenes import Scene, SceneOptions, make_scene, render
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.types import ImageSize

__all__ = ["GENERATED", "generated_posed_set"]

GENERATED = "generated"
"""The name of the set."""

_SIZE = ImageSize(360, 480)
_LENS = LensCamera("OPENCV", _SIZE, (400.0, 402.0, 243.0, 178.0, -0.12, 0.03, 0.001, -0.0015))
_BEHIND = Camera(600.0, 600.0, 479.5, 359.5, ImageSize(720, 960))
"""The renderer's own camera: sharper and wider than what the lens sees."""

_STEP_DEG = 6.0
_ELSEWHERE = 3


def generated_posed_set(folder: Path, count: int = 10, seed: int = 0) -> PosedSet:
    """Solids on a table from a walk around them, with exact poses; the pictures are written into a folder.

    Args:
        folder: for the pictures.
        count: of the photographs.
        seed: of the scenes; the same seed gives the same pixels.

    Raises:
        OutputError: they cannot be written.

    Example:
        >>> posed = generated_posed_set(Path("table"), count=1)
        >>> posed.photographs[0].name, posed.photographs[0].T_world_to_camera.shape
        ('images/000.png', (4, 4))
    """
    scene, found = _scene(seed), []
    for number in range(count):
        pose = _pose(scene, _STEP_DEG * (number - count / 2), 0.5 + 0.03 * (number % 3))
        name = f"images/{number:03d}.png"
        _write(folder / name, _photograph(scene, pose))
        found.append(PosedPhotograph(name, _LENS, pose))
    other, elsewhere = _scene(seed + 1), []
    for number in range(_ELSEWHERE):
        path = folder / "elsewhere" / f"{number:03d}.png"
        _write(path, _photograph(other, _pose(other, 120.0 * number, 0.5)))
        elsewhere.append(path)
    return PosedSet(GENERATED, folder, tuple(found), tuple(elsewhere))


def _scene(seed: int) -> Scene:
    options = SceneOptions(size=_SIZE, kinds=("objects",), textures=12, plain_share=0.0)
    return make_scene([], np.random.default_rng(seed), options)


def _pose(scene: Scene, degrees: float, height: float) -> NDArray[np.float64]:
    """Looking at the middle of the solids from a direction."""
    middle, angle = scene.interests.mean(axis=0), np.radians(degrees)
    offset = np.array([np.cos(angle), np.sin(angle), height])
    return look_at(middle + 0.8 * scene.distances[1] * offset, middle, 0.0)


def _photograph(scene: Scene, pose: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(H, W) uint8 through the lens."""
    image, _ = render(scene, _BEHIND, pose)
    y, x = np.mgrid[: _SIZE.height, : _SIZE.width]
    rays = _LENS.normalise(np.stack([x.ravel(), y.ravel()], axis=1))
    places = rays * (_BEHIND.fx, _BEHIND.fy) + (_BEHIND.cx, _BEHIND.cy)
    column, row = (places[:, axis].reshape(x.shape).astype(np.float32) for axis in (0, 1))
    softened = cv2.GaussianBlur(image, (0, 0), 0.6)  # the lens takes two pixels in three
    seen = cv2.remap(softened, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    write_atomically(path, content.getvalue())
