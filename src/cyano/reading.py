"""Files that anybody may have made: numpy archives, JSON and TOML, read whole or refused in one sentence.

The parsers of these formats share no base class for what damaged or made-up bytes make them raise, wait for ever at a
pipe, and unpack a few bytes to gigabytes. All of that is known here and nowhere else.
"""

from __future__ import annotations

import io
import json
import lzma
import math
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

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
    "record_from",
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


def record_from(kind: type[T], data: object, where: str) -> T:
    """A dataclass from a table; every key has to be a field, every value of the field's type.

    Args:
        kind: the dataclass, whose fields are plain values, tuples, literals, or such dataclasses themselves.
        data: the table, from JSON or TOML.
        where: it comes from, for the message.

    Raises:
        InputError: it is not such a table; the message names the nearest known key to an unknown one.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where} should be a table")
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise InputError(f"{where} has an unknown key {key!r}{hint}")
    values = {key: _value(hints[key], value, f"{where}: {key}") for key, value in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"{where} is incomplete: {str(error).split(') ')[-1]}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    """A plain value as a field's type."""
    if isinstance(hint, UnionType):  # what may be left out
        if value is None and NoneType in get_args(hint):
            return None
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise InputError(f"{where} is one of {', '.join(map(repr, get_args(hint)))}, not {value!r}")
        return value
    if is_dataclass(hint):
        return record_from(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where} should be a list")
        kinds = get_args(hint)
        inner = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else list(kinds)
        if len(inner) != len(value):
            raise InputError(f"{where} takes {len(inner)} values")
        return tuple(
            _value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(inner, value, strict=True))
        )
    if get_origin(hint) in (dict, list):
        hint = get_origin(hint)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise InputError(f"{where} should be a finite number, not {value}")
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{where} should be {hint.__name__}, not {value!r}")
    return value
