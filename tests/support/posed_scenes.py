"""Small scenes and textures for the tests of the renderer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cyano.synthesis.scenes.atlas import build_atlas
from cyano.synthesis.scenes.render import Scene
from cyano.synthesis.scenes.surfaces import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cyano.synthesis.scenes.surfaces import Surface

__all__ = ["detailed_photographs", "scene_of"]


def detailed_photographs(count: int = 4) -> list[NDArray[np.uint8]]:
    """(360, 480) uint8 pictures with detail at all scales and strong contrast, as photographs of gravel have."""
    rng = np.random.default_rng(7)
    pictures = []
    for _ in range(count):
        picture = np.full((360, 480), 128.0, np.float32)
        for cells in (6, 12, 24, 48, 96, 192):
            octave = rng.normal(0, 24, (cells, cells)).astype(np.float32)
            picture += cv2.resize(octave, (480, 360), interpolation=cv2.INTER_CUBIC)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    return pictures


def scene_of(surfaces: Sequence[Surface], photograph: NDArray[np.generic] | None = None) -> Scene:
    """A scene of these surfaces, all with one texture, which is flat grey unless given."""
    texture = np.full((64, 64), 0.5, np.float32) if photograph is None else photograph
    atlas = build_atlas([texture], np.random.default_rng(0), 1, 0.0)
    bounds = Bounds(np.full(3, -10.0), np.full(3, 10.0))
    return Scene(tuple(surfaces), atlas, bounds, (), np.zeros((1, 3)), (1.0, 5.0))
