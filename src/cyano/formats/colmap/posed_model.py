"""COLMAP models with images of which only the poses are known."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import written_beside
from cyano.formats.colmap.model_files import save_model
from cyano.formats.colmap.pixels import lens_to_colmap
from cyano.formats.colmap.sparse import opened_model
from cyano.formats.extras import load_pycolmap, quiet, translated
from cyano.geometry import LensCamera

__all__ = ["PosedImage", "write_posed", "write_with_images"]


class PosedImage(NamedTuple):
    """An image that sees no points.

    Attributes:
        name: of the image.
        camera: of the image.
        T_world_to_camera: (4, 4) float64.
    """

    name: str
    camera: LensCamera
    T_world_to_camera: NDArray[np.float64]


def write_posed(images: Iterable[PosedImage], target: str | os.PathLike[str]) -> None:
    """Write a model of images alone, for points to be triangulated with; see `write_with_images`.

        write_posed([PosedImage("a.jpg", camera, T_world_to_camera)], "posed")

    Raises:
        OutputError: it cannot be written.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    _write(pycolmap, pycolmap.Reconstruction(), images, Path(target))


def write_with_images(
    model: str | os.PathLike[str], images: Iterable[PosedImage], target: str | os.PathLike[str]
) -> None:
    """Write a model with further images; what it holds stays as it is, its numbers too.

    Images see no points. Equal cameras are one camera.

    Args:
        model: folder of the model.
        images: to add; one that is named like an image of the model is called `query/NAME`.
        target: folder of the result, which is replaced.

    Raises:
        InputError: there is no such model.
        OutputError: it cannot be written.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    with opened_model(model) as whole:
        _write(pycolmap, whole, images, Path(target))


def _write(pycolmap: Any, whole: Any, images: Iterable[PosedImage], target: Path) -> None:
    """A model of pycolmap's with these images in it, too."""
    taken = {image.name for image in whole.images.values()}
    next_camera = max([*whole.cameras, *whole.rigs], default=0) + 1
    next_image = max([*whole.images, *whole.frames], default=0) + 1
    cameras: dict[LensCamera, int] = {}
    for number, image in enumerate(images, start=next_image):
        if image.camera not in cameras:
            cameras[image.camera] = next_camera + len(cameras)
            camera = lens_to_colmap(pycolmap, image.camera)
            camera.camera_id = cameras[image.camera]
            whole.add_camera_with_trivial_rig(camera)
        name = f"query/{image.name}" if image.name in taken else image.name
        added = pycolmap.Image(name=name, camera_id=cameras[image.camera], image_id=number)
        whole.add_image_with_trivial_frame(added, pycolmap.Rigid3d(image.T_world_to_camera[:3]))
    with (
        written_beside(target, overwrite=True) as beside,
        quiet(pycolmap, errors=False),
        translated(f"{target} cannot be written", "check the folder"),
    ):
        save_model(pycolmap, whole, beside)
