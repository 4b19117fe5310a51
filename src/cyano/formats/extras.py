"""The two optional packages that the formats need, imported where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cyano.errors import MissingExtraError

__all__ = ["load_h5py", "load_pycolmap", "quiet"]


def load_h5py() -> Any:
    """The package h5py.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError('HDF5 files need h5py: pip install "cyano[collections]"') from error
    return h5py


def load_pycolmap() -> Any:
    """The package pycolmap.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise MissingExtraError('COLMAP databases need pycolmap: pip install "cyano[collections]"') from error
    return pycolmap


@contextmanager
def quiet(pycolmap: Any) -> Iterator[None]:
    """Keeps COLMAP from printing anything below errors, of which some warnings are about GPUs that nobody asked for."""
    before = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = max(before, int(pycolmap.logging.ERROR))
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = before
