"""Files that are either whole or not there: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cyano.errors import OutputError

__all__ = ["write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole; whatever stops it, `path` holds its old content or the new, never a part.

    The folder is made if it is not there.

    Args:
        path: where to.
        content: all of it.

    Raises:
        OutputError: the file cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # a temporary file is readable by its owner alone
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; check the folder and its space"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)  # gone already if it was renamed


def _umask() -> int:
    """The process's file creation mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
