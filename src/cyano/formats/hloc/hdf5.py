"""HDF5 files: written beside and renamed, and read though anybody may have made them.

Only plain numbers that lie in the file itself are read. An HDF5 file can name other files to read from,
declare arrays of any size in a few bytes, and link groups in circles. So nothing is opened before its link was looked
at, and no array is read before its storage was.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import written_beside
from cyano.errors import InputError, OutputError
from cyano.formats.extras import load_h5py, translated

__all__ = ["CheckedFile", "CheckedGroup", "create", "create_group", "open_checked"]

_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
"""Filters that come with h5py; any other would have HDF5 load a plug-in."""

_MAX_RATIO = 200
"""Bytes that one byte of a compressed file may stand for."""

_MAX_DEPTH = 64  # folders in a name
_MAX_ATTRIBUTE = 65_536  # bytes
_MAX_ITEM = 8  # bytes of a number


@contextmanager
def create(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Any]:
    """A new HDF5 file, which is there whole when the block ends or not at all.

    Args:
        path: where to.
        overwrite: replace an existing file.

    Yields:
        The open file, as h5py has it.

    Raises:
        OutputError: the file exists or cannot be written.
        MissingExtraError: h5py is not installed.
    """
    h5py = load_h5py()
    told = f"{os.fspath(path)} cannot be written"
    with (
        written_beside(Path(path), overwrite=overwrite) as beside,
        translated(told, "check the folder, and run again", OutputError),
        _Sink(beside) as sink,
    ):
        try:
            with h5py.File(sink, "w") as file:
                yield file
        finally:
            sink.check()


class _Sink(io.FileIO):
    """The file that HDF5 writes to. HDF5 never learns that a disk is full, for it would take the process down."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "x+")
        self._error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or after a first failure pretend to."""
        view = memoryview(data).cast("B")
        done = 0
        while self._error is None and done < len(view):
            try:
                done += super().write(view[done:])
            except OSError as error:
                self._error = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Likewise."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            OSError: the first failure.
        """
        if self._error is not None:
            raise self._error


def create_group(parent: Any, name: str) -> Any:
    """A group for an image; HDF5 drops empty and "." parts of a path, which could make two names one.

    Args:
        parent: file or group.
        name: a path in it; what is there of it stays.

    Raises:
        InputError: HDF5 cannot hold the name.
    """
    try:
        if "\0" in name or any(part in ("", ".") for part in name.split("/")):
            raise ValueError("a part of the path is empty or a single dot")
        return parent.require_group(name)
    except (ValueError, TypeError, UnicodeError) as error:
        raise InputError(f"no HDF5 group can be named after the image {name!r} ({error}); rename it") from error


@contextmanager
def open_checked(path: str | os.PathLike[str]) -> Iterator[CheckedFile]:
    """Open an HDF5 file for reading.

    Args:
        path: of the file.

    Yields:
        The file, through which only what is sound can be read.

    Raises:
        InputError: it is no HDF5 file, or damaged; also from within the block.
        MissingExtraError: h5py is not installed.
    """
    h5py = load_h5py()
    if not Path(path).is_file():
        raise InputError(f"there is no file {os.fspath(path)}; check the path")
    with (
        translated(f"{os.fspath(path)} is not an HDF5 file, or damaged", "export it again"),
        h5py.File(path, "r") as file,
    ):
        yield CheckedFile(file, path)


class CheckedFile:
    """An open file, and how much of it was asked for."""

    def __init__(self, file: Any, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._file = file
        self._size = os.path.getsize(path)
        self._declared = 0

    def groups(self) -> Iterator[CheckedGroup]:
        """All groups, the outer before the inner ones and else in the order of their names.

        Raises:
            InputError: a link is not a plain one, or groups lie in one another too deep or in circles.
        """
        h5py = load_h5py()
        seen: set[int] = set()
        waiting = [("", 0)]
        while waiting:
            name, depth = waiting.pop()
            group = self._file[name] if name else self._file
            address = h5py.h5o.get_info(group.id).addr
            if address in seen or depth > _MAX_DEPTH:
                raise InputError(f"{self.path}: the group {name!r} is nested in a cycle or too deep; export it again")
            seen.add(address)
            datasets, inner = [], []
            for key in group:
                within = f"{name}/{key}" if name else key
                kind = self._kind(h5py, group, key, within)
                if kind is h5py.Dataset:
                    datasets.append(key)
                else:
                    inner.append((within, depth + 1))
            waiting += reversed(inner)
            yield CheckedGroup(name, frozenset(datasets), group, self)

    def group(self, name: str) -> CheckedGroup:
        """One group by its path, for files of which little is wanted.

        Raises:
            InputError: there is none, or a link on the way is not a plain one.
        """
        h5py = load_h5py()
        group, within = self._file, ""
        for part in name.split("/"):
            within = f"{within}/{part}" if within else part
            if part not in group or self._kind(h5py, group, part, within) is not h5py.Group:
                raise InputError(f"{self.path} has no group {name!r}; export it again")
            group = group[part]
        datasets = [key for key in group if self._kind(h5py, group, key, f"{name}/{key}") is h5py.Dataset]
        return CheckedGroup(name, frozenset(datasets), group, self)

    def _kind(self, h5py: Any, group: Any, key: str, within: str) -> Any:
        """Dataset or Group, without opening it."""
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise InputError(
                f"{self.path}: {within!r} is a link to somewhere else, which is not followed; copy the data"
            )
        kind = group.get(key, getclass=True)
        if kind not in (h5py.Dataset, h5py.Group):
            raise InputError(f"{self.path}: {within!r} is neither a group nor an array; export it again")
        return kind

    def check_storage(self, dataset: Any, where: str) -> None:
        """Refuse an array whose numbers do not lie in this file, or cannot be as many as it declares.

        Raises:
            InputError: the message says which and why.
        """
        h5py = load_h5py()
        layout = dataset.id.get_create_plist()
        if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
            raise InputError(f"{where} lies in other files, which are not read; copy the data into one")
        filters = {layout.get_filter(number)[0] for number in range(layout.get_nfilters())}
        if not filters <= _FILTERS.keys():
            raise InputError(f"{where} is compressed in an unknown way; use one of {', '.join(_FILTERS.values())}")
        item = dataset.id.get_type().get_size()
        declared = math.prod(dataset.shape or ()) * item  # an empty dataspace has no shape and stores nothing
        chunk = math.prod(layout.get_chunk()) * item if layout.get_layout() == h5py.h5d.CHUNKED and declared else 0
        stored = dataset.id.get_storage_size()
        limit = stored * (_MAX_RATIO if filters else 1)
        self._declared += declared
        if stored > self._size or max(declared, chunk) > limit or self._declared > self._size * _MAX_RATIO:
            raise InputError(
                f"{where} declares {declared:,} bytes in chunks of {chunk:,}, and the file of {self._size:,} bytes "
                f"stores {stored:,} for it; it is truncated or forged, export it again"
            )


@dataclass(frozen=True, eq=False)
class CheckedGroup:
    """A group that was reached by plain links.

    Attributes:
        name: its path, without a slash in front; "" is the root.
        datasets: names of the arrays in it.
    """

    name: str
    datasets: frozenset[str]
    _group: Any
    _file: CheckedFile

    def array(self, name: str, kinds: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """One array, in the precision of the file.

        Args:
            name: in this group.
            kinds: of numbers, as in `numpy.dtype.kind`.
            shape: that it has to have; None for any length.

        Raises:
            InputError: it is missing, of another shape or type, not finite, or not wholly in this file.
        """
        where = f"{self._file.path}: {self.name}/{name}"
        if name not in self.datasets:
            raise InputError(f"{where} is missing; the file is of another kind or incomplete, export it again")
        dataset = self._group[name]
        self._file.check_storage(dataset, where)
        found = dataset.shape
        fits = found is not None and len(found) == len(shape)
        if not fits or any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
            wanted = ", ".join("any" if length is None else str(length) for length in shape)
            raise InputError(f"{where} has the shape {found} instead of ({wanted}); export it again")
        if dataset.dtype.kind not in kinds or dataset.dtype.itemsize > _MAX_ITEM:
            raise InputError(f"{where} is of {dataset.dtype}, not {'floating point' if kinds == 'f' else 'integers'}")
        values = np.asarray(dataset[()])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(f"{where} holds values that are not finite; make it again")
        return values

    def attribute(self, name: str, kind: str) -> Any:
        """The value of an attribute of numbers or bytes; None if there is none.

        Raises:
            InputError: it is of another kind (as in `numpy.dtype.kind`), or large.
        """
        if name not in self._group.attrs:
            return None
        attribute = self._group.attrs.get_id(name)
        if attribute.dtype.kind != kind or attribute.get_storage_size() > _MAX_ATTRIBUTE:
            raise InputError(f"{self._file.path}: the attribute {name} of {self.name!r} cannot be understood")
        return self._group.attrs[name]
