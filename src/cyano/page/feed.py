"""Live pictures in the server: what the process that tracks a source saw last, for any number of pages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cyano.errors import InputError, OutputError
from cyano.page.messages import Message
from cyano.page.processes import Process, ProcessLostError, program
from cyano.page.settings import LiveSource
from cyano.page.worker import START_SECONDS

__all__ = ["Feed", "Viewer", "frame_bytes"]

COMMAND = program("cyano.page.work.live")

_GONE = "the process that reads the source has ended; start the server again"


@dataclass(eq=False)
class Viewer:
    """A page that looks.

    Attributes:
        number: of it.
        news: is set when there is something that it has not seen.
        errors: what its commands were refused for.
    """

    number: int
    news: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[str] = field(default_factory=list)


class Feed:
    """Starts the process, takes what it tells, and passes commands on.

    Attributes:
        source: what is shown.
        state: of the session; see `cyano.live.LiveSession.latest`.
        frame: the last message with a frame; None before the first.
        anchor_number: changes with the anchor.
        anchor: its JPEG.
    """

    def __init__(self, source: LiveSource, command: Sequence[str] = COMMAND) -> None:
        """Nothing runs yet.

        Args:
            source: to show.
            command: of the process; see `cyano.page.work.live`.
        """
        self.source = source
        self.state: dict[str, Any] = {"state": "running", "message": ""}
        self.frame: Message | None = None
        self.anchor_number, self.anchor = -1, b""
        self._process = Process(command, keeps_input=source.name == "-")
        self._viewers: dict[int, Viewer] = {}
        self._count = 0
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Have the source opened, and pictures come.

        Raises:
            CyanoError: it cannot be; the message is for the user.
        """
        try:
            first = await self._process.launch(json.dumps(asdict(self.source)), START_SECONDS)
        except ProcessLostError as error:
            raise OutputError(
                "the process for live images did not start; `cyano env` shows what is installed"
            ) from error
        if "refused" in first.document:
            await self._process.end()
            raise InputError(str(first.document["detail"]))
        self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """End the process."""
        if self._listening is not None:
            self._listening.cancel()
        await self._process.end()

    @property
    def problem(self) -> str:
        """Why there were no pictures; empty where there were."""
        return str(self.state["message"]) if self.state["state"] == "failed" else ""

    @contextlib.contextmanager
    def viewer(self) -> Any:
        """A `Viewer`, while it looks."""
        self._count += 1
        viewer = self._viewers[self._count] = Viewer(self._count)
        viewer.news.set()
        try:
            yield viewer
        finally:
            del self._viewers[viewer.number]

    async def command(self, viewer: Viewer, name: str, value: object) -> None:
        """Pass a command on; what it is refused for comes as news."""
        with contextlib.suppress(ProcessLostError):
            await self._process.send({"command": name, "value": value, "viewer": viewer.number})

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await self._process.receive())
        except ProcessLostError:
            self.state = {**self.state, "state": "failed", "message": _GONE}
            self.frame = None
        self._tell(self._viewers.values())

    def _take(self, message: Message) -> None:
        match message.document:
            case {"error": str(error), "viewer": number}:
                if number in self._viewers:
                    self._viewers[number].errors.append(error)
                    self._tell([self._viewers[number]])
                return
            case {"frame": dict(header), "anchor": number}:
                if number != self.anchor_number:
                    self.anchor_number, self.anchor = number, message.blobs[0]
                self.frame, self.state = message, header
            case {"state": dict(state)}:
                self.state = state
            case _:
                raise ProcessLostError("it sent an invalid message")
        self._tell(self._viewers.values())

    @staticmethod
    def _tell(viewers: Any) -> None:
        for viewer in viewers:
            viewer.news.set()


def frame_bytes(header: dict[str, Any], anchor: bytes, picture: bytes, numbers: bytes) -> bytes:
    """A frame as a page gets it.

    A little-endian uint32 says how long the header is, which is JSON and says how long what follows is: the anchor's
    JPEG, the frame's, then numbers; see `cyano.live.message`.

    Args:
        header: of it.
        anchor: its anchor's JPEG, empty where the page has it.
        picture: its own JPEG.
        numbers: float32.
    """
    head = json.dumps({**header, "jpeg": [len(anchor), len(picture)]}, allow_nan=False).encode("ascii")
    head += b" " * (-len(head) % 4)
    return b"".join([struct.pack("<I", len(head)), head, anchor, picture, numbers])
