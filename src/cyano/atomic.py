"""Files that are either whole or not there: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.errors import CyanoError, InputError, OutputError

__all__ = [
    "append_line",
    "archive_bytes",
    "refuse_clashes",
    "tidy",
    "write_atomically",
    "written",
    "written_beside",
]

_MAX_NAME = 200  # bytes of a name that its private place begins with; file systems take 255
_PRIVATE = re.compile(r"\.(.+)\.[0-9a-f]{8,16}", re.DOTALL)
_JUST_MADE_SECONDS = 60.0  # it may not be locked yet
_SURELY_LEFT_SECONDS = 86_400.0  # where no lock can tell


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
    temporary = _private(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            _lock(file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise _cannot(path, error) from error
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)  # there is one only if something went wrong


def refuse_clashes(inputs: Iterable[str | Path], outputs: Iterable[Path]) -> None:
    """Refuse to write two files into one, or over an input, also where links lead to it.

    Raises:
        InputError: naming the path.
    """
    taken = {os.path.realpath(path) for path in inputs}  # takes links in a circle, too
    for path in outputs:
        if os.path.realpath(path) in taken:
            raise InputError(f"{path} is an input or another output already; give each its own name")
        taken.add(os.path.realpath(path))


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """Turns what the system refuses while something is written at `path` into one `OutputError`."""
    try:
        yield
    except CyanoError:
        raise
    except OSError as error:
        raise _cannot(path, error) from error


def append_line(path: Path, line: str) -> None:
    """Add a line to a log, whole or not at all: what a full disk has taken of it is cut off again.

    Raises:
        OutputError: it cannot be written.
    """
    with written(path), path.open("ab", buffering=0) as log:
        content, size = line.encode() + b"\n", log.seek(0, os.SEEK_END)
        try:
            count = log.write(content)
            if count != len(content):  # the rest would meet a full disk
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            log.truncate(size)
            raise


@contextlib.contextmanager
def written_beside(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A private place beside `path` for libraries that write by name: what is made there takes the name `path` at last.

    It may be a file or a folder of files. It is flushed to the disk and renamed when the block ends; whatever else
    lies in the private place then, or all of it if the block raises, is removed. A folder changes places with the one
    that it replaces in one step; where the file system cannot do that, there is none for a moment.

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
        raise OutputError(f"{path} exists already; give another name, or replace it with overwrite=True (--overwrite)")
    staging = _private(path)
    made = staging / path.name
    try:
        staging.mkdir(parents=True)
        with _locked(staging):
            yield made
            _flush_tree(made)
            if made.is_dir() and os.path.lexists(path):
                if not _exchanged(made, path):
                    path.rename(staging / "replaced")
                    made.replace(path)
            else:
                made.replace(path)
            _flush_folder(path.parent)
    except CyanoError as error:
        if error.args:  # people know nothing of the private place
            error.args = (str(error.args[0]).replace(str(staging), str(path.parent)), *error.args[1:])
        raise
    except OSError as error:
        raise _cannot(path, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def tidy(folder: Path, is_ours: Callable[[str], object]) -> None:
    """Remove what writers left in a folder that were killed; what another process is writing stays.

    Args:
        folder: one that `write_atomically` and `written_beside` write into; it may be absent.
        is_ours: says of the name of a file whether it is one that they write there.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            private = _PRIVATE.fullmatch(entry.name)
            if private and is_ours(private[1]):
                with contextlib.suppress(OSError):  # somebody else tidies, or may write here and we may not
                    _remove_left_over(Path(entry.path))


def _remove_left_over(path: Path) -> None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        return
    age = time.time() - status.st_mtime
    if age < _JUST_MADE_SECONDS:
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        free = _lock(descriptor)
    finally:
        os.close(descriptor)
    if free is False or (free is None and age < _SURELY_LEFT_SECONDS):
        return
    if stat.S_ISDIR(status.st_mode):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _private(path: Path) -> Path:
    """A name beside `path` that nobody else has."""
    name = os.fsdecode(os.fsencode(path.name)[:_MAX_NAME])
    return path.with_name(f".{name}.{secrets.token_hex(8)}")


def _lock(descriptor: int) -> bool | None:
    """Say that this process is at work there, until it closes the file or ends, however it does.

    Returns:
        False if another one is; None where the system has no such locks.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    if os.name != "posix":  # only there can a folder be opened
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _exchanged(one: Path, two: Path) -> bool:
    """Whether two paths have changed places in one step, as Linux can on most file systems."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fs.h
    return rename is not None and rename(here, os.fsencode(one), here, os.fsencode(two), exchange) == 0


def _cannot(path: Path, error: Exception) -> OutputError:
    file = next((parent for parent in path.parents if os.path.lexists(parent) and not parent.is_dir()), None)
    if file is not None:
        return OutputError(f"{path} cannot be written: {file} is a file, not a folder; give another name")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(f"{path} cannot be written: {reason}; check the folder and its space")


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
