"""What the server and its worker say to each other: a JSON document and blobs of bytes, over a socket.

No pickles: a worker that a picture has taken over must not get the server to run anything.

    server   {"job": "match", ...}
    worker   {"reading": "DIGEST"}         so that the server knows which bytes ended it, if they do
    worker   {"need": "DIGEST"}            of an image that it does not have (any more)
    server   {"given": true} + bytes
    worker   {"done": {...}} + blobs, {"refused": "options", "detail": "..."}, or {"failed": "MemoryError"}
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Message", "pack", "read_message", "receive_message"]

_HEAD = struct.Struct("<IH")
_MOST_JSON, _MOST_BLOB = 16 << 20, 2 << 30
_SIZE = struct.Struct("<Q")


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        document: plain values.
        blobs: that go with it.
    """

    document: dict[str, Any]
    blobs: tuple[bytes, ...] = field(default=(), repr=False)


def pack(document: dict[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """A message as pieces to send one after the other."""
    content = json.dumps(document).encode("ascii")
    sizes = b"".join(_SIZE.pack(len(blob)) for blob in blobs)
    return [_HEAD.pack(len(content), len(blobs)) + sizes + content, *blobs]


def _checked(value: int, most: int) -> int:
    if value > most:
        raise ConnectionError(f"a message of {value:,} bytes")
    return value


async def read_message(reader: asyncio.StreamReader) -> Message:
    """The next message.

    Raises:
        asyncio.IncompleteReadError: the other side is gone.
        ConnectionError: likewise, or it talks nonsense.
    """
    length, count = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    sizes = [_SIZE.unpack(await reader.readexactly(_SIZE.size))[0] for _ in range(count)]
    content = await reader.readexactly(_checked(length, _MOST_JSON))
    blobs = [await reader.readexactly(_checked(size, _MOST_BLOB)) for size in sizes]
    try:
        return Message(dict(json.loads(content)), tuple(blobs))
    except (ValueError, TypeError, RecursionError) as error:
        raise ConnectionError("a message that is not JSON") from error


def receive_message(connection: socket.socket) -> Message:
    """The next message, waiting for it.

    Raises:
        ConnectionError: the other side is gone.
    """
    length, count = _HEAD.unpack(_exactly(connection, _HEAD.size))
    sizes = [_SIZE.unpack(_exactly(connection, _SIZE.size))[0] for _ in range(count)]
    content = _exactly(connection, length)
    return Message(json.loads(content), tuple(_exactly(connection, size) for size in sizes))


def _exactly(connection: socket.socket, count: int) -> bytes:
    content = bytearray(count)
    view, done = memoryview(content), 0
    while done < count:
        got = connection.recv_into(view[done:])
        if not got:
            raise ConnectionError("the server has disconnected")
        done += got
    return bytes(content)
