"""A COLMAP model in another frame."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.formats.colmap.model_files import save_model
from cyano.formats.colmap.sparse import opened_model
from cyano.formats.extras import load_pycolmap, quiet, translated

__all__ = ["write_transformed"]


def write_transformed(model: str | os.PathLike[str], matrix: NDArray[np.float64], target: Path) -> None:
    """Write a model with its poses and points moved by a similarity; numbers and cameras stay.

    Args:
        model: folder of the model.
        matrix: (3, 4), scale times rotation beside the translation, from its frame to the new one.
        target: folder of the result, which must not exist.

    Raises:
        InputError: there is no such model.
        OutputError: it cannot be written.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    with opened_model(model) as whole:
        whole.transform(pycolmap.Sim3d(matrix))
    with quiet(pycolmap, errors=False), translated(f"{target} cannot be written", "check the folder"):
        save_model(pycolmap, whole, target)
