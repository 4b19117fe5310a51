"""Files that anybody may have made: numpy archives, JSON and TOML, read whole or refused in one sentence.

The parsers of these formats share no base class for what damaged or made-up bytes make them raise, wait for ever at a
pipe, and unpack a few bytes to gigabytes. All of that is known here and nowhere else.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import pickle
import stat
import struct
import threading
import tokenize
import tomllib
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cyano.errors import CyanoError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "PARSER_ERRORS",
    "parse_json",
    "parse_toml",
    "read_arrays",
    "read_bytes",
    "read_json",
    "read_text",
    "reason_of",
    "refusing",
    "without_warnings",
]

PARSER_ERRORS: tuple[type[Exception], ...] = (
    *(OSError, ValueError, SyntaxError, EOFError, TypeError, AttributeError, LookupError, ArithmeticError),
    *(RuntimeError, MemoryError, AssertionError, ImportError, BufferError, struct.error, zlib.error, lzma.LZMAError),
    *(tokenize.TokenError, zipfile.BadZipFile, zipfile.LargeZipFile, pickle.PickleError),
)
"""What parsers raise on damaged bytes; text that is no UTF-8, too deep nesting and unknown compression are among
them by their base classes."""

_MAX_TEXT = 64 << 20  # bytes of a JSON or TOML file; the largest that Cyano writes has a few
_MAX_UNPACKED = 8 << 30  # bytes of an archive's arrays
_MAX_RATIO = 1100  # of zlib itself; beyond it, the directory of the archive lies
_MAX_DEPTH = 64  # of tables in tables
_INTEGERS = range(-(2**63), 2**63)  # what numpy, torch and C libraries can take
_SHOWN = 200  # characters of a parser's reason

T = TypeVar("T")


def reason_of(error: Exception) -> str:
    """The first line of an error, or what kind it is where it says nothing."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = text.strip().splitlines()
    return lines[0][:_SHOWN] if lines else type(error).__name__


@contextmanager
def refusing(where: object, remedy: str, error: type[CyanoError] = InputError, kind: str = "") -> Iterator[None]:
    """Turns whatever a parser raises within the block into one error; Cyano's own errors pass.

    Args:
        where: what is read, for the message.
        remedy: what to do about it, likewise.
        error: the class of the error.
        kind: what the file should be, such as "JSON".
    """
    try:
        yield
    except CyanoError:
        raise
    except PARSER_ERRORS as cause:
        told = f"as {kind} " if kind else ""
        raise error(f"{where} cannot be read {told}({reason_of(cause)}); {remedy}") from cause


_filters_lock = threading.Lock()


@contextmanager
def without_warnings(module: str = "") -> Iterator[None]:
    """Hides what libraries warn of while they parse damaged files.

    The list of warning filters belongs to the process, so one thread at a time may exchange it.

    Args:
        module: regular expression for the modules whose warnings are hidden; "" for all.
    """
    with _filters_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=module)
        yield


def read_bytes(
    path: str | os.PathLike[str],
    *,
    remedy: str = "check the path",
    error: type[CyanoError] = InputError,
    limit: int | None = None,
) -> bytes:
    """The content of a file; a pipe or a device, which might never end, is refused.

    Args:
        path: of the file.
        remedy: what to do if that cannot be, for the message.
        error: the kind of error.
        limit: bytes that are not exceeded; None for any number.

    Raises:
        CyanoError: of that kind: it is missing, no regular file, too large, or cannot be read.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise error(f"{os.fspath(path)} is not a regular file; {remedy}")
            if limit is not None and status.st_size > limit:
                raise error(f"{os.fspath(path)} has {status.st_size:,} bytes, more than {limit:,}; {remedy}")
            return file.read()
    except FileNotFoundError as cause:
        raise error(f"there is no file {os.fspath(path)}; {remedy}") from cause
    except CyanoError:
        raise
    except (OSError, ValueError, MemoryError) as cause:  # ValueError: a name with a null character
        raise error(f"{os.fspath(path)} cannot be read: {reason_of(cause)}; {remedy}") from cause


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def read_text(
    path: str | os.PathLike[str], *, remedy: str = "give a text file in UTF-8", error: type[CyanoError] = InputError
) -> str:
    """The content of a text file in UTF-8, without a byte-order mark.

    Raises:
        CyanoError: of the kind that was asked for: it is missing, or no such file.
    """
    try:
        return read_bytes(path, remedy=remedy, error=error).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(f"{os.fspath(path)} is not text in UTF-8 ({cause.reason}, byte {cause.start}); {remedy}") from cause


def read_json(
    path: str | os.PathLike[str], *, remedy: str = "make it again", error: type[CyanoError] = InputError
) -> dict[str, Any]:
    """The object in a JSON file; its integers have at most 64 bits, and its nesting is no trap.

    Raises:
        CyanoError: of the kind that was asked for: it is missing, or not such a file.
    """
    return parse_json(read_bytes(path, remedy=remedy, error=error, limit=_MAX_TEXT), path, remedy=remedy, error=error)


def parse_json(
    content: bytes, where: object, *, remedy: str = "make it again", error: type[CyanoError] = InputError
) -> dict[str, Any]:
    """`read_json` of bytes that are at hand; `where` says in the message where they come from."""
    with refusing(where, remedy, error, "JSON"):
        return _checked_object(json.loads(content))


def parse_toml(content: bytes, where: object, *, remedy: str = "mend it") -> dict[str, Any]:
    """The tables of a TOML document, as `parse_json`.

    Raises:
        InputError: it is none.
    """
    with refusing(where, remedy, kind="TOML"):
        if len(content) > _MAX_TEXT:
            raise ValueError(f"it has {len(content):,} bytes")
        return _checked_object(tomllib.loads(content.decode("utf-8")))


def _checked_object(document: object) -> dict[str, Any]:
    """The document, if it is an object of bounded depth and numbers.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(document, dict):
        raise ValueError(f"it is not an object but {type(document).__name__}")
    waiting: list[tuple[object, int]] = [(document, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > _MAX_DEPTH:
                raise ValueError(f"it is nested more than {_MAX_DEPTH} deep")
            inner = value.values() if isinstance(value, dict) else value
            waiting += [(item, depth + 1) for item in inner]
        elif isinstance(value, int) and value not in _INTEGERS:
            raise ValueError("a whole number has more than 64 bits")
    return document


def read_arrays(
    path: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    *,
    remedy: str = "make it again",
    error: type[CyanoError] = InputError,
    pickled: bool = False,
) -> dict[str, NDArray[Any]]:
    """Arrays of a numpy archive (.npz) by name, in memory.

    Args:
        path: of the archive.
        names: that are wanted, all of which have to be there; None for all.
        remedy: what to do if it cannot be read, for the message.
        error: the kind of error.
        pickled: whether arrays may be Python objects. Reading those runs code that is in the file.

    Raises:
        CyanoError: of that kind: it is missing, not such an archive, or unpacks to more than archives do.
    """
    content = read_bytes(path, remedy=remedy, error=error)
    with refusing(os.fspath(path), remedy, error, "a numpy archive"), without_warnings():
        return _unpacked(content, names, pickled)


def _unpacked(content: bytes, names: Sequence[str] | None, pickled: bool) -> dict[str, NDArray[Any]]:
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > min(_MAX_UNPACKED, len(content) * _MAX_RATIO):
        raise ValueError(f"{len(content):,} bytes unpack to {unpacked:,}")
    found = {}
    with np.load(io.BytesIO(content), allow_pickle=pickled) as arrays:
        for name in arrays.files if names is None else names:
            array = arrays[name]
            if not isinstance(array, np.ndarray):
                raise ValueError(f"{name} is not an array")
            if array.size and not array.dtype.itemsize:
                raise ValueError(f"{name} has {array.size} elements of no bytes")
            found[name] = array
    return found
