"""The two optional packages that the formats need: imported where they are used, and their errors turned into ours."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cyano.errors import CyanoError, InputError, MissingExtraError, OutputError
from cyano.reading import PARSER_ERRORS, reason_of

__all__ = ["load_h5py", "load_pycolmap", "need_pycolmap", "need_room", "quiet", "translated"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
_FULL_WORDS = ("disk is full", "disk I/O error", "No space left", "readonly database", "quota exceeded")
_FOREIGN: tuple[type[Exception], ...] = (*PARSER_ERRORS, sqlite3.Error)
_RESERVE = 1 << 20  # bytes: what SQLite writes beside the data

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
    with _own_signals():
        try:
            import pycolmap
        except ImportError as error:
            raise MissingExtraError(_NO_PYCOLMAP) from error
    return pycolmap


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps COLMAP's logging from taking SIGTERM over: it would print a stack trace where others just end.

    Only the main thread of a program may set what signals do.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def need_pycolmap() -> None:
    """Refuse early what would need pycolmap in the end, without loading it: it takes over the signals of the process.

    Raises:
        MissingExtraError: it is not installed.
    """
    if find_spec("pycolmap") is None:
        raise MissingExtraError(_NO_PYCOLMAP)


@contextmanager
def translated(doing: str, remedy: str, error: type[CyanoError] = InputError) -> Iterator[None]:
    """Turns what pycolmap, h5py and sqlite3 raise into one error; Cyano's own errors pass.

    Args:
        doing: what cannot be done then, for the message: "x.db cannot be read".
        remedy: what to do about it, likewise.
        error: the class of the error, but for a disk that is full or fails, which is an `OutputError`.

    Raises:
        CyanoError: see above.
    """
    try:
        yield
    except CyanoError:
        raise
    except _FOREIGN as cause:
        told = str(cause)
        if getattr(cause, "errno", None) in _FULL or any(words in told for words in _FULL_WORDS):
            raise OutputError(
                f"{doing}: the disk is full or fails ({reason_of(cause)}); make room, and run again"
            ) from cause
        raise error(f"{doing}: {reason_of(cause)}; {remedy}") from cause


def need_room(folder: Path, count: int) -> None:
    """Refuse to have COLMAP write so many bytes into a folder if they would fill the disk.

    It ends a transaction in a destructor; one that fails there takes the process down. So the room is taken and given
    back before, which quotas have their say in as well.

    Args:
        folder: that is written into.
        count: bytes.

    Raises:
        OutputError: there is no such room.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, count + _RESERVE)
    except OSError as error:
        raise OutputError(
            f"{folder} has no room for {count + _RESERVE:,} bytes more ({reason_of(error)}); make room, and run again"
        ) from error


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
