"""The server, as its processes see it."""

from __future__ import annotations

import socket
import sys
from typing import Any

from cyano.page.messages import pack, receive_message
from cyano.page.work.answers import GoneError

__all__ = ["Server"]


class Server:
    """The other side of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @classmethod
    def from_arguments(cls) -> Server:
        """That which started this process; see `cyano.page.processes`."""
        return cls(socket.socket(fileno=int(sys.argv[1])))

    def send(self, document: dict[str, Any], *blobs: bytes) -> None:
        """Send a message."""
        for piece in pack(document, blobs):
            self._connection.sendall(piece)

    def receive(self) -> dict[str, Any]:
        """The next job."""
        return receive_message(self._connection).document

    def bytes_of(self, digest: str) -> bytes:
        """The bytes of an image.

        Raises:
            GoneError: they are not kept any more.
        """
        self.send({"need": digest})
        message = receive_message(self._connection)
        if not message.document["given"]:
            raise GoneError(f"the image {digest[:12]}... is not kept (any more); upload it again")
        return message.blobs[0]

    def reading(self, digest: str | None) -> None:
        """Tell which image is being decoded."""
        self.send({"reading": digest})
