"""A walk around a rendered scene: a few pictures with known poses, for reconstructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.geometry import Camera
from cyano.synthesis.scenes import SceneOptions, make_scene, render
from cyano.synthesis.scenes.posed import PosedView
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.types import ImageSize
from support.posed_scenes import detailed_photographs

__all__ = ["render_walk", "write_view", "write_walk"]

SIZE = ImageSize(360, 480)
FOCAL_35MM = 30
STEP_DEG = 8


def render_walk(
    count: int = 6, step_deg: float = STEP_DEG, *, at: Sequence[float] | None = None, seed: int = 3
) -> list[PosedView]:
    """A camera goes around solids on a table, so many degrees and a little upwards a step, and looks at the middle.

    Args:
        count: of steps.
        step_deg: of each.
        at: after how many steps to look, also in between; None for all.
        seed: of the solids.
    """
    options = SceneOptions(size=SIZE, kinds=("objects",), procedural_share=0.0, textures=8)
    scene = make_scene(detailed_photographs(), np.random.default_rng(seed), options)
    camera = Camera.from_focal_35mm(FOCAL_35MM, SIZE)
    middle = scene.interests.mean(axis=0)
    views = []
    for number in range(count) if at is None else at:
        angle = np.radians(step_deg * (number - count / 2))
        offset = np.array([np.cos(angle), np.sin(angle), 0.5 + 0.05 * number])
        pose = look_at(middle + 0.8 * scene.distances[1] * offset, middle, 0.0)
        views.append(PosedView(*render(scene, camera, pose), camera, pose))
    return views


def write_walk(folder: Path, count: int = 6) -> Mapping[str, NDArray[np.float64]]:
    """Write `view0.png`, `view1.png`, ... with their focal length in EXIF; the T_world_to_camera of each by name."""
    folder.mkdir(parents=True, exist_ok=True)
    poses = {}
    for number, view in enumerate(render_walk(count)):
        name = f"view{number}.png"
        poses[name] = view.T_world_to_camera
        write_view(view, folder / name)
    return poses


def write_view(view: PosedView, path: Path) -> None:
    """Write a picture with its focal length in EXIF."""
    exif = Image.Exif()
    exif[0x0110] = "walk"  # Model; Pillow writes no EXIF into a PNG file without something at its first level
    exif.get_ifd(0x8769)[0xA405] = FOCAL_35MM  # FocalLengthIn35mmFilm
    Image.fromarray(np.round(view.image * 255).astype(np.uint8)).save(path, exif=exif)
