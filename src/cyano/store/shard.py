"""One shard: a safetensors file of which every byte is covered by a checksum.

The header's metadata hold `checksum`, of the header itself with that field zeroed, and `cyano`, a JSON document
with the checksum of each tensor and whatever the store puts there. So a reader of one tensor reads and checks
the header and that tensor alone. Reading goes through `read`, not through a memory map, in which a bad disk or
a file that is cut short kills the process instead of raising an error.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, KeysView, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.store.keys import CHECKSUM_BYTES, checksum

__all__ = ["DamagedShardError", "Shard", "encode", "open_shard"]

_START = b'{"__metadata__":{"checksum":"'
_NO_CHECKSUM = "0" * (2 * CHECKSUM_BYTES)
_MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library
_ALIGNMENT = 8  # bytes; the format pads its header to this

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U16": "<u2", "U8": "|u1"}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}


class DamagedShardError(InputError):
    """A file is not the shard that was once written under its name.

    Example:
        >>> issubclass(DamagedShardError, cyano.CyanoError)
        True
    """


@dataclass(frozen=True)
class _Entry:
    """Where a tensor is, as the header says."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def encode(document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of a shard; the same input gives the same bytes.

    Args:
        document: what JSON can hold; read back as `Shard.document`.
        tensors: arrays of any shape by name, in float16 to float64, uint8, uint16, int32 or int64.
    """
    entries, checksums, blocks, position = {}, {}, [], 0
    for name in sorted(tensors, key=lambda name: -tensors[name].itemsize):  # wide types first: all are aligned
        array = np.asarray(tensors[name])
        dtype = array.dtype.newbyteorder("<")
        block = np.ascontiguousarray(array, dtype=dtype).tobytes()
        offsets = [position, position := position + len(block)]
        entries[name] = {"dtype": _CODES[np.dtype(dtype)], "shape": list(array.shape), "data_offsets": offsets}
        checksums[name] = checksum(block)
        blocks.append(block)
    metadata = {"checksum": _NO_CHECKSUM, "cyano": json.dumps({"checksums": checksums, **document})}
    header = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode("ascii")
    header += b" " * (-len(header) % _ALIGNMENT)
    length = struct.pack("<Q", len(header))
    slot = slice(len(_START), len(_START) + len(_NO_CHECKSUM))
    signed = header[: slot.start] + checksum(length, header).encode("ascii") + header[slot.stop :]
    return b"".join([length, signed, *blocks])


class Shard:
    """A shard that is open for reading, its header checked."""

    def __init__(self, file: BinaryIO, path: Path, document: dict[str, Any], entries: dict[str, _Entry], data: int):
        self.document = document
        self._file = file
        self._path = path
        self._entries = entries
        self._data = data

    @property
    def names(self) -> KeysView[str]:
        """Names of the tensors."""
        return self._entries.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, from the header."""
        return self._entries[name].shape

    def tensor(self, name: str) -> NDArray[Any]:
        """One tensor as a new array.

        Raises:
            DamagedShardError: its bytes are not those that were written.
            OSError: they cannot be read.
        """
        entry = self._entries[name]
        self._file.seek(self._data + entry.start)
        block = bytearray(self._file.read(entry.end - entry.start))
        if checksum(block) != self.document["checksums"][name]:
            raise DamagedShardError(f"{self._path}: {name} is damaged")
        return np.ndarray(entry.shape, _DTYPES[entry.dtype], block)


@contextmanager
def open_shard(path: Path) -> Iterator[Shard]:
    """Open a shard and check its header and its length.

    Raises:
        DamagedShardError: it is cut short, too long, or its header is not the one that was written.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = _header(file, path, size)
        entries = {
            name: _Entry(entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])
            for name, entry in header.items()
            if name != "__metadata__"
        }
        data = file.tell()
        expected = data + max((entry.end for entry in entries.values()), default=0)
        if size != expected:
            raise DamagedShardError(f"{path} has {size} bytes instead of {expected}")
        yield Shard(file, path, json.loads(header["__metadata__"]["cyano"]), entries, data)


def _header(file: BinaryIO, path: Path, size: int) -> dict[str, Any]:
    """The header, after its checksum: from there on nothing in it needs to be doubted."""
    length = file.read(8)
    count = int.from_bytes(length, "little")
    if len(length) < 8 or count > min(size - 8, _MAX_HEADER):
        raise DamagedShardError(f"{path} is truncated or has no header")
    header = file.read(count)
    slot = slice(len(_START), len(_START) + len(_NO_CHECKSUM))
    unsigned = header[: slot.start] + _NO_CHECKSUM.encode("ascii") + header[slot.stop :]
    if not header.startswith(_START) or checksum(length, unsigned).encode("ascii") != header[slot]:
        raise DamagedShardError(f"the header of {path} is damaged")
    content: dict[str, Any] = json.loads(header)
    return content
