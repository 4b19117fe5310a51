"""Models of COLMAP's with known poses, as other programs leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["write_posed_model"]


def write_posed_model(
    folder: Path,
    poses: Mapping[str, NDArray[np.float64]],
    camera: tuple[str, Sequence[float], int, int],
    *,
    numbers: Mapping[str, int] | None = None,
    text: bool = False,
) -> Any:
    """Write a model of images without a point, all with one camera of the number 7.

    Args:
        folder: where to; made.
        poses: T_world_to_camera by name.
        camera: COLMAP's name of its model, parameters in COLMAP's pixels, width and height.
        numbers: of the images; None counts from 11 on.
        text: in COLMAP's text form.

    Returns:
        The model as pycolmap has it.
    """
    import pycolmap

    model, (name, params, width, height) = pycolmap.Reconstruction(), camera
    lens = pycolmap.Camera(model=name, width=width, height=height, params=list(params), camera_id=7)
    model.add_camera_with_trivial_rig(lens)
    for place, (image, pose) in enumerate(sorted(poses.items())):
        number = 11 + place if numbers is None else numbers[image]
        fresh = pycolmap.Image(name=image, camera_id=7, image_id=number)
        model.add_image_with_trivial_frame(fresh, pycolmap.Rigid3d(pose[:3]))
    folder.mkdir(parents=True)
    (model.write_text if text else model.write)(str(folder))
    return model
