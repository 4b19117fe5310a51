"""The two optional packages that the formats need, imported where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from cyano.errors import MissingExtraError

__all__ = ["load_h5py", "load_pycolmap", "need_pycolmap", "quiet"]

_NO_PYCOLMAP = 'COLMAP databases need pycolmap: pip install ".[collections]" in the folder of Cyano'


def load_h5py() -> Any:
    """The package h5py.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError('HDF5 files need h5py: pip install ".[collections]" in the folder of Cyano') from error
    return h5py


def load_pycolmap() -> Any:
    """The package pycolmap.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise MissingExtraError(_NO_PYCOLMAP) from error
    return pycolmap


def need_pycolmap() -> None:
    """Refuse early what would need pycolmap in the end, without loading it: it takes over the signals of the process.

    Raises:
        MissingExtraError: it is not installed.
    """
    if find_spec("pycolmap") is None:
        raise MissingExtraError(_NO_PYCOLMAP)


@contextmanager
def quiet(pycolmap: Any, *, errors: bool = True) -> Iterator[None]:
    """Keeps COLMAP from printing anything below errors, of which some warnings are about GPUs that nobody asked for.

    Args:
        pycolmap: the package.
        errors: whether those are printed; without where they are told in other words anyway.
    """
    level = pycolmap.logging.ERROR if errors else pycolmap.logging.FATAL
    before = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = max(before, int(level))
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = before
