"""Files that are either whole or not there: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.errors import OutputError

__all__ = ["archive_bytes", "write_atomically", "written_beside"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole; whatever stops it, `path` holds its old content or the new, never a part.

    The folder is made if it is not there.

    Args:
        path: where to.
        content: all of it.

    Raises:
        OutputError: the file cannot be written.
    """
    if not path.name:
        raise OutputError(f"{path} is a folder; give the name of a file in it")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; check the folder and its space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # there is one only if something went wrong


@contextlib.contextmanager
def written_beside(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A private place beside `path` for libraries that write by name: what is made there takes the name `path` at last.

    It may be a file or a folder of files. It is flushed to the disk and renamed when the block ends; whatever else
    lies in the private place then, or all of it if the block raises, is removed. A folder that is replaced is first
    moved away, so for a moment there is none.

    Args:
        path: where to.
        overwrite: replace what is there instead of refusing.

    Yields:
        The path to write to, which is not there yet, in a folder that is.

    Raises:
        OutputError: `path` exists already, or it cannot be written.
    """
    if not path.name:
        raise OutputError(f"{path} is a folder; give a name in it")
    if not overwrite and os.path.lexists(path):
        raise OutputError(f"{path} exists already; give another name, or replace it with overwrite=True")
    staging = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    made = staging / path.name
    try:
        staging.mkdir(parents=True)
        yield made
        _flush_tree(made)
        if made.is_dir() and os.path.lexists(path):
            path.rename(staging / "replaced")
        made.replace(path)
        _flush_folder(path.parent)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; check the folder and its space"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _flush_tree(path: Path) -> None:
    """Bring a file, or all files and folders in a folder, to the disk."""
    folders = [path] if path.is_dir() else []
    for inner in path.rglob("*") if folders else [path]:
        if inner.is_dir():
            folders.append(inner)
            continue
        with inner.open("rb+") as file:
            os.fsync(file.fileno())
    for folder in folders:
        _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    """Bring the new name to the disk too, so that a file that was written is there after a power cut."""
    if os.name != "posix":  # only there can a folder be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot do it for folders
            raise
    finally:
        os.close(descriptor)


def archive_bytes(**arrays: NDArray[np.generic]) -> bytes:
    """A compressed numpy archive of these arrays as a file's content."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
