"""Files that are either whole or not there: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.errors import OutputError

__all__ = ["archive_bytes", "write_atomically"]


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
